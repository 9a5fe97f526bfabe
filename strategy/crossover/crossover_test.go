package crossover_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"switchyard/strategy/crossover"
	"switchyard/strategy/prices"
)

func generated(t testing.TB, symbol string) *prices.Series {
	t.Helper()
	s, err := prices.Generator{Seed: 1}.Daily(t.Context(), symbol)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t testing.TB, p crossover.Parameters, s *prices.Series) *crossover.Result {
	t.Helper()
	r, err := crossover.Run(t.Context(), p, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Ensure the figures are those of backtesting.py 0.6.6, whose SmaCross was run on the
// same generated prices (finalize_trades=True, with the commission as below).
func TestAgainstBacktestingPy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		symbol      string
		short, long int
		allowShort  bool
		commission  float64

		trades                    int
		final, ret, drawdown, won float64
		size                      int64
		side, entered, left       string
	}{
		{"SPY", 10, 30, true, 0, 188, 31715.864999999998, 2.1715864999999996, -0.3596638790350928, 0.3670212765957446, 69, "short", "2005-05-02", "2024-12-31"},
		{"SPY", 20, 50, false, 0.001, 52, 40718.16587680002, 3.071816587680002, -0.3322030467650221, 0.5384615384615384, 62, "long", "2005-11-14", "2024-12-31"},
		{"VWO", 10, 30, true, 0.002, 200, 11162.175097000007, 0.11621750970000067, -0.6901519552486193, 0.325, 76, "short", "2005-03-01", "2024-12-31"},
		{"GLD", 5, 200, false, 0, 40, 14621.126400000003, 0.4621126400000003, -0.27803062113667254, 0.225, 32, "long", "2007-05-10", "2024-12-31"},
	} {
		t.Run(fmt.Sprint(tt.symbol, tt.short, tt.long), func(t *testing.T) {
			t.Parallel()
			r := run(t, crossover.Parameters{
				Symbol: tt.symbol, ShortWindow: tt.short, LongWindow: tt.long, Average: "SMA", InitialCapital: 10_000, Commission: tt.commission, AllowShort: tt.allowShort,
			}, generated(t, tt.symbol))
			for name, x := range map[string][2]float64{
				"final value": {r.FinalValue, tt.final}, "return": {r.Return, tt.ret}, "drawdown": {r.MaxDrawdown, tt.drawdown}, "win rate": {r.WinRate, tt.won},
			} {
				if math.Abs(x[0]-x[1]) > 1e-9*max(1, math.Abs(x[1])) {
					t.Errorf("%s: %v, want %v", name, x[0], x[1])
				}
			}
			first, last := r.Trades[0], r.Trades[len(r.Trades)-1]
			if r.TradeCount != tt.trades || len(r.Trades) != tt.trades || first.Size != tt.size || first.Side != tt.side || first.EntryDate.String() != tt.entered || last.ExitDate.String() != tt.left {
				t.Errorf("%d trades from %+v to %+v", r.TradeCount, first, last)
			}
		})
	}
}

// Ensure profits add up to what is left, no position is held twice, and no more is
// spent than there is.
func TestBooks(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 2))
	for range 40 {
		p := crossover.Parameters{
			ShortWindow: 1 + r.IntN(20), Average: []string{"SMA", "EMA"}[r.IntN(2)], InitialCapital: 500 + 20_000*r.Float64(),
			Commission: []float64{0, 0.0005, 0.01}[r.IntN(3)], AllowShort: r.IntN(2) == 0,
		}
		p.LongWindow = p.ShortWindow + 1 + r.IntN(60)
		res := run(t, p, generated(t, []string{"SPY", "QQQ", "DBC", "BIL", "XYZ"}[r.IntN(5)]))
		sum := p.InitialCapital
		for i, x := range res.Trades {
			if spent := float64(x.Size) * x.EntryPrice * (1 + p.Commission); len(res.Trades) == res.TradeCount && spent > sum*(1+1e-12) || x.Size < 1 {
				t.Fatalf("%+v: %v is spent of %v", p, spent, sum)
			}
			sum += x.Profit
			if i > 0 && (x.EntryDate < res.Trades[i-1].ExitDate || !p.AllowShort && x.Side != "long") {
				t.Fatalf("%+v: %+v follows %+v", p, x, res.Trades[i-1])
			}
		}
		if len(res.Trades) == res.TradeCount && math.Abs(sum-res.FinalValue) > 1e-6 {
			t.Errorf("%+v: the trades leave %v, the result says %v", p, sum, res.FinalValue)
		}
	}
}

// Ensure tomorrow changes nothing today: trades that were closed before it are the same
// whatever follows.
func TestNoLookAhead(t *testing.T) {
	t.Parallel()
	s := generated(t, "QQQ")
	p := crossover.Parameters{ShortWindow: 5, LongWindow: 20, Average: "EMA", InitialCapital: 10_000, AllowShort: true}
	before := run(t, p, s)
	for cut := 100; cut < len(s.Bars); cut += 371 {
		other := &prices.Series{Symbol: s.Symbol, Bars: append([]prices.Bar(nil), s.Bars...)}
		for i := cut; i < len(other.Bars); i++ {
			other.Bars[i].Open, other.Bars[i].Close = 1+float64(i%7), 2+float64(i%5)
		}
		after := run(t, p, other)
		for i, x := range before.Trades {
			if x.ExitDate < s.Bars[cut].Day && after.Trades[i] != x {
				t.Fatalf("other prices from %s on make %+v of %+v", s.Bars[cut].Day, after.Trades[i], x)
			}
		}
	}
}

