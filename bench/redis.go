package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/events"
	"switchyard/jobs"
	"switchyard/jobs/convoy"
	"switchyard/sim/redisserver"
)

// fsync is Redis' appendfsync: a real environment has to be durable, and both
// sides pay for it.
const fsync = "everysec"

// freshRedis starts a redis-server with no data. Stop it when done.
func freshRedis(ctx context.Context, o options) (*redisserver.Server, error) {
	dir, err := os.MkdirTemp(o.dir, "redis-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for redis: %w", err)
	}
	return redisserver.Start(ctx, redisserver.Options{Dir: dir, Fsync: fsync})
}

// newClient returns a client with the options that the product uses.
func newClient(addr string, pool int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, PoolSize: pool, ContextTimeoutEnabled: true})
}

// newCommandClient is the one that a process of the product uses for commands.
func newCommandClient(addr string, pool int) *redis.Client {
	c := newClient(addr, pool)
	c.AddHook(convoy.New(c, nil))
	return c
}

// newStore returns a store with the limits of a default configuration.
func newStore(rdb *redis.Client) *jobs.Store {
	c := configs.Default()
	return jobs.NewStore(jobs.Options{
		Client: rdb, Hub: events.NewHub(), Retention: c.Jobs.Retention.Std(), MaxPerType: c.Jobs.MaxPerType, EventStream: c.Jobs.EventStream,
		IdempotencyWindow: c.Jobs.IdempotencyWindow.Std(), MaxCrashes: c.Jobs.MaxCrashes, ProcessTTL: c.Worker.TTL.Std(),
	})
}

func redisVersion(ctx context.Context, o options) (string, error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return "", err
	}
	defer srv.Stop()
	rdb := newClient(srv.Addr(), 1)
	defer rdb.Close()
	info, err := readInfo(ctx, rdb, "server")
	return info["redis_version"], err
}

// readInfo reads sections of INFO.
func readInfo(ctx context.Context, rdb *redis.Client, sections ...string) (map[string]string, error) {
	text, err := rdb.Info(ctx, sections...).Result()
	if err != nil {
		return nil, fmt.Errorf("asking redis for its figures: %w", err)
	}
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[k] = v
		}
	}
	return out, nil
}

// redisLoad is what Redis has done up to a moment.
type redisLoad struct {
	at time.Time
	// commands include those inside of scripts.
	commands float64
	// cpu seconds.
	cpu     float64
	clients float64
}

func readLoad(ctx context.Context, rdb *redis.Client) (redisLoad, error) {
	info, err := readInfo(ctx, rdb, "stats", "cpu", "clients")
	if err != nil {
		return redisLoad{}, err
	}
	l := redisLoad{at: time.Now()}
	var errs []error
	number := func(k string) float64 {
		f, err := strconv.ParseFloat(info[k], 64)
		errs = append(errs, err)
		return f
	}
	l.commands = number("total_commands_processed")
	l.cpu = number("used_cpu_user") + number("used_cpu_sys")
	l.clients = number("connected_clients")
	return l, errors.Join(errs...)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
