package binance_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchyard/sim/exchanges/binance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key    = "key-1"
	secret = "secret-1"
)

// world is a simulated Binance and a client without any care.
type world struct {
	*binance.Server
	t *testing.T
}

func start(t *testing.T, opt binance.Options) world {
	t.Helper()
	if opt.Accounts == nil {
		opt.Accounts = []binance.Account{{Key: key, Secret: secret, Spot: map[string]string{"USDT": "10000", "BTC": "1"}, Futures: map[string]string{"USDT": "10000"}}}
	}
	opt.Prices = map[string]string{"BTCUSDT": "95000"}
	s, err := binance.Start(t.Context(), "127.0.0.1:0", opt)
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

func sign(query string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(query))
	return query + "&signature=" + hex.EncodeToString(m.Sum(nil))
}

// do sends a request as it is.
func (w world) do(method, path, query, apiKey string) (int, http.Header, map[string]any, error) {
	w.t.Helper()
	target, body := w.URL()+path, ""
	if method == http.MethodPost {
		body = query
	} else {
		target += "?" + query
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if apiKey != "" {
		req.Header.Set("X-MBX-APIKEY", apiKey)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, nil, err
	}
	out := map[string]any{}
	if bytes.HasPrefix(b, []byte("{")) {
		if err := json.Unmarshal(b, &out); err != nil {
			w.t.Fatalf("%s: %v", b, err)
		}
	} else {
		out["list"] = string(b)
	}
	return resp.StatusCode, resp.Header, out, nil
}

// ask sends a good request with these parameters.
func (w world) ask(method, path, query string) (int, map[string]any) {
	w.t.Helper()
	status, _, out, err := w.do(method, path, sign(fmt.Sprintf("%s&timestamp=%d", query, time.Now().UnixMilli())), key)
	if err != nil {
		w.t.Fatal(err)
	}
	return status, out
}

func (w world) code(method, path, query string) int {
	w.t.Helper()
	_, out := w.ask(method, path, query)
	code, _ := out["code"].(float64)
	return int(code)
}

const (
	spotLimit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=80000"
	algoStop  = "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&quantity=0.01&triggerPrice=90000"
)

// Ensure a request is admitted only with a known key, the signature of exactly what was
// sent, at its end, and a time in the window.
func TestAdmission(t *testing.T) {
	t.Parallel()
	w := start(t, binance.Options{})
	now := time.Now().UnixMilli()
	good := fmt.Sprintf("%s&timestamp=%d", spotLimit, now)
	for _, tt := range []struct {
		name, query, key string
		status, code     int
	}{
		{"good", sign(good), key, 200, 0},
		{"no key", sign(good), "", 401, -2014},
		{"unknown key", sign(good), "key-2", 401, -2015},
		{"no signature", good, key, 400, -1102},
		{"no time", sign(spotLimit), key, 400, -1102},
		{"changed after signing", strings.Replace(sign(good), "quantity=0.01", "quantity=0.02", 1), key, 400, -1022},
		{"signature not last", sign(good) + "&newClientOrderId=a", key, 400, -1022},
		{"other secret", good + "&signature=" + strings.Repeat("0", 64), key, 400, -1022},
		{"late", sign(fmt.Sprintf("%s&timestamp=%d", spotLimit, now-6000)), key, 400, -1021},
		{"late in a wider window", sign(fmt.Sprintf("%s&recvWindow=60000&timestamp=%d", spotLimit, now-6000)), key, 200, 0},
		{"too wide a window", sign(fmt.Sprintf("%s&recvWindow=60001&timestamp=%d", spotLimit, now)), key, 400, -1131},
		{"early", sign(fmt.Sprintf("%s&timestamp=%d", spotLimit, now+60000)), key, 400, -1021},
		{"twice the same parameter", sign(good + "&side=SELL"), key, 400, -1101},
		{"unknown parameter", sign(good + "&qty=1"), key, 400, -1104},
		{"empty parameter", sign(good + "&newClientOrderId="), key, 400, -1105},
	} {
		status, _, out, err := w.do(http.MethodPost, "/api/v3/order", tt.query, tt.key)
		code, _ := out["code"].(float64)
		if err != nil || status != tt.status || int(code) != tt.code {
			t.Errorf("%s: %d %v %v, want %d and code %d", tt.name, status, out, err, tt.status, tt.code)
		}
	}
	if got := len(w.Ledger()); got != 2 {
		t.Errorf("%d orders taken, want the 2 good ones", got)
	}
}

// Ensure each fault of an order is refused with the code that its market has for it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := start(t, binance.Options{})
	with := func(base string, changes ...string) string {
		q, err := url.ParseQuery(base)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			k, v, _ := strings.Cut(c, "=")
			if q.Del(k); v != "" {
				q.Set(k, v)
			}
		}
		return q.Encode()
	}
	for _, tt := range []struct {
		name       string
		change     []string
		spot, fapi int
	}{
		{"symbol", []string{"symbol=NOSUCH"}, -1121, -1121},
		{"no symbol", []string{"symbol="}, -1102, -1102},
		{"side", []string{"side=UP"}, -1117, -1117},
		{"type", []string{"type=ICEBERG"}, -1116, -1116},
		{"no price", []string{"price="}, -1102, -1102},
		{"no time in force", []string{"timeInForce="}, -1102, -1102},
		{"price at the market", []string{"type=MARKET", "timeInForce="}, -1106, -1106},
		{"exponent", []string{"quantity=1e2"}, -1100, -1100},
		{"negative", []string{"quantity=-1"}, -1100, -1100},
		{"tick", []string{"price=80000.001"}, -1013, -4014},
		{"step", []string{"quantity=0.0100001"}, -1013, -4023},
		{"digits", []string{"quantity=0.0100000001"}, -1111, -1111},
		{"nothing", []string{"quantity=0"}, -1013, -4003},
		{"least", []string{"quantity=0.000001"}, -1013, -4004},
		{"most", []string{"quantity=9001"}, -1013, -4005},
		{"value", []string{"price=400"}, -1013, -4164},
		{"funds", []string{"quantity=1"}, -2010, -2019},
		{"client id", []string{"newClientOrderId=a b"}, -1100, -1100},
		{"long client id", []string{"newClientOrderId=" + strings.Repeat("a", 37)}, -1100, -1100},
	} {
		if tt.name == "value" {
			tt.change = []string{"price=400", "quantity=0.01"}
		}
		if got := w.code("POST", "/api/v3/order", with(spotLimit, tt.change...)); got != tt.spot {
			t.Errorf("%s on spot: %d, want %d", tt.name, got, tt.spot)
		}
		if got := w.code("POST", "/fapi/v1/order", with(spotLimit, tt.change...)); got != tt.fapi {
			t.Errorf("%s on futures: %d, want %d", tt.name, got, tt.fapi)
		}
	}
	for _, tt := range []struct {
		name, path, query string
		want              int
	}{
		{"stop among futures' orders", "/fapi/v1/order", with(algoStop, "algoType=", "triggerPrice=", "stopPrice=90000"), -4120},
		{"wrong side of the price", "/fapi/v1/algoOrder", with(algoStop, "triggerPrice=96000"), -2021},
		{"wrong side of the price on spot", "/api/v3/order", with(algoStop, "algoType=", "triggerPrice=", "type=STOP_LOSS", "stopPrice=96000"), -2010},
		{"stopPrice for triggerPrice", "/fapi/v1/algoOrder", with(algoStop, "triggerPrice=", "stopPrice=90000"), -1104},
		{"algo type", "/fapi/v1/algoOrder", with(algoStop, "algoType=VP"), -1130},
		{"limit as algo", "/fapi/v1/algoOrder", with(algoStop, "type=LIMIT"), -1116},
		{"side of the position", "/fapi/v1/order", with(spotLimit, "positionSide=LONG"), -4061},
		{"reduces nothing", "/fapi/v1/order", with(spotLimit, "reduceOnly=true"), -2022},
		{"no such path", "/fapi/v1/orders", spotLimit, -5000},
	} {
		if got := w.code("POST", tt.path, tt.query); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := w.Ledger(); len(got) != 0 {
		t.Errorf("taken: %+v", got)
	}
}

