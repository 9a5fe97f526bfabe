package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// probeTime bounds the look whether the doorbell recognises asynq's fetch.
const probeTime = 2 * time.Second

var probe = sync.OnceValue(fetchRecognised)

// fetchRecognised runs an asynq server against a Redis that answers nothing,
// without a network, and reports whether its fetch came by the doorbell.
func fetchRecognised() bool {
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0"})
	d := newDoorbell(probeTime)
	silent := &silence{fetched: make(chan struct{})}
	rdb.AddHook(d)
	rdb.AddHook(silent)
	srv := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency: 1, Queues: map[string]int{"probe": 1}, TaskCheckInterval: time.Millisecond,
		Logger: asynqLog{slog.New(slog.DiscardHandler)}, ShutdownTimeout: time.Millisecond,
	})
	if err := srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })); err != nil {
		return false
	}
	t := time.NewTimer(probeTime)
	defer t.Stop()
	select {
	case <-silent.fetched:
	case <-t.C:
	}
	ok := d.Recognised()
	d.Stop()
	srv.Shutdown()
	// Nothing was dialled, so there is nothing to close but the pool.
	_ = rdb.Close()
	return ok
}

// silence answers every command with nothing.
type silence struct {
	once    sync.Once
	fetched chan struct{}
}

func (s *silence) DialHook(redis.DialHook) redis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network here") }
}

func (s *silence) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { return nil }
}

func (s *silence) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		if first, _, ok := scriptKeys(cmd); ok && first == "asynq:{probe}:pending" {
			s.once.Do(func() { close(s.fetched) })
		}
		if _, script := cmd.(*redis.Cmd); script {
			cmd.SetErr(redis.Nil)
			return redis.Nil
		}
		return nil
	}
}

// asynqLog writes asynq's own log lines as ours. What it warns of is often
// what the job core makes good (a lease that ran out), so it is no louder than
// that.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(a ...any) { l.log.Debug("asynq: " + fmt.Sprint(a...)) }
func (l asynqLog) Info(a ...any)  { l.log.Debug("asynq: " + fmt.Sprint(a...)) }
func (l asynqLog) Warn(a ...any)  { l.log.Warn("asynq: " + fmt.Sprint(a...)) }
func (l asynqLog) Error(a ...any) { l.log.Error("asynq: " + fmt.Sprint(a...)) }

// Fatal is only called by asynq's Run, which is not used.
func (l asynqLog) Fatal(a ...any) { l.Error(a...) }
