package sizing_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/shopspring/decimal"

	"switchyard/trading/signal"
	"switchyard/trading/sizing"
)

// cases is how many random accounts, markets and signals a property is tried on.
const cases = 5000

// A world is everything that a sizing depends on.
type world struct {
	asked   *signal.Signal
	at      sizing.Snapshot
	capital sizing.Capital
	rules   sizing.Rules
}

// worlds makes cases that are the same in every run.
func worlds(t *testing.T, seed uint64, try func(world)) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(of ...string) decimal.Decimal { return d(of[r.IntN(len(of))]) }
	// amount is any number of up to this magnitude, with decimals.
	amount := func(most int64) decimal.Decimal {
		return decimal.New(1+r.Int64N(most*1_000_000), -6).Shift(int32(r.IntN(4) - 3))
	}
	sometimes := func(x decimal.Decimal) decimal.Decimal {
		if r.IntN(2) == 0 {
			return decimal.Zero
		}
		return x
	}
	for range cases {
		last := amount(100_000)
		near := func() decimal.Decimal { return last.Mul(decimal.New(50+r.Int64N(101), -2)) }
		w := world{
			asked: &signal.Signal{
				Market: []signal.Market{signal.Spot, signal.Futures}[r.IntN(2)],
				Type:   []signal.OrderType{signal.MarketOrder, signal.LimitOrder, signal.StopLimit, signal.StopMarket}[r.IntN(4)],
				Side:   []signal.Side{signal.Buy, signal.Sell, signal.Long, signal.Short}[r.IntN(4)],
				Symbol: "BTCUSDT", Base: "BTC", Currency: "USDT",
			},
			at: sizing.Snapshot{
				Last: last, Free: sometimes(amount(1_000_000)), Held: sometimes(amount(100)), Hedge: r.IntN(2) == 0,
				Long: sometimes(amount(100)), Short: sometimes(amount(100)), Leverage: decimal.NewFromInt(1 + r.Int64N(20)),
			},
			capital: sizing.Capital{Fixed: sometimes(amount(100_000)), ReservePercent: pick("0", "0.5", "3.33"), Leverage: r.IntN(2) == 0},
			rules: sizing.Rules{
				Tick:      pick("0.1", "0.01", "0.00001", "0.25", "3"),
				Lot:       sizing.Lot{Step: pick("0.001", "0.00001", "0.0003", "1", "7"), Min: sometimes(amount(1)), Max: sometimes(amount(100_000))},
				MarketLot: sizing.Lot{Step: pick("0", "0", "0.01"), Max: sometimes(amount(1000))},
				MinValue:  sometimes(amount(100)), ReduceAnyValue: r.IntN(2) == 0,
			},
		}
		for i := range 1 + r.IntN(4) {
			o := signal.Order{Index: i, Percent: decimal.New(1+r.Int64N(10_000), -2)}
			if r.IntN(5) == 0 {
				o.Percent = signal.CloseAll
			}
			if w.asked.Type.HasPrice() {
				o.Price = near()
			}
			if w.asked.Type.HasStop() {
				o.StopPrice = near()
			}
			w.asked.Orders = append(w.asked.Orders, o)
		}
		try(w)
	}
}

// budget is the capital of the world, counted here a second time.
func (w world) budget() decimal.Decimal {
	b := w.capital.Fixed
	if b.IsZero() {
		b = w.at.Free.Mul(d("100").Sub(w.capital.ReservePercent)).Mul(d("0.01"))
	}
	if w.capital.Leverage && w.asked.Market == signal.Futures {
		b = b.Mul(w.at.Leverage)
	}
	return b
}

// Ensure no order, and no batch, is worth more than what was allotted, sells what
// isn't held, or closes more than there is; that every quantity is above zero, a
// multiple of the step and within the lot; and every price a multiple of the tick.
func TestOrdersKeepTheirBounds(t *testing.T) {
	t.Parallel()
	var sent, refused int
	worlds(t, 1, func(w world) {
		spent, sold := decimal.Zero, decimal.Zero
		for i, r := range sizing.Size(w.asked, w.at, w.capital, w.rules) {
			if r.Err != nil {
				refused++
				continue
			}
			sent++
			o, step := r.Order, w.rules.Lot.Step
			if !o.Type.HasPrice() {
				step = decimal.Max(step, w.rules.MarketLot.Step)
			}
			if !o.Quantity.IsPositive() || !o.Quantity.Mod(step).IsZero() || o.Quantity.LessThan(w.rules.Lot.Min) ||
				w.rules.Lot.Max.IsPositive() && o.Quantity.GreaterThan(w.rules.Lot.Max) {
				t.Errorf("%s is no quantity for %+v", o.Quantity, w.rules)
			}
			if o.Type.HasPrice() != o.Price.IsPositive() || o.Type.HasStop() != o.StopPrice.IsPositive() ||
				!o.Price.Mod(w.rules.Tick).IsZero() || !o.StopPrice.Mod(w.rules.Tick).IsZero() {
				t.Errorf("prices of %+v", o)
			}
			share := w.asked.Orders[i].Percent
			if w.asked.Orders[i].Closes() {
				share = d("100")
			}
			price := w.at.Last // What the order may pay, at the worst.
			if o.Type.HasStop() {
				price = o.StopPrice
			}
			if o.Type.HasPrice() && (o.Buy || o.Price.GreaterThan(price)) {
				price = o.Price
			}
			switch {
			case o.Reduces:
				held := w.at.Long
				if o.Buy {
					held = w.at.Short
				}
				if o.Quantity.Mul(d("100")).GreaterThan(held.Mul(share)) {
					t.Errorf("closes %s with %s %% of %s", o.Quantity, share, held)
				}
			case w.asked.Market == signal.Spot && !o.Buy:
				sold = sold.Add(o.Quantity)
			default:
				value := o.Quantity.Mul(price)
				if value.Mul(d("100")).GreaterThan(w.budget().Mul(share)) {
					t.Errorf("%s for %s with %s %% of %s", o.Quantity, price, share, w.budget())
				}
				spent = spent.Add(value)
			}
		}
		if spent.GreaterThan(w.budget()) || sold.GreaterThan(w.at.Held) {
			t.Errorf("a batch spends %s of %s, sells %s of %s", spent, w.budget(), sold, w.at.Held)
		}
	})
	if sent < cases/2 || refused < cases/10 {
		t.Errorf("%d sent, %d refused: the cases show too little", sent, refused)
	}
}

