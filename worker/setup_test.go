package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/jobs"
	"switchyard/sim/redisserver"
	"switchyard/tasks"
	"switchyard/worker"
)

// bundle is what one test works with: the records of jobs on a redis-server of
// its own, and any number of workers.
type bundle struct {
	ctx   context.Context
	srv   *redisserver.Server
	rdb   *redis.Client
	store *jobs.Store
	asynq *asynq.Inspector
}

const queue = tasks.QueueDelivery

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "always"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, srv: srv}
	b.rdb = redis.NewClient(b.redis())
	t.Cleanup(func() { _ = b.rdb.Close() })
	b.asynq = asynq.NewInspectorFromRedisClient(b.rdb)
	b.store = b.newStore(t, b.rdb)
	return b
}

// redis is how to reach it, with little patience when it is away.
func (b *bundle) redis() *redis.Options {
	return &redis.Options{Addr: b.srv.Addr(), ContextTimeoutEnabled: true, MaxRetries: 1, DialerRetries: 1}
}

// newStore returns a store that is fed with events.
func (b *bundle) newStore(t *testing.T, rdb *redis.Client) *jobs.Store {
	t.Helper()
	hub := events.NewHub()
	s := jobs.NewStore(jobs.Options{
		Client: rdb, Hub: hub, Retention: time.Hour, MaxPerType: 10000, EventStream: 10000,
		IdempotencyWindow: time.Hour, MaxCrashes: 3, ProcessTTL: time.Minute,
	})
	t.Cleanup(func() { _ = s.Close() })
	stream := redis.NewClient(b.redis())
	ctx, cancel := context.WithCancel(b.ctx)
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		(&events.Reader{Client: stream, Hub: hub, Log: discard}).Run(ctx, ready)
	}()
	t.Cleanup(func() {
		cancel()
		_ = stream.Close() // lets go of its blocking read
		<-done
	})
	b.until(t, "events are read", ready)
	return s
}

var discard = slog.New(slog.DiscardHandler)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for c, which must come before the test's time is up.
func (b *bundle) until(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-b.ctx.Done():
		t.Fatalf("waited in vain until %s", what)
	}
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

// options of a worker whose times are so long that nothing happens by them:
// what a test sees came about by messages.
func (b *bundle) options(h worker.Handler, change ...func(*worker.Options)) worker.Options {
	o := worker.Options{
		Store: b.store, Process: b.store.NewProcess(true, "h1"),
		NewClient: func(poolSize int) redis.UniversalClient {
			opt := b.redis()
			opt.PoolSize = poolSize
			return redis.NewClient(opt)
		},
		Queues:   []worker.Queue{{Name: queue, Concurrency: 4}},
		Handlers: map[tasks.Type]worker.Handler{tasks.Callback: h},
		Log:      discard, Heartbeat: time.Hour, FetchHold: time.Hour, FetchPoll: time.Hour, DelayedCheck: time.Hour,
		HeldDelay: 5 * time.Second, ShutdownTimeout: 30 * time.Second,
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// start runs a worker until the test ends.
func (b *bundle) start(t *testing.T, h worker.Handler, change ...func(*worker.Options)) *worker.Worker {
	t.Helper()
	w := worker.New(b.options(h, change...))
	t.Cleanup(func() { b.stop(t, w) })
	must(t, w.Start(b.ctx))
	return w
}

func (b *bundle) stop(t *testing.T, w *worker.Worker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.Stop(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

// soon has delayed tasks looked through all the time.
func soon(o *worker.Options) { o.DelayedCheck = 20 * time.Millisecond }

// callback drafts a job that may be tried three times.
func callback(change ...func(*jobs.Request)) jobs.Request {
	r := jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{Kind: "test", Body: "b"}, "", "", time.Minute, 3)}
	for _, c := range change {
		c(&r)
	}
	return r
}

func (b *bundle) accept(t *testing.T, r jobs.Request) string {
	t.Helper()
	a, err := b.store.Accept(b.ctx, r)
	must(t, err)
	return a.ID
}

// ended waits until the job has, and returns it.
func (b *bundle) ended(t *testing.T, id string) *jobs.Job {
	t.Helper()
	j, err := b.store.Wait(b.ctx, id, nil)
	must(t, err)
	if !j.State.Final() {
		t.Fatalf("the job did not end: %+v", j)
	}
	return j
}

func (b *bundle) get(t *testing.T, id string) *jobs.Job {
	t.Helper()
	j, err := b.store.Get(b.ctx, id)
	must(t, err)
	return j
}

// taskGone waits until asynq has forgotten a task.
func (b *bundle) taskGone(t *testing.T, task string) {
	t.Helper()
	b.eventually(t, "asynq has forgotten "+task, func() bool {
		_, err := b.asynq.GetTaskInfo(queue, task)
		return errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound)
	})
}

// handler answers a call by its own channel, so that a test sees it begin and
// says how it ends.
type handler struct{ calls chan call }

type call struct {
	ctx    context.Context
	run    *worker.Run
	answer chan worker.Outcome
}

func newHandler() *handler { return &handler{calls: make(chan call, 100)} }

func (h *handler) handle(ctx context.Context, r *worker.Run) worker.Outcome {
	c := call{ctx, r, make(chan worker.Outcome, 1)}
	h.calls <- c
	return <-c.answer
}

// began waits until the handler is called.
func (b *bundle) began(t *testing.T, h *handler) call {
	t.Helper()
	select {
	case c := <-h.calls:
		return c
	case <-b.ctx.Done():
		t.Fatal("the handler was never called")
		return call{}
	}
}

// done is a handler that has nothing to do.
func done(context.Context, *worker.Run) worker.Outcome { return worker.Done(nil) }

// fetches is a hook in front of the doorbell that sees asynq's fetches come and
// go.
type fetches struct {
	held atomic.Bool // one is held back: the last brought nothing
	// Fetched is called with every task that is fetched, where it is set.
	Fetched func()
	empty   atomic.Bool
}

var _ redis.Hook = (*fetches)(nil)

// watch has the worker's clients tell f.
func (f *fetches) watch(o *worker.Options) {
	next := o.NewClient
	o.NewClient = func(poolSize int) redis.UniversalClient {
		c := next(poolSize)
		c.AddHook(f)
		return c
	}
}

func (f *fetches) DialHook(next redis.DialHook) redis.DialHook { return next }

func (f *fetches) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (f *fetches) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		a := cmd.Args()
		if len(a) < 5 || !strings.HasPrefix(cmd.Name(), "eval") || a[4] != "asynq:{"+queue+"}:paused" {
			return next(ctx, cmd)
		}
		f.held.Store(f.empty.Load())
		err := next(ctx, cmd)
		f.held.Store(false)
		f.empty.Store(errors.Is(err, redis.Nil))
		if err == nil && f.Fetched != nil {
			f.Fetched()
		}
		return err
	}
}

// idle waits until the fetch is held back: from then on only a ring starts a
// job.
func (b *bundle) idle(t *testing.T, f *fetches) {
	t.Helper()
	b.eventually(t, "the server has nothing to do", f.held.Load)
}
