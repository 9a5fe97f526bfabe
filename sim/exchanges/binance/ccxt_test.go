package binance_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"switchyard/configs"
	sim "switchyard/sim/exchanges/binance"
	"switchyard/sim/exchanges/ccxt"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/binance"
)

// simulated is an exchange with one account.
func simulated(t *testing.T) *sim.Server {
	t.Helper()
	s, err := sim.Start(t.Context(), "127.0.0.1:0", sim.Options{
		Accounts: []sim.Account{{Key: "ccxt-key", Secret: "ccxt-secret", Spot: map[string]string{"USDT": "10000", "BTC": "1"}, Futures: map[string]string{"USDT": "10000"}}},
		Prices:   map[string]string{"BTCUSDT": "95000", "ETHUSDT": "3000"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Ensure ccxt, a client of others' making, gets along with the simulator on both
// markets, and that our client sends the same requests as ccxt for the same orders.
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
	got, err := ccxt.Trade(t.Context(), script, "binance", s.URL(), "ccxt-key", "ccxt-secret")
	if err != nil {
		t.Fatalf("%v\nlast requests %+v", err, last(s.Calls(), 3))
	}
	for name, faults := range map[string][]string{"spot": got.Spot.Faults(0.01), "futures": got.Futures.Faults(0.01)} {
		for _, f := range faults {
			t.Errorf("%s: %s", name, f)
		}
	}
	if len(got.Futures.Stops) != 2 || len(got.Futures.Positions) != 1 || got.Futures.Positions[0].Contracts != 0.01 {
		t.Errorf("%+v; %+v", got.Futures.Stops, got.Futures.Positions)
	}
	compareOrders(t, orders(s.Calls()), oursFor(t))
}

func last(calls []sim.Call, n int) []sim.Call { return calls[max(0, len(calls)-n):] }

// oursFor are the requests that our client sends for the same orders.
func oursFor(t *testing.T) map[string]sim.Call {
	t.Helper()
	s := simulated(t)
	d := decimal.RequireFromString
	for _, m := range []exchange.Market{exchange.Spot, exchange.Futures} {
		c, err := binance.New(binance.Options{Market: m, BaseURL: s.URL(), Key: configs.NewSecret("ccxt-key"), Secret: configs.NewSecret("ccxt-secret")})
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
	}
	return orders(s.Calls())
}

// orders are the requests that place orders, by path and client id.
func orders(calls []sim.Call) map[string]sim.Call {
	out := map[string]sim.Call{}
	for _, c := range calls {
		if c.Method == "POST" {
			out[c.Path+" "+c.Params["newClientOrderId"]+c.Params["clientAlgoId"]] = c
		}
	}
	return out
}

// compareOrders compares requests by method, path and parameters, but for what is
// about the request itself and for differences that have a reason.
func compareOrders(t *testing.T, theirs, ours map[string]sim.Call) {
	t.Helper()
	if a, b := slices.Sorted(maps.Keys(theirs)), slices.Sorted(maps.Keys(ours)); !slices.Equal(a, b) {
		t.Fatalf("ccxt sends %q, we send %q", a, b)
	}
	for id, x := range theirs {
		if diff := cmp.Diff(withoutReasons(x.Params), withoutReasons(ours[id].Params)); diff != "" {
			t.Errorf("%s (-ccxt +ours):\n%s", id, diff)
		}
	}
}

// withoutReasons leaves out what differs for a reason: time and window are each client's
// own; ours asks for RESULT where ccxt asks for FULL or nothing, since the fills are of
// no use here; workingType CONTRACT_PRICE and, of algo orders, timeInForce GTC are
// Binance's defaults, which we name.
func withoutReasons(p map[string]string) map[string]string {
	out := maps.Clone(p)
	for _, name := range []string{"timestamp", "recvWindow", "signature", "newOrderRespType", "workingType"} {
		delete(out, name)
	}
	if out["clientAlgoId"] != "" {
		delete(out, "timeInForce")
	}
	for name, v := range out {
		if d, err := decimal.NewFromString(v); err == nil {
			out[name] = d.String()
		}
	}
	return out
}
