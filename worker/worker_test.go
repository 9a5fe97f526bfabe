package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"switchyard/jobs"
	"switchyard/tasks"
	"switchyard/worker"
)

// An accepted job reaches its handler as it was drafted, and what the handler
// says stands in the record; asynq keeps nothing of it.
func TestExecutes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := newHandler()
	b.start(t, h.handle)
	id := b.accept(t, callback(func(r *jobs.Request) { r.ChatID, r.Parent = "-1", "j_parent" }))
	c := b.began(t, h)
	if c.run.ID != id || c.run.Attempt != 1 || c.run.ChatID != "-1" || c.run.Parent != "j_parent" || c.run.State != jobs.Running {
		t.Errorf("the handler got %+v", c.run.Job)
	}
	var p tasks.CallbackPayload
	must(t, json.Unmarshal(c.run.Payload, &p))
	if diff := cmp.Diff(tasks.CallbackPayload{Kind: "test", Body: "b"}, p); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
	must(t, c.run.Check(c.ctx))
	must(t, c.run.Progress(c.ctx, map[string]int{"step": 1}))
	if j := b.get(t, id); string(j.Progress) != `{"step":1}` || j.State != jobs.Running {
		t.Errorf("while it runs the record is %+v", j)
	}
	c.answer <- worker.Done(map[string]bool{"ok": true})
	if j := b.ended(t, id); j.State != jobs.Completed || string(j.Result) != `{"ok":true}` || j.Error != "" {
		t.Errorf("record is %+v", j)
	}
	b.taskGone(t, id+":1")
}

