package baa_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"testing"

	"switchyard/strategy/baa"
	"switchyard/strategy/backtest"
	"switchyard/strategy/catalog"
	"switchyard/strategy/prices"
)

// generated are the prices of a variant's assets in a world.
func generated(t testing.TB, variant string, seed uint64) []*prices.Series {
	t.Helper()
	names, err := baa.Assets(variant)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*prices.Series, len(names))
	for i, a := range names {
		if out[i], err = (prices.Generator{Seed: seed}).Daily(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func parameters(variant string) baa.Parameters {
	return baa.Parameters{Variant: variant, InitialCapital: 100_000, TransactionCost: 0.001}
}

func run(t testing.TB, p baa.Parameters, s []*prices.Series) *baa.Result {
	t.Helper()
	r, err := baa.Run(t.Context(), p, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// byHand decides as the paper's text does, from month-ends by asset, the newest last.
// It shares nothing with the package: it works with tables of months and sorted pairs.
func byHand(variant string, ends map[string][]float64) map[string]float64 {
	universe, top := map[string]string{
		"BAA-G12": "SPY QQQ IWM VGK EWJ VWO VNQ DBC GLD TLT HYG LQD", "BAA-G12/T3": "SPY QQQ IWM VGK EWJ VWO VNQ DBC GLD TLT HYG LQD",
		"BAA-G4": "QQQ VWO VEA BND", "BAA-G4/T2": "QQQ VWO VEA BND", "BAA-SPY": "SPY",
	}[variant], map[string]int{"BAA-G12": 6, "BAA-G12/T3": 3, "BAA-G4": 1, "BAA-G4/T2": 2, "BAA-SPY": 1}[variant]
	at := func(asset string, monthsAgo int) float64 { p := ends[asset]; return p[len(p)-1-monthsAgo] }
	bad := false
	for _, c := range []string{"SPY", "VWO", "VEA", "BND"} {
		m := 12*(at(c, 0)/at(c, 1)-1) + 4*(at(c, 0)/at(c, 3)-1) + 2*(at(c, 0)/at(c, 6)-1) + 1*(at(c, 0)/at(c, 12)-1)
		bad = bad || m < 0
	}
	momentum := func(asset string) float64 {
		mean := 0.0
		for m := 0; m <= 12; m++ {
			mean += at(asset, m) / 13
		}
		return at(asset, 0)/mean - 1
	}
	if bad {
		universe, top = "TIP DBC BIL IEF TLT LQD BND", 3
	}
	type score struct {
		asset string
		m     float64
	}
	var all []score
	for _, a := range strings.Fields(universe) {
		all = append(all, score{a, momentum(a)})
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].m > all[j].m })
	out := map[string]float64{}
	for _, s := range all[:top] {
		if bad && s.m < momentum("BIL") {
			s.asset = "BIL"
		}
		out[s.asset] += 1 / float64(top)
	}
	return out
}

// Ensure the allocations of every variant, in several worlds and all their months, are
// those of a calculation that shares no code with this one.
func TestAgainstAnIndependentCalculation(t *testing.T) {
	t.Parallel()
	for _, variant := range catalog.Variants {
		for seed := uint64(1); seed <= 3; seed++ {
			t.Run(fmt.Sprint(variant, seed), func(t *testing.T) {
				t.Parallel()
				s := generated(t, variant, seed)
				r := run(t, parameters(variant), s)
				ends := map[string][]float64{}
				var days []prices.Day
				for _, x := range s {
					days = days[:0]
					for i, b := range x.Bars {
						if i+1 == len(x.Bars) || x.Bars[i+1].Day.Month() != b.Day.Month() {
							ends[x.Symbol], days = append(ends[x.Symbol], b.Close), append(days, b.Day)
						}
					}
				}
				if len(r.Allocations) != len(days)-12 {
					t.Fatalf("%d allocations of %d months", len(r.Allocations), len(days))
				}
				regimes := map[string]int{}
				for i, a := range r.Allocations {
					regimes[a.Regime]++
					cut := map[string][]float64{}
					for k, v := range ends {
						cut[k] = v[:13+i]
					}
					want := byHand(variant, cut)
					sum := 0.0
					for _, w := range a.Weights {
						sum += w.Part
						if math.Abs(want[w.Asset]-w.Part) > 1e-12 {
							t.Errorf("%s: %v of %s, want %v", a.Date, w.Part, w.Asset, want[w.Asset])
						}
					}
					if a.Date != days[12+i] || len(a.Weights) != len(want) || math.Abs(sum-1) > 1e-12 {
						t.Errorf("%s: %v, want %v", a.Date, a.Weights, want)
					}
				}
				if regimes[baa.Offensive] < 20 || regimes[baa.Defensive] < 20 {
					t.Errorf("the world is too even to tell anything: %v", regimes)
				}
			})
		}
	}
}

// Ensure the result has the form that clients know: who holds what, in an offensive
// month and in a defensive one.
func TestResult(t *testing.T) {
	t.Parallel()
	s := generated(t, "BAA-G12", 1)
	seen := map[string]bool{}
	for year := 2008; year <= 2024; year++ {
		p := parameters("BAA-G12")
		end := prices.DayOf(year, 6, 30)
		p.End = &end
		r := run(t, p, s)
		last := r.Allocations[len(r.Allocations)-1]
		seen[last.Regime] = true
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if !strings.HasPrefix(text, `{"strategy":"BoldAssetAllocation","variant":"BAA-G12",`) {
			t.Errorf("it begins with %.80s", text)
		}
		if last.Regime == baa.Offensive && (len(r.Portfolio.OffensiveAssets) != 6 || strings.Contains(text, "defensive_assets")) {
			t.Errorf("%d: an offensive month holds %+v", year, r.Portfolio)
		}
		if last.Regime == baa.Defensive && (!strings.Contains(text, `"offensive_assets":[],"defensive_assets":["`)) {
			t.Errorf("%d: a defensive month holds %+v", year, r.Portfolio)
		}
		if len(r.Portfolio.Weights) != len(r.Portfolio.OffensiveAssets)+len(r.Portfolio.DefensiveAssets) {
			t.Errorf("%d: %+v", year, r.Portfolio)
		}
		if math.Abs(r.Return-(r.FinalValue/100_000-1)) > 1e-12 || r.Exposure <= 0 || r.Exposure > 1 || r.Turnover <= 0 || r.MaxDrawdown >= 0 || r.DefensiveMonths <= 0 || r.LastDate > end {
			t.Errorf("%d: %+v", year, r.Measures)
		}
		if len(r.EquityCurve) > backtest.CurvePoints || len(b) > 128<<10 {
			t.Errorf("%d: %d points, %d bytes", year, len(r.EquityCurve), len(b))
		}
	}
	if len(seen) != 2 {
		t.Errorf("only %v was seen", seen)
	}
}

// Ensure too little history, unknown variants and gaps are errors that say so.
func TestErrors(t *testing.T) {
	t.Parallel()
	s := generated(t, "BAA-SPY", 1)
	p := parameters("BAA-SPY")
	end := prices.DayOf(2005, 12, 31)
	p.End = &end
	if _, err := baa.Run(t.Context(), p, s, nil); !errors.Is(err, backtest.ErrTooShort) {
		t.Errorf("twelve months: %v", err)
	}
	p = parameters("BAA-X")
	if _, err := baa.Run(t.Context(), p, s, nil); err == nil || err.Error() != "unknown variant: BAA-X" {
		t.Errorf("an unknown variant: %v", err)
	}
	if _, err := baa.Assets("BAA-X"); err == nil {
		t.Error("an unknown variant has assets")
	}
	// What is missing long before the start is no matter.
	holed := *s[0]
	holed.Bars = append(append([]prices.Bar(nil), holed.Bars[:500]...), holed.Bars[600:]...)
	with := append([]*prices.Series{&holed}, s[1:]...)
	start := prices.DayOf(2012, 3, 15)
	p = parameters("BAA-SPY")
	var gap *prices.GapError
	if _, err := baa.Run(t.Context(), p, with, nil); !errors.As(err, &gap) {
		t.Errorf("a gap: %v", err)
	}
	p.Start = &start
	if r, err := baa.Run(t.Context(), p, with, nil); err != nil || r.Allocations[0].Date.String() != "2012-03-30" {
		t.Errorf("a gap before the start: %v, %v", r, err)
	}
	short := *s[0]
	short.Bars = short.Bars[:2000]
	s[0] = &short
	if _, err := baa.Run(t.Context(), parameters("BAA-SPY"), s, nil); !errors.As(err, &gap) || gap.Symbol != "SPY" {
		t.Errorf("an asset ends early: %v", err)
	}
}
