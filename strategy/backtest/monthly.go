package backtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"switchyard/strategy/prices"
)

// Weight is a part of a portfolio.
type Weight struct {
	Asset string
	// Part of the whole, 0 to 1.
	Part float64
}

// Decision is what to hold from a close on.
type Decision struct {
	Day prices.Day
	// Regime is the strategy's word for why.
	Regime  string
	Weights Weights
}

// Rule decides at a month's end. ok is false where there is too little history.
type Rule func(v View) (d Decision, ok bool, err error)

// View is the history up to and with one day.
type View struct {
	table *prices.Table
	ends  []int // of the months that are over, and of the day itself
	index map[string]int
}

// Day is the last day that is seen.
func (v View) Day() prices.Day { return v.table.Days[v.ends[len(v.ends)-1]] }

// MonthEnds are the closes of an asset at the ends of the last n months, the newest
// first; ok is false where it has fewer.
func (v View) MonthEnds(asset string, n int) (closes []float64, ok bool) {
	i, known := v.index[asset]
	if !known || len(v.ends) < n {
		return nil, false
	}
	closes = make([]float64, n)
	for k := range n {
		c := v.table.Close[i][v.ends[len(v.ends)-1-k]]
		if math.IsNaN(c) {
			return nil, false
		}
		closes[k] = c
	}
	return closes, true
}

// Options of a backtest.
type Options struct {
	// Capital that it begins with, above 0.
	Capital float64
	// Cost of buying or selling, as a part of the amount.
	Cost float64
	// Start is the first day of a decision; 0: as early as there is one.
	Start prices.Day
	// Progress hears, if set, how many of the months are done.
	Progress func(done, of int)
}

// Point is what a portfolio is worth at a close.
type Point struct {
	Day   prices.Day
	Value float64
}

// Outcome of a backtest.
type Outcome struct {
	Decisions []Decision
	// Curve has a point for each day from the first decision on.
	Curve []Point
	// Holdings are the weights at the last close, the largest first.
	Holdings Weights
	// Next is what the rule would decide at the last close, if the month ended there.
	Next Decision
	// Turnover is how much of the portfolio was sold to buy something else, in a year.
	Turnover float64
	// Costs that were paid, in money.
	Costs float64
}

// ErrTooShort: there is no month's end with enough history before it.
var ErrTooShort = errors.New("the prices are too few: a first decision takes 13 month-ends of every asset, the last of them not before start_date nor after end_date")

// Monthly follows a rule through a table. Errors: ErrTooShort, the rule's, or that of
// ctx.
func Monthly(ctx context.Context, t *prices.Table, rule Rule, o Options) (*Outcome, error) {
	ends := t.MonthEnds()
	index := make(map[string]int, len(t.Assets))
	for i, a := range t.Assets {
		index[a] = i
	}
	p := portfolio{table: t, index: index, value: o.Capital, units: make([]float64, len(t.Assets))}
	out := &Outcome{}
	last := len(t.Days) - 1
	for n, end := range ends {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if t.Days[end] >= o.Start {
			v := View{table: t, ends: ends[:n+1], index: index}
			d, ok, err := rule(v)
			if err != nil {
				return nil, err
			}
			if ok {
				d.Day = t.Days[end]
				if err := p.rebalance(end, d.Weights, o.Cost); err != nil {
					return nil, err
				}
				out.Decisions = append(out.Decisions, d)
			}
		}
		if len(out.Decisions) > 0 {
			until := last
			if n+1 < len(ends) {
				until = ends[n+1] - 1
			}
			for i := end; i <= until; i++ {
				out.Curve = append(out.Curve, Point{t.Days[i], p.worth(i)})
			}
		}
		if o.Progress != nil {
			o.Progress(n+1, len(ends))
		}
	}
	if len(out.Decisions) == 0 {
		return nil, ErrTooShort
	}
	out.Holdings, out.Costs = p.weights(last), p.costs
	if years := yearsBetween(out.Curve[0].Day, out.Curve[len(out.Curve)-1].Day); years > 0 {
		out.Turnover = p.turned / years
	}
	now := ends
	if now[len(now)-1] != last {
		now = append(slices.Clone(now), last)
	}
	next, ok, err := rule(View{table: t, ends: now, index: index})
	if err != nil {
		return nil, err
	}
	if ok {
		next.Day = t.Days[last]
		out.Next = next
	}
	return out, nil
}

// portfolio is what is held.
type portfolio struct {
	table *prices.Table
	index map[string]int
	value float64 // while nothing is held
	cash  float64
	units []float64
	held  bool

	costs, turned float64
}

func (p *portfolio) worth(day int) float64 {
	if !p.held {
		return p.value
	}
	v := p.cash
	for a, u := range p.units {
		if u != 0 {
			v += u * p.table.Close[a][day]
		}
	}
	return v
}

// rebalance buys and sells at the closes of a day. The cost is paid by all positions
// alike, so the weights afterwards are exactly those that were decided.
func (p *portfolio) rebalance(day int, weights Weights, cost float64) error {
	value := p.worth(day)
	target := make([]float64, len(p.units))
	sum := 0.0
	for _, w := range weights {
		a, known := p.index[w.Asset]
		if !known || w.Part < 0 || math.IsNaN(w.Part) || math.IsNaN(p.table.Close[a][day]) {
			return fmt.Errorf("the strategy has decided to hold %v of %s on %s, which can't be", w.Part, w.Asset, p.table.Days[day])
		}
		target[a] += w.Part
		sum += w.Part
	}
	if sum > 1+1e-9 {
		return fmt.Errorf("the strategy has decided to hold %v of what there is on %s", sum, p.table.Days[day])
	}
	traded, bought := 0.0, 0.0
	for a := range p.units {
		change := target[a]*value - p.units[a]*close0(p.table.Close[a][day], p.units[a])
		traded += math.Abs(change)
		bought += max(change, 0)
	}
	if p.held {
		p.turned += max(bought, traded-bought) / value
	}
	paid := cost * traded
	p.costs += paid
	value -= paid
	p.cash, p.held = value*max(0, 1-sum), true
	if sum > 1-1e-9 {
		p.cash = 0
	}
	for a := range p.units {
		p.units[a] = 0
		if target[a] > 0 {
			p.units[a] = target[a] * value / p.table.Close[a][day]
		}
	}
	return nil
}

// close0 is a close, 0 where nothing is held: it may be NaN then.
func close0(c, units float64) float64 {
	if units == 0 {
		return 0
	}
	return c
}

// weights at a close, the largest first.
func (p *portfolio) weights(day int) Weights {
	value := p.worth(day)
	var out Weights
	for a, u := range p.units {
		if u != 0 && value > 0 {
			out = append(out, Weight{p.table.Assets[a], u * p.table.Close[a][day] / value})
		}
	}
	slices.SortStableFunc(out, func(a, b Weight) int {
		switch {
		case a.Part > b.Part:
			return -1
		case a.Part < b.Part:
			return 1
		}
		return 0
	})
	return out
}