// What a handler says decides how the job ends, and how often it runs.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	no := errors.New("no")
	for _, tt := range []struct {
		name   string
		limit  time.Duration // zero: a minute
		tries  int           // that the job has
		kind   tasks.Type    // empty: callback
		handle func(ctx context.Context, r *worker.Run) worker.Outcome
		want   jobs.State
		runs   int // attempts
		failed int // tries that are counted as failed before the last
		error  string
		result string
	}{
		{name: "done", tries: 3, handle: done, want: jobs.Completed, runs: 1},
		{name: "done with a result", tries: 3, handle: func(context.Context, *worker.Run) worker.Outcome {
			return worker.Done([]int{1})
		}, want: jobs.Completed, runs: 1, result: `[1]`},
		{name: "given up", tries: 3, handle: func(context.Context, *worker.Run) worker.Outcome {
			return worker.GiveUp(no, 7)
		}, want: jobs.Failed, runs: 1, error: "no", result: `7`},
		{name: "given up without a reason", tries: 3, handle: func(context.Context, *worker.Run) worker.Outcome {
			return worker.GiveUp(nil, nil)
		}, want: jobs.Failed, runs: 1, error: "the handler gave no reason"},
		{name: "cancelled", tries: 3, handle: func(context.Context, *worker.Run) worker.Outcome {
			return worker.Cancelled(7)
		}, want: jobs.Cancelled, runs: 1, error: "cancelled", result: `7`},
		{name: "tried until the tries are used up", tries: 3, handle: func(_ context.Context, r *worker.Run) worker.Outcome {
			return worker.RetryAfter(0, fmt.Errorf("no %d", r.Attempt), r.Attempt)
		}, want: jobs.Failed, runs: 3, failed: 2, error: "no 3", result: `3`},
		{name: "tried again after a while", tries: 3, handle: func(_ context.Context, r *worker.Run) worker.Outcome {
			if r.Attempt == 1 {
				return worker.RetryAfter(time.Millisecond, no, nil)
			}
			return worker.Done(nil)
		}, want: jobs.Completed, runs: 2, failed: 1},
		{name: "tried without a reason until the tries are used up", tries: 2, handle: func(context.Context, *worker.Run) worker.Outcome {
			return worker.RetryAfter(0, nil, nil)
		}, want: jobs.Failed, runs: 2, failed: 1, error: "the handler gave no reason"},
		{name: "no second try", tries: 1, handle: func(context.Context, *worker.Run) worker.Outcome {
			return worker.RetryAfter(0, no, nil)
		}, want: jobs.Failed, runs: 1, error: "no"},
		{name: "postponed, which is no try", tries: 1, handle: func(_ context.Context, r *worker.Run) worker.Outcome {
			if r.Attempt == 1 {
				return worker.Postpone(time.Millisecond)
			}
			return worker.Done(nil)
		}, want: jobs.Completed, runs: 2},
		{name: "released, which is no try", tries: 1, handle: func(_ context.Context, r *worker.Run) worker.Outcome {
			if r.Attempt < 3 {
				return worker.Release()
			}
			return worker.RetryAfter(0, no, nil)
		}, want: jobs.Failed, runs: 3, error: "no"},
		{name: "a panic", tries: 3, handle: func(context.Context, *worker.Run) worker.Outcome {
			panic("a secret")
		}, want: jobs.Failed, runs: 1, error: "internal error: the handler panicked"},
		{name: "a mistake that panics", tries: 3, handle: func(_ context.Context, r *worker.Run) worker.Outcome {
			one := []int{1}
			return worker.Done(one[r.Attempt])
		}, want: jobs.Failed, runs: 1, error: "internal error: the handler panicked"},
		{name: "a result that is no JSON", tries: 3, handle: func(context.Context, *worker.Run) worker.Outcome {
			return worker.Done(func() {})
		}, want: jobs.Failed, runs: 1, error: "marshalling the result: json: unsupported type: func()"},
		{name: "a result that panics", tries: 3, handle: func(context.Context, *worker.Run) worker.Outcome {
			return worker.Done(panics{})
		}, want: jobs.Failed, runs: 1, error: "internal error: the handler panicked"},
		{name: "an unknown type", tries: 3, kind: "nonsense", handle: done,
			want: jobs.Failed, runs: 1, error: `this worker does not know jobs of type "nonsense"`},
		{name: "the limit", tries: 3, limit: 20 * time.Millisecond, handle: func(ctx context.Context, _ *worker.Run) worker.Outcome {
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), worker.ErrLimit) {
				return worker.Done(nil)
			}
			return worker.GiveUp(context.Cause(ctx), nil)
		}, want: jobs.Failed, runs: 1, error: worker.ErrLimit.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var mu sync.Mutex
			var attempts, tries []int
			b.start(t, func(ctx context.Context, r *worker.Run) worker.Outcome {
				mu.Lock()
				attempts, tries = append(attempts, r.Attempt), append(tries, r.Tries)
				mu.Unlock()
				return tt.handle(ctx, r)
			}, soon)
			id := b.accept(t, callback(func(r *jobs.Request) {
				r.MaxTries = tt.tries
				if tt.limit > 0 {
					r.Limit = tt.limit
				}
				if tt.kind != "" {
					r.Type = tt.kind
				}
			}))
			j := b.ended(t, id)
			if j.State != tt.want || j.Attempt != tt.runs || j.Tries != tt.failed || j.Error != tt.error || string(j.Result) != tt.result || j.Crashes != 0 {
				t.Errorf("%s at attempt %d after %d failed tries with error %q and result %s, want %s at %d after %d with %q and %s",
					j.State, j.Attempt, j.Tries, j.Error, j.Result, tt.want, tt.runs, tt.failed, tt.error, tt.result)
			}
			for n := 1; n <= tt.runs; n++ {
				b.taskGone(t, fmt.Sprintf("%s:%d", id, n))
			}
			mu.Lock()
			defer mu.Unlock()
			for i, n := range attempts {
				if n != i+1 {
					t.Errorf("attempts ran as %v", attempts)
				}
			}
			if tt.kind == "" && len(attempts) != tt.runs {
				t.Errorf("it ran %d times, want %d", len(attempts), tt.runs)
			}
			if n := len(tries); n > 0 && tries[n-1] != tt.failed {
				t.Errorf("handlers saw failed tries %v", tries)
			}
			// And the worker goes on to work.
			b.ended(t, b.accept(t, callback(func(r *jobs.Request) { r.Type = "nonsense" })))
		})
	}
}

type panics struct{}

func (panics) MarshalJSON() ([]byte, error) { panic("a secret") }

// While a job waits for its next try it is shown as retrying, with what went
// wrong and what is known so far.
func TestRetrying(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := newHandler()
	b.start(t, h.handle)
	id := b.accept(t, callback())
	b.began(t, h).answer <- worker.RetryAfter(time.Hour, errors.New("503"), 1)
	b.taskGone(t, id+":1")
	j := b.get(t, id)
	if j.State != jobs.Retrying || j.Attempt != 2 || j.Tries != 1 || j.Error != "503" || string(j.Result) != `1` {
		t.Errorf("record is %+v", j)
	}
	ti, err := b.asynq.GetTaskInfo(queue, id+":2")
	must(t, err)
	if ti.State != asynq.TaskStateScheduled {
		t.Errorf("asynq's task is %v, want scheduled", ti.State)
	}
}

