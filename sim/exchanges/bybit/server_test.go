package bybit_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchyard/sim/exchanges/bybit"
	"switchyard/sim/exchanges/matching"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key    = "key-1"
	secret = "secret-1"
)

// world is a simulated Bybit and a client without any care.
type world struct {
	*bybit.Server
	t *testing.T
}

func start(t *testing.T, opt bybit.Options) world {
	t.Helper()
	opt.Accounts = []bybit.Account{{Key: key, Secret: secret, Balances: map[string]string{"USDT": "10000", "BTC": "1"}}}
	opt.Prices = map[string]string{"BTCUSDT": "95000"}
	s, err := bybit.Start(t.Context(), "127.0.0.1:0", opt)
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
func signed(payload string, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(stamp + key + "5000" + payload))
	return http.Header{"X-Bapi-Api-Key": {key}, "X-Bapi-Timestamp": {stamp}, "X-Bapi-Recv-Window": {"5000"}, "X-Bapi-Sign": {hex.EncodeToString(m.Sum(nil))}}
}

type reply struct {
	status int
	header http.Header
	Code   int    `json:"retCode"`
	Msg    string `json:"retMsg"`
	Result struct {
		OrderID string `json:"orderId"`
		List    []struct {
			Link   string `json:"orderLinkId"`
			Status string `json:"orderStatus"`
			Reason string `json:"rejectReason"`
		} `json:"list"`
	} `json:"result"`
}

func (w world) do(method, path, payload string, h http.Header) reply {
	w.t.Helper()
	target, body := w.URL()+path, ""
	if method == http.MethodPost {
		body = payload
	} else {
		target += "?" + payload
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, target, strings.NewReader(body))
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
	out := reply{status: resp.StatusCode, header: resp.Header}
	_ = json.Unmarshal(b, &out) // pages of errors are none
	return out
}

func (w world) post(path, body string) reply {
	return w.do(http.MethodPost, path, body, signed(body, time.Now()))
}

func (w world) get(path, query string) reply {
	return w.do(http.MethodGet, path, query, signed(query, time.Now()))
}

const (
	limit = `{"category":"spot","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.01","price":"80000"}`
	stop  = `{"category":"linear","symbol":"BTCUSDT","side":"Sell","orderType":"Market","qty":"0.01","triggerPrice":"90000","triggerDirection":2}`
)

// Ensure a request is admitted only with a known key, the signature of exactly what was
// sent, and a time in the window.
func TestAdmission(t *testing.T) {
	t.Parallel()
	w := start(t, bybit.Options{})
	now := time.Now()
	with := func(name, value string) http.Header {
		h := signed(limit, now)
		h.Set(name, value)
		return h
	}
	for name, tt := range map[string]struct {
		header       http.Header
		status, code int
	}{
		"good":         {signed(limit, now), 200, 0},
		"no key":       {http.Header{}, 401, 0},
		"unknown key":  {with("X-Bapi-Api-Key", "other"), 200, 10003},
		"signature":    {with("X-Bapi-Sign", "00"), 200, 10004},
		"other body":   {signed(stop, now), 200, 10004},
		"other window": {with("X-Bapi-Recv-Window", "6000"), 200, 10004},
		"late":         {signed(limit, now.Add(-6*time.Second)), 200, 10002},
		"early":        {signed(limit, now.Add(time.Minute)), 200, 10002},
	} {
		if got := w.do("POST", "/v5/order/create", limit, tt.header); got.status != tt.status || got.Code != tt.code {
			t.Errorf("%s: %+v, want %d and %d", name, got, tt.status, tt.code)
		}
	}
	if got := w.Ledger(); len(got) != 1 {
		t.Errorf("taken: %+v", got)
	}
}

