package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/jobs/convoy"
)

const (
	// readTimeout bounds one answer of Redis to a command.
	readTimeout = 3 * time.Second
	// connectPause is the time between two tries to reach Redis at the start.
	connectPause = 500 * time.Millisecond
	// defaultPool is enough for the requests of one api process.
	defaultPool = 64
	minMajor    = 7
	// clockSync is how often our clock is compared with Redis'.
	clockSync = 10 * time.Second
)

// newClient returns a client of the configured Redis with a pool for so many
// users at once.
func (a *App) newClient(pool int) *redis.Client {
	r := a.cfg.Redis
	if r.PoolSize > 0 {
		pool = max(r.PoolSize, pool)
	}
	return redis.NewClient(&redis.Options{
		Addr: r.Addr, DB: r.DB, Username: r.Username, Password: r.Password.Reveal(),
		PoolSize: pool, DialTimeout: r.DialTimeout.Std(), ReadTimeout: readTimeout, WriteTimeout: readTimeout,
		ContextTimeoutEnabled: true, ClientName: "switchyard",
	})
}

// redisLog takes what go-redis writes by itself, which is about connections that
// it tries again; whoever wanted one is told by an error.
type redisLog struct{ log *slog.Logger }

// Printf implements the logger of go-redis.
func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "redis client: "+fmt.Sprintf(format, v...))
}

// open makes the clients and what works with them, without asking Redis
// anything yet.
func (a *App) open() {
	redis.SetLogger(redisLog{a.log}) // one for the whole process
	a.rdb, a.stream = a.newClient(defaultPool), a.newClient(2)
	a.rdb.AddHook(convoy.New(a.rdb, nil))
	j := a.cfg.Jobs
	a.store = jobs.NewStore(jobs.Options{
		Client: a.rdb, Hub: a.hub, Retention: j.Retention.Std(), MaxPerType: j.MaxPerType, EventStream: j.EventStream,
		IdempotencyWindow: j.IdempotencyWindow.Std(), MaxCrashes: j.MaxCrashes, ProcessTTL: a.cfg.Worker.TTL.Std(),
	})
	a.registry = hosts.New(a.rdb, a.cfg.Worker.TTL.Std())
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
		var answer redis.Error
		if errors.As(err, &answer) && !strings.HasPrefix(err.Error(), "LOADING") {
			return fmt.Errorf("redis at %s refuses us (redis.username, redis.password, redis.db): %w", a.cfg.Redis.Addr, err)
		}
		if !said {
			a.log.Warn("waiting for redis", "addr", a.cfg.Redis.Addr, "err", err)
			said = true
		}
		t := time.NewTimer(connectPause)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("waiting for redis at %s: %w", a.cfg.Redis.Addr, errors.Join(context.Cause(ctx), err))
		case <-t.C:
		}
	}
}

// checkRedis refuses a Redis that could lose or evict jobs.
func (a *App) checkRedis(ctx context.Context) error {
	if a.opt.Embedded {
		return nil
	}
	info, err := a.rdb.Info(ctx, "server").Result()
	if err != nil {
		return fmt.Errorf("asking redis for its version: %w", err)
	}
	for line := range strings.Lines(info) {
		v, ok := strings.CutPrefix(line, "redis_version:")
		if !ok {
			continue
		}
		major, _, _ := strings.Cut(strings.TrimSpace(v), ".")
		if n, err := strconv.Atoi(major); err == nil && n < minMajor {
			return fmt.Errorf("redis at %s is version %s; switchyard needs %d or later", a.cfg.Redis.Addr, strings.TrimSpace(v), minMajor)
		}
	}
	if !a.cfg.Redis.RequireDurable {
		return nil
	}
	for _, want := range []struct{ key, value, why string }{
		{"maxmemory-policy", "noeviction", "it would throw jobs away when memory runs short"},
		{"appendonly", "yes", "it would forget jobs when it dies"},
	} {
		got, err := a.rdb.ConfigGet(ctx, want.key).Result()
		if err != nil {
			a.log.Warn("redis doesn't let us read its configuration; durability is not checked", "key", want.key, "err", err)
			continue
		}
		if v := got[want.key]; v != want.value {
			return fmt.Errorf("redis at %s has %s %s, so %s; set %s %s there, or redis.require_durable: false here to accept that",
				a.cfg.Redis.Addr, want.key, v, want.why, want.key, want.value)
		}
	}
	if got, err := a.rdb.ConfigGet(ctx, "appendfsync").Result(); err == nil && got["appendfsync"] != "always" {
		a.log.Warn("redis writes to disk only now and then: a power cut may cost what was accepted last; appendfsync always prevents that",
			"appendfsync", got["appendfsync"])
	}
	return nil
}
