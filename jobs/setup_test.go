package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/jobs"
	"switchyard/sim/redisserver"
	"switchyard/tasks"
)

// bundle is what one test works with: a store on a redis-server of its own.
type bundle struct {
	ctx   context.Context
	srv   *redisserver.Server
	rdb   *redis.Client
	hub   *events.Hub
	store *jobs.Store
	proc  *jobs.Process
}

func setup(t *testing.T, change ...func(*jobs.Options)) *bundle {
	t.Helper()
	return setupOn(t, redisserver.Options{}, change...)
}

// kept has Redis come back from a crash with all that it said it had taken.
var kept = redisserver.Options{Fsync: "always"}

// setupOn is setup with a server of a special kind.
func setupOn(t *testing.T, server redisserver.Options, change ...func(*jobs.Options)) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	server.Dir = t.TempDir()
	srv, err := redisserver.Start(ctx, server)
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, srv: srv, hub: events.NewHub()}
	b.rdb = redis.NewClient(&redis.Options{Addr: srv.Addr(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = b.rdb.Close() })
	opt := jobs.Options{
		Client: b.rdb, Hub: b.hub, Retention: time.Hour, MaxPerType: 1000, EventStream: 1000,
		IdempotencyWindow: time.Hour, MaxCrashes: 3, ProcessTTL: 10 * time.Second,
	}
	for _, c := range change {
		c(&opt)
	}
	b.store = jobs.NewStore(opt)
	t.Cleanup(func() { _ = b.store.Close() })
	b.proc = b.store.NewProcess(true, "h1")
	must(t, b.proc.Beat(ctx))
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// toggle drafts the toggle of a dongle of host h1.
func toggle(subnet int) jobs.Request {
	return jobs.Request{Draft: tasks.NewToggle(tasks.TogglePayload{Host: "h1", ServerIP: "198.51.100.7", Subnet: subnet}, time.Minute, time.Time{})}
}

// ordered drafts a callback that keeps its order under key.
func ordered(key string, n int) jobs.Request {
	return jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{Kind: "test", Body: fmt.Sprint(n)}, "", key, time.Minute, 3)}
}

func (b *bundle) accept(t *testing.T, r jobs.Request) string {
	t.Helper()
	a, err := b.store.Accept(b.ctx, r)
	must(t, err)
	return a.ID
}

// acceptMany accepts n jobs, as fast as it goes, and returns their ids sorted.
func (b *bundle) acceptMany(t *testing.T, n int, request func(i int) jobs.Request) []string {
	t.Helper()
	ids := make([]string, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				a, err := b.store.Accept(b.ctx, request(i))
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = a.ID
			}
		})
	}
	wg.Wait()
	slices.Sort(ids)
	return ids
}

// claim takes up the job's current attempt.
func (b *bundle) claim(t *testing.T, id string) *jobs.Claim {
	t.Helper()
	c, v := b.tryClaim(t, id, b.get(t, id).Attempt)
	if v != jobs.Run {
		t.Fatalf("claiming %s: verdict %v, not Run", id, v)
	}
	return c
}

func (b *bundle) tryClaim(t *testing.T, id string, attempt int) (*jobs.Claim, jobs.Verdict) {
	t.Helper()
	j := b.get(t, id)
	c, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: attempt, Host: j.Host}, b.proc.NewOwner())
	must(t, err)
	return c, v
}

func (b *bundle) get(t *testing.T, id string) *jobs.Job {
	t.Helper()
	j, err := b.store.Get(b.ctx, id)
	must(t, err)
	return j
}

// pending is what asynq would hand out next from a queue, oldest first.
func (b *bundle) pending(t *testing.T, queue string) []string {
	t.Helper()
	ids, err := b.rdb.LRange(b.ctx, "asynq:{"+queue+"}:pending", 0, -1).Result()
	must(t, err)
	for i, j := 0, len(ids)-1; i < j; i, j = i+1, j-1 {
		ids[i], ids[j] = ids[j], ids[i]
	}
	return ids
}

// eventually looks until ok holds, which it must before the test's time is up.
func (b *bundle) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// hook calls its functions, where they are set, around every command; those of
// a pipeline one by one.
type hook struct {
	// Before may refuse a command, which then isn't sent.
	Before func(redis.Cmder) error
	After  func(redis.Cmder)
}

var _ redis.Hook = hook{}

func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return h.around([]redis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return h.around(cmds, func() error { return next(ctx, cmds) })
	}
}

func (h hook) around(cmds []redis.Cmder, send func() error) error {
	if h.Before != nil {
		for _, c := range cmds {
			if err := h.Before(c); err != nil {
				c.SetErr(err)
				return err
			}
		}
	}
	err := send()
	if h.After != nil {
		for _, c := range cmds {
			h.After(c)
		}
	}
	return err
}
