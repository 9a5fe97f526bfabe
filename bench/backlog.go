package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"switchyard/jobs"
	"switchyard/worker"
)

const (
	backlogJobs        = 20_000
	backlogConcurrency = 64
	backlogTarget      = 0.75
)

// backlog measures how fast a worker gets through jobs that wait already, from
// the first handler to the last. The handler does nothing; what a job costs is
// its fetch, its claim, its outcome. The peer is asynq alone, with as many
// handlers and the same payload.
func backlog(ctx context.Context, o options) ([]row, error) {
	var ours, raws cost
	for range o.rounds {
		if err := rawBacklogRound(ctx, o, &raws); err != nil {
			return nil, fmt.Errorf("measuring asynq: %w", err)
		}
		if err := backlogRound(ctx, o, &ours); err != nil {
			return nil, err
		}
	}
	r := medianRatio(ours.rate, raws.rate)
	name := func(what string) string { return fmt.Sprintf("backlog, %d handlers%s", backlogConcurrency, what) }
	cpu := func(what string, ours, raw []time.Duration) row {
		return row{what: name(what), ours: micros(median(ours)), against: "asynq " + micros(median(raw)), ratio: ratio(medianRatio(ours, raw))}
	}
	return []row{
		{
			what: name(""), ours: perSecond(median(ours.rate)), against: "asynq " + perSecond(median(raws.rate)), ratio: ratio(r),
			target: fmt.Sprintf(">= %.2f", backlogTarget), verdict: atLeast(r, backlogTarget),
		},
		cpu(", worker CPU each", ours.process, raws.process),
		cpu(", Redis CPU each", ours.redis, raws.redis),
	}, nil
}

// stretch is the time from the first of n calls to the last.
type stretch struct {
	n     int64
	count atomic.Int64
	first atomic.Int64
	last  atomic.Int64
	done  chan struct{}
}

func newStretch(n int) *stretch { return &stretch{n: int64(n), done: make(chan struct{})} }

func (s *stretch) call() {
	switch s.count.Add(1) {
	case 1:
		s.first.Store(time.Now().UnixNano())
	case s.n:
		s.last.Store(time.Now().UnixNano())
		close(s.done)
	}
}

// wait waits for the last call.
func (s *stretch) wait(ctx context.Context) (time.Duration, error) {
	select {
	case <-s.done:
		return time.Duration(s.last.Load() - s.first.Load()), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func backlogRound(ctx context.Context, o options, into *cost) (err error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return err
	}
	defer srv.Stop()
	rdb := newCommandClient(srv.Addr(), backlogConcurrency)
	defer rdb.Close()
	store := newStore(rdb)
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := inParallel(ctx, backlogConcurrency, backlogJobs, func(int) error {
		_, err := store.Accept(ctx, jobs.Request{Draft: noopDraft()})
		return err
	}); err != nil {
		return err
	}
	endProfile, err := profileTo(o.profile)
	if err != nil {
		return err
	}
	return into.measure(ctx, rdb, os.Getpid(), backlogJobs, func() (took time.Duration, err error) {
		calls := newStretch(backlogJobs)
		stop, err := startWorker(ctx, srv.Addr(), store, backlogConcurrency, func(context.Context, *worker.Run) worker.Outcome {
			calls.call()
			return worker.Done(nil)
		})
		if err != nil {
			return 0, err
		}
		took, err = calls.wait(ctx)
		return took, errors.Join(err, endProfile(), stop(ctx))
	})
}

func rawBacklogRound(ctx context.Context, o options, into *cost) error {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return err
	}
	defer srv.Stop()
	rdb := newClient(srv.Addr(), backlogConcurrency+8)
	defer rdb.Close()
	client := asynq.NewClientFromRedisClient(rdb)
	if _, err := inParallel(ctx, backlogConcurrency, backlogJobs, func(int) error {
		_, err := client.EnqueueContext(ctx, asynq.NewTask("bench", noopDraft().Payload), asynq.Queue(startQueue))
		if err != nil {
			return fmt.Errorf("enqueueing: %w", err)
		}
		return nil
	}); err != nil {
		return err
	}
	return into.measure(ctx, rdb, os.Getpid(), backlogJobs, func() (time.Duration, error) {
		calls := newStretch(backlogJobs)
		server := asynq.NewServerFromRedisClient(rdb, asynq.Config{
			Concurrency: backlogConcurrency, Queues: map[string]int{startQueue: 1}, LogLevel: asynq.ErrorLevel,
		})
		if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { calls.call(); return nil })); err != nil {
			return 0, fmt.Errorf("starting asynq: %w", err)
		}
		defer server.Shutdown()
		return calls.wait(ctx)
	})
}
