package matching_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

func d(s string) decimal.Decimal { return decimal.RequireFromString(s) }

var (
	one = decimal.NewFromInt(1)
	at  = matching.Place{Market: matching.Spot, Symbol: "BTCUSDT"}
)

func trader(t *testing.T, hedge bool) (*matching.Book, *matching.Account) {
	t.Helper()
	wallet, err := matching.NewWallet(map[string]string{"USDT": "100000", "BTC": "2"})
	if err != nil {
		t.Fatal(err)
	}
	b := &matching.Book{Leverage: 1, Now: time.Now}
	for _, m := range []matching.Market{matching.Spot, matching.Futures} {
		b.SetPrice(matching.Place{Market: m, Symbol: "BTCUSDT"}, d("1000"))
	}
	return b, matching.NewAccount("a", wallet, wallet, hedge)
}

func order(a *matching.Account, buy bool, qty, price decimal.Decimal) *matching.Order {
	return &matching.Order{Account: a, Place: at, Base: "BTC", Quote: "USDT", Buy: buy, Qty: qty, Step: d("0.01"), Price: price, Limited: price.IsPositive()}
}

// Ensure whatever is ordered, filled, cancelled and moved: what is locked is what open
// orders need, nothing is ever owed, and coins only change hands at the price.
func TestSpotBooksAreStraight(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		b, a := trader(t, false)
		price := d("1000")
		worth := func() decimal.Decimal {
			return a.Spot.Purse("USDT").Total().Add(a.Spot.Purse("BTC").Total().Mul(price))
		}
		for i := range 60 {
			before := worth()
			switch random.IntN(4) {
			case 0:
				price = decimal.NewFromInt(900 + random.Int64N(200))
				before = worth()
				// Orders that rest are filled at a price that is theirs or better.
				b.SetPrice(at, price)
				if got := worth(); !got.Equal(before) {
					t.Fatalf("seed %d, step %d: worth %s, was %s", seed, i, got, before)
				}
				continue
			case 1:
				if open := b.All((*matching.Order).Open); len(open) > 0 {
					b.End(open[random.IntN(len(open))], matching.Cancelled)
				}
			default:
				limit := decimal.Zero
				if random.IntN(3) > 0 {
					limit = decimal.NewFromInt(900 + random.Int64N(200))
				}
				o := order(a, random.IntN(2) == 0, decimal.New(1+random.Int64N(200), -2), limit)
				if b.Bind(o) {
					b.Enter(o, decimal.New(random.Int64N(5), 0).Div(d("4")))
				}
			}
			if got := worth(); !got.Equal(before) {
				t.Fatalf("seed %d, step %d: worth %s, was %s", seed, i, got, before)
			}
			locked := map[string]decimal.Decimal{}
			for _, o := range b.All((*matching.Order).Open) {
				if o.Buy {
					continue // what was paid less stays locked until it ends
				}
				locked["BTC"] = locked["BTC"].Add(o.Left())
			}
			for asset, p := range a.Spot {
				if p.Free.IsNegative() || p.Locked.IsNegative() {
					t.Fatalf("seed %d, step %d: %s %s free, %s locked", seed, i, asset, p.Free, p.Locked)
				}
			}
			if got := a.Spot.Purse("BTC").Locked; !got.Equal(locked["BTC"]) {
				t.Fatalf("seed %d, step %d: %s BTC locked, open orders need %s", seed, i, got, locked["BTC"])
			}
		}
		for _, o := range b.All((*matching.Order).Open) {
			b.End(o, matching.Cancelled)
		}
		for asset, p := range a.Spot {
			if !p.Locked.IsZero() {
				t.Errorf("seed %d: %s %s locked for nothing", seed, p.Locked, asset)
			}
		}
	}
}

// Ensure a position is opened, added to at its average price, closed with its gain, and
// turned around only by an order that may.
func TestPositions(t *testing.T) {
	t.Parallel()
	b, a := trader(t, false)
	where := matching.Place{Market: matching.Futures, Symbol: "BTCUSDT"}
	step := func(buy bool, qty, price string, reduce bool) *matching.Order {
		b.SetPrice(where, d(price))
		o := order(a, buy, d(qty), decimal.Zero)
		o.Place, o.ReduceOnly = where, reduce
		b.Enter(o, one)
		return o
	}
	step(true, "1", "1000", false)
	step(true, "1", "2000", false)
	held := matching.Held{Symbol: "BTCUSDT"}
	if p := a.Positions[held]; !p.Amount.Equal(d("2")) || !p.Entry.Equal(d("1500")) {
		t.Fatalf("%+v", p)
	}
	if got := b.Available(a, "USDT"); !got.Equal(d("97000")) {
		t.Errorf("available %s", got)
	}
	if o := step(false, "5", "2500", true); !o.Filled.Equal(d("2")) || a.Positions[held] != nil {
		t.Errorf("closed %s, left %+v", o.Filled, a.Positions[held])
	}
	if got := a.Futures.Purse("USDT").Free; !got.Equal(d("102000")) {
		t.Errorf("a gain of twice 1000: %s", got)
	}
	step(true, "1", "1000", false)
	step(false, "3", "900", false)
	if p := a.Positions[held]; !p.Amount.Equal(d("-2")) || !p.Entry.Equal(d("900")) {
		t.Errorf("turned around: %+v", p)
	}
	if got := b.Afford(&matching.Order{Account: a, Place: where, Quote: "USDT", Qty: one, ReduceOnly: true}); got != matching.NothingToReduce {
		t.Errorf("selling more to reduce a short: %v", got)
	}
}

// Ensure a stop waits for its price from its side, and the hook says what becomes of it.
func TestStops(t *testing.T) {
	t.Parallel()
	for rising, prices := range map[bool][2]string{true: {"1099", "1100"}, false: {"1101", "1100"}} {
		t.Run(fmt.Sprint(rising), func(t *testing.T) {
			t.Parallel()
			b, a := trader(t, false)
			var told []*matching.Order
			b.Triggered = func(o *matching.Order) bool { told = append(told, o); return b.Bind(o) }
			o := order(a, true, one, decimal.Zero)
			o.Conditional, o.Rising, o.Stop = true, rising, d("1100")
			b.Enter(o, one)
			b.SetPrice(at, d(prices[0]))
			if len(told) != 0 || o.Status != matching.New || !a.Spot.Purse("USDT").Locked.IsZero() {
				t.Fatalf("before: %+v", o)
			}
			b.SetPrice(at, d(prices[1]))
			if len(told) != 1 || o.Status != matching.Filled || !o.Average().Equal(d("1100")) {
				t.Errorf("after: %+v", o)
			}
		})
	}
}
