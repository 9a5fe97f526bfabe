package okx_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchyard/sim/exchanges/matching"
	"switchyard/sim/exchanges/okx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key    = "key-1"
	secret = "secret-1"
	phrase = "phrase-1"
)

// world is a simulated OKX and a client without any care.
type world struct {
	*okx.Server
	t *testing.T
}

func start(t *testing.T, opt okx.Options) world {
	t.Helper()
	opt.Accounts = []okx.Account{{Key: key, Secret: secret, Passphrase: phrase, Balances: map[string]string{"USDT": "10000", "BTC": "1"}}}
	opt.Prices = map[string]string{"BTCUSDT": "95000"}
	s, err := okx.Start(t.Context(), "127.0.0.1:0", opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return world{s, t}
}

// signed are the headers of a good request.
func signed(method, path, body string, at time.Time) http.Header {
	stamp := at.UTC().Format("2006-01-02T15:04:05.000Z")
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(stamp + method + path + body))
	return http.Header{"Ok-Access-Key": {key}, "Ok-Access-Timestamp": {stamp}, "Ok-Access-Passphrase": {phrase}, "Ok-Access-Sign": {base64.StdEncoding.EncodeToString(m.Sum(nil))}}
}

type reply struct {
	status int
	Code   string `json:"code"`
	Msg    string `json:"msg"`
	Data   []struct {
		Code  string `json:"sCode"`
		State string `json:"state"`
		Fail  string `json:"failCode"`
		OrdID string `json:"ordId"`
	} `json:"data"`
}

// code is that of the first order, where there is one.
func (r reply) code() string {
	if len(r.Data) > 0 && r.Data[0].Code != "" {
		return r.Data[0].Code
	}
	return r.Code
}

func (w world) do(method, path, body string, h http.Header) reply {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL()+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header = h
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	out := reply{status: resp.StatusCode}
	_ = json.Unmarshal(b, &out) // pages of errors are none
	return out
}

func (w world) post(path, body string) reply {
	return w.do(http.MethodPost, path, body, signed(http.MethodPost, path, body, time.Now()))
}

func (w world) get(path string) reply {
	return w.do(http.MethodGet, path, "", signed(http.MethodGet, path, "", time.Now()))
}

const (
	placing  = "/api/v5/trade/order"
	stopping = "/api/v5/trade/order-algo"
	limit    = `{"instId":"BTC-USDT","tdMode":"cash","side":"buy","ordType":"limit","sz":"0.01","px":"80000"}`
	swap     = `{"instId":"BTC-USDT-SWAP","tdMode":"cross","side":"buy","ordType":"limit","sz":"1","px":"80000"}`
	stop     = `{"instId":"BTC-USDT","tdMode":"cash","side":"sell","ordType":"trigger","sz":"2","triggerPx":"90000","orderPx":"-1","algoClOrdId":"s1"}`
)

// Ensure a request is admitted only with a known key, its passphrase, the signature of
// exactly what was sent, a time with three digits of milliseconds, and the header of demo
// trading for keys of it.
func TestAdmission(t *testing.T) {
	t.Parallel()
	w := start(t, okx.Options{})
	now := time.Now()
	good := func() http.Header { return signed("POST", placing, limit, now) }
	with := func(name, value string) http.Header {
		h := good()
		h.Set(name, value)
		return h
	}
	for name, tt := range map[string]struct {
		header http.Header
		status int
		code   string
	}{
		"good":         {good(), 200, "0"},
		"no key":       {http.Header{}, 401, "50103"},
		"unknown key":  {with("Ok-Access-Key", "other"), 401, "50111"},
		"passphrase":   {with("Ok-Access-Passphrase", "other"), 401, "50105"},
		"demo":         {with("X-Simulated-Trading", "1"), 401, "50101"},
		"signature":    {with("Ok-Access-Sign", "00"), 401, "50113"},
		"other body":   {signed("POST", placing, swap, now), 401, "50113"},
		"two digits":   {with("Ok-Access-Timestamp", "2026-01-01T00:00:00.00Z"), 401, "50112"},
		"late":         {signed("POST", placing, limit, now.Add(-31*time.Second)), 401, "50102"},
		"early":        {signed("POST", placing, limit, now.Add(time.Minute)), 401, "50102"},
		"past expTime": {with("Exptime", strconv.FormatInt(now.Add(-time.Second).UnixMilli(), 10)), 200, "50036"},
		"no expTime":   {with("Exptime", "soon"), 200, "51000"},
	} {
		if got := w.do("POST", placing, limit, tt.header); got.status != tt.status || got.code() != tt.code {
			t.Errorf("%s: %+v, want %d and %s", name, got, tt.status, tt.code)
		}
	}
	if got := w.Ledger(); len(got) != 1 {
		t.Errorf("taken: %+v", got)
	}
}

