package strategy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"switchyard/strategy/baa"
	"switchyard/strategy/catalog"
	"switchyard/strategy/command"
	"switchyard/strategy/crossover"
	"switchyard/strategy/prices"
)

// Runner executes strategies. It is safe for concurrent use.
type Runner struct {
	// Real has the prices for use_real_data; nil: there are none.
	Real prices.Source
	// Commands are the strategies that are programs, by name.
	Commands map[string]command.Spec
}

// Order is one execution.
type Order struct {
	// Execution is its number.
	Execution     int64
	Name, Version string
	// Parameters as package catalog fills them in.
	Parameters json.RawMessage
}

// Progress is how far an execution is.
type Progress struct {
	// Percent of the whole, 0 to 100.
	Percent int `json:"percent"`
	// Stage is what it does: prices, backtest, command, finished.
	Stage string `json:"stage"`
	// Errors is what a command wrote to its standard error, the end of it.
	Errors string `json:"stderr,omitempty"`
}

// Stages.
const (
	stagePrices   = "prices"
	stageBacktest = "backtest"
	stageCommand  = "command"
	stageFinished = "finished"
)

// ErrUnknown: there is no such strategy in this process.
var ErrUnknown = errors.New("this worker does not know the strategy")

// errNoPrices: use_real_data, and nobody to ask.
var errNoPrices = errors.New("use_real_data: no source of prices is configured (strategy.prices)")

// Temporary reports whether an execution that failed may well succeed later: its prices
// can't be had at present, or it is for another worker, whose configuration is newer.
func Temporary(err error) bool {
	var away *prices.UnavailableError
	return errors.As(err, &away) || errors.Is(err, ErrUnknown)
}

// Run executes an order; report hears how far it is, often. The result can be written
// as JSON. Errors tell people what is wrong; or are those of ctx, at once.
func (r *Runner) Run(ctx context.Context, o Order, report func(Progress)) (any, error) {
	if spec, ok := r.Commands[o.Name]; ok {
		return r.command(ctx, spec, o, report)
	}
	switch o.Name {
	case catalog.BoldAssetAllocation:
		return r.baa(ctx, o, report)
	case catalog.MovingAverageCrossover:
		return r.crossover(ctx, o, report)
	}
	return nil, fmt.Errorf("%s: %w", o.Name, ErrUnknown)
}

func (r *Runner) command(ctx context.Context, spec command.Spec, o Order, report func(Progress)) (any, error) {
	report(Progress{Stage: stageCommand})
	out, err := command.Run(ctx, spec, command.Input{
		Execution: o.Execution, Strategy: o.Name, Version: o.Version, Parameters: o.Parameters,
	}, func(percent int) { report(Progress{Percent: percent, Stage: stageCommand}) })
	last := Progress{Percent: 100, Stage: stageFinished, Errors: out.Errors}
	if err != nil {
		last.Percent, last.Stage = 0, stageCommand
	}
	if err == nil || out.Errors != "" {
		report(last)
	}
	return out.Result, err
}

// source is where the prices come from.
func (r *Runner) source(parameters json.RawMessage) (prices.Source, error) {
	var p struct {
		Real bool `json:"use_real_data"`
	}
	if err := json.Unmarshal(parameters, &p); err != nil {
		return nil, fmt.Errorf("unreadable parameters: %w", err)
	}
	switch {
	case !p.Real:
		return prices.Generator{Seed: 1}, nil
	case r.Real == nil:
		return nil, errNoPrices
	}
	return r.Real, nil
}

// pricesShare is how much of the work it counts as to have the prices, in percent.
const pricesShare = 60

func (r *Runner) baa(ctx context.Context, o Order, report func(Progress)) (any, error) {
	var p baa.Parameters
	if err := json.Unmarshal(o.Parameters, &p); err != nil {
		return nil, fmt.Errorf("unreadable parameters: %w", err)
	}
	source, err := r.source(o.Parameters)
	if err != nil {
		return nil, err
	}
	assets, err := baa.Assets(p.Variant)
	if err != nil {
		return nil, err
	}
	series := make([]*prices.Series, len(assets))
	for i, a := range assets {
		report(Progress{Percent: pricesShare * i / len(assets), Stage: stagePrices})
		if series[i], err = source.Daily(ctx, a); err != nil {
			return nil, err
		}
	}
	result, err := baa.Run(ctx, p, series, func(done, of int) {
		report(Progress{Percent: pricesShare + (100-pricesShare)*done/of, Stage: stageBacktest})
	})
	if err != nil {
		return nil, err
	}
	result.DataSource = source.Name()
	report(Progress{Percent: 100, Stage: stageFinished})
	return result, nil
}

func (r *Runner) crossover(ctx context.Context, o Order, report func(Progress)) (any, error) {
	var p crossover.Parameters
	if err := json.Unmarshal(o.Parameters, &p); err != nil {
		return nil, fmt.Errorf("unreadable parameters: %w", err)
	}
	source, err := r.source(o.Parameters)
	if err != nil {
		return nil, err
	}
	report(Progress{Stage: stagePrices})
	series, err := source.Daily(ctx, p.Symbol)
	if err != nil {
		return nil, err
	}
	report(Progress{Percent: pricesShare, Stage: stageBacktest})
	result, err := crossover.Run(ctx, p, series)
	if err != nil {
		return nil, err
	}
	result.DataSource = source.Name()
	report(Progress{Percent: 100, Stage: stageFinished})
	return result, nil
}
