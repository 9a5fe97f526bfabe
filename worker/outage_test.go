package worker_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
	"switchyard/worker"
)

// Redis is killed in the middle of a handler and comes back with its data: the
// handler goes on undisturbed, its outcome is recorded, and nothing runs twice.
func TestRedisGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// during is what the handler does while Redis is away.
		during func(t *testing.T, c call)
		// after is what it does when Redis may be back.
		after func(t *testing.T, c call) worker.Outcome
		want  jobs.State
	}{
		{"done meanwhile", func(_ *testing.T, c call) { c.answer <- worker.Done(1) }, nil, jobs.Completed},
		{"failed meanwhile", func(_ *testing.T, c call) { c.answer <- worker.GiveUp(errors.New("x"), nil) }, nil, jobs.Failed},
		{"goes on", nil, func(t *testing.T, c call) worker.Outcome {
			if err := c.run.Check(c.ctx); err != nil { // waits for Redis
				t.Errorf("check: %v", err)
			}
			return worker.Done(1)
		}, jobs.Completed},
		{"progress is not worth waiting for", func(t *testing.T, c call) {
			if err := c.run.Progress(c.ctx, 1); !errors.Is(err, jobs.ErrUnavailable) {
				t.Errorf("progress: %v, want ErrUnavailable", err)
			}
		}, func(*testing.T, call) worker.Outcome { return worker.Done(1) }, jobs.Completed},
		{"asks until its context ends", func(t *testing.T, c call) {
			ctx, cancel := context.WithCancelCause(c.ctx)
			cause := errors.New("enough")
			asked := make(chan error, 1)
			go func() { asked <- c.run.Check(ctx) }()
			cancel(cause)
			if err := <-asked; !errors.Is(err, cause) {
				t.Errorf("check: %v, want the cause", err)
			}
		}, func(*testing.T, call) worker.Outcome { return worker.Done(1) }, jobs.Completed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			h := newHandler()
			b.start(t, h.handle, func(o *worker.Options) { o.Heartbeat = 20 * time.Millisecond })
			id := b.accept(t, callback())
			c := b.began(t, h)
			b.srv.Kill()
			if tt.during != nil {
				tt.during(t, c)
			}
			if err := c.ctx.Err(); err != nil {
				t.Errorf("the handler's context ended with Redis: %v", context.Cause(c.ctx))
			}
			if tt.after != nil {
				go func() { c.answer <- tt.after(t, c) }()
			}
			must(t, b.srv.Restart(b.ctx))
			if j := b.ended(t, id); j.State != tt.want || j.Attempt != 1 || j.Crashes != 0 {
				t.Errorf("record is %+v", j)
			}
			// And the worker works on: what was accepted since starts by its ring.
			next := b.accept(t, callback())
			c = b.began(t, h)
			if c.run.ID != next {
				t.Errorf("job %s ran, not the next", c.run.ID)
			}
			c.answer <- worker.Done(nil)
			b.ended(t, next)
			if n := len(h.calls); n > 0 {
				t.Errorf("%d runs too many", n)
			}
		})
	}
}

// While Redis is away the worker can be stopped; what became of the job it was
// at is found out by a sweep later.
func TestStopWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := newHandler()
	w := worker.New(b.options(h.handle, hasty, func(o *worker.Options) { o.Heartbeat = 20 * time.Millisecond }))
	must(t, w.Start(b.ctx))
	id := b.accept(t, callback())
	c := b.began(t, h)
	b.srv.Kill()
	c.answer <- worker.Done(1)
	ctx, cancel := context.WithTimeout(b.ctx, 100*time.Millisecond)
	defer cancel()
	select {
	case err := <-b.stopping(ctx, w):
		if !errors.Is(err, jobs.ErrUnavailable) {
			t.Errorf("stop: %v, want ErrUnavailable", err)
		}
	case <-b.ctx.Done():
		t.Fatal("the worker did not stop")
	}
	must(t, b.srv.Restart(b.ctx))
	var j *jobs.Job
	b.eventually(t, "Redis is found again", func() bool {
		var err error
		j, err = b.store.Get(b.ctx, id)
		return err == nil
	})
	if j.State != jobs.Running || j.Attempt != 1 {
		t.Errorf("record is %+v, want it running still", j)
	}
}

// A job that is accepted while the worker is idle starts by the ring alone, and
// so does one that asynq itself puts into the queue when it is due.
func TestRingsStartJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := &fetches{}
	b.start(t, func(_ context.Context, r *worker.Run) worker.Outcome {
		if r.Attempt == 1 && r.Parent != "" {
			return worker.Postpone(time.Millisecond)
		}
		return worker.Done(nil)
	}, f.watch, soon)
	for _, postponed := range []string{"", "", "yes"} {
		b.idle(t, f)
		b.ended(t, b.accept(t, callback(func(r *jobs.Request) { r.Parent = postponed })))
	}
}