// Two workers share a queue: both work, and each job runs once.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 100
	var mu sync.Mutex
	runs := map[string]int{}
	both := make(chan struct{})
	began := map[int]bool{}
	for i := range 2 {
		b.start(t, func(ctx context.Context, r *worker.Run) worker.Outcome {
			mu.Lock()
			runs[r.ID]++
			if !began[i] {
				if began[i] = true; len(began) == 2 {
					close(both)
				}
			}
			mu.Unlock()
			// Each holds its jobs until the other has one too.
			select {
			case <-both:
			case <-ctx.Done():
			}
			return worker.Done(i)
		})
	}
	ids := make([]string, n)
	for i := range ids {
		ids[i] = b.accept(t, callback())
	}
	by := map[string]int{}
	for _, id := range ids {
		j := b.ended(t, id)
		if j.State != jobs.Completed || j.Attempt != 1 {
			t.Errorf("record is %+v", j)
		}
		by[string(j.Result)]++
	}
	mu.Lock()
	defer mu.Unlock()
	for _, id := range ids {
		if runs[id] != 1 {
			t.Errorf("job %s ran %d times", id, runs[id])
		}
	}
	if by["0"] == 0 || by["1"] == 0 {
		t.Errorf("jobs by worker: %v", by)
	}
}

// A queue runs as many jobs at once as it may, and a full one holds up no other.
func TestQueues(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h, other := newHandler(), newHandler()
	b.start(t, h.handle, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: queue, Concurrency: 2}, {Name: "host:h1", Concurrency: 1}}
		o.Handlers[tasks.Toggle] = other.handle
	})
	for range 3 {
		b.accept(t, callback())
	}
	first := b.began(t, h)
	b.began(t, h).answer <- worker.Release() // comes again, behind the third
	second := b.began(t, h)
	id := b.accept(t, jobs.Request{Draft: tasks.NewToggle(tasks.TogglePayload{Host: "h1", Subnet: 16}, time.Minute, time.Time{})})
	b.began(t, other).answer <- worker.Done(nil)
	b.ended(t, id)
	if n := len(h.calls); n != 0 {
		t.Errorf("%d jobs too many run at once", n)
	}
	first.answer <- worker.Done(nil)
	b.began(t, h).answer <- worker.Done(nil)
	second.answer <- worker.Done(nil)
}

// Jobs of one order key run one after the other as accepted, however many
// handlers there are, through failures and cancellations.
func TestOrderedJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := newHandler()
	b.start(t, h.handle)
	ids := make([]string, 4)
	for i := range ids {
		ids[i] = b.accept(t, callback(func(r *jobs.Request) { r.OrderKey = "k" }))
	}
	if _, err := b.store.Cancel(b.ctx, ids[1]); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		id  string
		out worker.Outcome
	}{
		{ids[0], worker.RetryAfter(0, errors.New("x"), nil)},
		{ids[0], worker.Done(nil)},
		{ids[2], worker.GiveUp(errors.New("x"), nil)},
		{ids[3], worker.Done(nil)},
	} {
		c := b.began(t, h)
		if c.run.ID != step.id {
			t.Errorf("step %d ran job %s, want %s", i, c.run.ID, step.id)
		}
		if n := len(h.calls); n != 0 {
			t.Errorf("step %d: %d others run beside it", i, n)
		}
		c.answer <- step.out
	}
	b.ended(t, ids[3])
}

// A job that expired before it was fetched is ended without its handler.
func TestExpired(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := newHandler()
	id := b.accept(t, callback(func(r *jobs.Request) { r.Expires = time.Now().Add(-time.Second) }))
	b.start(t, h.handle)
	if j := b.ended(t, id); j.State != jobs.Failed || j.Error != "no worker took the job up in time" {
		t.Errorf("record is %+v", j)
	}
	b.taskGone(t, id+":1")
	if len(h.calls) > 0 {
		t.Error("its handler was called")
	}
}

// A running job's handler learns that it was cancelled: by the message, or,
// where that was lost, by the heartbeat, or when it is called.
func TestCancel(t *testing.T) {
	t.Parallel()
	often := func(o *worker.Options) { o.Heartbeat = 20 * time.Millisecond }
	flag := func(t *testing.T, b *bundle, id string) {
		must(t, b.rdb.HSet(b.ctx, "sw:v1:job:"+id, "cancel", "1").Err())
	}
	for _, tt := range []struct {
		name   string
		worker func(*worker.Options)
		early  func(t *testing.T, b *bundle, id string) // before it runs
		late   func(t *testing.T, b *bundle, id string) // while it runs
	}{
		{"by message", soon, nil, func(t *testing.T, b *bundle, id string) {
			if st, err := b.store.Cancel(b.ctx, id); err != nil || st != jobs.Running {
				t.Errorf("cancelling: %v, %v", st, err)
			}
		}},
		{"the message was lost", often, nil, flag},
		{"the message was lost, and what else the heartbeat does fails", func(o *worker.Options) {
			often(o)
			n := 0
			o.OnBeat = func(context.Context) error {
				if n++; n > 1 { // the first is that of Start
					return errors.New("x")
				}
				return nil
			}
		}, nil, flag},
		{"before another worker took it up", soon, flag, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			h := newHandler()
			id, bystander := b.accept(t, callback()), b.accept(t, callback())
			if tt.early != nil {
				tt.early(t, b, id)
			}
			b.start(t, h.handle, tt.worker)
			calls := map[string]call{}
			for range 2 {
				c := b.began(t, h)
				calls[c.run.ID] = c
			}
			b.eventually(t, "the worker listens", func() bool {
				n, err := b.rdb.PubSubNumSub(b.ctx, "sw:v1:cancels").Result()
				must(t, err)
				return n["sw:v1:cancels"] == 1
			})
			if tt.late != nil {
				tt.late(t, b, id)
			}
			c := calls[id]
			b.until(t, "the handler is cancelled", c.ctx.Done())
			if cause := context.Cause(c.ctx); !errors.Is(cause, jobs.ErrCancelAsked) {
				t.Errorf("cause is %v", cause)
			}
			if err := c.run.Check(context.WithoutCancel(c.ctx)); !errors.Is(err, jobs.ErrCancelAsked) {
				t.Errorf("check: %v", err)
			}
			c.answer <- worker.Cancelled(nil)
			if j := b.ended(t, id); j.State != jobs.Cancelled {
				t.Errorf("record is %+v", j)
			}
			if err := calls[bystander].ctx.Err(); err != nil {
				t.Errorf("another job was cancelled with it: %v", err)
			}
			calls[bystander].answer <- worker.Done(nil)
			b.ended(t, bystander)
		})
	}
}

