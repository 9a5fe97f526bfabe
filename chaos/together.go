package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"switchyard/sim/hilink"
)

// togetherScenarios break nothing: many requests for one dongle, and all
// dongles at once.
func togetherScenarios() []scenario {
	return []scenario{
		{name: "join", run: join},
		{name: "parallel", run: parallel, reattach: hilink.DefaultReattach},
	}
}

// resultWait is what a client that waits for a result asks for.
const resultWait = 60 * time.Second

// join asks a hundred times at once for one dongle: one toggle, and a hundred
// times its result.
func join(ctx context.Context, s *stage) (string, error) {
	const requests = 100
	replies := make([]reply, requests)
	var wg sync.WaitGroup
	for i := range replies {
		wg.Go(func() { replies[i] = s.ask.toggle(ctx, firstModem, resultWait) })
	}
	wg.Wait()
	bodies, jobs := map[string]int{}, map[string]int{}
	for _, r := range replies {
		if r.status != http.StatusOK {
			return "", errors.New(r.String())
		}
		bodies[r.body]++
		jobs[r.job]++
	}
	attached := 0
	for _, e := range s.modems[0].Ledger() {
		if len(e.What) > 8 && e.What[:8] == "attached" {
			attached++
		}
	}
	words := fmt.Sprintf("%d requests, %d toggle, %d different answers; the modem attached %d time(s) more", requests, len(jobs), len(bodies), attached-1)
	if len(jobs) != 1 || len(bodies) != 1 || attached != 2 {
		return words, fmt.Errorf("not one toggle with one answer")
	}
	return words, nil
}

// parallelMost is how much longer all dongles at once may take than one.
const parallelMost = 1.2

// parallel compares toggling one dongle with toggling all of them.
func parallel(ctx context.Context, s *stage) (string, error) {
	rounds := 5
	if s.opt.short {
		rounds = 3
	}
	one, all := make([]time.Duration, rounds), make([]time.Duration, rounds)
	timed := func(f func() []reply) (time.Duration, error) {
		began := time.Now()
		replies := f()
		took := time.Since(began)
		for _, r := range replies {
			if r.status != http.StatusOK {
				return 0, errors.New(r.String())
			}
		}
		return took, nil
	}
	for i := range rounds {
		var err error
		if one[i], err = timed(func() []reply { return []reply{s.ask.toggle(ctx, firstModem+i, resultWait)} }); err != nil {
			return "", err
		}
		if all[i], err = timed(func() []reply { return s.toggleAll(ctx, resultWait) }); err != nil {
			return "", err
		}
	}
	ratio := median(all).Seconds() / median(one).Seconds()
	words := fmt.Sprintf("one %s, %d at once %s (medians of %d): %.2f ×", median(one).Round(time.Millisecond), len(s.modems), median(all).Round(time.Millisecond), rounds, ratio)
	if ratio > parallelMost {
		return words, fmt.Errorf("all at once took %.2f × one, more than %.1f", ratio, parallelMost)
	}
	return words, nil
}

// median of durations; it leaves them as they are.
func median(d []time.Duration) time.Duration { return quantile(d, 0.5) }

// quantile of durations: the least that so large a part of them doesn't exceed.
func quantile(d []time.Duration, part float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(d))
	return sorted[min(len(sorted)-1, int(part*float64(len(sorted))))]
}
