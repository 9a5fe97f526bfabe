package main

import (
	"context"
	"errors"
	"fmt"
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
	var ours, raws, ratios []float64
	for range o.rounds {
		raw, err := rawBacklogRound(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("measuring asynq: %w", err)
		}
		got, err := backlogRound(ctx, o)
		if err != nil {
			return nil, err
		}
		ours, raws, ratios = append(ours, got), append(raws, raw), append(ratios, got/raw)
	}
	r := median(ratios)
	return []row{{
		what: fmt.Sprintf("backlog, %d handlers", backlogConcurrency), ours: perSecond(median(ours)),
		against: "asynq " + perSecond(median(raws)), ratio: ratio(r),
		target: fmt.Sprintf(">= %.2f", backlogTarget), verdict: atLeast(r, backlogTarget),
	}}, nil
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

func (s *stretch) rate(ctx context.Context) (float64, error) {
	select {
	case <-s.done:
		return rate(int(s.n), time.Duration(s.last.Load()-s.first.Load())), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func backlogRound(ctx context.Context, o options) (perSec float64, err error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return 0, err
	}
	defer srv.Stop()
	rdb := newClient(srv.Addr(), backlogConcurrency)
	defer rdb.Close()
	store := newStore(rdb)
	defer func() { err = errors.Join(err, store.Close()) }()
	if _, err := inParallel(ctx, backlogConcurrency, backlogJobs, func(int) error {
		_, err := store.Accept(ctx, jobs.Request{Draft: noopDraft()})
		return err
	}); err != nil {
		return 0, err
	}
	endProfile, err := profileTo(o.profile)
	if err != nil {
		return 0, err
	}
	calls := newStretch(backlogJobs)
	stop, err := startWorker(ctx, srv.Addr(), store, backlogConcurrency, func(context.Context, *worker.Run) worker.Outcome {
		calls.call()
		return worker.Done(nil)
	})
	if err != nil {
		return 0, err
	}
	perSec, err = calls.rate(ctx)
	return perSec, errors.Join(err, endProfile(), stop(ctx))
}

func rawBacklogRound(ctx context.Context, o options) (float64, error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return 0, err
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
		return 0, err
	}
	calls := newStretch(backlogJobs)
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{Concurrency: backlogConcurrency, Queues: map[string]int{startQueue: 1}, LogLevel: asynq.ErrorLevel})
	if err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { calls.call(); return nil })); err != nil {
		return 0, fmt.Errorf("starting asynq: %w", err)
	}
	defer server.Shutdown()
	return calls.rate(ctx)
}
