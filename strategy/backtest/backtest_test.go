package backtest_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"switchyard/strategy/backtest"
	"switchyard/strategy/prices"
)

var assets = []string{"A", "B", "C", "D"}

// market is random prices of the assets, n weekdays of them.
func market(t testing.TB, seed uint64, n int) *prices.Table {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	all := make([]*prices.Series, len(assets))
	for i, a := range assets {
		all[i] = &prices.Series{Symbol: a}
		p := 50 + 100*r.Float64()
		for d := prices.DayOf(2015, 1, 1); len(all[i].Bars) < n; d++ {
			if w := d.Time().Weekday(); w == 0 || w == 6 {
				continue
			}
			p *= 1 + 0.0003 + 0.01*r.NormFloat64()
			all[i].Bars = append(all[i].Bars, prices.Bar{Day: d, Open: p, Close: p})
		}
	}
	table, err := prices.Align(all, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// shuffled is a rule that holds random parts, which depend on what it sees alone.
func shuffled(v backtest.View) (backtest.Decision, bool, error) {
	seed := uint64(0)
	for _, a := range assets {
		p, ok := v.MonthEnds(a, 3)
		if !ok {
			return backtest.Decision{}, false, nil
		}
		seed = seed*31 + math.Float64bits(p[0]) ^ math.Float64bits(p[2])
	}
	r := rand.New(rand.NewPCG(seed, 1))
	d := backtest.Decision{Regime: "random"}
	left := 1.0
	for _, a := range assets {
		part := left * r.Float64()
		d.Weights = append(d.Weights, backtest.Weight{Asset: a, Part: part})
		left -= part
	}
	return d, true, nil
}

func monthly(t testing.TB, table *prices.Table, rule backtest.Rule, o backtest.Options) *backtest.Outcome {
	t.Helper()
	out, err := backtest.Monthly(t.Context(), table, rule, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Ensure nothing that happens after a day changes what was decided, or what the
// portfolio was worth, until that day.
func TestNoLookAhead(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		table := market(t, seed, 400)
		before := monthly(t, table, shuffled, backtest.Options{Capital: 1000, Cost: 0.001})
		cut := 100 + int(seed)*13
		for a := range table.Close {
			for i := cut; i < len(table.Days); i++ {
				table.Close[a][i] *= 1 + 0.5*float64(a+1)
			}
		}
		after := monthly(t, table, shuffled, backtest.Options{Capital: 1000, Cost: 0.001})
		for i, p := range before.Curve {
			if p.Day < table.Days[cut] && after.Curve[i] != p {
				t.Fatalf("seed %d: with other prices from %s on, it is worth %v on %s, not %v", seed, table.Days[cut], after.Curve[i].Value, p.Day, p.Value)
			}
		}
		changed := false
		for i, d := range before.Decisions {
			same := fmt.Sprint(after.Decisions[i]) == fmt.Sprint(d)
			if d.Day < table.Days[cut] && !same {
				t.Fatalf("seed %d: tomorrow changes the decision of %s", seed, d.Day)
			}
			changed = changed || !same
		}
		if !changed {
			t.Errorf("seed %d: nothing depends on prices at all", seed)
		}
	}
}

// Ensure costs never help, and that without any the portfolio earns exactly what its
// parts earn.
func TestCosts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		table := market(t, seed, 600)
		last := math.Inf(1)
		for _, cost := range []float64{0, 0.0001, 0.001, 0.01, 0.1} {
			out := monthly(t, table, shuffled, backtest.Options{Capital: 1000, Cost: cost})
			final := out.Curve[len(out.Curve)-1].Value
			if final >= last || (out.Costs == 0) != (cost == 0) {
				t.Errorf("seed %d: with a cost of %v it ends with %v, before %v; %v was paid", seed, cost, final, last, out.Costs)
			}
			last = final
		}
		out := monthly(t, table, shuffled, backtest.Options{Capital: 1000})
		worth := 1000.0
		for k, d := range out.Decisions {
			until := len(table.Days) - 1
			if k+1 < len(out.Decisions) {
				until = slices.Index(table.Days, out.Decisions[k+1].Day)
			}
			from := slices.Index(table.Days, d.Day)
			growth, held := 0.0, 0.0
			for a, w := range d.Weights {
				growth += w.Part * table.Close[a][until] / table.Close[a][from]
				held += w.Part
			}
			worth *= growth + 1 - held
		}
		if got := out.Curve[len(out.Curve)-1].Value; math.Abs(got/worth-1) > 1e-12 {
			t.Errorf("seed %d: it ends with %v, its parts with %v", seed, got, worth)
		}
	}
}

// Ensure the weights after a decision are those decided, and sum to one with the cash.
func TestWeights(t *testing.T) {
	t.Parallel()
	table := market(t, 3, 300)
	for end := 100; end < 300; end++ {
		cut := &prices.Table{Days: table.Days[:end], Assets: table.Assets}
		for _, c := range table.Close {
			cut.Close = append(cut.Close, c[:end])
		}
		out := monthly(t, cut, shuffled, backtest.Options{Capital: 1000, Cost: 0.002})
		sum := 0.0
		for _, w := range out.Holdings {
			sum += w.Part
		}
		last := out.Decisions[len(out.Decisions)-1]
		if sum > 1+1e-12 || sum < 0 {
			t.Fatalf("the weights sum to %v", sum)
		}
		if last.Day != cut.Days[end-1] {
			continue
		}
		for _, w := range out.Holdings {
			if i := slices.IndexFunc(last.Weights, func(x backtest.Weight) bool { return x.Asset == w.Asset }); math.Abs(last.Weights[i].Part-w.Part) > 1e-12 {
				t.Errorf("%s: %v is held, %v was decided", w.Asset, w.Part, last.Weights[i].Part)
			}
		}
	}
}

// Ensure the first decision is at the first month-end with enough history on or after
// the start, and what stands against one is an error.
func TestMonthlyStart(t *testing.T) {
	t.Parallel()
	table := market(t, 1, 300)
	var progress []int
	out := monthly(t, table, shuffled, backtest.Options{Capital: 1000, Progress: func(done, of int) { progress = append(progress, done, of) }})
	if d := out.Decisions[0].Day.String(); d != "2015-03-31" || out.Curve[0].Day != out.Decisions[0].Day || math.Abs(out.Curve[0].Value-1000) > 1e-9 {
		t.Errorf("it begins on %s with %+v", d, out.Curve[0])
	}
	if n := len(progress); n == 0 || progress[n-1] != progress[n-2] {
		t.Errorf("progress %v", progress)
	}
	if out.Next.Day != table.Days[299] || len(out.Next.Weights) != len(assets) {
		t.Errorf("next is %+v", out.Next)
	}
	late := monthly(t, table, shuffled, backtest.Options{Capital: 1000, Start: prices.DayOf(2015, 8, 1)})
	if d := late.Decisions[0].Day.String(); d != "2015-08-31" {
		t.Errorf("with a start it begins on %s", d)
	}
	if _, err := backtest.Monthly(t.Context(), table, shuffled, backtest.Options{Capital: 1, Start: prices.DayOf(2030, 1, 1)}); !errors.Is(err, backtest.ErrTooShort) {
		t.Errorf("after the end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := backtest.Monthly(ctx, table, shuffled, backtest.Options{Capital: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, w := range []backtest.Weights{{{"A", 0.6}, {"B", 0.6}}, {{"A", -0.1}}, {{"X", 1}}, {{"A", math.NaN()}}} {
		_, err := backtest.Monthly(t.Context(), table, func(backtest.View) (backtest.Decision, bool, error) {
			return backtest.Decision{Weights: w}, true, nil
		}, backtest.Options{Capital: 1})
		if err == nil {
			t.Errorf("%v was taken", w)
		}
	}
}

// curve of values, a day apart, from 2024-01-01.
func curve(values ...float64) []backtest.Point {
	out := make([]backtest.Point, len(values))
	for i, v := range values {
		out[i] = backtest.Point{Day: prices.DayOf(2024, 1, 1) + prices.Day(i), Value: v}
	}
	return out
}

// Ensure the measures are what textbooks make of a curve.
func TestMeasure(t *testing.T) {
	t.Parallel()
	m := backtest.Measure(curve(100, 110, 99, 99, 120), 100)
	r := []float64{0.1, -0.1, 0, 120.0/99 - 1}
	mean := (r[0] + r[1] + r[2] + r[3]) / 4
	ss := 0.0
	for _, x := range r {
		ss += (x - mean) * (x - mean)
	}
	vol := math.Sqrt(ss / 3 * 365.25)
	want := backtest.Measures{FinalValue: 120, Return: 0.2, CAGR: 0.2, Volatility: vol, Sharpe: mean * 365.25 / vol, MaxDrawdown: -0.1}
	for name, x := range map[string][2]float64{
		"final value": {m.FinalValue, want.FinalValue}, "return": {m.Return, want.Return}, "CAGR": {m.CAGR, want.CAGR},
		"volatility": {m.Volatility, want.Volatility}, "Sharpe": {m.Sharpe, want.Sharpe}, "drawdown": {m.MaxDrawdown, want.MaxDrawdown},
	} {
		if math.Abs(x[0]-x[1]) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, x[0], x[1])
		}
	}
	twoYears := []backtest.Point{{0, 100}, {731, 144}}
	if m := backtest.Measure(twoYears, 100); math.Abs(m.CAGR-(math.Pow(1.44, 365.25/731)-1)) > 1e-12 || m.Volatility != 0 || m.Sharpe != 0 {
		t.Errorf("two years: %+v", m)
	}
	if m := backtest.Measure(curve(100, 100, 100, 100), 100); m != (backtest.Measures{FinalValue: 100}) {
		t.Errorf("flat: %+v", m)
	}
	if m := backtest.Measure(curve(90, 0, 0), 100); m.MaxDrawdown != -1 || m.Return != -1 || math.IsNaN(m.Sharpe) {
		t.Errorf("all lost: %+v", m)
	}
	if m := backtest.Measure(nil, 100); m.FinalValue != 100 {
		t.Errorf("none: %+v", m)
	}
}

