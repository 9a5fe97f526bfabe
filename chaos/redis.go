package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// redisScenarios take Redis away: dead and back with all that it had said yes
// to, or silent.
func redisScenarios() []scenario {
	return []scenario{
		{name: "redis-kill/load", run: killRedis},
		{name: "redis-kill/accept", run: killRedisAtAccept},
		{name: "redis-hang", run: hangRedis},
		{name: "redis-away", run: redisAway},
	}
}

// The pauses between the requests of one client of the load.
const (
	leastPause = 50 * time.Millisecond
	mostPause  = 250 * time.Millisecond
)

// killRedis kills it again and again under load.
func killRedis(ctx context.Context, s *stage) (string, error) {
	kills := 8
	if s.opt.short {
		kills = 4
	}
	stop := s.load(ctx, leastPause, mostPause)
	defer stop()
	for range kills {
		if err := rest(ctx, s.between(time.Second, 3*time.Second)); err != nil {
			return "", err
		}
		s.redis.Kill()
		if err := rest(ctx, s.between(0, 2*time.Second)); err != nil {
			return "", err
		}
		if err := s.restartRedis(ctx); err != nil {
			return "", err
		}
	}
	if err := rest(ctx, 2*time.Second); err != nil {
		return "", err
	}
	return fmt.Sprintf("killed %d times under load, away for up to 2 s", kills), nil
}

// acceptTakes is about how long it takes until a request for each dongle, all
// sent at once, has been taken by a Redis that writes everything to disk.
const acceptTakes = 60 * time.Millisecond

// killRedisAtAccept kills it at the very moment that requests come in, and
// keeps it away for longer than a request waits: who was refused must not find
// the toggle done.
func killRedisAtAccept(ctx context.Context, s *stage) (string, error) {
	kills := 30
	if s.opt.short {
		kills = 10
	}
	for range kills {
		asked := make(chan []reply, 1)
		go func() { asked <- s.toggleAll(ctx, 0) }()
		if err := rest(ctx, s.between(0, acceptTakes)); err != nil {
			return "", err
		}
		s.redis.Kill()
		replies := <-asked
		if err := s.restartRedis(ctx); err != nil {
			return "", err
		}
		var ids []string
		for _, r := range replies {
			if r.promised() {
				ids = append(ids, r.job)
			}
		}
		if _, err := s.awaitEnds(ctx, time.Minute, ids...); err != nil {
			return "", err
		}
		if err := s.idle(ctx); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("killed %d times within %s of %d requests, back when they had been answered", kills, acceptTakes, len(s.modems)), nil
}

// hangRedis freezes it under load.
func hangRedis(ctx context.Context, s *stage) (string, error) {
	const hang, hangs = 3 * time.Second, 3
	stop := s.load(ctx, leastPause, mostPause)
	defer stop()
	for range hangs {
		if err := rest(ctx, s.between(time.Second, 3*time.Second)); err != nil {
			return "", err
		}
		if err := s.redis.Hang(); err != nil {
			return "", err
		}
		err := rest(ctx, hang)
		if err := errors.Join(err, s.redis.Resume()); err != nil {
			return "", err
		}
	}
	if err := rest(ctx, 2*time.Second); err != nil {
		return "", err
	}
	return fmt.Sprintf("frozen %d times for %s under load", hangs, hang), nil
}

const (
	// busyAway is what a process may use of one core while Redis is away.
	busyAway = 0.10
	// cpuSettles is left out at the beginning of the outage.
	cpuSettles = 2 * time.Second
)

// redisAway kills it in the middle of toggles and leaves it away for long.
func redisAway(ctx context.Context, s *stage) (string, error) {
	away := time.Minute
	if s.opt.short {
		away = 15 * time.Second
	}
	from := s.ledgerLengths()
	ids, err := promisedJobs(s.toggleAll(ctx, 0))
	if err != nil {
		return "", err
	}
	if err := s.everyModem(ctx, from, "detached", nil); err != nil {
		return "", err
	}
	s.redis.Kill()
	died := time.Now()
	if err := s.everyModem(ctx, from, "attached", nil); err != nil {
		return "", fmt.Errorf("handlers did not go on without Redis: %w", err)
	}
	wentOn := time.Since(died)
	if err := rest(ctx, cpuSettles); err != nil {
		return "", err
	}
	watched := []*process{s.host, s.deliverer, s.api}
	before, err := cpuOf(watched)
	if err != nil {
		return "", err
	}
	measured := time.Now()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for time.Since(died) < away {
		if r := s.ask.toggle(ctx, firstModem, 0); r.status != http.StatusServiceUnavailable {
			return "", fmt.Errorf("without Redis, %s", r.String())
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	after, err := cpuOf(watched)
	if err != nil {
		return "", err
	}
	took := time.Since(measured)
	if err := s.restartRedis(ctx); err != nil {
		return "", err
	}
	back := time.Now()
	if _, err := s.awaitEnds(ctx, time.Minute, ids...); err != nil {
		return "", err
	}
	recorded := time.Since(back)
	var busy []string
	for i, p := range watched {
		part := float64(after[i]-before[i]) / float64(took)
		busy = append(busy, fmt.Sprintf("%s %.1f %%", p.name, 100*part))
		if part > busyAway {
			err = errors.Join(err, fmt.Errorf("%s used %.0f %% of a core while Redis was away", p.name, 100*part))
		}
	}
	return fmt.Sprintf("away for %s; all modems were back on the network after %s, all results recorded %s after Redis was back; CPU meanwhile, of one core: %s",
		away, wentOn.Round(10*time.Millisecond), recorded.Round(10*time.Millisecond), strings.Join(busy, ", ")), err
}

func cpuOf(all []*process) ([]time.Duration, error) {
	out := make([]time.Duration, len(all))
	for i, p := range all {
		var err error
		if out[i], err = p.cpu(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