// A task whose job somebody else holds is neither run nor lost: it comes again,
// and is dropped once the job has moved on.
func TestHeld(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, callback())
	holder := b.store.NewProcess(true)
	must(t, holder.Beat(b.ctx))
	claim, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1}, holder.NewOwner())
	if err != nil || v != jobs.Run {
		t.Fatalf("claim: %v, %v", v, err)
	}
	h := newHandler()
	b.start(t, h.handle)
	for range 2 { // however often
		b.eventually(t, "the task is put off", func() bool {
			ti, err := b.asynq.GetTaskInfo(queue, id+":1")
			must(t, err)
			if ti.Retried != 0 {
				t.Fatal("asynq counts it as a failure")
			}
			return ti.State == asynq.TaskStateRetry
		})
		must(t, b.asynq.RunTask(queue, id+":1")) // rather than wait
		b.ring(t)
	}
	if n := len(h.calls); n > 0 {
		t.Fatal("the held job was run")
	}
	must(t, claim.Again(b.ctx, 0, nil, nil))
	c := b.began(t, h)
	if c.run.ID != id || c.run.Attempt != 2 {
		t.Errorf("attempt %d of %s was run", c.run.Attempt, c.run.ID)
	}
	b.eventually(t, "the old task has gone", func() bool {
		_ = b.asynq.RunTask(queue, id+":1") // may be gone, or active
		b.ring(t)
		_, err := b.asynq.GetTaskInfo(queue, id+":1")
		return errors.Is(err, asynq.ErrTaskNotFound)
	})
	c.answer <- worker.Done(nil)
	b.ended(t, id)
}

func (b *bundle) ring(t *testing.T) {
	t.Helper()
	must(t, b.rdb.Publish(b.ctx, jobs.BellChannel(queue), "1").Err())
}

// A task that isn't ours is dropped, and does no harm.
func TestForeignTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start(t, done)
	client := asynq.NewClientFromRedisClient(b.rdb)
	for i, payload := range []string{"", "x", "{}", `{"job":"j_none","attempt":1}`} {
		_, err := client.Enqueue(asynq.NewTask("callback", []byte(payload)), asynq.Queue(queue), asynq.TaskID(fmt.Sprint(i)))
		must(t, err)
		b.ring(t)
		b.taskGone(t, fmt.Sprint(i))
	}
	b.ended(t, b.accept(t, callback()))
}

// What goes with an outcome is done again while Redis is away, and whatever else
// is wrong with it keeps no job from ending.
func TestWhatGoesWithAnOutcome(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		errs  []error
		calls int64
	}{
		"done":             {[]error{nil}, 1},
		"away, then done":  {[]error{jobs.ErrUnavailable, fmt.Errorf("noting: %w", jobs.ErrUnavailable), nil}, 3},
		"can't be done":    {[]error{errors.New("not JSON")}, 1},
		"away, then can't": {[]error{jobs.ErrUnavailable, errors.New("not JSON")}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var calls atomic.Int64
			b.start(t, func(context.Context, *worker.Run) worker.Outcome {
				return worker.Done(1).With(func(context.Context) error { return tt.errs[calls.Add(1)-1] })
			})
			if j := b.ended(t, b.accept(t, callback())); j.State != jobs.Completed || string(j.Result) != "1" {
				t.Errorf("record is %+v", j)
			}
			if n := calls.Load(); n != tt.calls {
				t.Errorf("done %d times, want %d", n, tt.calls)
			}
		})
	}
}
