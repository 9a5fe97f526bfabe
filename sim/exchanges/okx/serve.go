package okx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

// maxBody is what is read of a request.
const maxBody = 64 << 10

// envelope is around every answer.
type envelope struct {
	Code    string `json:"code"`
	Message string `json:"msg"`
	Data    any    `json:"data"`
}

// refusal is an answer that says no: to the whole request, or to one order in it.
type refusal struct {
	status        int
	code, message string
}

func refuse(code, message string) *refusal { return &refusal{http.StatusOK, code, message} }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

// query is an admitted request. Of a list of orders it is one of them.
type query struct {
	params  map[string]any
	list    []map[string]any
	account *account
	now     time.Time
	expires time.Time
	fault   *Fault
}

func (q query) text(name string) string {
	s, _ := q.params[name].(string)
	return s
}

// serve answers a request to the API.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	c := Call{At: time.Now(), Method: r.Method, Path: r.URL.Path}
	drop := false
	defer func() {
		s.Note(c) // also where the answer is lost
		if drop {
			panic(http.ErrAbortHandler)
		}
	}()
	if err != nil {
		c.Status = http.StatusRequestEntityTooLarge
		http.Error(w, "too large", c.Status)
		return
	}
	f, freed := s.Faults.Take(func(f *Fault) bool { return f.hits(r) })
	if f != nil && !f.Done {
		if drop = f.Drop; drop {
			return
		}
		if status, code, met := f.meet(w, r, freed); met {
			c.Status, c.Code = status, code
			return
		}
	}
	out, no := s.do(r, body, f, &c)
	if f != nil && f.Done {
		if drop = f.Drop; drop {
			return
		}
		if status, code, met := f.meet(w, r, freed); met {
			c.Status, c.Code = status, code
			return
		}
	}
	c.Status = http.StatusOK
	if no != nil {
		c.Status, out = no.status, envelope{no.code, no.message, []any{}}
	}
	c.Code = out.Code
	if f != nil && f.Cut {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"code":"0","data":[{"ordId":"1`) // it is meant to be lost
		_ = http.NewResponseController(w).Flush()
		drop = true
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(c.Status)
	answer(w, out)
}

// do admits a request and does what it asks for.
func (s *Server) do(r *http.Request, body []byte, f *Fault, c *Call) (envelope, *refusal) {
	s.Lock()
	defer s.Unlock()
	q := query{now: s.Now(), fault: f}
	e, ok := endpoints[r.Method+" "+r.URL.Path]
	if !ok {
		return envelope{}, &refusal{http.StatusNotFound, "404", "Not Found"}
	}
	if no := e.parse(r, body, &q); no != nil {
		return envelope{}, no
	}
	c.Params = q.params
	if len(q.list) > 0 {
		c.Params = q.list[0]
	}
	if e.signed {
		if no := s.admit(r, body, &q); no != nil {
			return envelope{}, no
		}
	}
	if e.each == nil {
		if no := e.check(q); no != nil {
			return envelope{}, no
		}
		data, no := e.do(s, q)
		return envelope{"0", "", data}, no
	}
	if used, _ := s.Take(e.counts+" "+q.account.Name, q.now, 2*time.Second, len(q.list)); used > s.limit(e) {
		return envelope{}, &refusal{http.StatusTooManyRequests, "50011", "Rate limit reached. Please refer to API documentation and throttle requests accordingly"}
	}
	return s.doEach(e, q), nil
}

// doEach does one thing after the other, each with a code of its own.
func (s *Server) doEach(e endpoint, q query) envelope {
	out, data := envelope{Code: "0"}, []any{}
	failed := 0
	for _, one := range q.list {
		q.params = one
		no := e.check(q)
		var d map[string]any
		if no == nil {
			d, no = e.each(s, q)
		}
		if no != nil {
			failed++
			d = map[string]any{"ordId": "", "clOrdId": q.text("clOrdId"), "algoId": q.text("algoId"), "algoClOrdId": q.text("algoClOrdId"), "tag": "", "sCode": no.code, "sMsg": no.message}
		} else {
			d["sCode"], d["sMsg"], d["tag"] = "0", "", ""
		}
		d["ts"] = strconv.FormatInt(q.now.UnixMilli(), 10)
		data = append(data, d)
	}
	switch {
	case failed == len(q.list):
		out.Code, out.Message = "1", "All operations failed"
	case failed > 0:
		out.Code, out.Message = "2", "Bulk operation partially succeeded."
	}
	out.Data = data
	return out
}

// parse reads the query of a GET, and the JSON of a POST, which some have as a list.
func (e endpoint) parse(r *http.Request, body []byte, q *query) *refusal {
	bad := &refusal{http.StatusBadRequest, "50002", "JSON syntax error"}
	if r.Method == http.MethodGet {
		values, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || len(body) > 0 {
			return bad
		}
		q.params = map[string]any{}
		for k, v := range values {
			q.params[k] = v[0]
		}
		return nil
	}
	var err error
	if e.many == 0 {
		var one map[string]any
		err = json.Unmarshal(body, &one)
		q.list = []map[string]any{one}
	} else {
		err = json.Unmarshal(body, &q.list)
	}
	if err != nil || len(q.list) == 0 || len(q.list) > max(e.many, 1) {
		return bad
	}
	return nil
}

var stampFormat = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

// admit checks key, passphrase, signature and time.
func (s *Server) admit(r *http.Request, body []byte, q *query) *refusal {
	no := func(code, message string) *refusal { return &refusal{http.StatusUnauthorized, code, message} }
	key, stamp := r.Header.Get("Ok-Access-Key"), r.Header.Get("Ok-Access-Timestamp")
	a, ok := s.accounts[key]
	switch {
	case key == "":
		return no("50103", `Request header "OK-ACCESS-KEY" can not be empty.`)
	case !ok:
		return no("50111", "Invalid OK-ACCESS-KEY")
	case r.Header.Get("Ok-Access-Passphrase") != a.passphrase:
		return no("50105", `Request header "OK-ACCESS-PASSPHRASE" incorrect.`)
	case a.demo != (r.Header.Get("X-Simulated-Trading") == "1"):
		return no("50101", "APIKey does not match current environment.")
	case !stampFormat.MatchString(stamp):
		return no("50112", "Invalid OK-ACCESS-TIMESTAMP")
	}
	q.account = a
	path := r.URL.Path
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	m := hmac.New(sha256.New, []byte(a.secret))
	m.Write([]byte(stamp + r.Method + path + string(body))) // never fails
	if !hmac.Equal([]byte(base64.StdEncoding.EncodeToString(m.Sum(nil))), []byte(r.Header.Get("Ok-Access-Sign"))) {
		return no("50113", "Invalid Sign")
	}
	at, err := time.Parse("2006-01-02T15:04:05.000Z", stamp)
	if err != nil {
		return no("50112", "Invalid OK-ACCESS-TIMESTAMP")
	}
	if age := q.now.Sub(at); age > 30*time.Second || age < -30*time.Second {
		return no("50102", "Timestamp request expired.")
	}
	if v := r.Header.Get("Exptime"); v != "" {
		ms, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return refuse("51000", "Parameter expTime error")
		}
		q.expires = time.UnixMilli(ms)
	}
	return nil
}

func (s *Server) limit(e endpoint) int {
	switch {
	case s.opt.Orders > 0:
		return s.opt.Orders
	case strings.HasPrefix(e.counts, "algo"):
		return 20
	}
	return 60
}

// fill is the part of a new order that is executed.
func (q query) fill() decimal.Decimal {
	if q.fault != nil && q.fault.Fill != "" {
		return dec(q.fault.Fill)
	}
	return decimal.NewFromInt(1)
}

func (q query) market() matching.Market {
	if q.text("instType") == "SPOT" {
		return matching.Spot
	}
	return matching.Futures
}
