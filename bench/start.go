package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
	"switchyard/worker"
)

const (
	startJobs   = 500
	startPause  = 8 * time.Millisecond // for the fetch to be idle again
	startP50    = time.Millisecond
	startP99    = 5 * time.Millisecond
	pollSamples = 20
	pollPause   = 750 * time.Millisecond // so that orders don't keep step with the poll
	startQueue  = "bench"
	// startWait is how long a job may take before the benchmark gives up.
	startWait = 10 * time.Second
)

// start measures the time from the call that accepts a job until its handler
// runs, with nothing else going on: accepting it, its fetch and its claim are in
// it. The peer is asynq with its default settings, from the call that enqueues.
func start(ctx context.Context, o options) ([]row, error) {
	var p50, p99 []time.Duration
	var poll []time.Duration
	for range o.rounds {
		took, err := startRound(ctx, o)
		if err != nil {
			return nil, err
		}
		p50, p99 = append(p50, percentile(took, 50)), append(p99, percentile(took, 99))
		took, err = pollRound(ctx, o, (pollSamples+o.rounds-1)/o.rounds)
		if err != nil {
			return nil, fmt.Errorf("measuring asynq: %w", err)
		}
		poll = append(poll, took...)
	}
	line := func(what string, ours, peer, target time.Duration) row {
		return row{
			what: what, ours: millis(ours), against: fmt.Sprintf("asynq, %d samples %s", len(poll), millis(peer)),
			ratio: fmt.Sprintf("%.4f", float64(ours)/float64(peer)), target: "<= " + millis(target), verdict: atMost(ours, target),
		}
	}
	return []row{
		line("start, p50", median(p50), percentile(poll, 50), startP50),
		line("start, p99", median(p99), percentile(poll, 99), startP99),
	}, nil
}

// noopDraft is a job that does nothing, of no host, order or join.
func noopDraft() tasks.Draft {
	payload := `{"kind":"bench","body":"` + strings.Repeat("x", 170) + `"}`
	return tasks.Draft{Type: tasks.Callback, Queue: startQueue, Payload: []byte(payload), Limit: time.Minute, MaxTries: 1}
}

// startWorker starts a worker of one queue whose handler is h.
func startWorker(ctx context.Context, addr string, store *jobs.Store, concurrency int, h worker.Handler) (stop func(context.Context) error, err error) {
	log, closer, err := newLog()
	if err != nil {
		return nil, err
	}
	c := configs.Default().Worker
	w := worker.New(worker.Options{
		Store: store, Process: store.NewProcess(true), Queues: []worker.Queue{{Name: startQueue, Concurrency: concurrency}},
		Handlers: map[tasks.Type]worker.Handler{tasks.Callback: h}, Log: log,
		NewClient: func(pool int) redis.UniversalClient { return newClient(addr, pool) },
		Heartbeat: c.Heartbeat.Std(), FetchHold: c.FetchHold.Std(), FetchPoll: c.FetchPoll.Std(),
		DelayedCheck: c.DelayedCheck.Std(), ShutdownTimeout: c.ShutdownTimeout.Std(),
	})
	if err := w.Start(ctx); err != nil {
		return nil, errors.Join(err, closer.Close())
	}
	return func(ctx context.Context) error { return errors.Join(w.Stop(ctx), closer.Close()) }, nil
}

func startRound(ctx context.Context, o options) (took []time.Duration, err error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return nil, err
	}
	defer srv.Stop()
	rdb := newClient(srv.Addr(), 16)
	defer rdb.Close()
	store := newStore(rdb)
	defer func() { err = errors.Join(err, store.Close()) }()
	began := make(chan time.Time, 1)
	stop, err := startWorker(ctx, srv.Addr(), store, 8, func(context.Context, *worker.Run) worker.Outcome {
		began <- time.Now()
		return worker.Done(nil)
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop(ctx)) }()
	endProfile, err := profileTo(o.profile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, endProfile()) }()
	return samples(ctx, startJobs, startPause, began, func() error {
		_, err := store.Accept(ctx, jobs.Request{Draft: noopDraft()})
		return err
	})
}

// samples orders n times, one after the other, and returns how long after each
// order the handler began. The pauses in between are of any length up to twice
// the given one.
func samples(ctx context.Context, n int, between time.Duration, began <-chan time.Time, order func() error) ([]time.Duration, error) {
	const warm = 3
	var took []time.Duration
	for i := range n + warm {
		if err := pause(ctx, rand.N(2*between)); err != nil {
			return nil, err
		}
		ordered := time.Now()
		if err := order(); err != nil {
			return nil, err
		}
		late := time.NewTimer(startWait)
		select {
		case at := <-began:
			if i >= warm {
				took = append(took, at.Sub(ordered))
			}
		case <-late.C:
			return nil, fmt.Errorf("a job has not started within %s", startWait)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		late.Stop()
	}
	return took, nil
}

// pollRound is the same with plain asynq.
func pollRound(ctx context.Context, o options, n int) ([]time.Duration, error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return nil, err
	}
	defer srv.Stop()
	rdb := newClient(srv.Addr(), 16)
	defer rdb.Close()
	began := make(chan time.Time, 1)
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{Concurrency: 8, Queues: map[string]int{startQueue: 1}, LogLevel: asynq.ErrorLevel})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { began <- time.Now(); return nil })); err != nil {
		return nil, fmt.Errorf("starting asynq: %w", err)
	}
	defer server.Shutdown()
	client := asynq.NewClientFromRedisClient(rdb)
	return samples(ctx, n, pollPause, began, func() error {
		_, err := client.EnqueueContext(ctx, asynq.NewTask("bench", noopDraft().Payload), asynq.Queue(startQueue))
		if err != nil {
			return fmt.Errorf("enqueueing: %w", err)
		}
		return nil
	})
}
