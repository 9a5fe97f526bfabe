// Package scheduler does what happens by the clock. Every effect is a
// transition of a record that happens once however many schedulers run, so
// there is no leader: start as many as you like, kill any of them.
//
// That is the sweep: orphaned jobs are taken over, expired ones ended, old ones
// forgotten (package jobs), and what is left of removed hosts is cleared away.
// And it is the minute: every host that is online pushes its status (Pushes). And it
// is the alerts: what may go wrong is looked at, and who is to know is told (Watch).
package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/metrics"
)

// Options of a Scheduler.
type Options struct {
	Store    *jobs.Store
	Registry *hosts.Registry
	// SweepInterval is the time between two sweeps.
	SweepInterval time.Duration
	Log           *slog.Logger
	// Meter counts what the sweeps do. Optional.
	Meter *metrics.Metrics
	// Push is how hosts push their status, as configured now. nil: they don't.
	Push func() configs.Push
	// Watch looks at what may go wrong. nil: nobody does.
	Watch *Watch
}

// Run does all of it until ctx ends. Whatever goes wrong is logged and tried
// again in the next round.
func Run(ctx context.Context, opt Options) {
	all := []func(context.Context){func(ctx context.Context) { runSweeps(ctx, opt) }}
	if opt.Push != nil {
		p := &Pushes{Store: opt.Store, Registry: opt.Registry, Config: opt.Push, Log: opt.Log}
		all = append(all, p.Run)
	}
	if opt.Watch != nil {
		all = append(all, opt.Watch.Run)
	}
	together(ctx, all...)
}

func runSweeps(ctx context.Context, opt Options) {
	sweeper := opt.Store.NewSweeper(opt.Log)
	every(ctx, opt.SweepInterval, func(ctx context.Context) error { return sweep(ctx, sweeper, opt) },
		opt.Log, "sweep failed; trying on", "sweep works again")
}

// every does something at an interval until ctx ends. That it has begun to fail is
// logged, and that it works again.
func every(ctx context.Context, interval time.Duration, do func(context.Context) error, log *slog.Logger, fails, works string) {
	t := time.NewTicker(interval)
	defer t.Stop()
	var away outage
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		away.tell(ctx, log, do(ctx), fails, works)
	}
}

// outage is whether the last round failed.
type outage bool

// tell logs that rounds have begun to fail, or work again. One that ends with ctx
// is neither.
func (o *outage) tell(ctx context.Context, log *slog.Logger, err error, fails, works string) {
	switch {
	case err != nil && ctx.Err() == nil && !bool(*o):
		log.Warn(fails, "err", err)
		*o = true
	case err == nil && bool(*o):
		log.Info(works)
		*o = false
	}
}

func sweep(ctx context.Context, s *jobs.Sweeper, opt Options) error {
	names, err := opt.Registry.Names(ctx)
	if err != nil {
		s.Outage()
		return err
	}
	n, err := s.Sweep(ctx, names)
	opt.Meter.Swept(n.Rescued, n.Expired, n.Lost, n.Dropped)
	if err != nil {
		return err
	}
	return lookAfterRemoved(ctx, opt)
}

// lookAfterRemoved goes on with removals of hosts that nobody ended, and ends
// jobs that were still accepted for hosts just removed.
func lookAfterRemoved(ctx context.Context, opt Options) error {
	now := opt.Store.Now()
	names, err := opt.Registry.Removed(ctx, now)
	if err != nil {
		return err
	}
	for _, name := range names {
		for more := true; more; {
			var n int
			if n, more, err = opt.Store.Evict(ctx, name, now); err != nil {
				return err
			}
			if n > 0 {
				opt.Log.Info("ended jobs of a removed host", "host", name, "jobs", n)
			}
		}
		if err := opt.Registry.Forget(ctx, name); err != nil && !errors.Is(err, hosts.ErrOnline) {
			return err
		}
	}
	return nil
}
