package binance_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/configs"
	sim "switchyard/sim/exchanges/binance"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/binance"
)

// Ensure CancelAll leaves nothing of the symbol, stops included, and touches no other;
// with nothing open it is done at once.
func TestCancelAll(t *testing.T) {
	t.Parallel()
	for _, market := range []exchange.Market{exchange.Spot, exchange.Futures} {
		t.Run(string(market), func(t *testing.T) {
			t.Parallel()
			_, c := start(t, market, nil)
			if err := c.CancelAll(t.Context(), "BTCUSDT"); err != nil {
				t.Errorf("with nothing open: %v", err)
			}
			for i, symbol := range []string{"BTCUSDT", "ETHUSDT"} {
				for j, kind := range []exchange.Type{exchange.LimitOrder, exchange.StopMarket, exchange.StopLimit} {
					price := []string{"90000", "2900"}[i]
					o := exchange.Order{ClientID: fmt.Sprintf("c%d%d", i, j), Symbol: symbol, Side: exchange.Buy, Type: kind, Quantity: d("0.01"), Price: d(price), StopPrice: d(price)}
					if symbol == "ETHUSDT" {
						o.Quantity = d("0.1")
					}
					if _, err := c.Place(t.Context(), o); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := c.CancelAll(t.Context(), "BTCUSDT"); err != nil {
				t.Fatal(err)
			}
			open, err := c.OpenOrders(t.Context(), "")
			if err != nil || len(open) != 3 {
				t.Fatalf("%+v open, %v", open, err)
			}
			for _, s := range open {
				if s.Symbol != "ETHUSDT" {
					t.Errorf("left open: %+v", s)
				}
			}
		})
	}
}

// Ensure of the two requests that cancel all on futures the second is sent when the
// first fails, and the failure is told.
func TestCancelAllGoesOn(t *testing.T) {
	t.Parallel()
	s, c := start(t, exchange.Futures, nil)
	stop := exchange.Order{ClientID: "s1", Symbol: "BTCUSDT", Side: exchange.Sell, Type: exchange.StopMarket, Quantity: d("0.01"), StopPrice: d("90000")}
	if _, err := c.Place(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	s.Fail(sim.Fault{Path: "/allOpenOrders", Status: 503, Code: -1008, Message: "busy"})
	if err := c.CancelAll(t.Context(), "BTCUSDT"); !errors.Is(err, exchange.ErrUnavailable) {
		t.Errorf("%v, want the failure of the first", err)
	}
	if open, err := c.OpenOrders(t.Context(), "BTCUSDT"); err != nil || len(open) != 0 {
		t.Errorf("open %+v, %v", open, err)
	}
}

// Ensure what Binance says of its limits is passed on, by interval, and that each
// request is announced with its cost before it is sent.
func TestUsage(t *testing.T) {
	t.Parallel()
	for market, want := range map[exchange.Market]string{
		exchange.Spot:    "orders/10s=1 orders/24h0m0s=1 weight/1m0s=2",
		exchange.Futures: "orders/10s=1 orders/1m0s=1 weight/1m0s=1",
	} {
		t.Run(string(market), func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			used := map[string]int{}
			var calls []exchange.Call
			_, c := start(t, market, func(_ *sim.Options, o *binance.Options) {
				o.Observe = func(u exchange.Usage) {
					mu.Lock()
					defer mu.Unlock()
					used[u.Limit+"/"+u.Per.String()] = u.Used
				}
				o.Before = func(_ context.Context, call exchange.Call) error {
					mu.Lock()
					defer mu.Unlock()
					calls = append(calls, call)
					return nil
				}
			})
			if _, err := c.Place(t.Context(), buy); err != nil {
				t.Fatal(err)
			}
			var got []string
			for k, v := range used {
				got = append(got, fmt.Sprintf("%s=%d", k, v))
			}
			slices.Sort(got)
			if strings.Join(got, " ") != want {
				t.Errorf("used %q, want %q", got, want)
			}
			last := calls[len(calls)-1]
			if len(calls) != 2 || calls[0].Changes || !last.Changes || last.Orders != 1 || !strings.HasPrefix(last.Name, "POST /") {
				t.Errorf("announced %+v", calls)
			}
		})
	}
}

// Ensure nothing is sent when Before says no, and its error comes back as it is.
func TestBefore(t *testing.T) {
	t.Parallel()
	lost := errors.New("the claim was lost")
	s, c := start(t, exchange.Spot, func(_ *sim.Options, o *binance.Options) {
		o.Before = func(_ context.Context, call exchange.Call) error {
			if call.Changes {
				return lost
			}
			return nil
		}
	})
	if _, err := c.Place(t.Context(), buy); !errors.Is(err, lost) || errors.Is(err, exchange.ErrUnknownOutcome) {
		t.Errorf("placing: %v", err)
	}
	if got := len(s.Ledger()); got != 0 {
		t.Errorf("%d orders taken", got)
	}
}

// Ensure rules come from filters: the step at the market is the lot's where Binance
// has a zero, the tick on futures isn't its precision; they are kept, and read anew
// after a refusal because of them.
func TestRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		market                                      exchange.Market
		tick, step, marketStep, marketMax, notional string
	}{
		{exchange.Spot, "0.01", "0.00001", "0.00001", "97.1", "5"},
		{exchange.Futures, "0.1", "0.001", "0.001", "120", "100"},
	} {
		t.Run(string(tt.market), func(t *testing.T) {
			t.Parallel()
			s, c := start(t, tt.market, nil)
			var r exchange.Rules
			for range 3 {
				var err error
				if r, err = c.Rules(t.Context(), "BTCUSDT"); err != nil {
					t.Fatal(err)
				}
			}
			if !r.Price.Step.Equal(d(tt.tick)) || !r.Quantity.Step.Equal(d(tt.step)) || !r.MarketQuantity.Step.Equal(d(tt.marketStep)) ||
				!r.MarketQuantity.Max.Equal(d(tt.marketMax)) || !r.MinNotional.Equal(d(tt.notional)) || !r.MinNotionalMarket.Equal(d(tt.notional)) {
				t.Errorf("%+v", r)
			}
			asked := func() (n int) {
				for _, call := range s.Calls() {
					if strings.HasSuffix(call.Path, "/exchangeInfo") {
						n++
					}
				}
				return n
			}
			if asked() != 1 {
				t.Errorf("asked %d times for rules that don't change", asked())
			}
			off := buy
			off.Quantity = d("0.0000001")
			if _, err := c.Place(t.Context(), off); err == nil {
				t.Fatal("taken")
			}
			if _, err := c.Rules(t.Context(), "BTCUSDT"); err != nil || asked() != 2 {
				t.Errorf("asked %d times, %v; want again after the refusal", asked(), err)
			}
		})
	}
}

