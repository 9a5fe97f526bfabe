// Package limits keeps rates that all processes of an environment share, such as
// how often an API of others may be asked with one token: they stand in Redis, and
// Redis' clock counts, so that no two processes disagree.
//
// A rate is kept by its next free moment (GCRA): one key, one script, whatever
// the rate. A caller who has to wait a little is given a place, and waits for it by
// itself; places are handed out in the order they were asked for. One who would
// have to wait longer than it wants to is given none and told how long. Several
// rates are taken together or not at all.
//
// A Limiter is safe for concurrent use.
package limits

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Prefix stands in front of the key of every rate.
const Prefix = "sw:v1:limit:"

// ErrUnavailable: Redis could not be asked.
var ErrUnavailable = errors.New("the shared rates are out of reach")

// LaterError says that there is no place soon enough.
type LaterError struct {
	// After is when to ask again.
	After time.Duration
}

// Error implements error.
func (e *LaterError) Error() string { return "there is no place for " + e.After.String() }

// Rate is how often something may be done.
type Rate struct {
	// Name of the rate; all who share it use the same numbers.
	Name string
	// Events within Per.
	Events int
	Per    time.Duration
	// Burst is how many may come at once after a pause; at least 1. So no time
	// as long as Per sees more than Events and Burst together.
	Burst int
	// Cost is how many events what is to be done counts as; 0 is 1.
	Cost int
}

func (r Rate) cost() int64 { return int64(max(1, r.Cost)) }

func (r Rate) interval() int64 { return max(1, r.Per.Microseconds()/int64(max(1, r.Events))) }

func (r Rate) tolerance() int64 { return int64(max(1, r.Burst)-1) * r.interval() }

var (
	//go:embed take.lua
	takeSource string
	//go:embed freeze.lua
	freezeSource string

	takeScript, freezeScript = redis.NewScript(takeSource), redis.NewScript(freezeSource)
)

// Limiter hands out places.
type Limiter struct{ rdb redis.Scripter }

// New returns a limiter on this Redis.
func New(rdb redis.Scripter) *Limiter { return &Limiter{rdb: rdb} }

// Wait waits for a place in all of these rates, for at most about most. Errors: a
// *LaterError if there is none so soon, ErrUnavailable, or the cause of ctx.
func (l *Limiter) Wait(ctx context.Context, most time.Duration, rates ...Rate) error {
	end := time.Now().Add(most)
	for {
		left := max(0, time.Until(end))
		wait, ok, err := l.Take(ctx, left, rates...)
		switch {
		case err != nil:
			return err
		case !ok && wait > left:
			return &LaterError{After: wait}
		}
		if err := rest(ctx, wait); err != nil || ok {
			return err
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Take takes a place in all of these rates: ok, and it may be used after wait,
// which is at most most. Not ok: nothing was taken, and asking again makes sense
// after wait. Of several rates a place is only given where it is free at once:
// one that lies ahead in one of them would hold up the others. Error:
// ErrUnavailable.
func (l *Limiter) Take(ctx context.Context, most time.Duration, rates ...Rate) (wait time.Duration, ok bool, err error) {
	if len(rates) > 1 {
		most = 0
	}
	keys := make([]string, len(rates))
	args := []any{most.Microseconds()}
	for i, r := range rates {
		keys[i] = Prefix + r.Name
		// Several places are one that is as long, and needs them all to be free.
		args = append(args, r.cost()*r.interval(), r.tolerance()-(r.cost()-1)*r.interval())
	}
	res, err := takeScript.Run(ctx, l.rdb, keys, args...).Int64Slice()
	if err != nil {
		return 0, false, unavailable("taking a place", err)
	}
	return time.Duration(res[1]) * time.Microsecond, res[0] == 1, nil
}

// Freeze has nobody get a place for d, and no burst after that: whoever sets the
// rate has said that it was exceeded. Error: ErrUnavailable.
func (l *Limiter) Freeze(ctx context.Context, d time.Duration, r Rate) error {
	err := freezeScript.Run(ctx, l.rdb, []string{Prefix + r.Name}, d.Microseconds(), r.tolerance()).Err()
	if err != nil {
		return unavailable("closing rate "+r.Name, err)
	}
	return nil
}

func unavailable(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}
