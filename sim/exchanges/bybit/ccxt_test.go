package bybit_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"switchyard/configs"
	sim "switchyard/sim/exchanges/bybit"
	"switchyard/sim/exchanges/ccxt"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/bybit"
)

// simulated is an exchange with one account.
func simulated(t *testing.T) *sim.Server {
	t.Helper()
	s, err := sim.Start(t.Context(), "127.0.0.1:0", sim.Options{
		Accounts: []sim.Account{{Key: "ccxt-key", Secret: "ccxt-secret", Balances: map[string]string{"USDT": "10000", "BTC": "1"}}},
		Prices:   map[string]string{"BTCUSDT": "95000", "ETHUSDT": "3000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Ensure ccxt, a client of others' making, gets along with the simulator on both
// markets, and that our client sends the same orders as ccxt.
func TestCCXT(t *testing.T) {
	t.Parallel()
	if os.Getenv("CCXT") == "" {
		t.Skip("CCXT is not set; make test-api runs this")
	}
	s := simulated(t)
	script, err := filepath.Abs("../ccxt/client.mjs")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ccxt.Trade(t.Context(), script, "bybit", s.URL(), "ccxt-key", "ccxt-secret")
	if err != nil {
		calls := s.Calls()
		t.Fatalf("%v\nlast requests %+v", err, calls[max(0, len(calls)-3):])
	}
	for name, faults := range map[string][]string{"spot": got.Spot.Faults(0.01), "futures": got.Futures.Faults(0.01)} {
		for _, f := range faults {
			t.Errorf("%s: %s", name, f)
		}
	}
	if p := got.Futures.Positions; len(p) != 1 || p[0].Contracts != 0.01 {
		t.Errorf("positions %+v", p)
	}
	theirs, ours := orders(s.Calls()), oursFor(t)
	if a, b := slices.Sorted(maps.Keys(theirs)), slices.Sorted(maps.Keys(ours)); !slices.Equal(a, b) {
		t.Fatalf("ccxt sends %q, we send %q", a, b)
	}
	for id, x := range theirs {
		if diff := cmp.Diff(withoutReasons(x), withoutReasons(ours[id])); diff != "" {
			t.Errorf("%s (-ccxt +ours):\n%s", id, diff)
		}
	}
}

// oursFor are the orders that our client sends.
func oursFor(t *testing.T) map[string]map[string]any {
	t.Helper()
	d, out := decimal.RequireFromString, map[string]map[string]any{}
	for _, m := range []exchange.Market{exchange.Spot, exchange.Futures} {
		s := simulated(t) // an id is taken once, on whichever market
		c, err := bybit.New(bybit.Options{Market: m, BaseURL: s.URL(), Key: configs.NewSecret("ccxt-key"), Secret: configs.NewSecret("ccxt-secret")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		for _, o := range []exchange.Order{
			{ClientID: "cm", Side: exchange.Buy, Type: exchange.MarketOrder},
			{ClientID: "cl", Side: exchange.Buy, Type: exchange.LimitOrder, Price: d("80000")},
			{ClientID: "csl", Side: exchange.Sell, Type: exchange.StopLimit, Price: d("105000"), StopPrice: d("104000")},
			{ClientID: "csm", Side: exchange.Sell, Type: exchange.StopMarket, StopPrice: d("94000")},
		} {
			o.Symbol, o.Quantity = "BTCUSDT", d("0.01")
			if _, err := c.Place(t.Context(), o); err != nil {
				t.Fatalf("%s: %v", o.ClientID, err)
			}
		}
		maps.Copy(out, orders(s.Calls()))
	}
	return out
}

// orders are the members of new orders, by market and client id.
func orders(calls []sim.Call) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, c := range calls {
		if id, ok := c.Params["orderLinkId"].(string); ok && c.Path == "/v5/order/create" {
			category, _ := c.Params["category"].(string)
			out[category+" "+id] = c.Params
		}
	}
	return out
}

// withoutReasons leaves out what differs for a reason: triggerBy LastPrice, positionIdx 0
// and timeInForce GTC are Bybit's defaults, which one of the two names.
func withoutReasons(p map[string]any) map[string]any {
	out := maps.Clone(p)
	for _, name := range []string{"triggerBy", "positionIdx", "timeInForce"} {
		delete(out, name)
	}
	return out
}
