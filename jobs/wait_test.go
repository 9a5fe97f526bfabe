package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/jobs"
)

// follow feeds the hub with the events of Redis, from now until the test ends.
func (b *bundle) follow(t *testing.T) {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: b.srv.Addr()})
	ctx, cancel := context.WithCancel(b.ctx)
	ready, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		(&events.Reader{Client: rdb, Hub: b.hub, Log: discard}).Run(ctx, ready)
	}()
	t.Cleanup(func() {
		cancel()
		_ = rdb.Close() // lets go of its blocking read
		<-done
	})
	select {
	case <-ready:
	case <-b.ctx.Done():
		t.Fatal("the reader never got ready")
	}
}

type waited struct {
	job *jobs.Job
	err error
}

// wait has somebody wait for the job; it returns once they watch it.
func (b *bundle) wait(ctx context.Context, t *testing.T, id string, stop <-chan struct{}) <-chan waited {
	t.Helper()
	out := make(chan waited, 1)
	go func() {
		j, err := b.store.Wait(ctx, id, stop)
		out <- waited{j, err}
	}()
	b.eventually(t, "somebody waits, or has got it", func() bool { return len(out) > 0 || b.hub.Watching() > 0 })
	return out
}

func (b *bundle) answer(t *testing.T, c <-chan waited) waited {
	t.Helper()
	select {
	case w := <-c:
		return w
	case <-b.ctx.Done():
		t.Fatal("nobody woke who waited")
		return waited{}
	}
}

// reads tells of every time that the record of a job of h1 was read.
func (b *bundle) reads() <-chan struct{} {
	c := make(chan struct{}, 1000)
	b.rdb.AddHook(hook{After: func(cmd redis.Cmder) {
		if cmd.Name() == "hgetall" && cmd.Err() == nil && strings.HasPrefix(fmt.Sprint(cmd.Args()[1]), "sw:v1:h:h1:job:") {
			c <- struct{}{}
		}
	}})
	return c
}

func (b *bundle) until(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-b.ctx.Done():
		t.Fatalf("waited in vain until %s", what)
	}
}

// Who waits for a job gets it once it has ended, however it ends, and however
// they learn of it.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	finish := func(t *testing.T, b *bundle, id string) {
		must(t, b.claim(t, id).Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(`1`)}))
	}
	for _, tt := range []struct {
		name   string
		follow bool
		before func(t *testing.T, b *bundle, id string)
		after  func(t *testing.T, b *bundle, id string)
		want   jobs.State
	}{
		{"it had ended", false, finish, nil, jobs.Completed},
		{"an event tells", true, nil, finish, jobs.Completed},
		{"it is cancelled", true, nil, func(t *testing.T, b *bundle, id string) {
			_, err := b.store.Cancel(b.ctx, id)
			must(t, err)
		}, jobs.Cancelled},
		{"only its third attempt ends", true, nil, func(t *testing.T, b *bundle, id string) {
			for range 2 {
				c := b.claim(t, id)
				for range 10 { // more than a waiter may be behind
					must(t, c.Progress(b.ctx, map[string]int{"step": 1}))
				}
				must(t, c.Again(b.ctx, 0, errors.New("x"), nil))
			}
			finish(t, b, id)
		}, jobs.Completed},
		{"the event was lost, and that is known", false, nil, func(t *testing.T, b *bundle, id string) {
			finish(t, b, id)
			b.hub.Resync()
		}, jobs.Completed},
		{"a false alarm before", false, nil, func(t *testing.T, b *bundle, id string) {
			b.hub.Resync()
			b.hub.Publish(events.Job{JobID: id, State: "completed"}) // its record says otherwise
			finish(t, b, id)
			b.hub.Resync()
		}, jobs.Completed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if tt.follow {
				b.follow(t)
			}
			id := b.accept(t, toggle(16))
			if tt.before != nil {
				tt.before(t, b, id)
			}
			out := b.wait(b.ctx, t, id, nil)
			if tt.after != nil {
				tt.after(t, b, id)
			}
			w := b.answer(t, out)
			must(t, w.err)
			if w.job.State != tt.want || w.job.Completed.IsZero() {
				t.Errorf("got %+v, want it %s", w.job, tt.want)
			}
			if n := b.hub.Watching(); n != 0 {
				t.Errorf("%d jobs are still watched", n)
			}
		})
	}
}

