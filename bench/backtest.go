package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"switchyard/strategy"
	"switchyard/strategy/baa"
	"switchyard/strategy/prices"
)

const (
	backtestVariant = "BAA-G12"
	backtestTarget  = 20 * time.Millisecond
	backtestRuns    = 50
)

// backtest measures an execution of BAA-G12 over 20 years of daily prices of its 17
// assets, as a worker does it, from the order to the result's JSON: with the prices of a
// folder that was read before, as all executions but the first have them. Beside it, what
// the first one takes, which reads the files, and one with generated prices.
func backtest(ctx context.Context, o options) ([]row, error) {
	assets, err := baa.Assets(backtestVariant)
	if err != nil {
		return nil, err
	}
	for _, a := range assets {
		if err := writePrices(ctx, o.dir, a); err != nil {
			return nil, err
		}
	}
	order := func(fromFolder bool) strategy.Order {
		return strategy.Order{Execution: 1, Name: "BoldAssetAllocation", Version: "1.0.0", Parameters: json.RawMessage(fmt.Sprintf(
			`{"variant":%q,"initial_capital":100000,"use_real_data":%v,"transaction_cost":0.001,"start_date":null,"end_date":null}`, backtestVariant, fromFolder))}
	}
	var first, again, generated []time.Duration
	for range o.rounds {
		r := &strategy.Runner{Real: prices.NewFolder(o.dir)}
		took, err := executionTime(ctx, r, order(true))
		if err != nil {
			return nil, err
		}
		first = append(first, took)
		for _, x := range []struct {
			real bool
			to   *[]time.Duration
		}{{true, &again}, {false, &generated}} {
			var all []time.Duration
			for range backtestRuns {
				took, err := executionTime(ctx, r, order(x.real))
				if err != nil {
					return nil, err
				}
				all = append(all, took)
			}
			*x.to = append(*x.to, median(all))
		}
	}
	years := float64(prices.DayOf(2024, 12, 31)-prices.DayOf(2005, 1, 3)) / 365.25
	what := fmt.Sprintf("BAA backtest, %.0f years daily, %d assets", years, len(assets))
	return []row{
		{what: what, ours: millis(median(again)), target: "<= " + millis(backtestTarget), verdict: atMost(median(again), backtestTarget)},
		{what: what + ", files read anew", ours: millis(median(first))},
		{what: what + ", prices generated", ours: millis(median(generated)), target: "<= " + millis(backtestTarget), verdict: atMost(median(generated), backtestTarget)},
	}, nil
}

func executionTime(ctx context.Context, r *strategy.Runner, o strategy.Order) (time.Duration, error) {
	began := time.Now()
	result, err := r.Run(ctx, o, func(strategy.Progress) {})
	if err != nil {
		return 0, err
	}
	if _, err := json.Marshal(result); err != nil {
		return 0, fmt.Errorf("writing the result: %w", err)
	}
	return time.Since(began), nil
}

// writePrices writes an asset's generated prices as Yahoo's tables have them.
func writePrices(ctx context.Context, dir, asset string) error {
	s, err := prices.Generator{Seed: 1}.Daily(ctx, asset)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("Date,Open,High,Low,Close,Adj Close,Volume\n")
	for _, x := range s.Bars {
		fmt.Fprintf(&b, "%s,%.4f,%.4f,%.4f,%.4f,%.4f,1000000\n", x.Day, x.Open, max(x.Open, x.Close), min(x.Open, x.Close), x.Close, x.Close)
	}
	if err := os.WriteFile(filepath.Join(dir, asset+".csv"), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing the prices of %s: %w", asset, err)
	}
	return nil
}