// Ensure each fault of an order is refused with its code.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := start(t, okx.Options{Orders: 1000})
	for _, tt := range []struct {
		name, path, base string
		change           map[string]any
		want             string
	}{
		{"instrument", placing, limit, map[string]any{"instId": "BTCUSDT"}, "51001"},
		{"side", placing, limit, map[string]any{"side": "BUY"}, "51000"},
		{"type", placing, limit, map[string]any{"ordType": "LIMIT"}, "51000"},
		{"number that isn't text", placing, limit, map[string]any{"sz": 0.01}, "51000"},
		{"unknown member", placing, limit, map[string]any{"reduce_only": true}, "51000"},
		{"nothing", placing, limit, map[string]any{"sz": nil}, "50014"},
		{"tick", placing, limit, map[string]any{"px": "80000.01"}, "51000"},
		{"least", placing, limit, map[string]any{"sz": "0.000001"}, "51020"},
		{"lot", placing, swap, map[string]any{"sz": "1.001"}, "51121"},
		{"funds", placing, limit, map[string]any{"sz": "1"}, "51008"},
		{"margin", placing, swap, map[string]any{"sz": "100"}, "51008"},
		{"client id", placing, limit, map[string]any{"clOrdId": "a_b"}, "51000"},
		{"spot on margin", placing, limit, map[string]any{"tdMode": "cross"}, "51000"},
		{"swap in cash", placing, swap, map[string]any{"tdMode": "cash"}, "51000"},
		{"market in the quote coin", placing, limit, map[string]any{"ordType": "market", "px": nil}, "51000"},
		{"side of the position", placing, swap, map[string]any{"posSide": "long"}, "51000"},
		{"reduces nothing", placing, swap, map[string]any{"reduceOnly": true}, "51169"},
		{"stop by another name", stopping, stop, map[string]any{"ordType": "conditional"}, "51000"},
		{"unit of a stop", stopping, stop, map[string]any{"tgtCcy": "base_ccy"}, "51281"},
		{"stop in the quote coin", stopping, stop, map[string]any{"side": "buy"}, "51000"},
		{"stop at the price", stopping, stop, map[string]any{"triggerPx": "95000"}, "51279"},
	} {
		doc := map[string]any{}
		if err := json.Unmarshal([]byte(tt.base), &doc); err != nil {
			t.Fatal(err)
		}
		for k, v := range tt.change {
			if doc[k] = v; v == nil {
				delete(doc, k)
			}
		}
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.post(tt.path, string(body)); got.code() != tt.want {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.want)
		}
	}
	if got := w.get("/api/v5/trade/order?instId=BTC-USDT&clOrdId=none"); got.Code != "51603" {
		t.Errorf("%+v", got)
	}
	if got := w.post("/api/v5/trade/mass-cancel", limit); got.status != 404 {
		t.Errorf("no such path: %+v", got)
	}
	if got := w.Ledger(); len(got) != 0 {
		t.Errorf("taken: %+v", got)
	}
}

