package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/jobs/convoy"
)

const (
	// connectPause is the time between two tries to reach Redis at the start.
	connectPause = 500 * time.Millisecond
	// defaultPool is enough for the requests of one api process.
	defaultPool = 64
	// clockSync is how often our clock is compared with Redis'.
	clockSync = 10 * time.Second
)

// newClient returns a client of the configured Redis with a pool for so many
// users at once.
func (a *App) newClient(pool int) *redis.Client { return a.dial.client(pool) }

// redisLog takes what go-redis writes by itself, which is about connections that
// it tries again; whoever wanted one is told by an error.
type redisLog struct{ log *slog.Logger }

// Printf implements the logger of go-redis.
func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "redis client: "+fmt.Sprintf(format, v...))
}

// open makes the clients and what works with them, without asking Redis
// anything yet.
func (a *App) open() error {
	redis.SetLogger(redisLog{a.log}) // one for the whole process
	var err error
	if a.dial, err = newDialler(a.cfg.Redis); err != nil {
		return err
	}
	a.rdb, a.stream = a.newClient(defaultPool), a.newClient(2)
	a.rdb.AddHook(convoy.New(a.rdb, nil))
	j := a.cfg.Jobs
	a.store = jobs.NewStore(jobs.Options{
		Client: a.rdb, Hub: a.hub, Retention: j.Retention.Std(), MaxPerType: j.MaxPerType, EventStream: j.EventStream,
		IdempotencyWindow: j.IdempotencyWindow.Std(), MaxCrashes: j.MaxCrashes, ProcessTTL: a.cfg.Worker.TTL.Std(),
	})
	a.registry = hosts.New(a.rdb, a.cfg.Worker.TTL.Std())
	return nil
}

// connect waits until Redis answers and suits.
func (a *App) connect(ctx context.Context) error {
	if err := a.awaitRedis(ctx); err != nil {
		return err
	}
	if err := a.store.SyncClock(ctx); err != nil {
		return err
	}
	if !a.has(API) {
		return nil // nobody waits for events here
	}
	readerCtx, cancel := context.WithCancel(context.Background())
	a.reader = cancel
	ready := make(chan struct{})
	r := &events.Reader{Client: a.stream, Hub: a.hub, Log: a.log}
	a.reading.Go(func() { r.Run(readerCtx, ready) })
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the event stream: %w", context.Cause(ctx))
	}
}

// syncClock keeps the offset to Redis' clock, which decides who is alive.
func (a *App) syncClock(ctx context.Context) {
	t := time.NewTicker(clockSync)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := a.store.SyncClock(ctx); err != nil && ctx.Err() == nil {
			a.log.Debug("clock not compared with redis", "err", err)
		}
	}
}

// awaitRedis waits for as long as it takes: a machine that boots may have Redis
// up later than us.
func (a *App) awaitRedis(ctx context.Context) error {
	said := false
	for {
		err := a.rdb.Ping(ctx).Err()
		if err == nil {
			return a.checkRedis(ctx)
		}
		if refused(err) {
			return fmt.Errorf("redis at %s %w", a.dial.where(), a.dial.refusal(err))
		}
		if !said {
			a.log.Warn("waiting for redis", "addr", a.dial.where(), "err", err)
			said = true
		}
		t := time.NewTimer(connectPause)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("waiting for redis at %s: %w", a.dial.where(), errors.Join(context.Cause(ctx), err))
		case <-t.C:
		}
	}
}

// checkRedis refuses a Redis that could lose or evict jobs, by the doctor's own
// judgement.
func (a *App) checkRedis(ctx context.Context) error {
	if a.opt.Embedded {
		return nil
	}
	e := &redisExam{dial: a.dial, rdb: a.rdb}
	if err := e.ask(ctx); err != nil {
		return fmt.Errorf("redis at %s: %w", a.dial.where(), err)
	}
	for _, c := range e.suits() {
		f := c.run(ctx)
		switch f.Status {
		case Fail:
			return fmt.Errorf("redis at %s has %s; %s", a.dial.where(), f.Says, f.Do)
		case Warn:
			a.log.Warn("redis: "+f.Says, "do", f.Do)
		}
	}
	return nil
}
