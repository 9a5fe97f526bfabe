package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchyard/configs"
	"switchyard/sim/receiver"
	"switchyard/tasks"
)

// delivererScenarios kill the process that delivers callbacks, and have a
// receiver that never answers.
func delivererScenarios() []scenario {
	return []scenario{
		{name: "deliverer-kill/start", run: killDeliverer(startPath), bend: rules{doubled: true}},
		{name: "deliverer-kill/result", run: killDeliverer(resultPath), bend: rules{doubled: true}},
		{name: "deliverer-kill/two", run: killTwoDeliverers, bend: rules{doubled: true}},
		{name: "deliverer-kill/defaults", run: takeOver, defaults: true, bend: rules{doubled: true}},
		{name: "dead-receiver", run: deadReceiver, bend: rules{doubled: true}, tune: func(c *configs.Config) {
			c.Callbacks.Timeout = configs.Default().Callbacks.Timeout
		}},
	}
}

const (
	// slowAnswer is what a slow receiver takes, less than callbacks.timeout.
	slowAnswer = time.Second
	// receiptLimit is what may pass until receivers are told.
	receiptLimit = 30 * time.Second
)

// awaitReceived waits until the receiver has got n requests at the path.
func awaitReceived(ctx context.Context, r *receiver.Receiver, path string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, receiptLimit)
	defer cancel()
	return r.WaitFor(ctx, func(all []receiver.Received) bool { return countAt(all, path) >= n })
}

func countAt(all []receiver.Received, path string) (n int) {
	for _, x := range all {
		if strings.HasSuffix(x.Path, path) {
			n++
		}
	}
	return n
}

