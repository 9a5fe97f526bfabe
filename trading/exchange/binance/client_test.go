package binance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"switchyard/configs"
	sim "switchyard/sim/exchanges/binance"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/binance"
)

func d(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// Ensure signatures are those that Binance and others have published.
func TestSign(t *testing.T) {
	t.Parallel()
	const published = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
	for _, tt := range []struct{ secret, query, want string }{
		{published, "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
			"c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"},
		{published, "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
			"e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"},
		{published, "timestamp=1578963600000", "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4"},
		{"test_secret", "timestamp=1700000000000&symbol=BTCUSDT&side=SELL&clientAlgoId=wh1a0o0&newOrderRespType=RESULT&type=STOP_MARKET&quantity=0.01&triggerPrice=104000&algoType=CONDITIONAL&recvWindow=10000",
			"1bd3f14ee0e6b7da8e8ac0398ba4edcdf604575e5e080227e3d93656846a5bfe"},
	} {
		if got := binance.Sign(tt.secret, tt.query); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.query, got, tt.want)
		}
	}
}

// Ensure every order goes to the endpoint of its kind, with the parameters that
// Binance documents for it, and no more.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		market     exchange.Market
		kind       exchange.Type
		side       exchange.Side
		price      string
		stop       string
		path, want string
	}{
		{exchange.Spot, exchange.MarketOrder, exchange.Buy, "", "", "/api/v3/order", "type=MARKET newOrderRespType=RESULT newClientOrderId=sy1"},
		{exchange.Spot, exchange.LimitOrder, exchange.Buy, "80000", "", "/api/v3/order", "type=LIMIT timeInForce=GTC price=80000 newOrderRespType=RESULT newClientOrderId=sy1"},
		{exchange.Spot, exchange.StopMarket, exchange.Buy, "", "96000", "/api/v3/order", "type=STOP_LOSS stopPrice=96000 newOrderRespType=RESULT newClientOrderId=sy1"},
		{exchange.Spot, exchange.StopMarket, exchange.Buy, "", "94000", "/api/v3/order", "type=TAKE_PROFIT stopPrice=94000 newOrderRespType=RESULT newClientOrderId=sy1"},
		{exchange.Spot, exchange.StopMarket, exchange.Sell, "", "94000", "/api/v3/order", "type=STOP_LOSS stopPrice=94000 newOrderRespType=RESULT newClientOrderId=sy1"},
		{exchange.Spot, exchange.StopLimit, exchange.Sell, "105000", "104000", "/api/v3/order", "type=TAKE_PROFIT_LIMIT timeInForce=GTC price=105000 stopPrice=104000 newOrderRespType=RESULT newClientOrderId=sy1"},
		{exchange.Futures, exchange.MarketOrder, exchange.Sell, "", "", "/fapi/v1/order", "type=MARKET newOrderRespType=RESULT newClientOrderId=sy1"},
		{exchange.Futures, exchange.LimitOrder, exchange.Sell, "105000.1", "", "/fapi/v1/order", "type=LIMIT timeInForce=GTC price=105000.1 newOrderRespType=RESULT newClientOrderId=sy1"},
		{exchange.Futures, exchange.StopMarket, exchange.Sell, "", "104000", "/fapi/v1/algoOrder", "algoType=CONDITIONAL type=TAKE_PROFIT_MARKET triggerPrice=104000 clientAlgoId=sy1"},
		{exchange.Futures, exchange.StopMarket, exchange.Sell, "", "94000", "/fapi/v1/algoOrder", "algoType=CONDITIONAL type=STOP_MARKET triggerPrice=94000 clientAlgoId=sy1"},
		{exchange.Futures, exchange.StopLimit, exchange.Sell, "105000", "104000", "/fapi/v1/algoOrder", "algoType=CONDITIONAL type=TAKE_PROFIT timeInForce=GTC price=105000 triggerPrice=104000 clientAlgoId=sy1"},
		{exchange.Futures, exchange.StopLimit, exchange.Buy, "97000", "96000", "/fapi/v1/algoOrder", "algoType=CONDITIONAL type=STOP timeInForce=GTC price=97000 triggerPrice=96000 clientAlgoId=sy1"},
	} {
		t.Run(fmt.Sprint(tt.market, tt.kind, tt.side, tt.stop), func(t *testing.T) {
			t.Parallel()
			s, c := start(t, tt.market, nil)
			o := exchange.Order{ClientID: "sy1", Symbol: "BTCUSDT", Side: tt.side, Type: tt.kind, Quantity: d("0.010")}
			if tt.price != "" {
				o.Price = d(tt.price)
			}
			if tt.stop != "" {
				o.StopPrice = d(tt.stop)
			}
			if _, err := c.Place(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			calls := s.Calls()
			last := calls[len(calls)-1]
			got := maps.Clone(last.Params)
			delete(got, "timestamp")
			want := map[string]string{"symbol": "BTCUSDT", "side": strings.ToUpper(string(tt.side)), "quantity": "0.01", "recvWindow": "5000"}
			for _, kv := range strings.Fields(tt.want) {
				k, v, _ := strings.Cut(kv, "=")
				want[k] = v
			}
			if diff := cmp.Diff(want, got); diff != "" || last.Path != tt.path || last.Method != http.MethodPost {
				t.Errorf("%s %s (-want +got):\n%s", last.Method, last.Path, diff)
			}
		})
	}
}

