package sizing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"switchyard/trading/signal"
	"switchyard/trading/sizing"
)

func d(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// futures and spot are rules like those of a large market.
var (
	futures = sizing.Rules{
		Tick: d("0.1"), Lot: sizing.Lot{Step: d("0.001"), Min: d("0.001"), Max: d("1000")},
		MarketLot: sizing.Lot{Step: d("0.001"), Min: d("0.001"), Max: d("120")}, MinValue: d("100"), ReduceAnyValue: true,
	}
	spot = sizing.Rules{
		Tick: d("0.01"), Lot: sizing.Lot{Step: d("0.00001"), Min: d("0.00001"), Max: d("9000")},
		MarketLot: sizing.Lot{Max: d("97.1")}, MinValue: d("5"),
	}
)

// ask is a signal for BTCUSDT with one order for each percentage.
func ask(m signal.Market, kind signal.OrderType, side signal.Side, price, stop string, percents ...string) *signal.Signal {
	s := &signal.Signal{Market: m, Type: kind, Side: side, Symbol: "BTCUSDT", Base: "BTC", Currency: "USDT"}
	for i, p := range percents {
		o := signal.Order{Index: i, Percent: d(p)}
		if price != "" {
			o.Price = d(price)
		}
		if stop != "" {
			o.StopPrice = d(stop)
		}
		s.Orders = append(s.Orders, o)
	}
	return s
}

// shown is an order in a line, or its error.
func shown(r sizing.Result) string {
	o := r.Order
	if r.Err != nil {
		return r.Err.Error()
	}
	line := "sell"
	if o.Buy {
		line = "buy"
	}
	line += fmt.Sprintf(" %s %s", o.Quantity, o.Type)
	if !o.Price.IsZero() {
		line += " at " + o.Price.String()
	}
	if o.Trigger != sizing.None {
		line += fmt.Sprintf(" %s to %s", o.Trigger, o.StopPrice)
		if o.TakesProfit() {
			line += " profit"
		}
	}
	if o.Position != sizing.NoSide {
		line += " " + string(o.Position)
	}
	if o.Reduces {
		line += " reduces"
	}
	return line
}

// Ensure an order comes to what its percentage, its side, the account's mode and
// what is held say, and where it can't be sent its error says why.
func TestOneOrder(t *testing.T) {
	t.Parallel()
	const (
		F, S       = signal.Futures, signal.Spot
		M, L       = signal.MarketOrder, signal.LimitOrder
		SL, SM     = signal.StopLimit, signal.StopMarket
		buy, sell  = signal.Buy, signal.Sell
		long, shrt = signal.Long, signal.Short
	)
	flat := sizing.Snapshot{Last: d("95000"), Free: d("10000"), Leverage: d("5")}
	with := func(change func(*sizing.Snapshot)) sizing.Snapshot {
		at := flat
		change(&at)
		return at
	}
	hedge := with(func(at *sizing.Snapshot) { at.Hedge = true })
	both := with(func(at *sizing.Snapshot) { at.Hedge, at.Long, at.Short = true, d("0.3"), d("0.2") })
	isLong := with(func(at *sizing.Snapshot) { at.Long = d("0.301") })
	isShort := with(func(at *sizing.Snapshot) { at.Short = d("0.2") })
	holds := with(func(at *sizing.Snapshot) { at.Held = d("0.1234567") })
	free := sizing.Capital{ReservePercent: d("0.5")}
	fixed := sizing.Capital{Fixed: d("3000"), ReservePercent: d("0.5")}
	levered := sizing.Capital{Fixed: d("3000"), Leverage: true}
	for _, tt := range []struct {
		name    string
		asked   *signal.Signal
		at      sizing.Snapshot
		capital sizing.Capital
		rules   sizing.Rules
		want    string
	}{
		// How much is opened.
		{"free less the reserve", ask(F, M, buy, "", "", "100"), flat, free, futures, "buy 0.104 MARKET"}, // 9950/95000 = 0.10473…
		{"percentage", ask(F, M, buy, "", "", "10"), flat, free, futures, "buy 0.01 MARKET"},
		{"fixed", ask(F, M, long, "", "", "100"), flat, fixed, futures, "buy 0.031 MARKET"}, // 3000/95000 = 0.0315…
		{"leverage not told", ask(F, M, buy, "", "", "100"), flat, sizing.Capital{Fixed: d("3000")}, futures, "buy 0.031 MARKET"},
		{"leverage", ask(F, M, buy, "", "", "100"), flat, levered, futures, "buy 0.157 MARKET"}, // 15000/95000 = 0.1578…
		{"leverage on spot", ask(S, M, buy, "", "", "100"), flat, levered, spot, "buy 0.03157 MARKET"},
		{"leverage unknown", ask(F, M, buy, "", "", "100"), sizing.Snapshot{Last: d("1"), Free: d("1")}, levered, futures, "the leverage of the account is not known"},
		{"by the limit", ask(F, L, buy, "80000", "", "5"), flat, free, futures, "buy 0.006 LIMIT at 80000"}, // 497.5/80000 = 0.00621…
		{"exactly", ask(S, L, buy, "50000", "", "100"), flat, sizing.Capital{}, spot, "buy 0.2 LIMIT at 50000"},
		{"short by the limit", ask(F, L, sell, "105000", "", "50"), flat, fixed, futures, "sell 0.014 LIMIT at 105000"},
		{"short through the market", ask(F, L, sell, "50000", "", "100"), flat, fixed, futures, "sell 0.031 LIMIT at 50000"}, // Filled at 95000.
		{"by the stop", ask(F, SM, buy, "", "100000", "100"), flat, fixed, futures, "buy 0.03 STOP_MARKET RISE to 100000"},
		{"short through the stop", ask(F, SL, sell, "50000", "90000", "100"), flat, fixed, futures, "sell 0.033 STOP_LIMIT at 50000 FALL to 90000"},

		// What is held.
		{"spot sale", ask(S, M, sell, "", "", "50"), holds, fixed, spot, "sell 0.06172 MARKET"},
		{"spot sale of all", ask(S, L, sell, "96000", "", "100"), holds, fixed, spot, "sell 0.12345 LIMIT at 96000"},
		{"spot close", ask(S, M, sell, "", "", "-100"), holds, fixed, spot, "sell 0.12345 MARKET"},
		{"spot close without coins", ask(S, M, sell, "", "", "-100"), flat, fixed, spot, "sell BTCUSDT: nothing is held that the order could close"},
		{"spot purchase that closes", ask(S, M, buy, "", "", "-100"), holds, fixed, spot, "buy BTCUSDT: nothing is held that the order could close"},
		{"against a long", ask(F, L, sell, "105000", "", "50"), isLong, fixed, futures, "sell 0.15 LIMIT at 105000 reduces"},
		{"against a short", ask(F, M, long, "", "", "100"), isShort, fixed, futures, "buy 0.2 MARKET reduces"},
		{"with a long", ask(F, M, buy, "", "", "100"), isLong, fixed, futures, "buy 0.031 MARKET"},
		{"close a long", ask(F, M, sell, "", "", "-100"), isLong, fixed, futures, "sell 0.301 MARKET reduces"},
		{"close a short", ask(F, M, buy, "", "", "-100"), isShort, fixed, futures, "buy 0.2 MARKET reduces"},
		{"close the wrong way", ask(F, M, buy, "", "", "-100"), isLong, fixed, futures, "buy BTCUSDT: nothing is held that the order could close"},
		{"close nothing", ask(F, M, sell, "", "", "-100"), flat, fixed, futures, "sell BTCUSDT: nothing is held that the order could close"},

		// Hedge mode.
		{"hedge buy", ask(F, M, buy, "", "", "100"), hedge, fixed, futures, "buy 0.031 MARKET LONG"},
		{"hedge sell", ask(F, M, sell, "", "", "100"), hedge, fixed, futures, "sell 0.031 MARKET SHORT"},
		{"hedge buy closes the short first", ask(F, M, buy, "", "", "50"), both, fixed, futures, "buy 0.1 MARKET SHORT reduces"},
		{"hedge sell closes the long first", ask(F, M, sell, "", "", "50"), both, fixed, futures, "sell 0.15 MARKET LONG reduces"},
		{"hedge long opens", ask(F, M, long, "", "", "100"), both, fixed, futures, "buy 0.031 MARKET LONG"},
		{"hedge short opens", ask(F, M, shrt, "", "", "100"), both, fixed, futures, "sell 0.031 MARKET SHORT"},
		{"hedge close by selling", ask(F, M, sell, "", "", "-100"), both, fixed, futures, "sell 0.3 MARKET LONG reduces"},
		{"hedge close the long", ask(F, M, long, "", "", "-100"), both, fixed, futures, "sell 0.3 MARKET LONG reduces"},
		{"hedge close the short", ask(F, M, shrt, "", "", "-100"), both, fixed, futures, "buy 0.2 MARKET SHORT reduces"},
		{"hedge close nothing", ask(F, M, shrt, "", "", "-100"), hedge, fixed, futures, "short BTCUSDT: nothing is held that the order could close"},

		// Prices.
		{"buyer rounds down", ask(F, L, buy, "80000.19", "", "100"), flat, fixed, futures, "buy 0.037 LIMIT at 80000.1"},
		{"seller rounds up", ask(F, L, sell, "105000.01", "", "100"), flat, fixed, futures, "sell 0.028 LIMIT at 105000.1"},
		{"price below the tick", ask(F, L, buy, "0.01", "", "100"), flat, fixed, futures, "the price of 0.01 USDT is below the minimum of 0.1 USDT"},
		{"rising stop", ask(F, SL, sell, "105000", "104000.01", "50"), isLong, fixed, futures, "sell 0.15 STOP_LIMIT at 105000 RISE to 104000.1 profit reduces"},
		{"falling stop", ask(F, SM, sell, "", "90000.09", "100"), isLong, fixed, futures, "sell 0.301 STOP_MARKET FALL to 90000 reduces"},
		{"buying as it falls", ask(F, SM, buy, "", "90000", "100"), flat, fixed, futures, "buy 0.033 STOP_MARKET FALL to 90000 profit"},
		{"buying as it rises", ask(F, SL, buy, "99000", "98000", "100"), flat, fixed, futures, "buy 0.03 STOP_LIMIT at 99000 RISE to 98000"},
		{"touched stop", ask(F, SM, buy, "", "95000", "100"), flat, fixed, futures, "buy 0.031 MARKET"},
		{"touched stop with a limit", ask(F, SL, buy, "94000", "95000.0", "100"), flat, fixed, futures, "buy 0.031 LIMIT at 94000"},
		{"stop below the tick", ask(F, SM, sell, "", "0.01", "100"), isLong, fixed, futures, "the price of 0.01 USDT is below the minimum of 0.1 USDT"},

		// What the market takes.
		{"below the lot", ask(F, M, buy, "", "", "1"), flat, fixed, futures, "the quantity of 0.00031578 BTC is below the minimum of 0.001 BTC"},
		{"below the value", ask(F, M, buy, "", "", "3.2"), flat, fixed, futures, "the value of 95 USDT is below the minimum of 100 USDT"},
		{"below the value by its price", ask(S, L, sell, "4", "", "1"), holds, fixed, spot, "the value of 0.00492 USDT is below the minimum of 5 USDT"},
		{"little value to close", ask(F, M, sell, "", "", "-100"), with(func(at *sizing.Snapshot) { at.Long = d("0.001") }), fixed, futures, "sell 0.001 MARKET reduces"},
		{"too little value to close", ask(F, M, sell, "", "", "-100"), with(func(at *sizing.Snapshot) { at.Long = d("0.001") }), fixed,
			sizing.Rules{Tick: futures.Tick, Lot: futures.Lot, MinValue: d("100")}, "the value of 95 USDT is below the minimum of 100 USDT"},
		{"below the lot of market orders", ask(S, M, buy, "", "", "100"), flat, fixed,
			sizing.Rules{Tick: d("0.01"), Lot: spot.Lot, MarketLot: sizing.Lot{Min: d("0.5")}}, "the quantity of 0.03157 BTC is below the minimum of 0.5 BTC"},
		{"above the lot of market orders alone", ask(S, M, buy, "", "", "100"), flat, fixed,
			sizing.Rules{Tick: d("0.01"), Lot: sizing.Lot{Step: d("0.01")}, MarketLot: sizing.Lot{Max: d("0.02")}}, "the quantity of 0.03 BTC is above the maximum of 0.02 BTC"},
		{"little to close", ask(F, M, sell, "", "", "1"), isLong, fixed, futures, "sell 0.003 MARKET reduces"},
		{"dust", ask(S, M, sell, "", "", "-100"), with(func(at *sizing.Snapshot) { at.Held = d("0.000009") }), fixed, spot, "the quantity of 0.000009 BTC is below the minimum of 0.00001 BTC"},
		{"above the lot", ask(F, M, buy, "", "", "100"), with(func(at *sizing.Snapshot) { at.Last = d("10") }), fixed, futures, "the quantity of 300 BTC is above the maximum of 120 BTC"},
		{"below the lot with a limit", ask(F, L, buy, "10", "", "100"), with(func(at *sizing.Snapshot) { at.Last = d("10") }), fixed, futures, "buy 300 LIMIT at 10"},
		{"step of market orders", ask(S, M, buy, "", "", "100"), flat, fixed,
			sizing.Rules{Tick: d("0.01"), Lot: spot.Lot, MarketLot: sizing.Lot{Step: d("0.01"), Min: d("0.02")}}, "buy 0.03 MARKET"},

		// What is not known.
		{"no funds", ask(F, M, buy, "", "", "100"), with(func(at *sizing.Snapshot) { at.Free = d("-3") }), free, futures, "no capital is free for the order"},
		{"no price", ask(F, M, buy, "", "", "100"), sizing.Snapshot{}, fixed, futures, "dividing by the price: the last price is not known"},
		{"no price for a stop", ask(F, SL, buy, "1", "2", "100"), sizing.Snapshot{}, fixed, futures, "finding the side of the stop: the last price is not known"},
		{"no price needed", ask(F, L, buy, "80000", "", "100"), sizing.Snapshot{}, fixed, futures, "buy 0.037 LIMIT at 80000"},
		{"no tick", ask(F, L, buy, "80000", "", "100"), flat, fixed, sizing.Rules{Lot: futures.Lot}, "rounding the price: the rules of the market are incomplete"},
		{"no tick for a stop", ask(F, SM, buy, "", "80000", "100"), flat, fixed, sizing.Rules{Lot: futures.Lot}, "rounding the stop price: the rules of the market are incomplete"},
		{"no step", ask(F, M, buy, "", "", "100"), flat, fixed, sizing.Rules{Tick: d("1")}, "rounding the quantity: the rules of the market are incomplete"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := sizing.Size(tt.asked, tt.at, tt.capital, tt.rules)
			if len(got) != 1 || shown(got[0]) != tt.want {
				t.Errorf("%s, want %s", shown(got[0]), tt.want)
			}
		})
	}
}

