package telegram

import (
	"net/http"
	"strconv"

	"switchyard/sim/backstage"
)

// Fault is what goes wrong with a request.
type Fault struct {
	// Method and Chat limit it. Empty: any but getUpdates, and any.
	Method string `json:"method,omitempty"`
	Chat   string `json:"chat,omitempty"`
	// Times is how many requests it hits; 0: all, until Recover.
	Times int `json:"times,omitempty"`
	// After is how many requests it spares first.
	After int `json:"after,omitempty"`

	// Status and Description of the answer. Status 0: the answer is the real one,
	// if it comes at all.
	Status      int    `json:"status,omitempty"`
	Description string `json:"description,omitempty"`
	// RetryAfter is that parameter, and the header.
	RetryAfter int `json:"retry_after,omitempty"`
	// HTML: the answer is a page, as from a proxy or a gateway.
	HTML bool `json:"html,omitempty"`
	// Done: the request is done before this goes wrong, so only its answer is
	// lost.
	Done bool `json:"done,omitempty"`
	// Drop closes the connection without an answer.
	Drop bool `json:"drop,omitempty"`
	// Hang gives no answer until the client gives up, or Recover.
	Hang bool `json:"hang,omitempty"`
}

// Fail has requests go wrong from now on; of several faults the first that fits
// counts.
func (s *Server) Fail(f Fault) { s.faults.Add(f, f.Times) }

// Recover takes back all faults, and lets go of the requests that they hold.
func (s *Server) Recover() { s.faults.Clear() }

// hits tells whether the fault is one of this request, and counts those that it
// spares.
func (f *Fault) hits(method, chat string) bool {
	if f.Method == "" && method == "getUpdates" || f.Method != "" && f.Method != method || f.Chat != "" && f.Chat != chat {
		return false
	}
	if f.After > 0 {
		f.After--
		return false
	}
	return true
}

// Held is how many requests hang at this moment.
func (s *Server) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

func (s *Server) hold(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += n
}

// meet answers as the fault has it; false: the real answer is to be sent.
func (s *Server) meet(f *Fault, w http.ResponseWriter, r *http.Request, freed <-chan struct{}) (no *refusal, met bool) {
	switch {
	case f.Hang:
		s.hold(1)
		defer s.hold(-1)
		select {
		case <-freed:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.HTML:
		status := max(f.Status, http.StatusOK)
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<html><body>" + f.Description + "</body></html>"))
		return &refusal{status: status}, true
	case f.Status != 0:
		no = &refusal{status: f.Status, description: f.Description, retryAfter: f.RetryAfter}
		if no.description == "" {
			no.description = http.StatusText(f.Status)
		}
		if f.RetryAfter > 0 && f.Description == "" {
			no.description += ": retry after " + strconv.Itoa(f.RetryAfter)
		}
		no.answer(w)
		return no, true
	}
	return nil, false
}

// control is the simulator's own API, which Telegram doesn't have:
//
//	GET    /_sim/ledger     all requests
//	GET    /_sim/messages   what was sent (?chat=)
//	POST   /_sim/say        {"chat", "text"}: somebody writes to the bot
//	POST   /_sim/press      {"message_id", "data"}: somebody presses a button
//	POST   /_sim/move       {"chat", "to"}: a group becomes a supergroup
//	POST   /_sim/block      {"chat", "description"}: a chat refuses the bot
//	POST   /_sim/faults     a Fault, from now on
//	DELETE /_sim/faults     take all back
func (s *Server) control() http.Handler {
	mux := backstage.Control(s.Fail, s.Recover)
	mux.HandleFunc("GET /_sim/ledger", func(w http.ResponseWriter, _ *http.Request) { backstage.Show(w, s.Ledger()) })
	mux.HandleFunc("GET /_sim/messages", func(w http.ResponseWriter, r *http.Request) {
		backstage.Show(w, append([]Call{}, s.Messages(r.URL.Query().Get("chat"))...))
	})
	type order struct {
		Chat, Text, Data, To, Description string
		MessageID                         int64 `json:"message_id"`
	}
	for what, do := range map[string]func(order) error{
		"say":   func(o order) error { return s.Say(o.Chat, o.Text) },
		"press": func(o order) error { return s.Press(o.MessageID, o.Data) },
		"move":  func(o order) error { s.Move(o.Chat, o.To); return nil },
		"block": func(o order) error { s.Block(o.Chat, o.Description); return nil },
	} {
		mux.HandleFunc("POST /_sim/"+what, func(w http.ResponseWriter, r *http.Request) {
			var o order
			if !backstage.Read(w, r, &o) {
				return
			}
			if err := do(o); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
	}
	return mux
}