// canned returns a client of a server that has one answer to everything that is
// signed, and the requests that it got.
func canned(t *testing.T, market exchange.Market, status int, header http.Header, body string) (*binance.Client, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var calls []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/time"):
			fmt.Fprintf(w, `{"serverTime":%d}`, time.Now().UnixMilli())
			return
		case strings.HasSuffix(r.URL.Path, "/ticker/price"):
			fmt.Fprint(w, `{"symbol":"BTCUSDT","price":"95000"}`)
			return
		}
		mu.Lock()
		calls = append(calls, r.Method+" "+r.URL.Path)
		mu.Unlock()
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	c, err := binance.New(binance.Options{Market: market, BaseURL: s.URL, Key: configs.NewSecret(testKey), Secret: configs.NewSecret(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(calls)
	}
}

var buy = exchange.Order{ClientID: "sy1", Symbol: "BTCUSDT", Side: exchange.Buy, Type: exchange.MarketOrder, Quantity: d("0.01")}

// Ensure an answer is taken for a refusal only where it certainly is one, that a
// question never has an unknown outcome, and that an order is sent once.
func TestAnswers(t *testing.T) {
	t.Parallel()
	no := func(code int, msg string) string { return fmt.Sprintf(`{"code":%d,"msg":%q}`, code, msg) }
	for _, tt := range []struct {
		name        string
		status      int
		body        string
		place, read error // read: what the same means to a question
		sent        int
	}{
		{"timeout", 503, no(-1007, "Timeout waiting for response from backend server."), exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"timeout by 408", 408, no(-1007, "Timeout"), exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"408 alone", 408, "", exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"unexpected", 400, no(-1006, "An unexpected response was received from the message bus. Execution status unknown."), exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"unknown", 400, no(-1000, "An unknown error occurred while processing the request."), exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"disconnected", 500, no(-1001, "Internal error"), exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"gateway", 502, "<html>bad gateway</html>", exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"redirect", 302, "", exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"other code with 5xx", 500, no(-1234, "?"), exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"good answer that is none", 200, "<html>", exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"good answer about nothing", 200, "{}", exchange.ErrUnknownOutcome, nil, 1},
		{"good answer about another", 200, `{"orderId":1,"clientOrderId":"other","status":"FILLED"}`, exchange.ErrUnknownOutcome, nil, 1},
		{"number that is none", 200, `{"orderId":1,"clientOrderId":"sy1","executedQty":"1e999999999"}`, exchange.ErrUnknownOutcome, exchange.ErrUnavailable, 1},
		{"busy", 503, no(-1008, "Request throttled by system-level protection."), exchange.ErrUnavailable, exchange.ErrUnavailable, 1},
		{"rate", 429, no(-1003, "Too much request weight used"), exchange.ErrRate, exchange.ErrRate, 1},
		{"rate without a body", 429, "", exchange.ErrRate, exchange.ErrRate, 1},
		{"orders", 400, no(-1015, "Too many new orders"), exchange.ErrRate, exchange.ErrRate, 1},
		{"banned", 418, no(-1003, "IP banned"), exchange.ErrBanned, exchange.ErrBanned, 1},
		{"firewall", 403, "<html>", exchange.ErrBanned, exchange.ErrBanned, 1},
		{"clock", 400, no(-1021, "Timestamp for this request is outside of the recvWindow."), exchange.ErrClock, exchange.ErrClock, 2},
		{"signature", 400, no(-1022, "Signature for this request is not valid."), exchange.ErrAuth, exchange.ErrAuth, 1},
		{"key", 401, no(-2015, "Invalid API-key, IP, or permissions for action."), exchange.ErrAuth, exchange.ErrAuth, 1},
		{"funds", 400, no(-2010, "Account has insufficient balance for requested action."), exchange.ErrFunds, exchange.ErrFunds, 1},
		{"margin", 400, no(-2019, "Margin is insufficient."), exchange.ErrFunds, exchange.ErrFunds, 1},
		{"duplicate", 400, no(-2010, "Duplicate order sent."), exchange.ErrDuplicate, exchange.ErrDuplicate, 1},
		{"duplicate on futures", 400, no(-4116, "ClientOrderId is duplicated."), exchange.ErrDuplicate, exchange.ErrDuplicate, 1},
		{"trigger", 400, no(-2010, "Order would trigger immediately."), exchange.ErrTrigger, exchange.ErrTrigger, 1},
		{"trigger on futures", 400, no(-2021, "Order would immediately trigger."), exchange.ErrTrigger, exchange.ErrTrigger, 1},
		{"step", 400, no(-1013, "Filter failure: LOT_SIZE"), exchange.ErrPrecision, exchange.ErrPrecision, 1},
		{"precision", 400, no(-1111, "Parameter 'quantity' has too much precision."), exchange.ErrPrecision, exchange.ErrPrecision, 1},
		{"price out of its band", 400, no(-4016, "Limit price can't be higher than 99000."), exchange.ErrPrecision, exchange.ErrPrecision, 1},
		{"too many orders open", 400, no(-1013, "Filter failure: MAX_NUM_ALGO_ORDERS"), exchange.ErrRefused, exchange.ErrRefused, 1},
		{"value", 400, no(-1013, "Filter failure: NOTIONAL"), exchange.ErrMinimum, exchange.ErrMinimum, 1},
		{"value on futures", 400, no(-4164, "Order's notional must be no smaller than 100"), exchange.ErrMinimum, exchange.ErrMinimum, 1},
		{"symbol", 400, no(-1121, "Invalid symbol."), exchange.ErrSymbol, exchange.ErrSymbol, 1},
		{"mode", 400, no(-4061, "Order's position side does not match user's setting."), exchange.ErrPositionMode, exchange.ErrPositionMode, 1},
		{"not there", 400, no(-2013, "Order does not exist."), exchange.ErrNotFound, exchange.ErrNotFound, 1},
		{"other", 400, no(-4120, "Order type not supported for this endpoint."), exchange.ErrRefused, exchange.ErrRefused, 1},
		{"refused with 200", 200, no(-2010, "Account has insufficient balance for requested action."), exchange.ErrFunds, exchange.ErrFunds, 1},
	} {
		for _, market := range []exchange.Market{exchange.Spot, exchange.Futures} {
			t.Run(tt.name+" "+string(market), func(t *testing.T) {
				t.Parallel()
				c, calls := canned(t, market, tt.status, nil, tt.body)
				_, err := c.Place(t.Context(), buy)
				if !errors.Is(err, tt.place) {
					t.Errorf("placing: %v, want %v", err, tt.place)
				}
				if unknown := errors.Is(tt.place, exchange.ErrUnknownOutcome); unknown == exchange.SettledAt(err).IsZero() {
					t.Errorf("settled at %v", exchange.SettledAt(err))
				}
				if got := len(calls()); got != tt.sent {
					t.Errorf("the order was sent %d times, want %d", got, tt.sent)
				}
				_, err = c.Query(t.Context(), buy.Ref())
				if !errors.Is(err, tt.read) || errors.Is(err, exchange.ErrUnknownOutcome) {
					t.Errorf("asking: %v, want %v", err, tt.read)
				}
				if _, err = c.Cancel(t.Context(), buy.Ref()); errors.Is(tt.place, exchange.ErrUnknownOutcome) && tt.status != 200 && !errors.Is(err, exchange.ErrUnknownOutcome) {
					t.Errorf("cancelling: %v", err)
				}
			})
		}
	}
}

// Ensure Retry-After is read as seconds and as a date, is bounded, and has a
// substitute.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		header   string
		status   int
		min, max time.Duration
	}{
		{"12", 429, 12 * time.Second, 12 * time.Second},
		{"259200", 418, 72 * time.Hour, 72 * time.Hour},
		{"2147483647", 418, 7 * 24 * time.Hour, 7 * 24 * time.Hour},
		{time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), 429, time.Second, time.Hour},
		{time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 429, time.Second, time.Second},
		{"", 429, time.Minute, time.Minute},
		{"soon", 418, 2 * time.Minute, 2 * time.Minute},
		{"-5", 418, 2 * time.Minute, 2 * time.Minute},
	} {
		c, _ := canned(t, exchange.Spot, tt.status, http.Header{"Retry-After": {tt.header}}, "")
		_, err := c.Place(t.Context(), buy)
		if got := exchange.RetryAfter(err); got < tt.min || got > tt.max {
			t.Errorf("%q: %s, want %s to %s", tt.header, got, tt.min, tt.max)
		}
	}
}

