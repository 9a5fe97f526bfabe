package bybit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
	Code    int    `json:"retCode"`
	Message string `json:"retMsg"`
	Result  any    `json:"result"`
	Extra   any    `json:"retExtInfo"`
	Time    int64  `json:"time"`
}

// refusal is an answer that says no, nearly always with HTTP 200.
type refusal struct {
	status, code int
	message      string
}

func refuse(code int, message string) *refusal { return &refusal{http.StatusOK, code, message} }

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

// query is an admitted request.
type query struct {
	params  map[string]any
	account *account
	now     time.Time
	fault   *Fault
}

func (q query) text(name string) string {
	s, _ := q.params[name].(string)
	return s
}

func (q query) number(name string) int {
	switch v := q.params[name].(type) {
	case float64:
		return int(v)
	case string: // of a query
		n, _ := strconv.Atoi(v)
		return n
	}
	return 0
}

// market of the category.
func (q query) market() matching.Market {
	if q.text("category") == "spot" {
		return matching.Spot
	}
	return matching.Futures
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
		if status, code, met := s.meet(f, w, r, freed); met {
			c.Status, c.Code = status, code
			return
		}
	}
	v, no := s.do(w, r, body, f, &c)
	if f != nil && f.Done {
		if drop = f.Drop; drop {
			return
		}
		if status, code, met := s.meet(f, w, r, freed); met {
			c.Status, c.Code = status, code
			return
		}
	}
	out := envelope{Message: "OK", Result: v, Extra: struct{}{}, Time: time.Now().UnixMilli()}
	c.Status = http.StatusOK
	if no != nil {
		c.Status, c.Code = no.status, no.code
		if no.status != http.StatusOK {
			http.Error(w, no.message, no.status)
			return
		}
		out.Code, out.Message, out.Result = no.code, no.message, struct{}{}
	}
	if f != nil && f.Cut {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"retCode":0,"retMsg":"OK","result":{"ord`) // it is meant to be lost
		_ = http.NewResponseController(w).Flush()
		drop = true
		return
	}
	answer(w, out)
}

// do admits a request and does what it asks for.
func (s *Server) do(w http.ResponseWriter, r *http.Request, body []byte, f *Fault, c *Call) (any, *refusal) {
	s.Lock()
	defer s.Unlock()
	q := query{now: s.Now(), fault: f}
	if no := s.knock(r, q.now); no != nil {
		return nil, no
	}
	e, ok := endpoints[r.Method+" "+r.URL.Path]
	if !ok {
		return nil, &refusal{http.StatusNotFound, 0, "404 page not found"}
	}
	var no *refusal
	if q.params, no = parse(r, body); no != nil {
		return nil, no
	}
	c.Params = q.params
	if e.signed {
		if no = s.admit(r, body, &q); no != nil {
			return nil, no
		}
	}
	if no = e.check(q); no != nil {
		return nil, no
	}
	if symbol := q.text("symbol"); symbol != "" {
		if _, known := s.symbols[symbol]; !known {
			if q.market() == matching.Spot {
				return nil, refuse(170121, "Invalid symbol.")
			}
			return nil, refuse(10001, "params error: symbol invalid "+symbol)
		}
	}
	if e.changes {
		if no = s.count(w, r.URL.Path, q); no != nil {
			return nil, no
		}
	}
	return e.do(s, q)
}

// parse reads the query of a GET, and the JSON of a POST.
func parse(r *http.Request, body []byte) (map[string]any, *refusal) {
	out := map[string]any{}
	if r.Method == http.MethodPost {
		if r.URL.RawQuery != "" {
			return nil, refuse(10001, "params error: a POST has no query")
		}
		if err := json.Unmarshal(body, &out); err != nil {
			return nil, refuse(10001, "params error: "+err.Error())
		}
		return out, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(body) > 0 {
		return nil, refuse(10001, "params error: not a query")
	}
	for k, v := range values {
		if len(v) > 1 {
			return nil, refuse(10001, "params error: "+k+" twice")
		}
		out[k] = v[0]
	}
	return out, nil
}

// admit checks key, signature and time.
func (s *Server) admit(r *http.Request, body []byte, q *query) *refusal {
	key, stamp, window := r.Header.Get("X-Bapi-Api-Key"), r.Header.Get("X-Bapi-Timestamp"), r.Header.Get("X-Bapi-Recv-Window")
	if key == "" || stamp == "" {
		return &refusal{http.StatusUnauthorized, 0, "Unauthorized"}
	}
	a, ok := s.accounts[key]
	if !ok {
		return refuse(10003, "API key is invalid.")
	}
	q.account = a
	payload := r.URL.RawQuery
	if r.Method == http.MethodPost {
		payload = string(body)
	}
	m := hmac.New(sha256.New, []byte(a.secret))
	m.Write([]byte(stamp + key + window + payload)) // never fails
	if !hmac.Equal([]byte(hex.EncodeToString(m.Sum(nil))), []byte(r.Header.Get("X-Bapi-Sign"))) {
		return refuse(10004, "error sign! origin_string["+stamp+key+window+payload+"]")
	}
	if window == "" {
		window = "5000"
	}
	at, err := strconv.ParseInt(stamp, 10, 64)
	width, errWidth := strconv.ParseInt(window, 10, 64)
	if now := q.now.UnixMilli(); err != nil || errWidth != nil || at >= now+1000 || at < now-width {
		return refuse(10002, fmt.Sprintf("invalid request, please check your server timestamp or recv_window param. req_timestamp[%s],server_timestamp[%d],recv_window[%s]", stamp, now, window))
	}
	return nil
}

// knock counts the requests of an address, which is shut out beyond the limit.
func (s *Server) knock(r *http.Request, now time.Time) *refusal {
	limit := s.opt.Requests
	if limit == 0 {
		limit = 600
	}
	host, _, _ := strings.Cut(r.RemoteAddr, ":")
	if used, _ := s.Take("address "+host, now, 5*time.Second, 1); used > limit {
		return &refusal{http.StatusForbidden, 0, "403, access too frequent"}
	}
	return nil
}

// count counts a request that changes something, by account and path.
func (s *Server) count(w http.ResponseWriter, path string, q query) *refusal {
	limit := s.opt.OrdersPerSecond
	if limit == 0 {
		limit = map[matching.Market]int{matching.Spot: 20, matching.Futures: 10}[q.market()]
	}
	used, _ := s.Take(path+" "+q.text("category")+" "+q.account.Name, q.now, time.Second, 1)
	h := w.Header()
	h.Set("X-Bapi-Limit", strconv.Itoa(limit))
	h.Set("X-Bapi-Limit-Status", strconv.Itoa(max(limit-used, 0)))
	h.Set("X-Bapi-Limit-Reset-Timestamp", strconv.FormatInt(q.now.Truncate(time.Second).Add(time.Second).UnixMilli(), 10))
	if used > limit {
		return refuse(10006, "Too many visits. Exceeded the API Rate Limit.")
	}
	return nil
}

// fill is the part of a new order that is executed.
func (q query) fill() decimal.Decimal {
	if q.fault != nil && q.fault.Fill != "" {
		return dec(q.fault.Fill)
	}
	return decimal.NewFromInt(1)
}
