package baa

import (
	"context"
	"fmt"

	"switchyard/strategy/backtest"
	"switchyard/strategy/catalog"
	"switchyard/strategy/prices"
)

// Parameters as package catalog fills them in.
type Parameters struct {
	Variant         string      `json:"variant"`
	InitialCapital  float64     `json:"initial_capital"`
	TransactionCost float64     `json:"transaction_cost"`
	Start           *prices.Day `json:"start_date"`
	End             *prices.Day `json:"end_date"`
}

// Portfolio is what a decision holds.
type Portfolio struct {
	// OffensiveAssets that are held; none in a defensive month.
	OffensiveAssets []string `json:"offensive_assets"`
	// DefensiveAssets that are held; absent in an offensive month.
	DefensiveAssets []string         `json:"defensive_assets,omitempty"`
	Weights         backtest.Weights `json:"weights"`
}

// Result of a backtest.
type Result struct {
	Strategy string `json:"strategy"`
	Variant  string `json:"variant"`
	// DataSource of the prices: generated, folder or http.
	DataSource string `json:"data_source"`
	// Portfolio is what was decided last.
	Portfolio Portfolio `json:"portfolio"`
	backtest.Measures
	InitialCapital float64 `json:"initial_capital"`
	// Turnover is how much of the portfolio changed in a year: 4.7 is 470 %.
	Turnover float64 `json:"turnover"`
	// Exposure is the mean part that was not in cash (BIL).
	Exposure float64 `json:"exposure"`
	// Costs that were paid, in money.
	Costs float64 `json:"costs"`
	// DefensiveMonths are the part of the months that were defensive.
	DefensiveMonths float64 `json:"defensive_months"`
	// CurrentWeights are those at the last close.
	CurrentWeights backtest.Weights `json:"current_weights"`
	// NextAllocation is what would be decided at the last close.
	NextAllocation backtest.Allocation   `json:"next_allocation"`
	Allocations    []backtest.Allocation `json:"allocations"`
	backtest.History
}

// history is how many days before its start a backtest looks at: those of the
// month-ends that the first decision takes.
const history = 397

// Run makes the backtest with prices of the assets of the variant, in their order
// (Assets). Errors: of prices.Align and backtest.Monthly.
func Run(ctx context.Context, p Parameters, series []*prices.Series, progress func(done, of int)) (*Result, error) {
	v, ok := variants[p.Variant]
	if !ok {
		return nil, fmt.Errorf("unknown variant: %s", p.Variant)
	}
	o := backtest.Options{Capital: p.InitialCapital, Cost: p.TransactionCost, Progress: progress}
	if p.Start != nil {
		o.Start = *p.Start
	}
	from, end := prices.Day(0), prices.Day(0)
	if p.Start != nil {
		from = *p.Start - history
	}
	if p.End != nil {
		end = *p.End
	}
	table, err := prices.Align(series, from, end)
	if err != nil {
		return nil, err
	}
	out, err := backtest.Monthly(ctx, table, v.decide, o)
	if err != nil {
		return nil, err
	}
	last := out.Decisions[len(out.Decisions)-1]
	r := &Result{
		Strategy: catalog.BoldAssetAllocation, Variant: p.Variant, Portfolio: portfolioOf(last), InitialCapital: p.InitialCapital,
		Measures: backtest.Measure(out.Curve, p.InitialCapital), Turnover: out.Turnover, Costs: out.Costs,
		CurrentWeights: out.Holdings, NextAllocation: out.Next.Allocation(), History: backtest.HistoryOf(out.Curve, p.InitialCapital),
	}
	n := float64(len(out.Decisions))
	inCash, defended := 0.0, 0
	for _, d := range out.Decisions {
		r.Allocations = append(r.Allocations, d.Allocation())
		for _, w := range d.Weights {
			if w.Asset == cash {
				inCash += w.Part
			}
		}
		if d.Regime == Defensive {
			defended++
		}
	}
	r.Exposure, r.DefensiveMonths = 1-inCash/n, float64(defended)/n
	return r, nil
}

func portfolioOf(d backtest.Decision) Portfolio {
	out := Portfolio{OffensiveAssets: []string{}, Weights: d.Weights}
	for _, w := range d.Weights {
		if d.Regime == Defensive {
			out.DefensiveAssets = append(out.DefensiveAssets, w.Asset)
		} else {
			out.OffensiveAssets = append(out.OffensiveAssets, w.Asset)
		}
	}
	return out
}