// script is a transport that gives one answer after the other.
type script struct{ answers chan answers }

func (s script) RoundTrip(r *http.Request) (*http.Response, error) { return (<-s.answers).RoundTrip(r) }

// Ensure a symbol that was taken off the market is not traded by the rules it had.
func TestRulesOfAGoneSymbol(t *testing.T) {
	t.Parallel()
	way := script{make(chan answers, 2)}
	way.answers <- answers{200, `{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[]}]}`}
	way.answers <- answers{400, `{"code":-1121,"msg":"Invalid symbol."}`}
	c, err := binance.New(binance.Options{Market: exchange.Spot, Transport: way, RulesFor: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Rules(t.Context(), "BTCUSDT"); err != nil || !r.Trading {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err := c.Rules(t.Context(), "BTCUSDT"); !errors.Is(err, exchange.ErrSymbol) {
		t.Errorf("%+v, %v", r, err)
	}
}

// Ensure the answers in Binance's own documentation are read as what they mean.
func TestDocumentedAnswers(t *testing.T) {
	t.Parallel()
	answer := func(t *testing.T, market exchange.Market, name string) *binance.Client {
		t.Helper()
		body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		c, _ := canned(t, market, http.StatusOK, nil, string(body))
		return c
	}
	ref := exchange.Ref{Symbol: "LTCBTC", ClientID: "myOrder1"}
	type query = func(*binance.Client, context.Context) (any, error)
	ask := func(r exchange.Ref) query {
		return func(c *binance.Client, ctx context.Context) (any, error) { return c.Query(ctx, r) }
	}
	for _, tt := range []struct {
		market exchange.Market
		name   string
		do     query
		want   string // parts of what it is read as
	}{
		{exchange.Spot, "spot_getOrder", ask(ref), "myOrder1 LTCBTC buy LIMIT"},
		{exchange.Spot, "spot_deleteOrder", func(c *binance.Client, ctx context.Context) (any, error) { return c.Cancel(ctx, ref) }, "myOrder1 CANCELLED"},
		{exchange.Spot, "spot_deleteOpenOrders", func(c *binance.Client, ctx context.Context) (any, error) { return "", c.CancelAll(ctx, "BTCUSDT") }, ""},
		{exchange.Spot, "spot_getAccount", func(c *binance.Client, ctx context.Context) (any, error) { return c.Balance(ctx, "BTC") }, "4723846.89208129"},
		{exchange.Futures, "futures_queryOrder", ask(exchange.Ref{Symbol: "BTCUSDT", ClientID: "abc", Type: exchange.LimitOrder}), "abc BTCUSDT buy SHORT PENDING 1573346959"},
		{exchange.Futures, "futures_queryAlgoOrder", ask(exchange.Ref{Symbol: "BNBUSDT", ClientID: "x", Type: exchange.StopLimit}), "6B2I9XVcJpCjqPAJ4YoFX7 BNBUSDT sell STOP_LIMIT 750 CANCELLED 2146760"},
		{exchange.Futures, "futures_cancelAlgoOrder", func(c *binance.Client, ctx context.Context) (any, error) {
			return c.Cancel(ctx, exchange.Ref{Symbol: "BNBUSDT", ClientID: "6B2I9XVcJpCjqPAJ4YoFX7", Type: exchange.StopLimit})
		}, "6B2I9XVcJpCjqPAJ4YoFX7 CANCELLED"},
		{exchange.Futures, "futures_cancelAllOpenOrders", func(c *binance.Client, ctx context.Context) (any, error) { return "", c.CancelAll(ctx, "BTCUSDT") }, ""},
		{exchange.Futures, "futures_futuresAccountBalanceV3", func(c *binance.Client, ctx context.Context) (any, error) { return c.Balance(ctx, "USDT") }, "23.72469206 122607.35137903"},
		{exchange.Futures, "futures_positionInformationV3", func(c *binance.Client, ctx context.Context) (any, error) { return c.Positions(ctx, "ADAUSDT") }, "ADAUSDT 30 0.385"},
		{exchange.Futures, "futures_getCurrentPositionMode", func(c *binance.Client, ctx context.Context) (any, error) { return c.Hedged(ctx) }, "true"},
		{exchange.Futures, "futures_exchangeInformation", func(c *binance.Client, ctx context.Context) (any, error) { return c.Rules(ctx, "BLZUSDT") }, "BLZUSDT BLZ USDT true 0.0001"},
		{exchange.Spot, "spot_exchangeInfo", func(c *binance.Client, ctx context.Context) (any, error) { return c.Rules(ctx, "ETHBTC") }, "ETHBTC ETH BTC true 0.000001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.do(answer(t, tt.market, tt.name), t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range strings.Fields(tt.want) {
				if !strings.Contains(fmt.Sprintf("%+v", got), part) {
					t.Errorf("%+v lacks %q", got, part)
				}
			}
		})
	}
}

// answers is a transport that answers everything with the same bytes.
type answers struct {
	status int
	body   string
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body := a.body
	if strings.HasSuffix(r.URL.Path, "/time") {
		body = fmt.Sprintf(`{"serverTime":%d}`, time.Now().UnixMilli())
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r}, nil
	}
	return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r}, nil
}

