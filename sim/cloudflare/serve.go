package cloudflare

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// maxBody is what is read of a request.
const maxBody = 1 << 20

// refusal is an answer that says no.
type refusal struct {
	status, code int
	message      string
}

// Error implements error.
func (r *refusal) Error() string { return r.message }

type message struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// envelope is what every answer is in.
type envelope struct {
	Result     any       `json:"result"`
	Success    bool      `json:"success"`
	Errors     []message `json:"errors"`
	Messages   []message `json:"messages"`
	ResultInfo *info     `json:"result_info,omitempty"`
}

type info struct {
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	Count      int `json:"count"`
	TotalCount int `json:"total_count"`
	TotalPages int `json:"total_pages"`
}

func answer(w http.ResponseWriter, status int, e envelope) {
	if e.Errors == nil {
		e.Errors = []message{}
	}
	e.Messages = []message{}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(e) // the client may have gone
}

func refuse(w http.ResponseWriter, r *refusal) {
	e := envelope{}
	if r.code != 0 || r.message != "" {
		e.Errors = []message{{r.code, r.message}}
	}
	answer(w, r.status, e)
}

// serve answers a request to the API.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	c := Call{At: time.Now(), Method: r.Method, Path: strings.TrimPrefix(r.URL.Path, base+"/"), Query: r.URL.RawQuery, Body: string(body)}
	defer func() { s.ledger.Note(c) }() // also where the answer is lost
	w.Header().Set("Cf-Ray", "8f"+strconv.FormatInt(c.At.UnixNano()&0xffffffffffff, 16)+"-SIM")
	if err != nil {
		c.Status = http.StatusRequestEntityTooLarge
		refuse(w, &refusal{c.Status, 0, "too large"})
		return
	}
	f, freed := s.faults.Take(func(f *Fault) bool { return f.hits(r) })
	if f != nil && !f.Done {
		if status, code, met := f.meet(w, r, freed); met {
			c.Status, c.Code = status, code
			return
		}
	}
	if wait, limited := s.limited(c.At); limited {
		seconds := strconv.Itoa(int(wait/time.Second) + 1)
		w.Header().Set("Retry-After", seconds)
		w.Header().Set("Ratelimit", `"default";r=0;t=`+seconds)
		c.Status, c.Code = http.StatusTooManyRequests, 971
		refuse(w, &refusal{c.Status, c.Code, "Please wait and consider throttling your request speed"})
		return
	}
	e, refused := s.do(r, body, c.At)
	if f != nil && f.Done {
		if status, code, met := f.meet(w, r, freed); met {
			c.Status, c.Code = status, code
			return
		}
	}
	if refused != nil {
		c.Status, c.Code = refused.status, refused.code
		refuse(w, refused)
		return
	}
	c.Status = http.StatusOK
	answer(w, c.Status, e)
}

// do does what a request asks for.
func (s *Server) do(r *http.Request, body []byte, now time.Time) (envelope, *refusal) {
	p, ok := placeOf(r.URL.Path)
	if !ok {
		return envelope{}, &refusal{404, 7000, "No route for that URI"}
	}
	if refused := s.admit(r, p); refused != nil {
		return envelope{}, refused
	}
	switch {
	case r.Method == http.MethodGet && p.rule != "":
		s.mu.Lock()
		defer s.mu.Unlock()
		i, refused := s.find(p)
		if refused != nil {
			return envelope{}, refused
		}
		found := *s.rules[i]
		return one(&found, nil)
	case r.Method == http.MethodGet:
		return s.search(p, r.URL.Query())
	case r.URL.RawQuery != "":
		return envelope{}, &refusal{400, 10001, invalid + "there are no such parameters"}
	case r.Method == http.MethodPost && p.rule == "":
		x, refused := document(r, body)
		if refused != nil {
			return envelope{}, refused
		}
		return one(s.make(p, x, now))
	case r.Method == http.MethodPatch && p.rule != "":
		x, refused := document(r, body)
		if refused != nil {
			return envelope{}, refused
		}
		return one(s.change(p, x, now))
	case r.Method == http.MethodDelete && p.rule != "":
		if refused := s.remove(p); refused != nil {
			return envelope{}, refused
		}
		return envelope{Success: true, Result: map[string]string{"id": p.rule}}, nil
	}
	return envelope{}, &refusal{405, 10405, "Method not allowed for this authentication scheme"}
}

func one(r *Rule, refused *refusal) (envelope, *refusal) {
	return envelope{Success: true, Result: r}, refused
}

// admit checks the token and what it is good for.
func (s *Server) admit(r *http.Request, p place) *refusal {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !bearer:
		return &refusal{401, 10000, "Authentication error"}
	case token != s.opt.Token:
		return &refusal{403, 10000, "Authentication error"}
	case slices.Contains(s.opt.Denied, p.id):
		return &refusal{403, 9109, "Unauthorized to access requested resource"}
	}
	_, zone := s.opt.Zones[p.id]
	if p.kind == "accounts" && !slices.Contains(s.opt.Accounts, p.id) || p.kind == "zones" && !zone {
		return &refusal{404, 7003, "Could not route to " + strings.TrimPrefix(r.URL.Path, base) + ", perhaps your object identifier is invalid?"}
	}
	return nil
}

// document reads a body, which has to be JSON with the members that there are.
func document(r *http.Request, body []byte) (newRule, *refusal) {
	var x newRule
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return x, &refusal{400, 6007, "Malformed JSON in request body"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil || d.More() {
		return x, &refusal{400, 6007, "Malformed JSON in request body"}
	}
	return x, nil
}

const (
	defaultPage = 20
	mostPage    = 1000
)

// search lists rules. Values are compared as text.
func (s *Server) search(p place, q url.Values) (envelope, *refusal) {
	page, perPage, anyOf := 1, defaultPage, false
	var conditions []func(*Rule) bool
	var less func(a, b Rule) bool
	for name, values := range q {
		value := values[0]
		bad := &refusal{400, 10001, invalid + "invalid parameter: " + name}
		if len(values) != 1 {
			return envelope{}, bad
		}
		var err error
		switch name {
		case "configuration.target":
			conditions = append(conditions, func(r *Rule) bool { return r.Configuration.Target == value })
		case "configuration.value":
			conditions = append(conditions, func(r *Rule) bool { return r.Configuration.Value == value })
		case "mode":
			conditions = append(conditions, func(r *Rule) bool { return r.Mode == value })
		case "notes":
			conditions = append(conditions, func(r *Rule) bool { return strings.Contains(strings.ToLower(r.Notes), strings.ToLower(value)) })
		case "match":
			if anyOf = value == "any"; !anyOf && value != "all" {
				return envelope{}, bad
			}
		case "page":
			page, err = strconv.Atoi(value)
		case "per_page":
			perPage, err = strconv.Atoi(value)
		case "order":
			less = func(a, b Rule) bool { return a.Configuration.Value < b.Configuration.Value }
		case "direction":
		default:
			return envelope{}, bad
		}
		if err != nil || page < 1 || perPage < 1 || perPage > mostPage {
			return envelope{}, bad
		}
	}
	all := s.list(p, conditions, anyOf)
	if less != nil {
		sort.SliceStable(all, func(i, j int) bool { return less(all[i], all[j]) })
	}
	from := min((page-1)*perPage, len(all))
	shown := all[from:min(from+perPage, len(all))]
	return envelope{Success: true, Result: shown, ResultInfo: &info{
		Page: page, PerPage: perPage, Count: len(shown), TotalCount: len(all), TotalPages: (len(all) + perPage - 1) / perPage,
	}}, nil
}
