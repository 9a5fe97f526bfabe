package scheduler

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

const (
	// pushPeriod is the time from one push of a host to its next.
	pushPeriod = time.Minute
	// pushLook is the longest that a scheduler goes without looking whose push of
	// this minute is missing: a host that has come back, or one that another
	// scheduler was about to make when it died.
	pushLook = 5 * time.Second
	// pushLimit bounds one look.
	pushLimit = 10 * time.Second
)

// Pushes has every host that is online push its status once a minute. It
// remembers nothing: what is missing in this minute is in Redis for all to see,
// what was missed in another is gone.
type Pushes struct {
	Store    *jobs.Store
	Registry *hosts.Registry
	// Config is the configuration as it is now.
	Config func() configs.Push
	Log    *slog.Logger
}

// Run looks at the beginning of every minute, and every few seconds in between,
// until ctx ends.
func (p *Pushes) Run(ctx context.Context) {
	t := time.NewTimer(0)
	defer t.Stop()
	var away outage
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		away.tell(ctx, p.Log, p.Look(ctx), "could not have the hosts push their status; trying on", "hosts push their status again")
		t.Reset(NextLook(p.Store.Now()))
	}
}

// NextLook is how long after now the next look is due.
func NextLook(now time.Time) time.Duration {
	return min(pushLook, now.Truncate(pushPeriod).Add(pushPeriod).Sub(now))
}

// Look makes the pushes of this minute that are missing, of the hosts that are
// online. What it could not make is left to the next look.
func (p *Pushes) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pushLimit)
	defer cancel()
	c := p.Config()
	now := p.Store.Now()
	minute := now.Truncate(pushPeriod)
	if now.Sub(minute) >= c.MaxAge.Std() {
		return nil // nobody would post it any more
	}
	names, err := p.Registry.Names(ctx)
	if err != nil {
		return err
	}
	due, err := p.Store.Due(ctx, tasks.Push, minute, names)
	if err != nil {
		return err
	}
	infos, err := p.Registry.Infos(ctx, due)
	if err != nil {
		return err
	}
	var drafts []tasks.Draft
	for _, i := range infos {
		if p.Registry.Online(i, now) {
			drafts = append(drafts, tasks.NewPush(i.Name, minute, c.MaxAge.Std(), c.Timeout.Std()))
		}
	}
	made, err := p.Store.AcceptDue(ctx, minute, drafts)
	if made > 0 {
		p.Log.Debug("hosts are to push their status", "hosts", made, "minute", minute.UTC())
	}
	return err
}

// together runs what a scheduler does, each in its own rhythm, until ctx ends.
func together(ctx context.Context, run ...func(context.Context)) {
	var wg sync.WaitGroup
	for _, f := range run {
		wg.Go(func() { f(ctx) })
	}
	wg.Wait()
}