// Ensure no answer, whatever is in it, makes the client fall over, or take an order
// for placed that isn't named in it.
func FuzzAnswers(f *testing.F) {
	names, err := filepath.Glob("testdata/*.json")
	if err != nil || len(names) == 0 {
		f.Fatal("no samples", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(200, string(b))
	}
	f.Add(400, `{"code":-2010,"msg":"Duplicate order sent."}`)
	f.Add(503, `<html>`)
	f.Add(200, `{"orderId":1e400,"clientOrderId":"sy1","executedQty":"-1e9"}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			t.Skip()
		}
		for _, market := range []exchange.Market{exchange.Spot, exchange.Futures} {
			c, err := binance.New(binance.Options{Market: market, Transport: answers{status, body}, Key: configs.NewSecret(testKey), Secret: configs.NewSecret(testSecret)})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			for _, kind := range []exchange.Type{exchange.MarketOrder, exchange.StopMarket} {
				o := buy
				o.Type, o.StopPrice = kind, d("90000")
				if s, err := c.Place(ctx, o); err == nil && (s.ID == "" || status/100 != 2 || !strings.Contains(body, "sy1") && !strings.Contains(body, `\u`)) {
					t.Errorf("placed %+v by HTTP %d %q", s, status, body)
				}
				_, _ = c.Query(ctx, o.Ref()) // only has to come back
				_, _ = c.Cancel(ctx, o.Ref())
			}
			_, _ = c.OpenOrders(ctx, "")
			_, _ = c.Balance(ctx, "USDT")
			_, _ = c.Positions(ctx, "BTCUSDT")
			_, _ = c.Hedged(ctx)
			_, _ = c.Price(ctx, "BTCUSDT")
			if r, err := c.Rules(ctx, "BTCUSDT"); err == nil {
				_ = r.Check(buy, d("95000"))
			}
		}
	})
}
