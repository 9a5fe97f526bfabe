package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/strategy"
	"switchyard/tasks"
)

// Strategies executes strategies.
type Strategies struct {
	Runner *strategy.Runner
	Config configs.Strategy
	Log    *slog.Logger
}

// progressPause is the least time between two words of how far an execution is: most
// are over sooner.
const progressPause = 250 * time.Millisecond

// Handle is the handler of tasks.Strategy. An execution has no effect on the world but
// its result, so it needs no check before one, and one that broke off begins anew.
func (s *Strategies) Handle(ctx context.Context, r *Run) Outcome {
	var p tasks.StrategyPayload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return GiveUp(fmt.Errorf("unreadable payload: %w", err), nil)
	}
	if p.Fault != "" {
		return GiveUp(errors.New(p.Fault), nil)
	}
	if ctx.Err() != nil { // cancelled before it began
		return ended(context.Cause(ctx), s, r)
	}
	var mu sync.Mutex // a program's words come from whoever reads its output
	var last strategy.Progress
	var told time.Time
	result, err := s.Runner.Run(ctx, strategy.Order{
		Execution: p.Execution, Name: p.Strategy, Version: p.Version, Parameters: p.Parameters,
	}, func(so strategy.Progress) {
		mu.Lock()
		defer mu.Unlock()
		over := so.Percent == 100 || so.Errors != ""
		if so == last || !over && time.Since(told) < progressPause {
			return
		}
		last, told = so, time.Now()
		if err := r.Progress(ctx, so); err != nil {
			s.Log.Debug("progress not noted", "job", r.ID, "err", err)
		}
	})
	if err != nil {
		return ended(err, s, r)
	}
	return Done(result)
}

// ended is what becomes of an execution that brought no result.
func ended(err error, s *Strategies, r *Run) Outcome {
	switch {
	case errors.Is(err, ErrStopping), errors.Is(err, jobs.ErrLost):
		return Release()
	case errors.Is(err, jobs.ErrCancelAsked):
		return Cancelled(nil)
	case errors.Is(err, ErrLimit):
		return GiveUp(fmt.Errorf("it took longer than %s (strategy.limit)", r.Limit), nil)
	case strategy.Temporary(err):
		return RetryAfter(tasks.Backoff(s.Config.FirstRetry.Std(), s.Config.MaxRetry.Std(), r.Tries), err, nil)
	}
	return GiveUp(err, nil)
}
