package scheduler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"switchyard/events"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/scheduler"
	"switchyard/sim/redisserver"
	"switchyard/tasks"
)

// go-redis, once it could not connect, looks whether its pool was closed only
// once a second.
var afterAnOutage = goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, afterAnOutage) }

// bundle is what one test works with: a store on a redis-server of its own.
type bundle struct {
	ctx      context.Context
	srv      *redisserver.Server
	rdb      *redis.Client
	store    *jobs.Store
	registry *hosts.Registry
	log      *lines
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "always"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, srv: srv, log: &lines{}}
	b.rdb = redis.NewClient(&redis.Options{Addr: srv.Addr(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = b.rdb.Close() })
	b.store = jobs.NewStore(jobs.Options{
		Client: b.rdb, Hub: events.NewHub(), Retention: time.Hour, MaxPerType: 1000, EventStream: 1000,
		IdempotencyWindow: time.Hour, MaxCrashes: 3, ProcessTTL: 50 * time.Millisecond,
	})
	t.Cleanup(func() { _ = b.store.Close() })
	b.registry = hosts.New(b.rdb, time.Minute)
	must(t, b.registry.Register(ctx, hosts.Info{Name: "seoul-1", ServerIP: "198.51.100.7", Dongles: []int{11}}))
	return b
}

// run runs a scheduler until the test ends.
func (b *bundle) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	var running sync.WaitGroup
	running.Go(func() {
		scheduler.Run(ctx, scheduler.Options{
			Store: b.store, Registry: b.registry, SweepInterval: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(b.log, nil)),
		})
	})
	t.Cleanup(func() {
		cancel()
		running.Wait() // it ends with its context
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// toggle accepts the toggle of a dongle that waits for its worker for so long.
func (b *bundle) toggle(t *testing.T, wait time.Duration) string {
	t.Helper()
	a, err := b.store.Accept(b.ctx, jobs.Request{Draft: tasks.NewToggle(
		tasks.TogglePayload{Host: "seoul-1", ServerIP: "198.51.100.7", Subnet: 11}, time.Minute, b.store.Now().Add(wait))})
	must(t, err)
	return a.ID
}

// await waits until the job is in a state.
func (b *bundle) await(t *testing.T, id string, state jobs.State) *jobs.Job {
	t.Helper()
	var j *jobs.Job
	b.eventually(t, "job "+id+" is "+string(state), func() bool {
		var err error
		j, err = b.store.Get(b.ctx, id)
		return err == nil && j.State == state
	})
	return j
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
			t.Fatalf("waited in vain until %s; the log:\n%s", what, b.log)
		}
	}
}

// lines keeps a log.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

// String is the log so far.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// Ensure any number of schedulers end a toggle whose host stayed away, once,
// as a completed job without success.
func TestExpiredJobsAreEndedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 3 {
		b.run(t)
	}
	j := b.await(t, b.toggle(t, time.Millisecond), jobs.Completed)
	var r tasks.ToggleResult
	must(t, json.Unmarshal(j.Result, &r))
	if r.Success || r.Port != 10011 || j.Error == "" {
		t.Errorf("it ended with %s (%s)", j.Result, j.Error)
	}
	told, err := b.rdb.XRange(b.ctx, events.JobStream, "-", "+").Result()
	must(t, err)
	if len(told) != 2 { // queued, completed
		t.Errorf("%d events, want 2: %v", len(told), told)
	}
}

// Ensure a job whose worker has gone without a word is taken over: it is
// queued as its next attempt.
func TestOrphansAreTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t)
	id := b.toggle(t, time.Hour)
	p := b.store.NewProcess(false, "seoul-1")
	must(t, p.Beat(b.ctx)) // and never again
	_, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1, Host: "seoul-1"}, p.NewOwner())
	must(t, err)
	if v != jobs.Run {
		t.Fatalf("verdict %v", v)
	}
	var j *jobs.Job
	b.eventually(t, "the job is queued again", func() bool {
		j, err = b.store.Get(b.ctx, id)
		return err == nil && j.Attempt == 2
	})
	if j.State != jobs.Queued || j.Crashes != 1 {
		t.Errorf("the job is %+v", j)
	}
}

// Ensure a scheduler outlives an outage of Redis, says once that it is there
// and once that it is over, and goes on with its work.
func TestOutageIsSurvived(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t)
	b.await(t, b.toggle(t, time.Millisecond), jobs.Completed)
	b.srv.Kill()
	b.eventually(t, "it says that sweeps fail", func() bool { return strings.Contains(b.log.String(), "sweep failed") })
	must(t, b.srv.Restart(b.ctx))
	b.eventually(t, "it says that sweeps work", func() bool { return strings.Contains(b.log.String(), "sweep works again") })
	b.await(t, b.toggle(t, time.Millisecond), jobs.Completed)
	if n := strings.Count(b.log.String(), "sweep failed"); n != 1 {
		t.Errorf("it said %d times that sweeps fail:\n%s", n, b.log)
	}
}

// Ensure a removal that broke off is ended, and that jobs are, too, that a process
// accepted which hadn't heard of it yet: with a result, told to others.
func TestRemovedHost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.toggle(t, time.Hour)
	must(t, b.registry.Remove(b.ctx, "seoul-1", b.store.Now()))
	b.run(t)
	b.await(t, before, jobs.Failed)
	b.eventually(t, "the host is forgotten", func() bool {
		_, err := b.registry.Get(b.ctx, "seoul-1")
		return errors.Is(err, hosts.ErrUnknown)
	})
	j := b.await(t, b.toggle(t, time.Hour), jobs.Failed)
	if j.Error != "its host was removed" || !strings.Contains(string(j.Result), `"success":false`) {
		t.Errorf("the job is %+v", j)
	}
	b.eventually(t, "its queue is gone", func() bool { return len(b.rdb.Keys(b.ctx, "asynq:{host:seoul-1*").Val()) == 0 })
	debts, err := b.store.Debts(b.ctx, 0, 10)
	must(t, err)
	if len(debts) != 2 {
		t.Errorf("owed: %v, want both results", debts)
	}

	// Once it is back, its jobs are its own.
	must(t, b.registry.Register(b.ctx, hosts.Info{Name: "seoul-1", ServerIP: "198.51.100.7", Dongles: []int{11}, Seen: b.store.Now()}))
	b.eventually(t, "it is not looked after any more", func() bool { return b.rdb.ZCard(b.ctx, "sw:v1:hosts:removed").Val() == 0 })
	if j, err := b.store.Get(b.ctx, b.toggle(t, time.Hour)); err != nil || j.State != jobs.Queued {
		t.Errorf("the job is %+v, %v", j, err)
	}
}
