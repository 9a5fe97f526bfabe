package cloudflare

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"switchyard/sim/backstage"
)

// Fault is what goes wrong with a request.
type Fault struct {
	// Method and Path limit it: Path is a part of the request's path. Empty: any.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Times is how many requests it hits; 0: all, until Recover.
	Times int `json:"times,omitempty"`

	// Status, Code and Message of the answer. Status 0: the answer is the real
	// one, if it comes at all.
	Status  int    `json:"status,omitempty"`
	Code    int    `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// RetryAfter is that header, as it stands. Empty: none.
	RetryAfter string `json:"retry_after,omitempty"`
	// HTML: the answer is a page, as from a proxy or an edge that failed.
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

// hits tells whether the fault is one of this request.
func (f *Fault) hits(r *http.Request) bool {
	return (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path)
}

// meet answers as the fault has it; false: the real answer is to be sent.
func (f *Fault) meet(w http.ResponseWriter, r *http.Request, freed <-chan struct{}) (status, code int, met bool) {
	switch {
	case f.Hang:
		select {
		case <-freed:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case f.Drop:
		panic(http.ErrAbortHandler)
	case f.HTML:
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(max(f.Status, http.StatusOK))
		_, _ = w.Write([]byte("<html><body>" + f.Message + "</body></html>"))
		return max(f.Status, http.StatusOK), 0, true
	case f.Status != 0:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		refuse(w, &refusal{f.Status, f.Code, f.Message})
		return f.Status, f.Code, true
	}
	return 0, 0, false
}

// control is the simulator's own API, which Cloudflare doesn't have:
//
//	GET    /_sim/ledger   all requests
//	GET    /_sim/rules    all rules
//	POST   /_sim/rules    {"account" or "zone", "mode", "value", "notes"}: make one, past the API
//	POST   /_sim/faults   a Fault, from now on
//	DELETE /_sim/faults   take all back
func (s *Server) control() http.Handler {
	mux := backstage.Control(s.Fail, s.Recover)
	mux.HandleFunc("GET /_sim/ledger", func(w http.ResponseWriter, _ *http.Request) { backstage.Show(w, s.Ledger()) })
	mux.HandleFunc("GET /_sim/rules", func(w http.ResponseWriter, _ *http.Request) { backstage.Show(w, s.Rules()) })
	mux.HandleFunc("POST /_sim/rules", func(w http.ResponseWriter, r *http.Request) {
		var x struct{ Account, Zone, Mode, Value, Notes string }
		if !backstage.Read(w, r, &x) {
			return
		}
		rule, err := s.Add(x.Account, x.Zone, x.Mode, x.Value, x.Notes)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		backstage.Show(w, rule)
	})
	return mux
}

// Add makes a rule past the API, as somebody does at the dashboard.
func (s *Server) Add(account, zone, mode, value, notes string) (Rule, error) {
	p := place{kind: "accounts", id: account}
	if zone != "" {
		p = place{kind: "zones", id: zone}
	}
	if p.id == "" {
		return Rule{}, errors.New("name an account or a zone")
	}
	target := guess(value)
	r, refused := s.make(p, newRule{Mode: &mode, Notes: notes, Configuration: &configuration{target, value}}, time.Now())
	if refused != nil {
		return Rule{}, refused
	}
	return *r, nil
}