// Ensure the span is kept to, and what can't be backtested is an error that says so.
func TestSpan(t *testing.T) {
	t.Parallel()
	s := generated(t, "SPY")
	start, end := prices.DayOf(2010, 1, 1), prices.DayOf(2011, 12, 31)
	p := crossover.Parameters{ShortWindow: 5, LongWindow: 20, InitialCapital: 10_000, Start: &start, End: &end}
	r := run(t, p, s)
	if r.FirstDate != prices.DayOf(2010, 1, 1) || r.LastDate != prices.DayOf(2011, 12, 30) || r.Trades[0].EntryDate <= r.FirstDate {
		t.Errorf("from %s to %s", r.FirstDate, r.LastDate)
	}
	var format *prices.FormatError
	p.Start = &end
	if _, err := crossover.Run(t.Context(), p, s); !errors.As(err, &format) {
		t.Errorf("nothing after the start: %v", err)
	}
	if _, err := crossover.Run(t.Context(), crossover.Parameters{ShortWindow: 5, LongWindow: 5216, InitialCapital: 1}, s); !errors.As(err, &format) {
		t.Errorf("too long a window: %v", err)
	}
	closes := &prices.Series{Symbol: "X", Bars: append([]prices.Bar(nil), s.Bars...)}
	closes.Bars[77].Open = 0
	if _, err := crossover.Run(t.Context(), crossover.Parameters{ShortWindow: 5, LongWindow: 20, InitialCapital: 1}, closes); !errors.As(err, &format) || format.Where != "X" {
		t.Errorf("without an open: %v", err)
	}
	holed := &prices.Series{Symbol: "Y", Bars: slices.Concat(s.Bars[:100], s.Bars[160:])}
	p = crossover.Parameters{ShortWindow: 5, LongWindow: 20, InitialCapital: 10_000}
	if _, err := crossover.Run(t.Context(), p, holed); !errors.As(err, &format) || format.Where != "Y" {
		t.Errorf("without two months: %v", err)
	}
	late := holed.Bars[130].Day
	p.Start = &late
	if _, err := crossover.Run(t.Context(), p, holed); err != nil {
		t.Errorf("from after the hole: %v", err)
	}
	tiny := &prices.Series{Symbol: "Z"}
	for _, b := range s.Bars {
		tiny.Bars = append(tiny.Bars, prices.Bar{Day: b.Day, Open: b.Open * 1e-12, Close: b.Close * 1e-12})
	}
	r = run(t, crossover.Parameters{ShortWindow: 5, LongWindow: 20, InitialCapital: 1e12}, tiny)
	for _, x := range r.Trades {
		if x.Size <= 0 {
			t.Fatalf("at a tiny price it bought %d", x.Size)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := crossover.Run(ctx, crossover.Parameters{ShortWindow: 5, LongWindow: 999, InitialCapital: 10_000}, s); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Ensure a short position that loses more than there is ends the backtest with nothing.
func TestRuin(t *testing.T) {
	t.Parallel()
	s := &prices.Series{Symbol: "X"}
	for i := range 60 {
		var p float64
		switch {
		case i < 20:
			p = 100 + float64(i)
		case i < 30:
			p = 120 - 3*float64(i-20)
		case i < 34:
			p = 90 - float64(i-30)
		default:
			p = 1000
		}
		s.Bars = append(s.Bars, prices.Bar{Day: prices.Day(i), Open: p, Close: p})
	}
	r := run(t, crossover.Parameters{ShortWindow: 2, LongWindow: 8, InitialCapital: 10_000, AllowShort: true}, s)
	if r.FinalValue != 0 || r.Return != -1 || r.MaxDrawdown != -1 || r.LastDate != 59 || math.IsNaN(r.Sharpe) {
		t.Errorf("%+v; trades %+v", r.Measures, r.Trades)
	}
}

// Ensure the same where it loses it at the very last open, after which there is no more
// close to count by: what is left is nothing, not less.
func TestRuinAtTheEnd(t *testing.T) {
	t.Parallel()
	s := &prices.Series{Symbol: "X"}
	for i := range 600 {
		p := 100 + float64(i)/10
		if i >= 500 {
			p = 150 - float64(i-500)
		}
		s.Bars = append(s.Bars, prices.Bar{Day: prices.Day(i), Open: p, Close: p})
	}
	s.Bars[599].Open = 1000
	r := run(t, crossover.Parameters{ShortWindow: 2, LongWindow: 8, InitialCapital: 10_000, AllowShort: true}, s)
	if r.FinalValue != 0 || r.CAGR != -1 || r.MaxDrawdown != -1 {
		t.Errorf("%+v; trades %+v", r.Measures, r.Trades)
	}
}
