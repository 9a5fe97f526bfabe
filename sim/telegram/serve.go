package telegram

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxBody is what is read of a request.
	maxBody = 1 << 20
	// maxUpdates is how many updates one answer has.
	maxUpdates = 100
)

// refusal is an answer that says no.
type refusal struct {
	status      int
	description string
	retryAfter  int
	movedTo     int64
}

func bad(description string) *refusal {
	return &refusal{status: http.StatusBadRequest, description: "Bad Request: " + description}
}

// answer writes it.
func (r *refusal) answer(w http.ResponseWriter) {
	type parameters struct {
		RetryAfter int   `json:"retry_after,omitempty"`
		MovedTo    int64 `json:"migrate_to_chat_id,omitempty"`
	}
	doc := struct {
		OK          bool        `json:"ok"`
		Code        int         `json:"error_code"`
		Description string      `json:"description"`
		Parameters  *parameters `json:"parameters,omitempty"`
	}{Code: r.status, Description: r.description}
	if r.retryAfter != 0 || r.movedTo != 0 {
		doc.Parameters = &parameters{r.retryAfter, r.movedTo}
	}
	if r.retryAfter != 0 {
		w.Header().Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(doc) // the client may have gone
}

var path = regexp.MustCompile(`^/bot([0-9]+:[A-Za-z0-9_-]+)/([A-Za-z]+)$`)

// known are the methods, with their parameters.
var known = map[string][]string{
	"getme":               nil,
	"sendmessage":         {"chat_id", "text", "parse_mode", "reply_markup", "disable_notification", "link_preview_options"},
	"getupdates":          {"offset", "limit", "timeout", "allowed_updates"},
	"answercallbackquery": {"callback_query_id", "text", "show_alert"},
}

// names are the methods as they are written, by how they are compared.
var names = map[string]string{"getme": "getMe", "sendmessage": "sendMessage", "getupdates": "getUpdates", "answercallbackquery": "answerCallbackQuery"}

// serve answers a request to the API.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	c := Call{At: s.opt.Now()}
	at := path.FindStringSubmatch(r.URL.Path)
	if at == nil {
		c.Method = "(none)"
		s.end(w, c, &refusal{status: http.StatusNotFound, description: "Not Found"})
		return
	}
	method := strings.ToLower(at[2])
	c.Method = names[method]
	if at[1] != s.opt.Token {
		s.end(w, c, &refusal{status: http.StatusUnauthorized, description: "Unauthorized"})
		return
	}
	if c.Method == "" {
		c.Method = "(none)"
		s.end(w, c, &refusal{status: http.StatusNotFound, description: "Not Found"})
		return
	}
	p, no := parameters(r, known[method])
	c.Chat, c.Text, c.ParseMode = p["chat_id"], p["text"], p["parse_mode"]
	if no != nil {
		s.end(w, c, no)
		return
	}
	f, freed := s.faults.Take(func(f *Fault) bool { return f.hits(c.Method, c.Chat) })
	quiet := c.Method == "getUpdates"
	defer func() {
		if !quiet {
			s.ledger.Note(c) // also where the answer is lost
		}
	}()
	if f != nil && !f.Done {
		if no, met := s.meet(f, w, r, freed); met {
			c.Status, c.Description = no.status, no.description
			return
		}
	}
	var result any
	switch c.Method {
	case "getMe":
		result = map[string]any{"id": s.botID(), "is_bot": true, "first_name": "Switchyard", "username": s.opt.Username}
	case "sendMessage":
		result, no = s.send(&c, p)
	case "answerCallbackQuery":
		result, no = s.acknowledge(p["callback_query_id"])
	case "getUpdates":
		result, no = s.getUpdates(r, p)
	}
	c.Done = no == nil
	if f != nil && f.Done {
		if no, met := s.meet(f, w, r, freed); met {
			c.Status, c.Description = no.status, no.description
			return
		}
	}
	if no != nil {
		c.Status, c.Description = no.status, no.description
		no.answer(w)
		return
	}
	c.Status = http.StatusOK
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "result": result}) // the client may have gone
}

// end notes a request that got no further, and refuses it.
func (s *Server) end(w http.ResponseWriter, c Call, no *refusal) {
	c.Status, c.Description = no.status, no.description
	no.answer(w)
	s.ledger.Note(c)
}

func (s *Server) botID() int64 {
	id, _, _ := strings.Cut(s.opt.Token, ":")
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// errForm is what a body is that can't be read.
var errForm = errors.New("the body is neither JSON nor a form")

// parameters reads those of a request, in any form that Telegram takes.
func parameters(r *http.Request, allowed []string) (map[string]string, *refusal) {
	out := map[string]string{}
	values, err := given(r)
	if err != nil {
		return out, bad(err.Error())
	}
	for name, v := range values {
		if len(v) != 1 || !slices.Contains(allowed, name) {
			return out, bad("this simulator knows no parameter " + name + " here, or it is given twice")
		}
		out[name] = v[0]
	}
	return out, nil
}

func given(r *http.Request) (url.Values, error) {
	values := r.URL.Query()
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return nil, errors.New("only GET and POST")
	}
	kind, more, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, errForm
	}
	switch {
	case len(body) == 0:
		return values, nil
	case kind == "application/json":
		return values, addJSON(values, body)
	case kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errForm
		}
		for k, v := range form {
			values[k] = append(values[k], v...)
		}
		return values, nil
	case kind == "multipart/form-data" && more["boundary"] != "":
		return values, addMultipart(values, body, more["boundary"])
	}
	return nil, errForm
}

// addJSON adds the members of a document: texts as they are, others as JSON.
func addJSON(to url.Values, body []byte) error {
	var doc map[string]json.RawMessage
	if json.Unmarshal(body, &doc) != nil {
		return errForm
	}
	for k, v := range doc {
		var text string
		if json.Unmarshal(v, &text) != nil {
			text = string(v)
		}
		to.Add(k, text)
	}
	return nil
}
