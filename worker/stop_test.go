package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
	"switchyard/worker"
)

// stopping stops the worker beside the test.
func (b *bundle) stopping(ctx context.Context, w *worker.Worker) <-chan error {
	out := make(chan error, 1)
	go func() { out <- w.Stop(ctx) }()
	return out
}

func (b *bundle) stopped(t *testing.T, out <-chan error) {
	t.Helper()
	select {
	case err := <-out:
		must(t, err)
	case <-b.ctx.Done():
		t.Fatal("the worker did not stop")
	}
}

// hasty gives handlers hardly any time when the worker stops.
func hasty(o *worker.Options) { o.ShutdownTimeout = time.Millisecond }

// When the worker stops, handlers are told so and have the time to finish; what
// they release is run by another worker as the next attempt, and what they say
// counts.
func TestStopEndsHandlers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		out     worker.Outcome
		want    jobs.State
		attempt int
	}{
		{"released", worker.Release(), jobs.Queued, 2},
		{"done", worker.Done(1), jobs.Completed, 1},
		{"given up", worker.GiveUp(errors.New("x"), nil), jobs.Failed, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			h := newHandler()
			w := b.start(t, h.handle)
			id := b.accept(t, callback(func(r *jobs.Request) { r.MaxTries = 1 }))
			c := b.began(t, h)
			out := b.stopping(b.ctx, w)
			b.until(t, "the handler is told", c.ctx.Done())
			if cause := context.Cause(c.ctx); !errors.Is(cause, worker.ErrStopping) {
				t.Errorf("cause is %v, want ErrStopping", cause)
			}
			// It may still do what leaves things in order.
			must(t, c.run.Check(context.WithoutCancel(c.ctx)))
			must(t, c.run.Progress(c.ctx, "tidy"))
			c.answer <- tt.out
			b.stopped(t, out)
			j := b.get(t, id)
			if j.State != tt.want || j.Attempt != tt.attempt || j.Tries != 0 || j.Crashes != 0 || string(j.Progress) != `"tidy"` {
				t.Errorf("record is %+v", j)
			}
			if tt.want != jobs.Queued {
				return
			}
			other := newHandler()
			b.start(t, other.handle)
			c = b.began(t, other)
			if c.run.ID != id || c.run.Attempt != 2 {
				t.Errorf("the other worker ran attempt %d of %s", c.run.Attempt, c.run.ID)
			}
			c.answer <- worker.Done(nil)
			b.ended(t, id)
		})
	}
}

// A handler that doesn't end in time loses its job: another worker runs it,
// unless it must not be done twice. What it says later counts no more.
func TestStopLetsGoOfStubbornHandlers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		once bool
	}{{"may be run again", false}, {"must not be done twice", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			h, other := newHandler(), newHandler()
			w := b.start(t, h.handle, hasty)
			id := b.accept(t, callback(func(r *jobs.Request) { r.Once = tt.once }))
			c := b.began(t, h)
			b.stopped(t, b.stopping(b.ctx, w))
			j := b.get(t, id)
			if want := "its worker went away; it may have been done, so it is not done again"; tt.once && (j.State != jobs.Failed || j.Error != want) {
				t.Errorf("record is %+v, want it failed", j)
			} else if !tt.once && (j.State != jobs.Queued || j.Attempt != 2) {
				t.Errorf("record is %+v, want it queued as attempt 2", j)
			}
			b.start(t, other.handle)
			if !tt.once {
				b.began(t, other).answer <- worker.Done("the other's")
				b.ended(t, id)
			}
			if err := c.run.Check(context.WithoutCancel(c.ctx)); !errors.Is(err, jobs.ErrLost) {
				t.Errorf("check by the old handler: %v, want ErrLost", err)
			}
			c.answer <- worker.Done("the old one's")
			b.taskGone(t, id+":1")
			b.taskGone(t, id+":2")
			if j := b.get(t, id); tt.once && j.State != jobs.Failed || !tt.once && string(j.Result) != `"the other's"` {
				t.Errorf("in the end the record is %+v", j)
			}
			if n := len(other.calls); n > 0 {
				t.Errorf("it was run %d times more", n)
			}
		})
	}
}

// An outcome that couldn't be recorded yet when the worker stops is waited for:
// a job that is done isn't run again because Redis was slow.
func TestStopWaitsForOutcomes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rdb := redis.NewClient(b.redis())
	t.Cleanup(func() { _ = rdb.Close() })
	refused, let := make(chan struct{}, 1000), make(chan struct{})
	rdb.AddHook(refuse{func(cmd redis.Cmder) bool {
		// finish.lua has eleven keys.
		if a := cmd.Args(); cmd.Name() != "evalsha" || len(a) < 3 || a[2] != 11 {
			return false
		}
		select {
		case <-let:
			return false
		default:
			refused <- struct{}{}
			return true
		}
	}})
	h := newHandler()
	w := b.start(t, h.handle, hasty, func(o *worker.Options) {
		o.Store = b.newStore(t, rdb)
		o.Process = o.Store.NewProcess(true)
	})
	id := b.accept(t, callback())
	b.began(t, h).answer <- worker.Done(1)
	b.until(t, "the outcome was refused", refused)
	out := b.stopping(b.ctx, w)
	for range 3 { // by now the handlers' time is over
		b.until(t, "the outcome was refused again", refused)
	}
	close(let)
	b.stopped(t, out)
	if j := b.get(t, id); j.State != jobs.Completed || j.Attempt != 1 {
		t.Errorf("record is %+v, want it completed", j)
	}
}