// Ensure of a list each has its own code, and the whole tells whether all, some or none
// were done.
func TestLists(t *testing.T) {
	t.Parallel()
	w := start(t, okx.Options{})
	first := w.post(placing, limit)
	if first.Code != "0" || len(first.Data) != 1 {
		t.Fatalf("%+v", first)
	}
	one := `{"instId":"BTC-USDT","ordId":"` + first.Data[0].OrdID + `"}`
	none := `{"instId":"BTC-USDT","ordId":"1"}`
	for _, tt := range []struct{ body, want string }{{"[" + none + "]", "1"}, {"[" + one + "," + none + "]", "2"}, {"[" + one + "]", "1"}} {
		if got := w.post("/api/v5/trade/cancel-batch-orders", tt.body); got.Code != tt.want {
			t.Errorf("%s: %+v, want %s", tt.body, got, tt.want)
		}
	}
	if got := w.post("/api/v5/trade/cancel-algos", "["+strings.Repeat(none+",", 10)+none+"]"); got.status != http.StatusBadRequest {
		t.Errorf("eleven: %+v", got)
	}
}

// Ensure a stop becomes an order with an id of its own, and fails when it can't be paid
// for then.
func TestTriggered(t *testing.T) {
	t.Parallel()
	w := start(t, okx.Options{})
	for _, body := range []string{stop, strings.Replace(strings.Replace(stop, "s1", "s2", 1), `"sz":"2"`, `"sz":"1"`, 1)} {
		if got := w.post(stopping, body); got.code() != "0" {
			t.Fatalf("%+v", got)
		}
	}
	if got := w.post(stopping, stop); got.code() != "51065" {
		t.Errorf("the same id again: %+v", got)
	}
	if err := w.SetPrice(matching.Spot, "BTCUSDT", "89000"); err != nil {
		t.Fatal(err)
	}
	if got := w.get("/api/v5/trade/order-algo?algoClOrdId=s1"); len(got.Data) != 1 || got.Data[0].State != "order_failed" || got.Data[0].Fail != "51008" {
		t.Errorf("without funds: %+v", got)
	}
	got := w.get("/api/v5/trade/order-algo?algoClOrdId=s2")
	if len(got.Data) != 1 || got.Data[0].State != "effective" || got.Data[0].OrdID == "" {
		t.Fatalf("%+v", got)
	}
	if got := w.get("/api/v5/trade/order?instId=BTC-USDT&ordId=" + got.Data[0].OrdID); len(got.Data) != 1 || got.Data[0].State != "filled" {
		t.Errorf("%+v", got)
	}
}

// Ensure the limit of orders is kept.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := start(t, okx.Options{Orders: 2})
	var last reply
	for range 6 {
		if last = w.post(placing, strings.Replace(limit, "0.01", "0.001", 1)); last.Code != "0" {
			break
		}
	}
	if last.Code != "50011" || last.status != http.StatusTooManyRequests {
		t.Errorf("after the limit: %+v", last)
	}
}

// Ensure faults set over HTTP do what they say, and that the ledger tells what was taken
// behind a lost answer.
func TestControl(t *testing.T) {
	t.Parallel()
	w := start(t, okx.Options{})
	if got := w.do(http.MethodPost, "/_sim/faults", `{"method":"POST","times":1,"done":true,"drop":true}`, http.Header{}); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	if got := w.post(placing, strings.Replace(limit, "}", `,"clOrdId":"lost"}`, 1)); got.status != 0 {
		t.Errorf("answered %+v", got)
	}
	if got := w.get("/api/v5/trade/order?instId=BTC-USDT&clOrdId=lost"); len(got.Data) != 1 || got.Data[0].State != "live" {
		t.Errorf("%+v", got)
	}
	if got := w.Ledger(); len(got) != 1 || got[0].ClientID != "lost" || got[0].Market != "spot" || got[0].Side != "BUY" || got[0].Status != "NEW" {
		t.Errorf("%+v", got)
	}
}