// Ensure a client's id is refused while its order is open and accepted again once it
// is filled: sending a market order twice buys twice, as with Binance.
func TestClientIDs(t *testing.T) {
	t.Parallel()
	w := start(t, binance.Options{})
	for path, duplicate := range map[string]int{"/api/v3/order": -2010, "/fapi/v1/order": -4116} {
		limit := spotLimit + "&newClientOrderId=a"
		if got := w.code("POST", path, limit); got != 0 {
			t.Fatalf("%s: %d", path, got)
		}
		if got := w.code("POST", path, limit); got != duplicate {
			t.Errorf("%s, open: %d, want %d", path, got, duplicate)
		}
		for range 2 {
			if got := w.code("POST", path, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=b"); got != 0 {
				t.Errorf("%s, filled: %d", path, got)
			}
		}
	}
	if got := len(w.Ledger()); got != 6 {
		t.Errorf("%d orders taken, want 6", got)
	}
}

// Ensure the limits are counted in the headers and kept, with Retry-After, and that an
// order beyond them isn't taken.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := start(t, binance.Options{OrdersPer10s: 2, Weight: 100000})
	var header http.Header
	var last int
	// Twice as many as could fit in two intervals.
	for i := range 8 {
		var err error
		last, header, _, err = w.do("POST", "/api/v3/order", sign(fmt.Sprintf("%s&newClientOrderId=l%d&timestamp=%d", strings.Replace(spotLimit, "0.01", "0.001", 1), i, time.Now().UnixMilli())), key)
		if err != nil {
			t.Fatal(err)
		}
		if header.Get("X-MBX-ORDER-COUNT-10S") == "" || header.Get("X-MBX-USED-WEIGHT-1M") == "" {
			t.Errorf("no counts in %v", header)
		}
		if last == 429 {
			break
		}
	}
	if last != 429 || header.Get("Retry-After") == "" || len(w.Ledger()) > 4 {
		t.Errorf("after the limit: %d, %v, %d orders", last, header, len(w.Ledger()))
	}
	w = start(t, binance.Options{Weight: 1})
	for range 3 {
		last, header, _, _ = w.do("GET", "/api/v3/ticker/price", "symbol=BTCUSDT", "")
	}
	if last != 429 || header.Get("Retry-After") == "" {
		t.Errorf("after the limit of weight: %d, %v", last, header)
	}
}

