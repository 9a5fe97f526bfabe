package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchyard/cloudflare"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/limits"
	"switchyard/tasks"
)

// Cloudflare executes the jobs for Cloudflare.
type Cloudflare struct {
	Client *cloudflare.Client
	// Limits are those that all workers share.
	Limits *limits.Limiter
	Config configs.Cloudflare
	Log    *slog.Logger
}

const (
	// cloudflareWindow is the time that Cloudflare counts requests in.
	cloudflareWindow = 5 * time.Minute
	// placeWait is the longest that a job waits for its first turn; one that would
	// have to wait longer comes back then.
	placeWait = 20 * time.Second
	// nextWait is the longest that it waits for a further one: it has begun, and
	// would have to begin anew. So those that have begun come first.
	nextWait = 2 * time.Minute
	// freezeTimeout bounds what telling the others costs a handler.
	freezeTimeout = 3 * time.Second
)

// Handle is the handler of tasks.CFBlock, CFRelease and CFSearch.
func (c *Cloudflare) Handle(ctx context.Context, r *Run) Outcome {
	var p tasks.CFPayload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return GiveUp(fmt.Errorf("unreadable payload: %w", err), nil)
	}
	target, err := tasks.ParseTarget(p.IP)
	if err != nil {
		return GiveUp(fmt.Errorf("%s is not %w", p.IP, err), nil)
	}
	patience := placeWait
	result, err := c.Client.Do(ctx, cloudflare.Job{Type: r.Type, Target: target, ID: r.ID, So: soFar(r)}, cloudflare.Hooks{
		Before: func(ctx context.Context) error {
			if err := c.turn(ctx, patience); err != nil {
				return err
			}
			patience = nextWait
			return r.Check(ctx)
		},
		Progress: func(ctx context.Context, so tasks.CFResult) {
			if err := r.Progress(ctx, so); err != nil {
				c.Log.Debug("progress not noted", "job", r.ID, "err", err)
			}
		},
	})
	var later *limits.LaterError
	switch {
	case err == nil:
		return Done(result)
	case errors.Is(err, ErrStopping), errors.Is(err, jobs.ErrLost):
		return Release()
	case errors.Is(err, jobs.ErrCancelAsked):
		return Cancelled(result)
	case errors.As(err, &later):
		return Postpone(later.After)
	case errors.Is(err, ErrLimit):
		return RetryAfter(c.pause(r.Tries), err, result)
	}
	after, temporary := cloudflare.Temporary(err)
	if !temporary {
		return GiveUp(err, result)
	}
	var refusal *cloudflare.Error
	if errors.As(err, &refusal) && refusal.Limited() {
		c.freeze(ctx, refusal.RetryAfter)
	}
	if after == 0 {
		after = c.pause(r.Tries)
	}
	return RetryAfter(after, err, result)
}

// soFar is what earlier tries came to: their progress, which is written down
// before and after every change, so that a worker that died is no loss.
func soFar(r *Run) (so tasks.CFResult) {
	for _, doc := range []json.RawMessage{r.Result, r.Job.Progress} {
		var x tasks.CFResult
		if json.Unmarshal(doc, &x) == nil && x.Action != "" {
			so = x
		}
	}
	return so
}

// turn waits for a place among the requests of all workers, and for Redis, which
// has them.
func (c *Cloudflare) turn(ctx context.Context, most time.Duration) error {
	return placed(ctx, func() error { return c.Limits.Wait(ctx, most, c.rate()) })
}

// placed waits for a place, again and again while Redis is away. Error: that of
// wait, or the cause of ctx.
func placed(ctx context.Context, wait func() error) error {
	return insist(ctx, func(err error) bool { return errors.Is(err, limits.ErrUnavailable) }, wait)
}

// rate is how often all workers may ask together: a tenth of it at once, so that
// no five minutes see more than was configured.
func (c *Cloudflare) rate() limits.Rate {
	burst := max(1, c.Config.Requests/10)
	return limits.Rate{Name: "cloudflare", Events: max(1, c.Config.Requests-burst), Per: cloudflareWindow, Burst: burst}
}

// freeze has all workers leave Cloudflare alone, which has said that it was asked
// too often: it would refuse them, too, and count that.
func (c *Cloudflare) freeze(ctx context.Context, d time.Duration) {
	c.Log.Warn("Cloudflare was asked too often; nobody asks it for a while", "wait", d)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), freezeTimeout)
	defer cancel()
	if err := c.Limits.Freeze(ctx, d, c.rate()); err != nil {
		c.Log.Warn("could not tell the other workers to leave Cloudflare alone", "err", err)
	}
}

// pause is how long to wait after a failed try, tries having failed before it.
func (c *Cloudflare) pause(tries int) time.Duration {
	return tasks.Backoff(c.Config.FirstRetry.Std(), c.Config.MaxRetry.Std(), tries)
}
