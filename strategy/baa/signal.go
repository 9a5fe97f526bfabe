package baa

import (
	"fmt"
	"slices"
	"strings"

	"switchyard/strategy/backtest"
)

// closes is how many month-ends a signal takes: the present one and twelve before it.
const closes = 13

// cash is what stands for it.
const cash = "BIL"

// Of the paper's figures 3 and 6.
var (
	canary    = words("SPY VWO VEA BND")
	defensive = words("TIP DBC BIL IEF TLT LQD BND")
	g12       = words("SPY QQQ IWM VGK EWJ VWO VNQ DBC GLD TLT HYG LQD")
	g4        = words("QQQ VWO VEA BND")
)

const defensiveTop = 3

func words(s string) []string { return strings.Fields(s) }

// variant is an offensive universe, and how many of it are held.
type variant struct {
	offensive []string
	top       int
}

var variants = map[string]variant{
	"BAA-G12":    {g12, 6},
	"BAA-G4":     {g4, 1},
	"BAA-G12/T3": {g12, 3},
	"BAA-G4/T2":  {g4, 2},
	"BAA-SPY":    {words("SPY"), 1},
}

// Assets of a variant, each once, in the order of the paper. Error: there is no such
// variant.
func Assets(name string) ([]string, error) {
	v, ok := variants[name]
	if !ok {
		return nil, fmt.Errorf("unknown variant: %s", name)
	}
	var out []string
	for _, a := range slices.Concat(canary, v.offensive, defensive) {
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out, nil
}

// The regimes.
const (
	Offensive = "offensive"
	Defensive = "defensive"
)

// decide is the rule of a variant.
func (v variant) decide(seen backtest.View) (d backtest.Decision, ok bool, err error) {
	history := map[string][]float64{}
	for _, a := range slices.Concat(canary, v.offensive, defensive) {
		if history[a], ok = seen.MonthEnds(a, closes); !ok {
			return d, false, nil
		}
	}
	d.Regime = Offensive
	for _, a := range canary {
		if fast(history[a]) < 0 {
			d.Regime = Defensive
		}
	}
	if d.Regime == Offensive {
		for _, a := range best(v.offensive, history, v.top) {
			d.Weights = append(d.Weights, backtest.Weight{Asset: a, Part: 1 / float64(v.top)})
		}
		return d, true, nil
	}
	inCash := 0
	for _, a := range best(defensive, history, defensiveTop) {
		if a == cash || slow(history[a]) < slow(history[cash]) {
			inCash++
			continue
		}
		d.Weights = append(d.Weights, backtest.Weight{Asset: a, Part: 1.0 / defensiveTop})
	}
	if inCash > 0 {
		d.Weights = append(d.Weights, backtest.Weight{Asset: cash, Part: float64(inCash) / defensiveTop})
	}
	return d, true, nil
}

// fast is the momentum 13612W, of which only the sign counts.
func fast(p []float64) float64 {
	r := func(n int) float64 { return p[0]/p[n] - 1 }
	return 12*r(1) + 4*r(3) + 2*r(6) + r(12)
}

// slow is the relative momentum SMA(12).
func slow(p []float64) float64 {
	sum := 0.0
	for _, x := range p {
		sum += x
	}
	return p[0]/(sum/float64(len(p))) - 1
}

// best are the n assets with the highest slow momentum, the best first; of equals the
// one that the universe names first.
func best(universe []string, history map[string][]float64, n int) []string {
	out := slices.Clone(universe)
	slices.SortStableFunc(out, func(a, b string) int {
		x, y := slow(history[a]), slow(history[b])
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return out[:n]
}