// Ensure each fault of an order is refused with the code that its market has for it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := start(t, bybit.Options{OrdersPerSecond: 1000})
	for _, tt := range []struct {
		name, base   string
		change       map[string]any
		spot, linear int
	}{
		{"symbol", limit, map[string]any{"symbol": "NOSUCH"}, 170121, 10001},
		{"side", limit, map[string]any{"side": "BUY"}, 10001, 10001},
		{"type", limit, map[string]any{"orderType": "LIMIT"}, 10001, 10001},
		{"number that isn't text", limit, map[string]any{"qty": 0.01}, 10001, 10001},
		{"unknown member", limit, map[string]any{"reduce_only": true}, 10001, 10001},
		{"tick", limit, map[string]any{"price": "80000.01"}, 170134, 10001},
		{"step", limit, map[string]any{"qty": "0.0100001"}, 170137, 10001},
		{"most", limit, map[string]any{"qty": "2000"}, 170135, 10001},
		{"value", limit, map[string]any{"price": "400"}, 170140, 110094},
		{"funds", limit, map[string]any{"qty": "1"}, 170131, 110007},
		{"client id", limit, map[string]any{"orderLinkId": "a b"}, 10001, 10001},
		{"price at the market", limit, map[string]any{"orderType": "Market"}, 10001, 10001},
		{"side of the position", limit, map[string]any{"positionIdx": 1}, 10001, 10001},
		{"stop without a filter or direction", limit, map[string]any{"triggerPrice": "90000"}, 10001, 10001},
		{"reduces nothing", limit, map[string]any{"reduceOnly": true}, 10001, 110017},
		{"rising below the price", stop, map[string]any{"triggerDirection": 1}, 10001, 110092},
		{"falling above the price", stop, map[string]any{"triggerPrice": "96000"}, 10001, 110093},
		{"market in the quote coin", stop, map[string]any{"triggerPrice": nil, "triggerDirection": nil, "marketUnit": "quoteCoin"}, 10001, 10001},
	} {
		for category, want := range map[string]int{"spot": tt.spot, "linear": tt.linear} {
			doc := map[string]any{}
			if err := json.Unmarshal([]byte(tt.base), &doc); err != nil {
				t.Fatal(err)
			}
			doc["category"] = category
			for k, v := range tt.change {
				if doc[k] = v; v == nil {
					delete(doc, k)
				}
			}
			body, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.post("/v5/order/create", string(body)); got.Code != want {
				t.Errorf("%s on %s: %+v, want %d", tt.name, category, got, want)
			}
		}
	}
	for path, body := range map[string]string{
		"/v5/order/cancel":     `{"category":"spot","symbol":"BTCUSDT","orderLinkId":"none"}`,
		"/v5/order/cancel-all": `{"category":"linear"}`,
	} {
		if got := w.post(path, body); got.Code == 0 {
			t.Errorf("%s %s: %+v", path, body, got)
		}
	}
	if got := w.post("/v5/order/creates", limit); got.status != 404 {
		t.Errorf("no such path: %+v", got)
	}
	if got := w.Ledger(); len(got) != 0 {
		t.Errorf("taken: %+v", got)
	}
}