// A ring that was lost with the connection is made good: when the worker
// listens again, it looks into every queue.
func TestLostRing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := &fetches{}
	var shut atomic.Bool
	b.start(t, done, func(o *worker.Options) {
		o.NewClient = func(poolSize int) redis.UniversalClient {
			opt := b.redis()
			opt.PoolSize = poolSize
			opt.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if shut.Load() {
					return nil, errors.New("no way through")
				}
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}
			c := redis.NewClient(opt)
			c.AddHook(f)
			return c
		}
	})
	bell := jobs.BellChannel(queue)
	listeners := func() int64 {
		n, err := b.rdb.PubSubNumSub(b.ctx, bell).Result()
		must(t, err)
		return n[bell]
	}
	b.eventually(t, "the worker listens", func() bool { return listeners() == 1 })
	// When a ring has had its effect, those before it have had theirs.
	b.eventually(t, "the worker listens to all", func() bool {
		all, err := b.rdb.PubSubChannels(b.ctx, "sw:*").Result()
		must(t, err)
		return len(all) == 3 // the bell, what is cancelled, of the host too
	})
	b.idle(t, f)
	b.ended(t, b.accept(t, callback()))
	b.idle(t, f)
	shut.Store(true)
	must(t, b.rdb.Do(b.ctx, "CLIENT", "KILL", "TYPE", "pubsub").Err())
	b.eventually(t, "the worker listens no more", func() bool { return listeners() == 0 })
	id := b.accept(t, callback())
	if j := b.get(t, id); j.State != jobs.Queued || !f.held.Load() {
		t.Errorf("it started though nobody heard of it: %+v", j)
	}
	shut.Store(false)
	b.ended(t, id)
}

// An idle worker is quiet: over many heartbeats it sends Redis no fetch.
func TestIdleWorkerIsQuiet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := &fetches{}
	beats := make(chan struct{}, 1000)
	b.start(t, done, f.watch, func(o *worker.Options) {
		o.Heartbeat = 5 * time.Millisecond
		o.OnBeat = func(context.Context) error {
			select {
			case beats <- struct{}{}:
			default:
			}
			return nil
		}
	})
	b.ended(t, b.accept(t, callback()))
	b.idle(t, f)
	before := b.scriptCalls(t)
	for len(beats) > 0 {
		<-beats
	}
	for range 60 {
		b.until(t, "the heart beats", beats)
	}
	// asynq looks for lost tasks now and then; polling at its interval of a
	// millisecond would be a hundred calls.
	if n := b.scriptCalls(t) - before; n > 5 {
		t.Errorf("an idle worker made %d calls", n)
	}
}

// scriptCalls counts the scripts that Redis has run.
func (b *bundle) scriptCalls(t *testing.T) (n int) {
	t.Helper()
	info, err := b.rdb.Info(b.ctx, "commandstats").Result()
	must(t, err)
	for l := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(l, "cmdstat_evalsha:calls="); ok {
			rest, _, _ = strings.Cut(rest, ",")
			n, err = strconv.Atoi(rest)
			must(t, err)
		}
	}
	return n
}

// A heartbeat says that the process is alive, and after an outage says so again.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var p *jobs.Process
	var mu sync.Mutex
	var fail error
	b.start(t, done, func(o *worker.Options) {
		p, o.Heartbeat = o.Process, 10*time.Millisecond
		o.OnBeat = func(context.Context) error { mu.Lock(); defer mu.Unlock(); return fail }
	})
	for _, key := range []string{"sw:v1:processes", "sw:v1:h:h1:processes"} {
		beaten := func() bool {
			s, err := b.rdb.ZScore(b.ctx, key, p.ID).Result()
			return err == nil && s > float64(b.store.Now().UnixMilli())
		}
		for _, failing := range []error{nil, errors.New("x")} { // whatever else is done with it
			mu.Lock()
			fail = failing
			mu.Unlock()
			must(t, b.rdb.Del(b.ctx, key).Err())
			b.eventually(t, "the process says in "+key+" that it lives", beaten)
		}
	}
	b.srv.Kill()
	must(t, b.srv.Restart(b.ctx))
	must(t, b.rdb.Del(b.ctx, "sw:v1:processes").Err())
	b.eventually(t, "the process says so after an outage", func() bool {
		return b.rdb.ZScore(b.ctx, "sw:v1:processes", p.ID).Err() == nil
	})
}

// Ensure a worker that is started while Redis is away waits for it, claims nothing
// before it has said that it is alive, and can be told to stop waiting.
func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, callback())
	b.srv.Kill()
	h := newHandler()
	impatient := worker.New(b.options(h.handle, hasty))
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan error, 1)
	go func() { ended <- impatient.Start(ctx) }()
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("told to stop: %v", err)
		}
	case <-b.ctx.Done():
		t.Fatal("it waits on")
	}
	if err := impatient.Stop(ctx); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("stop: %v, want ErrUnavailable", err)
	}

	w := worker.New(b.options(h.handle, hasty))
	go func() { ended <- w.Start(b.ctx) }()
	must(t, b.srv.Restart(b.ctx))
	select {
	case err := <-ended:
		must(t, err)
	case <-b.ctx.Done():
		t.Fatal("it doesn't start")
	}
	c := b.began(t, h)
	c.answer <- worker.Done(1)
	b.ended(t, id)
	must(t, <-b.stopping(b.ctx, w))
}