// Ensure an order that can't have arrived is no unknown outcome, and that no error
// shows the key, the secret, the signature or the address it was sent to.
func TestErrorsTellNoSecrets(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c, err := binance.New(binance.Options{Market: exchange.Spot, BaseURL: gone.URL, Key: configs.NewSecret(testKey), Secret: configs.NewSecret(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, refused := c.Place(t.Context(), buy)
	if !errors.Is(refused, exchange.ErrUnavailable) || errors.Is(refused, exchange.ErrUnknownOutcome) {
		t.Errorf("nobody listens: %v", refused)
	}
	echo, _ := canned(t, exchange.Spot, 400, nil, `{"code":-2015,"msg":"bad key `+testKey+` or `+testSecret+`"}`)
	_, echoed := echo.Place(t.Context(), buy)
	s, lost := start(t, exchange.Spot, nil)
	s.Fail(sim.Fault{Path: "/order", Drop: true})
	_, dropped := lost.Query(t.Context(), buy.Ref())
	_, cut := lost.Cancel(t.Context(), buy.Ref())
	if !errors.Is(dropped, exchange.ErrUnavailable) || !errors.Is(cut, exchange.ErrUnknownOutcome) {
		t.Errorf("question %v, cancellation %v", dropped, cut)
	}
	for _, err := range []error{refused, echoed, dropped, cut} {
		for _, word := range []string{testKey, testSecret, "signature", "http://", "timestamp"} {
			if strings.Contains(fmt.Sprintf("%v %+v", err, err), word) {
				t.Errorf("%q in %v", word, err)
			}
		}
	}
}

// silent is a transport that never answers an order.
type silent struct{ arrived chan struct{} }

func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		s.arrived <- struct{}{}
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	body := io.NopCloser(strings.NewReader(fmt.Sprintf(`{"serverTime":%d}`, time.Now().UnixMilli())))
	return &http.Response{StatusCode: http.StatusOK, Body: body, Header: http.Header{}, Request: r}, nil
}

// Ensure an order whose answer takes too long, or whose job ends meanwhile, has an
// unknown outcome with the cause in it.
func TestTooLate(t *testing.T) {
	t.Parallel()
	reason := errors.New("the job was cancelled")
	for name, want := range map[string]error{"timeout": context.DeadlineExceeded, "job ends": reason} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				way := silent{make(chan struct{}, 1)}
				c, err := binance.New(binance.Options{Market: exchange.Spot, Transport: way, Key: configs.NewSecret(testKey), Secret: configs.NewSecret(testSecret)})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				got := make(chan error, 1)
				go func() { _, err := c.Place(ctx, buy); got <- err }()
				<-way.arrived
				if errors.Is(want, reason) {
					cancel(reason)
				}
				if err := <-got; !errors.Is(err, exchange.ErrUnknownOutcome) || !errors.Is(err, want) {
					t.Errorf("%v, want an unknown outcome because of: %v", err, want)
				}
			})
		})
	}
}

// Ensure an order for which no connection came about is not an unknown outcome: it
// can be sent again.
func TestNoConnection(t *testing.T) {
	t.Parallel()
	s, c := start(t, exchange.Spot, func(_ *sim.Options, o *binance.Options) { o.Transport = &http.Transport{DisableKeepAlives: true} })
	if _, err := c.ServerTime(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := c.Place(t.Context(), buy)
	if !errors.Is(err, exchange.ErrUnavailable) || errors.Is(err, exchange.ErrUnknownOutcome) || !strings.HasPrefix(err.Error(), "placing sy1") {
		t.Errorf("nobody listens: %v", err)
	}
	if strings.Contains(err.Error(), "signature") {
		t.Errorf("the signature is in %v", err)
	}
}