// Ensure on spot a stop is only cancelled by its filter, and that openOnly tells open
// orders from those that were.
func TestFilters(t *testing.T) {
	t.Parallel()
	w := start(t, bybit.Options{})
	if got := w.post("/v5/order/create", `{"category":"spot","symbol":"BTCUSDT","side":"Sell","orderType":"Market","marketUnit":"baseCoin","qty":"0.01","triggerPrice":"90000","orderFilter":"StopOrder","orderLinkId":"s1"}`); got.Code != 0 {
		t.Fatalf("%+v", got)
	}
	const cancel = `{"category":"spot","symbol":"BTCUSDT","orderLinkId":"s1"}`
	if got := w.post("/v5/order/cancel", cancel); got.Code != 170213 {
		t.Errorf("without the filter: %+v", got)
	}
	if got := w.get("/v5/order/realtime", "category=spot&orderLinkId=s1"); len(got.Result.List) != 1 || got.Result.List[0].Status != "Untriggered" {
		t.Errorf("open: %+v", got)
	}
	if got := w.post("/v5/order/cancel", strings.Replace(cancel, "}", `,"orderFilter":"StopOrder"}`, 1)); got.Code != 0 {
		t.Errorf("with the filter: %+v", got)
	}
	if got := w.get("/v5/order/realtime", "category=spot&orderLinkId=s1&openOnly=0"); len(got.Result.List) != 0 {
		t.Errorf("still open: %+v", got)
	}
	for path, query := range map[string]string{"/v5/order/realtime": "category=spot&orderLinkId=s1&openOnly=1", "/v5/order/history": "category=spot&orderLinkId=s1"} {
		if got := w.get(path, query); len(got.Result.List) != 1 || got.Result.List[0].Status != "Deactivated" {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

// Ensure a stop that can't be paid for when it is reached is cancelled.
func TestTriggeredWithoutFunds(t *testing.T) {
	t.Parallel()
	w := start(t, bybit.Options{})
	if got := w.post("/v5/order/create", `{"category":"spot","symbol":"BTCUSDT","side":"Sell","orderType":"Market","marketUnit":"baseCoin","qty":"2","triggerPrice":"90000","orderFilter":"StopOrder","orderLinkId":"s1"}`); got.Code != 0 {
		t.Fatalf("%+v", got)
	}
	if err := w.SetPrice(matching.Spot, "BTCUSDT", "89000"); err != nil {
		t.Fatal(err)
	}
	if got := w.get("/v5/order/history", "category=spot&orderLinkId=s1"); len(got.Result.List) != 1 || got.Result.List[0].Status != "Cancelled" {
		t.Errorf("%+v", got)
	}
}

// Ensure the limits are told in the headers and kept: of orders by account and second,
// of requests by address, which is shut out beyond it.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := start(t, bybit.Options{OrdersPerSecond: 2})
	small := strings.Replace(limit, "0.01", "0.001", 1)
	var last reply
	for range 8 {
		if last = w.post("/v5/order/create", small); last.Code != 0 {
			break
		}
	}
	if last.Code != 10006 || last.header.Get("X-Bapi-Limit") != "2" || last.header.Get("X-Bapi-Limit-Status") != "0" || last.header.Get("X-Bapi-Limit-Reset-Timestamp") == "" {
		t.Errorf("after the limit: %+v", last)
	}
	w = start(t, bybit.Options{Requests: 2})
	for range 6 {
		last = w.get("/v5/market/time", "")
	}
	if last.status != http.StatusForbidden {
		t.Errorf("after the limit of the address: %+v", last)
	}
}

// Ensure faults set over HTTP do what they say, and that the ledger tells what was taken
// behind a lost answer.
func TestControl(t *testing.T) {
	t.Parallel()
	w := start(t, bybit.Options{})
	fault := func(doc string) {
		t.Helper()
		if got := w.do(http.MethodPost, "/_sim/faults", doc, http.Header{}); got.status != 200 {
			t.Fatalf("%s: %+v", doc, got)
		}
	}
	fault(`{"path":"/order/create","times":1,"done":true,"drop":true}`)
	if got := w.post("/v5/order/create", strings.Replace(limit, "}", `,"orderLinkId":"lost"}`, 1)); got.status != 0 {
		t.Errorf("answered %+v", got)
	}
	fault(`{"path":"/order/create","times":1,"reject":"EC_Others"}`)
	if got := w.post("/v5/order/create", strings.Replace(limit, "}", `,"orderLinkId":"r"}`, 1)); got.Code != 0 {
		t.Errorf("refused at once: %+v", got)
	}
	if got := w.get("/v5/order/history", "category=spot&orderLinkId=r"); len(got.Result.List) != 1 || got.Result.List[0].Reason != "EC_Others" || got.Result.List[0].Status != "Rejected" {
		t.Errorf("%+v", got)
	}
	fault(`{"path":"/time","status":200,"code":10016}`)
	if got := w.get("/v5/market/time", ""); got.Code != 10016 {
		t.Errorf("%+v", got)
	}
	if got := w.do(http.MethodDelete, "/_sim/faults", "", http.Header{}); got.status/100 != 2 {
		t.Errorf("%+v", got)
	}
	if got := w.get("/v5/market/time", ""); got.Code != 0 {
		t.Errorf("%+v", got)
	}
	if got := w.Ledger(); len(got) != 2 || got[0].ClientID != "lost" || got[0].Market != "spot" || got[0].Side != "BUY" || got[0].Status != "NEW" || got[1].Status != "REJECTED" {
		t.Errorf("%+v", got)
	}
}