// Ensure faults set over HTTP do what they say, once or until they are taken back, and
// that the ledger tells what was taken behind a lost answer.
func TestControl(t *testing.T) {
	t.Parallel()
	w := start(t, binance.Options{})
	post := func(path, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: HTTP %d", path, body, resp.StatusCode)
		}
	}
	defer http.DefaultClient.CloseIdleConnections()
	order := sign(fmt.Sprintf("%s&newClientOrderId=lost&timestamp=%d", spotLimit, time.Now().UnixMilli()))
	post("/_sim/faults", `{"method":"POST","path":"/order","times":1,"done":true,"drop":true}`)
	if _, _, _, err := w.do("POST", "/api/v3/order", order, key); err == nil {
		t.Error("the answer came")
	}
	if got := w.Ledger(); len(got) != 1 || got[0].ClientID != "lost" {
		t.Errorf("taken: %+v", got)
	}
	post("/_sim/faults", `{"times":1,"status":418,"code":-1003,"message":"IP banned","retry_after":"120"}`)
	status, header, _, err := w.do("GET", "/api/v3/time", "", "")
	if err != nil || status != 418 || header.Get("Retry-After") != "120" {
		t.Errorf("%d, %v, %v", status, header, err)
	}
	post("/_sim/skew", `{"seconds":-30}`)
	if got := w.code("GET", "/api/v3/openOrders", "symbol=BTCUSDT"); got != -1021 {
		t.Errorf("30 s ahead of it: %d, want -1021", got)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, w.URL()+"/_sim/faults", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := w.code("GET", "/api/v3/openOrders", "symbol=BTCUSDT"); got != 0 {
		t.Errorf("after all was taken back: %d", got)
	}
	post("/_sim/price", `{"symbol":"BTCUSDT","price":"79000"}`)
	if got := w.Ledger(); got[0].Status != "FILLED" || got[0].Filled != "0.01" {
		t.Errorf("at its price: %+v", got[0])
	}
	for _, path := range []string{"/_sim/orders", "/_sim/calls"} {
		_, _, out, err := w.do("GET", path, "", "")
		if list, _ := out["list"].(string); err != nil || !strings.Contains(list, `"lost"`) || strings.Contains(list, "signature") {
			t.Errorf("%s: %v, %v", path, out, err)
		}
	}
}