// Ensure a batch is sized from one snapshot, its orders don't shrink each other,
// and together they don't go beyond the snapshot.
func TestBatch(t *testing.T) {
	t.Parallel()
	at := sizing.Snapshot{Last: d("95000"), Free: d("100000"), Held: d("2"), Long: d("0.3")}
	for _, tt := range []struct {
		name  string
		asked *signal.Signal
		at    sizing.Snapshot
		want  []string
	}{
		{"ladder", ask(signal.Futures, signal.LimitOrder, signal.Buy, "50000", "", "30", "30", "40"), at,
			[]string{"buy 0.6 LIMIT at 50000", "buy 0.6 LIMIT at 50000", "buy 0.8 LIMIT at 50000"}},
		{"too much", ask(signal.Futures, signal.LimitOrder, signal.Buy, "50000", "", "60", "50", "40", "1"), at,
			[]string{"buy 1.2 LIMIT at 50000", "the order asks for 50 %, and its batch has left 40 %", "buy 0.8 LIMIT at 50000", "the order asks for 1 %, and its batch has left 0 %"}},
		{"one that fails takes nothing", ask(signal.Futures, signal.LimitOrder, signal.Buy, "50000", "", "0.01", "100"), at,
			[]string{"the quantity of 0.0002 BTC is below the minimum of 0.001 BTC", "buy 2 LIMIT at 50000"}},
		{"spot sales", ask(signal.Spot, signal.LimitOrder, signal.Sell, "100000", "", "50", "-100"), at,
			[]string{"sell 1 LIMIT at 100000", "the order asks for 100 %, and its batch has left 50 %"}},
		{"target and stop", ask(signal.Futures, signal.LimitOrder, signal.Sell, "100000", "", "100", "100"), at,
			[]string{"sell 0.3 LIMIT at 100000 reduces", "sell 0.3 LIMIT at 100000 reduces"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for i, r := range sizing.Size(tt.asked, tt.at, sizing.Capital{}, futures) {
				if r.Order.Index != i {
					t.Errorf("index %d of result %d", r.Order.Index, i)
				}
				got = append(got, shown(r))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
		})
	}
	if got := sizing.Size(&signal.Signal{Action: signal.Cancel}, at, sizing.Capital{}, futures); len(got) != 0 {
		t.Errorf("a cancellation is %v", got)
	}
}

// Ensure errors can be told apart by what they are, and minimum and maximum be
// read from them.
func TestErrorsAreTyped(t *testing.T) {
	t.Parallel()
	at := sizing.Snapshot{Last: d("95000"), Free: d("100")}
	var least *sizing.MinimumError
	err := sizing.Size(ask(signal.Futures, signal.MarketOrder, signal.Buy, "", "", "50"), at, sizing.Capital{}, futures)[0].Err
	if !errors.As(err, &least) || least.What != "quantity" || least.Minimum.String() != "0.001" || least.Unit != "BTC" {
		t.Errorf("%v", err)
	}
	err = sizing.Size(ask(signal.Spot, signal.MarketOrder, signal.Sell, "", "", "50"), at, sizing.Capital{}, spot)[0].Err
	if !errors.Is(err, sizing.ErrNothingHeld) {
		t.Errorf("%v", err)
	}
}

// Ensure an order goes through JSON unchanged, digits and all.
func TestOrdersAreKept(t *testing.T) {
	t.Parallel()
	at := sizing.Snapshot{Last: d("95000"), Free: d("100000"), Hedge: true}
	want := sizing.Size(ask(signal.Futures, signal.StopLimit, signal.Long, "99000.5", "98000", "7"), at, sizing.Capital{}, futures)[0]
	if want.Err != nil {
		t.Fatal(want.Err)
	}
	b, err := json.Marshal(want.Order)
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"order_index":0,"order_type":"STOP_LIMIT","buy":true,"position":"LONG","quantity":"0.07","price":"99000.5","stop_price":"98000","trigger":"RISE"}`
	if string(b) != text {
		t.Errorf("%s, want %s", b, text)
	}
	var got sizing.Order
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if shown(sizing.Result{Order: got}) != shown(want) {
		t.Errorf("read back: %+v", got)
	}
}
