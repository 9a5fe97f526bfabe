package binance

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
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

// refusal is an answer that says no.
type refusal struct {
	status, code int
	message      string
}

func refuse(code int, message string) *refusal {
	return &refusal{http.StatusBadRequest, code, message}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}

// query is an admitted request.
type query struct {
	params  map[string]string
	account *account
	market  matching.Market
	now     time.Time
	fill    decimal.Decimal // of a new order; 1: wholly
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
		answer(w, c.Status, map[string]any{"code": -1000, "msg": "too large"})
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
	v, no := s.do(w, r, string(body), f, &c)
	if f != nil && f.Done {
		if drop = f.Drop; drop {
			return
		}
		if status, code, met := f.meet(w, r, freed); met {
			c.Status, c.Code = status, code
			return
		}
	}
	if no != nil {
		c.Status, c.Code = no.status, no.code
		answer(w, no.status, map[string]any{"code": no.code, "msg": no.message})
		return
	}
	c.Status = http.StatusOK
	if f != nil && f.Cut {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"symbol":"BTC`) // it is meant to be lost
		_ = http.NewResponseController(w).Flush()
		drop = true
		return
	}
	answer(w, http.StatusOK, v)
}

// do admits a request and does what it asks for.
func (s *Server) do(w http.ResponseWriter, r *http.Request, body string, f *Fault, c *Call) (any, *refusal) {
	e, ok := endpoints[r.Method+" "+r.URL.Path]
	if !ok {
		return nil, &refusal{http.StatusNotFound, -5000, "Path " + r.URL.Path + ", Method " + r.Method + " is invalid"}
	}
	q := query{market: Futures, fill: decimal.NewFromInt(1)}
	if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/sapi/") {
		q.market = Spot
	}
	if f != nil && f.Fill != "" {
		q.fill = dec(f.Fill)
	}
	s.Lock()
	defer s.Unlock()
	q.now = s.Now()
	var no *refusal
	if q.params, no = parse(r.URL.RawQuery, body); no != nil {
		return nil, no
	}
	c.Params = map[string]string{}
	for k, v := range q.params {
		if k != "signature" {
			c.Params[k] = v
		}
	}
	if no = s.charge(w, r, q, e); no != nil {
		return nil, no
	}
	if e.signed {
		if no = s.admit(r, body, &q); no != nil {
			return nil, no
		}
	}
	if no = e.check(q.params); no != nil {
		return nil, no
	}
	if symbol, given := q.params["symbol"]; given {
		if _, known := s.symbols[symbol]; !known {
			return nil, refuse(-1121, "Invalid symbol.")
		}
	}
	if e.order {
		if no = s.count(w, q); no != nil {
			return nil, no
		}
	}
	return e.do(s, q)
}

// parse reads the parameters of query and body.
func parse(rawQuery, body string) (map[string]string, *refusal) {
	out := map[string]string{}
	for _, part := range []string{rawQuery, body} {
		values, err := url.ParseQuery(part)
		if err != nil {
			return nil, refuse(-1100, "Illegal characters found in a parameter.")
		}
		for k, v := range values {
			if _, twice := out[k]; twice || len(v) > 1 {
				return nil, refuse(-1101, "Duplicate values for a parameter detected.")
			}
			if v[0] == "" {
				return nil, refuse(-1105, "Parameter '"+k+"' was empty.")
			}
			out[k] = v[0]
		}
	}
	return out, nil
}

// admit checks key, signature and time.
func (s *Server) admit(r *http.Request, body string, q *query) *refusal {
	key := r.Header.Get("X-Mbx-Apikey")
	if key == "" {
		return &refusal{http.StatusUnauthorized, -2014, "API-key format invalid."}
	}
	a, ok := s.accounts[key]
	if !ok {
		return &refusal{http.StatusUnauthorized, -2015, "Invalid API-key, IP, or permissions for action."}
	}
	q.account = a
	for _, name := range []string{"signature", "timestamp"} {
		if q.params[name] == "" {
			return refuse(-1102, "Mandatory parameter '"+name+"' was not sent, was empty/null, or malformed.")
		}
	}
	signed, signature, last := strings.Cut(r.URL.RawQuery+body, "signature=")
	m := hmac.New(sha256.New, []byte(a.secret))
	m.Write([]byte(strings.TrimSuffix(signed, "&"))) // never fails
	if !last || !hmac.Equal([]byte(hex.EncodeToString(m.Sum(nil))), []byte(strings.ToLower(signature))) {
		return refuse(-1022, "Signature for this request is not valid.")
	}
	window := int64(5000)
	if v, given := q.params["recvWindow"]; given {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1 || n > 60000 {
			return refuse(-1131, "recvWindow must be less than 60000")
		}
		window = n
	}
	stamp, err := strconv.ParseInt(q.params["timestamp"], 10, 64)
	if err != nil {
		return refuse(-1100, "Illegal characters found in parameter 'timestamp'; legal range is '^[0-9]{1,20}$'.")
	}
	switch now := q.now.UnixMilli(); {
	case stamp >= now+1000:
		return refuse(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
	case now-stamp > window:
		return refuse(-1021, "Timestamp for this request is outside of the recvWindow.")
	}
	return nil
}

var legal = regexp.MustCompile(`^[.A-Z:/a-z0-9_-]{1,36}$`)

// charge counts the weight of a request.
func (s *Server) charge(w http.ResponseWriter, r *http.Request, q query, e endpoint) *refusal {
	limit := s.opt.Weight
	if limit == 0 {
		limit = map[matching.Market]int{Spot: 6000, Futures: 2400}[q.market]
	}
	host, _, _ := strings.Cut(r.RemoteAddr, ":")
	weight := e.weight
	if e.whole != 0 && q.params["symbol"] == "" {
		weight = e.whole
	}
	used, left := s.Take("weight "+string(q.market)+" "+host, q.now, time.Minute, weight)
	w.Header().Set("X-MBX-USED-WEIGHT-1M", strconv.Itoa(used))
	if used <= limit {
		return nil
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(left/time.Second)+1))
	return &refusal{http.StatusTooManyRequests, -1003, fmt.Sprintf("Too much request weight used; current limit is %d request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.", limit)}
}

// count counts an order.
func (s *Server) count(w http.ResponseWriter, q query) *refusal {
	limit := s.opt.OrdersPer10s
	if limit == 0 {
		limit = map[matching.Market]int{Spot: 100, Futures: 300}[q.market]
	}
	used, left := s.Take("orders "+string(q.market)+" "+q.account.Name, q.now, 10*time.Second, 1)
	w.Header().Set("X-MBX-ORDER-COUNT-10S", strconv.Itoa(used))
	long, per := "X-MBX-ORDER-COUNT-1D", 24*time.Hour
	if q.market == Futures {
		long, per = "X-MBX-ORDER-COUNT-1M", time.Minute
	}
	all, _ := s.Take(long+q.account.Name, q.now, per, 1)
	w.Header().Set(long, strconv.Itoa(all))
	if used <= limit {
		return nil
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(left/time.Second)+1))
	return &refusal{http.StatusTooManyRequests, -1015, fmt.Sprintf("Too many new orders; current limit is %d orders per 10 SECOND.", limit)}
}