// Ensure the months' returns multiply to the whole.
func TestMonthReturns(t *testing.T) {
	t.Parallel()
	out := monthly(t, market(t, 5, 500), shuffled, backtest.Options{Capital: 1000, Cost: 0.01})
	months := backtest.MonthReturns(out.Curve, 1000)
	product := 1000.0
	for i, m := range months {
		product *= 1 + m.Return
		if i > 0 && m.Month != months[i-1].Month+1 {
			t.Errorf("%s follows %s", m.Month, months[i-1].Month)
		}
	}
	if final := out.Curve[len(out.Curve)-1].Value; math.Abs(product/final-1) > 1e-12 || months[0].Month.String() != "2015-03" {
		t.Errorf("%v, want %v; from %s", product, final, months[0].Month)
	}
}

// Ensure a thinned curve has the points that matter, in order.
func TestThin(t *testing.T) {
	t.Parallel()
	long := make([]backtest.Point, 5001)
	for i := range long {
		long[i] = backtest.Point{Day: prices.Day(i), Value: 100}
	}
	long[777].Value, long[3333].Value = 200, 1
	got := backtest.Thin(long, 400)
	if len(got) > 400 || len(got) < 390 || got[0] != long[0] || got[len(got)-1] != long[5000] || !slices.Contains(got, long[777]) || !slices.Contains(got, long[3333]) {
		t.Errorf("%d points from %v to %v", len(got), got[0], got[len(got)-1])
	}
	for i := 1; i < len(got); i++ {
		if got[i].Day <= got[i-1].Day {
			t.Fatalf("%v follows %v", got[i], got[i-1])
		}
	}
	if short := backtest.Thin(long[:400], 400); len(short) != 400 {
		t.Errorf("%d of 400", len(short))
	}
}