// killDeliverer kills the deliverer while one receiver takes its time with
// what comes at the path, and the other never answers it.
func killDeliverer(path string) func(context.Context, *stage) (string, error) {
	return func(ctx context.Context, s *stage) (string, error) {
		const rounds = 2
		flying := 0
		for round := range rounds {
			alpha, beta := countAt(s.alpha.Received(), path), countAt(s.beta.Received(), path)
			if path == resultPath {
				// The starts go through, so that the results can come.
				s.slowAt(resultPath)
			} else {
				s.slowAt("")
			}
			ids, err := promisedJobs(s.toggleAll(ctx, 0))
			if err != nil {
				return "", err
			}
			n := len(s.modems)
			if err := errors.Join(awaitReceived(ctx, s.alpha, path, alpha+n), awaitReceived(ctx, s.beta, path, beta+n)); err != nil {
				return "", err
			}
			flying += 2 * n
			s.deliverer.kill()
			s.alpha.Behave(receiver.Behaviour{})
			s.beta.Behave(receiver.Behaviour{})
			if err := rest(ctx, downtime(round)); err != nil {
				return "", err
			}
			if s.deliverer, err = s.respawn(ctx, s.deliverer); err != nil {
				return "", err
			}
			if _, err := s.awaitEnds(ctx, time.Minute, ids...); err != nil {
				return "", err
			}
			if err := s.idle(ctx); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("killed %d times, with %d callbacks sent and not answered", rounds, flying), nil
	}
}

// slowAt makes alpha slow and beta silent, at the path or everywhere ("").
func (s *stage) slowAt(path string) {
	s.alpha.Behave(receiver.Behaviour{Path: path, After: slowAnswer})
	s.beta.Behave(receiver.Behaviour{Path: path, Hang: true})
}

// killTwoDeliverers kills one of two deliverers after the other under load.
func killTwoDeliverers(ctx context.Context, s *stage) (string, error) {
	kills := 6
	if s.opt.short {
		kills = 3
	}
	second, err := s.spawn("deliverer-2", "worker", s.config(scenario{}))
	if err != nil {
		return "", err
	}
	if err := s.awaitReady(ctx, second); err != nil {
		return "", err
	}
	s.alpha.Behave(receiver.Behaviour{After: slowAnswer / 4})
	stop := s.load(ctx, 100*time.Millisecond, 400*time.Millisecond)
	defer stop()
	both := []*process{s.deliverer, second}
	for i := range kills {
		if err := rest(ctx, s.between(time.Second, 3*time.Second)); err != nil {
			return "", err
		}
		p := &both[i%2]
		(*p).kill()
		if err := rest(ctx, s.between(0, time.Second)); err != nil {
			return "", err
		}
		if *p, err = s.respawn(ctx, *p); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("killed %d times under load", kills), nil
}

// takeOver has one of two deliverers die for good, with the times that are
// configured by default: the other one takes over.
func takeOver(ctx context.Context, s *stage) (string, error) {
	second, err := s.spawn("deliverer-2", "worker", s.config(scenario{defaults: true}))
	if err != nil {
		return "", err
	}
	if err := s.awaitReady(ctx, second); err != nil {
		return "", err
	}
	s.slowAt(resultPath)
	ids, err := promisedJobs(s.toggleAll(ctx, 0))
	if err != nil {
		return "", err
	}
	n := len(s.modems)
	if err := errors.Join(awaitReceived(ctx, s.alpha, resultPath, n), awaitReceived(ctx, s.beta, resultPath, n)); err != nil {
		return "", err
	}
	s.deliverer.kill()
	killed := time.Now()
	s.alpha.Behave(receiver.Behaviour{})
	s.beta.Behave(receiver.Behaviour{})
	if _, err := s.awaitEnds(ctx, time.Minute, ids...); err != nil {
		return "", err
	}
	if err := s.idle(ctx); err != nil {
		return "", err
	}
	c := s.config(scenario{defaults: true})
	return fmt.Sprintf("everything was told %s after the kill (worker.ttl %s, scheduler.sweep_interval %s)",
		time.Since(killed).Round(100*time.Millisecond), c.Worker.TTL, c.Scheduler.SweepInterval), nil
}

const (
	// notDelayed is how late the good receiver may hear of a result at the 99th
	// percentile while the other one is dead: far less than callbacks.timeout,
	// for which the dead one holds each handler that it gets.
	notDelayed = time.Second
	// notSlower is how many times longer than before that may be, where a busy
	// machine takes more than notDelayed for everything.
	notSlower = 3
)

// deadReceiver has alpha take everything and answer nothing, and looks how
// soon beta gets its results.
func deadReceiver(ctx context.Context, s *stage) (string, error) {
	rounds := 14
	if s.opt.short {
		rounds = 7
	}
	toggle := func(rounds int) (ids []string, err error) {
		for range rounds {
			replies := s.toggleAll(ctx, resultWait)
			some, err := promisedJobs(replies)
			if err != nil {
				return nil, err
			}
			ids = append(ids, some...)
		}
		return ids, nil
	}
	before, err := toggle(rounds / 2)
	if err != nil {
		return "", err
	}
	s.alpha.Behave(receiver.Behaviour{Hang: true})
	after, err := toggle(rounds)
	if err != nil {
		return "", err
	}
	if err := awaitReceived(ctx, s.beta, resultPath, len(before)+len(after)); err != nil {
		return "", err
	}
	good, err := s.delays(ctx, before)
	if err != nil {
		return "", err
	}
	dead, err := s.delays(ctx, after)
	if err != nil {
		return "", err
	}
	s.alpha.Behave(receiver.Behaviour{}) // what it hasn't got it gets now
	words := fmt.Sprintf("from a toggle's end to the good receiver: p50 %s p99 %s with the other one dead (%d toggles); p50 %s p99 %s before (%d)",
		median(dead), quantile(dead, 0.99), len(dead), median(good), quantile(good, 0.99), len(good))
	if most := max(notDelayed, notSlower*quantile(good, 0.99)); quantile(dead, 0.99) > most {
		return words, fmt.Errorf("the good receiver was delayed by more than %s", most)
	}
	return words, nil
}

// delays are the times from the end of the toggles to beta's receipt of their
// results.
func (s *stage) delays(ctx context.Context, ids []string) ([]time.Duration, error) {
	callbacks, err := s.ask.jobs(ctx, tasks.Callback)
	if err != nil {
		return nil, err
	}
	parents := map[string]string{}
	for _, c := range callbacks {
		parents[c.JobID] = *c.Parent
	}
	received := map[string]time.Time{}
	for _, r := range s.beta.Received() {
		if strings.HasSuffix(r.Path, resultPath) {
			received[parents[r.Headers[webhookID]]] = r.At
		}
	}
	var out []time.Duration
	for _, id := range ids {
		j, err := s.ask.job(ctx, id)
		if err != nil {
			return nil, err
		}
		end, err := time.Parse(tasks.MilliTime, *j.CompletedAt)
		if err != nil {
			return nil, err
		}
		at, ok := received[id]
		if !ok {
			return nil, fmt.Errorf("beta has no result of job %s", id)
		}
		out = append(out, at.Sub(end).Round(100*time.Microsecond))
	}
	return out, nil
}