// Ensure no money is made or lost: what orders bind is given back, what they execute
// is paid for, and profit is the difference of the prices.
func TestBalances(t *testing.T) {
	t.Parallel()
	w := start(t, binance.Options{})
	spot := func() string {
		_, out := w.ask("GET", "/api/v3/account", "omitZeroBalances=true")
		held := map[string]string{}
		list, _ := out["balances"].([]any)
		for _, x := range list {
			b, _ := x.(map[string]any)
			held[fmt.Sprint(b["asset"])] = fmt.Sprint(b["free"], "+", b["locked"])
		}
		return held["USDT"] + " " + held["BTC"]
	}
	step := func(method, path, query, want string) {
		t.Helper()
		if code := w.code(method, path, query); code != 0 {
			t.Fatalf("%s: %d", query, code)
		}
		if got := spot(); got != want {
			t.Errorf("after %s: %s, want %s", query, got, want)
		}
	}
	step("POST", "/api/v3/order", spotLimit+"&newClientOrderId=a", "9200.00000000+800.00000000 1.00000000+0.00000000")
	step("POST", "/api/v3/order", "symbol=BTCUSDT&side=SELL&type=STOP_LOSS&quantity=0.5&stopPrice=90000", "9200.00000000+800.00000000 0.50000000+0.50000000")
	step("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=a", "10000.00000000+0.00000000 0.50000000+0.50000000")
	step("POST", "/api/v3/order", "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=96000", "9050.00000000+0.00000000 0.51000000+0.50000000")
	if err := w.SetPrice(binance.Spot, "BTCUSDT", "89000"); err != nil {
		t.Fatal(err)
	}
	if got, want := spot(), "53550.00000000+0.00000000 0.51000000+0.00000000"; got != want {
		t.Errorf("after the stop: %s, want %s", got, want)
	}

	wallet := func() string {
		_, out := w.ask("GET", "/fapi/v3/balance", "recvWindow=5000")
		list, _ := out["list"].(string)
		var b []struct{ Balance, AvailableBalance string }
		if err := json.Unmarshal([]byte(list), &b); err != nil || len(b) != 1 {
			t.Fatalf("%s: %v", list, err)
		}
		return b[0].Balance + " " + b[0].AvailableBalance
	}
	market := "symbol=BTCUSDT&type=MARKET&quantity=0.05&side="
	if code := w.code("POST", "/fapi/v1/order", market+"SELL"); code != 0 {
		t.Fatal(code)
	}
	if got, want := wallet(), "10000.00000000 5250.00000000"; got != want {
		t.Errorf("short: %s, want %s", got, want)
	}
	if err := w.SetPrice(binance.Futures, "BTCUSDT", "94000"); err != nil {
		t.Fatal(err)
	}
	if code := w.code("POST", "/fapi/v1/order", market+"BUY&reduceOnly=true"); code != 0 {
		t.Fatal(code)
	}
	if got, want := wallet(), "10050.00000000 10050.00000000"; got != want {
		t.Errorf("closed 1000 lower: %s, want %s", got, want)
	}
}

// Ensure a wait for requests ends with them, and with its context.
func TestWaitFor(t *testing.T) {
	t.Parallel()
	w := start(t, binance.Options{})
	got := make(chan error, 1)
	go func() {
		got <- w.WaitFor(t.Context(), func(all []binance.Call) bool { return len(all) == 1 && all[0].Path == "/api/v3/time" })
	}()
	if _, _, _, err := w.do("GET", "/api/v3/time", "", ""); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.WaitFor(ctx, func([]binance.Call) bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}
