package hosts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrOnline: the host is alive, so it can't be removed.
var ErrOnline = errors.New("the host is online")

// removedKey holds the hosts that are being removed or were, by when it began.
const removedKey = "sw:v1:hosts:removed"

// removedWatch is how long a removed host is looked after: far longer than any
// process may believe that it is still there, and send it jobs.
const removedWatch = time.Hour

// Remove begins to remove a host. Its jobs have to be ended next, and then
// Forget called; whoever dies in between is made good for by those who go
// through Removed. Errors: ErrUnknown, ErrOnline.
func (r *Registry) Remove(ctx context.Context, name string, now time.Time) error {
	res, err := removeScript.Run(ctx, r.rdb, []string{registrationKey(name), hostsKey, removedKey}, name, now.UnixMilli()).Text()
	switch {
	case err != nil:
		return unavailable(fmt.Sprintf("removing host %s", name), err)
	case res == "online":
		return fmt.Errorf("host %s: %w", name, ErrOnline)
	case res == "unknown":
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	return nil
}

// Forget ends a removal: nobody finds the host any more. It may be repeated.
// Error: ErrOnline, if the host has come back meanwhile.
func (r *Registry) Forget(ctx context.Context, name string) error {
	res, err := forgetScript.Run(ctx, r.rdb,
		[]string{
			registrationKey(name), hostsKey, infoKey(name), donglesKey(name), togglesKey(name), addressesKey(name), rotationsKey(name),
			pushesKey(name),
		}, name).Text()
	if err != nil {
		return unavailable(fmt.Sprintf("forgetting host %s", name), err)
	}
	if res == "back" {
		return fmt.Errorf("host %s: %w", name, ErrOnline)
	}
	return nil
}

// Removed returns the hosts that are being removed, or were a short while ago:
// a process that didn't know of it yet may have sent them jobs. Those that came
// back, and those removed long ago, it strikes off.
func (r *Registry) Removed(ctx context.Context, now time.Time) ([]string, error) {
	all, err := r.rdb.ZRangeWithScores(ctx, removedKey, 0, -1).Result()
	if err != nil {
		return nil, unavailable("reading removed hosts", err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	registered := make([]*redis.BoolCmd, len(all))
	removing := make([]*redis.BoolCmd, len(all))
	_, err = r.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, z := range all {
			name := fmt.Sprint(z.Member)
			registered[i] = p.SIsMember(ctx, hostsKey, name)
			removing[i] = p.HExists(ctx, registrationKey(name), "removing")
		}
		return nil
	})
	if err != nil && !wrongKind(err) {
		return nil, unavailable("reading removed hosts", err)
	}
	var out []string
	for i, z := range all {
		for _, err := range []error{registered[i].Err(), removing[i].Err()} {
			if err != nil && !wrongKind(err) {
				return nil, unavailable("reading removed hosts", err)
			}
		}
		name := fmt.Sprint(z.Member)
		back := registered[i].Val() && !removing[i].Val()
		long := !registered[i].Val() && now.Sub(time.UnixMilli(int64(z.Score))) > removedWatch
		if !back && !long {
			out = append(out, name)
			continue
		}
		if err := r.rdb.ZRem(ctx, removedKey, name).Err(); err != nil {
			return nil, unavailable("reading removed hosts", err)
		}
	}
	return out, nil
}