// Who stops waiting gets the job as it is by then.
func TestWaitIsGivenUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(cancel, stop func())
	}{
		{"the caller's context ends", func(cancel, _ func()) { cancel() }},
		{"the process stops", func(_, stop func()) { stop() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.accept(t, toggle(16))
			c := b.claim(t, id)
			must(t, c.Progress(b.ctx, "half"))
			ctx, cancel := context.WithCancel(b.ctx)
			defer cancel()
			stop, read := make(chan struct{}), b.reads()
			out := b.wait(ctx, t, id, stop)
			b.until(t, "the record was read", read)
			tt.end(cancel, func() { close(stop) })
			w := b.answer(t, out)
			must(t, w.err)
			if w.job.State != jobs.Running || string(w.job.Progress) != `"half"` {
				t.Errorf("got %+v, want it running", w.job)
			}
		})
	}
}

// What events tell while somebody waits is in the job they get when they stop
// waiting.
func TestWaitTakesInEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	must(t, b.claim(t, id).Progress(b.ctx, "half"))
	read := b.reads()
	// Whether an event or the stop comes first is open, so somebody new waits
	// until the event did.
	b.eventually(t, "an event was taken in", func() bool {
		stop := make(chan struct{})
		out := b.wait(b.ctx, t, id, stop)
		b.until(t, "the record was read", read)
		b.hub.Publish(events.Job{JobID: id, State: "retrying", Progress: []byte(`"most"`)})
		close(stop)
		w := b.answer(t, out)
		must(t, w.err)
		return w.job.State == jobs.Retrying && string(w.job.Progress) == `"most"`
	})
}

// There is nothing to wait for where there is no job, or no longer.
func TestWaitForNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.store.Wait(b.ctx, jobs.NewID(time.Now()), nil); !errors.Is(err, jobs.ErrUnknown) {
		t.Errorf("unknown job: %v, want ErrUnknown", err)
	}
	id := b.accept(t, toggle(16))
	read := b.reads()
	out := b.wait(b.ctx, t, id, nil)
	b.until(t, "the record was read", read)
	must(t, b.rdb.Del(b.ctx, "sw:v1:h:h1:job:"+id).Err())
	b.hub.Resync()
	if w := b.answer(t, out); !errors.Is(w.err, jobs.ErrUnknown) {
		t.Errorf("forgotten meanwhile: %+v, %v, want ErrUnknown", w.job, w.err)
	}
}

// Who begins to wait while Redis is away gets the job once it is back, or hears
// at the end that it never was.
func TestWaitThroughAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	must(t, b.claim(t, id).Finish(b.ctx, jobs.End{State: jobs.Completed}))
	var away atomic.Bool
	away.Store(true)
	failed := make(chan struct{}, 1000)
	b.rdb.AddHook(hook{Before: func(redis.Cmder) error {
		if !away.Load() {
			return nil
		}
		failed <- struct{}{}
		return errors.New("connection refused")
	}})
	stop := make(chan struct{})
	patient, impatient := b.wait(b.ctx, t, id, nil), b.wait(b.ctx, t, id, stop)
	for range 4 { // two each, or more of one
		b.until(t, "the record could not be read", failed)
	}
	close(stop)
	if w := b.answer(t, impatient); w.job != nil || !errors.Is(w.err, jobs.ErrUnavailable) {
		t.Errorf("given up during the outage: %+v, %v, want ErrUnavailable", w.job, w.err)
	}
	away.Store(false)
	if w := b.answer(t, patient); w.err != nil || w.job.State != jobs.Completed {
		t.Errorf("after the outage: %+v, %v", w.job, w.err)
	}
}

// A hundred who wait for one job all get it, by one event.
func TestWaitOfMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.follow(t)
	id := b.accept(t, toggle(16))
	read := b.reads()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if j, err := b.store.Wait(b.ctx, id, nil); err != nil || j.State != jobs.Completed {
				t.Errorf("got %+v, %v", j, err)
			}
		})
	}
	for range 100 {
		b.until(t, "all have read the record", read)
	}
	c, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1, Host: "h1"}, b.proc.NewOwner())
	if err != nil || v != jobs.Run {
		t.Fatalf("claim: %v, %v", v, err)
	}
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
	wg.Wait()
	if n := b.hub.Watching(); n != 0 {
		t.Errorf("%d jobs are still watched", n)
	}
}
