package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// apiScenarios stop and kill the process that takes requests, and the
// scheduler with it.
func apiScenarios() []scenario {
	return []scenario{
		{name: "api-term/waiting", run: stopAPI, reattach: 4 * time.Second},
		{name: "api-kill/load", run: killAPI},
		{name: "api-kill/with-deliverer", run: killAPIWithDeliverer, bend: rules{doubled: true}},
	}
}

// answeredAtOnce is how soon those who wait are answered when the api stops.
const answeredAtOnce = 500 * time.Millisecond

// stopAPI has requests wait for results, and stops the api meanwhile.
func stopAPI(ctx context.Context, s *stage) (string, error) {
	const perModem = 3
	replies := make([]reply, perModem*len(s.modems))
	ends := make([]time.Time, len(replies))
	var wg sync.WaitGroup
	from := s.ledgerLengths()
	for i := range replies {
		wg.Go(func() {
			replies[i] = s.ask.toggle(ctx, firstModem+i%len(s.modems), resultWait)
			ends[i] = time.Now()
		})
	}
	if err := s.everyModem(ctx, from, "detached", nil); err != nil {
		return "", err
	}
	// Whoever has not been heard yet will be within this time: it is far less
	// than the modems need.
	if err := rest(ctx, 500*time.Millisecond); err != nil {
		return "", err
	}
	told := time.Now()
	if err := s.api.tell(syscall.SIGTERM); err != nil {
		return "", err
	}
	wg.Wait()
	if err := s.api.awaitEnd(ctx, stopLimit); err != nil {
		return "", err
	}
	gone := time.Since(told)
	var slowest time.Duration
	for i, r := range replies {
		if r.status != http.StatusAccepted {
			return "", errors.New(r.String())
		}
		slowest = max(slowest, ends[i].Sub(told))
	}
	if slowest > answeredAtOnce {
		return "", fmt.Errorf("those who waited were answered up to %s after the signal", slowest)
	}
	var err error
	if s.api, err = s.respawn(ctx, s.api); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d waiting requests were answered 202 within %s of SIGTERM; the api was gone after %s",
		len(replies), slowest.Round(time.Millisecond), gone.Round(time.Millisecond)), nil
}

// killAPI kills api and scheduler again and again under load.
func killAPI(ctx context.Context, s *stage) (string, error) {
	kills := 5
	if s.opt.short {
		kills = 3
	}
	stop := s.load(ctx, leastPause, mostPause)
	defer stop()
	for range kills {
		if err := rest(ctx, s.between(time.Second, 3*time.Second)); err != nil {
			return "", err
		}
		s.api.kill()
		if err := rest(ctx, s.between(0, time.Second)); err != nil {
			return "", err
		}
		var err error
		if s.api, err = s.respawn(ctx, s.api); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("killed %d times under load", kills), nil
}

// killAPIWithDeliverer kills the scheduler and, with deliveries under way, the
// deliverer. A new scheduler has to find out what was left.
func killAPIWithDeliverer(ctx context.Context, s *stage) (string, error) {
	const rounds = 2
	for range rounds {
		n := len(s.modems)
		alpha := countAt(s.alpha.Received(), resultPath)
		s.slowAt(resultPath)
		ids, err := promisedJobs(s.toggleAll(ctx, 0))
		if err != nil {
			return "", err
		}
		if err := awaitReceived(ctx, s.alpha, resultPath, alpha+n); err != nil {
			return "", err
		}
		s.api.kill()
		s.deliverer.kill()
		s.slowAt("/nowhere")
		if s.deliverer, err = s.respawn(ctx, s.deliverer); err != nil {
			return "", err
		}
		if s.api, err = s.respawn(ctx, s.api); err != nil {
			return "", err
		}
		if _, err := s.awaitEnds(ctx, time.Minute, ids...); err != nil {
			return "", err
		}
		if err := s.idle(ctx); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("both killed %d times", rounds), nil
}