// Ensure a quantity is the largest that its bounds allow: one step more would be
// worth more than its share.
func TestQuantitiesAreTheLargest(t *testing.T) {
	t.Parallel()
	worlds(t, 2, func(w world) {
		for i, r := range sizing.Size(w.asked, w.at, w.capital, w.rules) {
			o := r.Order
			if r.Err != nil || o.Type != signal.LimitOrder || !o.Buy || o.Reduces {
				continue
			}
			more := o.Quantity.Add(w.rules.Lot.Step).Mul(o.Price)
			if more.Mul(d("100")).LessThanOrEqual(w.budget().Mul(w.asked.Orders[i].Percent)) {
				t.Errorf("%s at %s leaves room for a step of %s", o.Quantity, o.Price, w.rules.Lot.Step)
			}
		}
	})
}

// Ensure sizing again changes nothing: neither on the same snapshot, nor when the
// rounded prices are asked for.
func TestSizingIsRepeatable(t *testing.T) {
	t.Parallel()
	worlds(t, 3, func(w world) {
		first := sizing.Size(w.asked, w.at, w.capital, w.rules)
		if second := sizing.Size(w.asked, w.at, w.capital, w.rules); !reflect.DeepEqual(lines(first), lines(second)) {
			t.Errorf("%v, then %v", lines(first), lines(second))
		}
		rounded := *w.asked
		rounded.Orders = nil
		for i, o := range w.asked.Orders {
			if r := first[i]; r.Err == nil && r.Order.Type == w.asked.Type {
				o.Price, o.StopPrice = r.Order.Price, r.Order.StopPrice
			}
			rounded.Orders = append(rounded.Orders, o)
		}
		if again := sizing.Size(&rounded, w.at, w.capital, w.rules); !reflect.DeepEqual(lines(first), lines(again)) {
			t.Errorf("%v, with rounded prices %v", lines(first), lines(again))
		}
	})
}

func lines(results []sizing.Result) (list []string) {
	for _, r := range results {
		list = append(list, shown(r))
	}
	return list
}

// Ensure rounding goes the way it says, by less than a step, and once.
func TestRounding(t *testing.T) {
	t.Parallel()
	worlds(t, 4, func(w world) {
		x, step := w.at.Last, w.rules.Tick
		down, up := sizing.Down(x, step), sizing.Up(x, step)
		switch {
		case down.IsNegative(), down.GreaterThan(x), up.LessThan(x), x.Sub(down).GreaterThanOrEqual(step), up.Sub(x).GreaterThanOrEqual(step):
			t.Errorf("%s by %s: down %s, up %s", x, step, down, up)
		case !down.Mod(step).IsZero(), !up.Mod(step).IsZero():
			t.Errorf("%s and %s are no multiples of %s", down, up, step)
		case !sizing.Down(down, step).Equal(down), !sizing.Up(up, step).Equal(up), !sizing.Up(down, step).Equal(down):
			t.Errorf("%s and %s by %s change when rounded again", down, up, step)
		}
	})
	if got := sizing.Up(decimal.Zero, d("0.1")); !got.IsZero() {
		t.Errorf("0 rounded up is %s", got)
	}
}

// Ensure a stop waits on the side from which the price has to come, at the first
// tick at which it has reached what was asked.
func TestStopsWaitOnTheirSide(t *testing.T) {
	t.Parallel()
	worlds(t, 5, func(w world) {
		for i, r := range sizing.Size(w.asked, w.at, w.capital, w.rules) {
			asked, o, tick := w.asked.Orders[i].StopPrice, r.Order, w.rules.Tick
			switch {
			case r.Err != nil:
			case o.Trigger == sizing.Rise:
				if !asked.GreaterThan(w.at.Last) || o.StopPrice.LessThan(asked) || o.StopPrice.Sub(tick).GreaterThanOrEqual(asked) {
					t.Errorf("rise to %s for %s from %s", o.StopPrice, asked, w.at.Last)
				}
			case o.Trigger == sizing.Fall:
				if !asked.LessThan(w.at.Last) || o.StopPrice.GreaterThan(asked) || o.StopPrice.Add(tick).LessThanOrEqual(asked) {
					t.Errorf("fall to %s for %s from %s", o.StopPrice, asked, w.at.Last)
				}
			case w.asked.Type.HasStop() && !asked.Equal(w.at.Last), o.Type.HasStop():
				t.Errorf("no trigger: %+v", o)
			}
		}
	})
}