// refuse is a hook that fails those commands as a lost connection does.
type refuse struct{ refuses func(redis.Cmder) bool }

var _ redis.Hook = refuse{}

func (refuse) DialHook(next redis.DialHook) redis.DialHook { return next }

func (refuse) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (r refuse) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if r.refuses(cmd) {
			err := errors.New("connection lost")
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

// Stopping is safe at any time: twice, at once, before Start, and after a Start
// that failed; and a worker starts once.
func TestStopContract(t *testing.T) {
	t.Parallel()
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		w := b.start(t, done)
		b.stopped(t, b.stopping(b.ctx, w))
		b.stopped(t, b.stopping(b.ctx, w))
		if err := w.Start(b.ctx); err == nil {
			t.Error("it started again")
		}
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		h := newHandler()
		w := b.start(t, h.handle)
		id := b.accept(t, callback())
		c := b.began(t, h)
		outs := []<-chan error{b.stopping(b.ctx, w), b.stopping(b.ctx, w), b.stopping(b.ctx, w)}
		b.until(t, "the handler is told", c.ctx.Done())
		for i, out := range outs {
			if len(out) > 0 {
				t.Errorf("stop %d returned while a handler runs", i)
			}
		}
		c.answer <- worker.Done(nil)
		for _, out := range outs {
			b.stopped(t, out)
		}
		b.ended(t, id)
	})
	t.Run("before Start", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		w := worker.New(b.options(done))
		b.stopped(t, b.stopping(b.ctx, w))
		b.stopped(t, b.stopping(b.ctx, w))
		if err := w.Start(b.ctx); err == nil {
			t.Error("it started after that")
		}
	})
	t.Run("after a Start that failed", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.srv.Kill()
		w := worker.New(b.options(done))
		ctx, cancel := context.WithTimeout(b.ctx, 100*time.Millisecond)
		defer cancel()
		err := w.Start(ctx)
		if !errors.Is(err, jobs.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("start without Redis: %v, want ErrUnavailable and the deadline", err)
		}
		select {
		case err := <-b.stopping(ctx, w):
			if !errors.Is(err, jobs.ErrUnavailable) {
				t.Errorf("stop without Redis: %v, want ErrUnavailable", err)
			}
		case <-b.ctx.Done():
			t.Error("the worker did not stop")
		}
	})
	t.Run("started twice", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		w := b.start(t, done)
		if err := w.Start(b.ctx); err == nil {
			t.Error("it started twice")
		}
		b.ended(t, b.accept(t, callback()))
	})
}

// A stopped worker is known to be gone, and what it didn't fetch is another's.
func TestStopLeaves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var p *jobs.Process
	w := b.start(t, done, func(o *worker.Options) { p = o.Process })
	alive := func() bool { return b.rdb.ZScore(b.ctx, "sw:v1:processes", p.ID).Err() == nil }
	if !alive() {
		t.Error("the worker is not known to be alive")
	}
	b.stopped(t, b.stopping(b.ctx, w))
	if alive() {
		t.Error("the worker is believed to be alive after it stopped")
	}
	id := b.accept(t, callback())
	b.start(t, done)
	if j := b.ended(t, id); j.Attempt != 1 {
		t.Errorf("it ran as attempt %d", j.Attempt)
	}
}

// A task that was fetched just when the worker stopped goes back to asynq
// uncounted, and another worker runs it.
func TestStopGivesBackWhatIsFetched(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var n atomic.Int32
	fetched, let := make(chan struct{}), make(chan struct{})
	f := &fetches{Fetched: func() {
		if n.Add(1) == 2 {
			close(fetched)
			<-let
		}
	}}
	h := newHandler()
	w := b.start(t, h.handle, f.watch)
	first := b.accept(t, callback())
	c := b.began(t, h) // the worker can't be through before it is
	id := b.accept(t, callback())
	b.until(t, "the task is fetched", fetched)
	out := b.stopping(b.ctx, w)
	b.eventually(t, "the worker stops", w.Stopping)
	close(let)
	b.eventually(t, "the task is given back", func() bool {
		ti, err := b.asynq.GetTaskInfo(queue, id+":1")
		must(t, err)
		if ti.Retried != 0 {
			t.Fatal("asynq counts it as a failure")
		}
		return ti.State == asynq.TaskStateRetry
	})
	c.answer <- worker.Done(nil)
	b.stopped(t, out)
	b.ended(t, first)
	if n := len(h.calls); n > 0 {
		t.Error("a handler was called after the worker had stopped")
	}
	if j := b.get(t, id); j.State != jobs.Queued || j.Attempt != 1 {
		t.Errorf("record is %+v", j)
	}
	must(t, b.asynq.RunTask(queue, id+":1")) // rather than wait
	b.start(t, done)
	b.ended(t, id)
}

// An idle worker, whose fetches are held back for long, stops all the same.
func TestStopOfAnIdleWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := &fetches{}
	w := b.start(t, done, f.watch)
	b.idle(t, f)
	b.stopped(t, b.stopping(b.ctx, w))
}
