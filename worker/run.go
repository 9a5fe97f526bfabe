package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"switchyard/jobs"
	"switchyard/metrics"
)

// Handler executes one run of a job.
type Handler func(ctx context.Context, r *Run) Outcome

// Run is one handler's hold on a job.
type Run struct {
	*jobs.Job
	claim   *jobs.Claim
	lasting context.Context
	cancel  context.CancelCauseFunc
	// settled: the handler has ended, or Stop has given it up; whichever comes
	// first says what becomes of the job.
	settled atomic.Bool
	through chan struct{} // closed when nothing more is done about it
}

// errHeld sends a task back to asynq without counting it: somebody holds the
// job, or Redis couldn't be asked. Returning nil would make asynq forget it.
var errHeld = errors.New("held by another handler")

// errNoReason stands for the reason that a handler should have given.
var errNoReason = errors.New("the handler gave no reason")

const (
	// storePause is the pause between two tries to reach Redis.
	storePause = 200 * time.Millisecond
	// progressTimeout bounds what noting progress may cost a handler.
	progressTimeout = 300 * time.Millisecond
)

// Check reports whether the job is still this handler's, and waits for Redis
// as long as ctx allows. Call it directly before each outward effect. Errors:
// jobs.ErrLost, jobs.ErrCancelAsked, or the cause of ctx.
func (r *Run) Check(ctx context.Context) error {
	return insist(ctx, unavailable, func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return r.claim.Check(ctx)
	})
}

// Progress notes how far the job is, for those who watch. It is worth little,
// so it is dropped where Redis doesn't take it at once; the error is for logs.
func (r *Run) Progress(ctx context.Context, progress any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), progressTimeout)
	defer cancel()
	return r.claim.Progress(ctx, progress)
}

// Note is Progress for what the job's next handler has to know: it waits for Redis as long
// as ctx allows. Errors: jobs.ErrLost, or the cause of ctx.
func (r *Run) Note(ctx context.Context, progress any) error {
	return insist(ctx, unavailable, func() error { return r.Progress(ctx, progress) })
}

// Lasting is a context for what is left to do when the job was cancelled: it ends with
// ErrStopping or ErrLimit alone.
func (r *Run) Lasting() context.Context { return r.lasting }

// insist does something that needs Redis again and again as long as it is away, which is
// told by the error. Error: another one of f's, or the cause of ctx.
func insist(ctx context.Context, away func(error) bool, f func() error) error {
	for {
		err := f()
		if !away(err) {
			return err
		}
		if !pause(ctx, storePause) {
			return context.Cause(ctx)
		}
	}
}

// unavailable tells by the error of a job's record that Redis is away.
func unavailable(err error) bool { return errors.Is(err, jobs.ErrUnavailable) }

// pause waits for d; false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// process is asynq's handler for every task. Its own context is not used: see
// the package comment.
func (w *Worker) process(t *asynq.Task) error {
	var p jobs.TaskPayload
	if err := json.Unmarshal(t.Payload(), &p); err != nil || p.Job == "" {
		w.opt.Log.Error("task is none of ours; dropped", "type", t.Type(), "err", err)
		return nil
	}
	if !w.enter() {
		return errHeld
	}
	defer w.runs.Done()
	owner := w.opt.Process.NewOwner()
	defer w.opt.Process.Retire(owner)
	claim, verdict, err := w.claim(p, owner)
	switch {
	case errors.Is(err, jobs.ErrUnavailable): // stopping, with Redis away
		return errHeld
	case err != nil:
		w.opt.Log.Error("job can't be claimed", "job", p.Job, "attempt", p.Attempt, "err", err)
		return errHeld
	case verdict == jobs.Stale:
		w.opt.Log.Debug("stale task", "job", p.Job, "attempt", p.Attempt)
		return nil
	case verdict == jobs.Held:
		return errHeld
	case verdict == jobs.Expired:
		w.record(claim, "expire", func(ctx context.Context) error { return claim.Expire(ctx) })
		return nil
	}
	w.execute(claim)
	return nil
}

// enter counts a run, unless the worker stops.
func (w *Worker) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping {
		return false
	}
	w.runs.Add(1)
	return true
}

// claim asks until Redis has answered: a claim that was taken and then given
// up for want of an answer would hold the job for as long as this process
// lives.
func (w *Worker) claim(p jobs.TaskPayload, owner string) (*jobs.Claim, jobs.Verdict, error) {
	if !w.awaitCalm() {
		return nil, jobs.Held, jobs.ErrUnavailable
	}
	for {
		c, v, err := w.opt.Store.Claim(w.store, p, owner)
		if err == nil || !errors.Is(err, jobs.ErrUnavailable) {
			return c, v, err
		}
		if !pause(w.store, storePause) {
			return nil, jobs.Held, err
		}
	}
}

// execute runs the handler of a claimed job and records its outcome.
func (w *Worker) execute(claim *jobs.Claim) {
	limited, cancelLimit := context.WithTimeoutCause(w.handlers, claim.Limit, ErrLimit)
	defer cancelLimit()
	ctx, cancel := context.WithCancelCause(limited)
	defer cancel(nil)
	r := &Run{Job: claim.Job, claim: claim, lasting: limited, cancel: cancel, through: make(chan struct{})}
	defer close(r.through)
	w.mu.Lock()
	w.running[r.ID] = r
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.running[r.ID] == r {
			delete(w.running, r.ID)
		}
	}()
	if claim.CancelAsked {
		cancel(jobs.ErrCancelAsked)
	}
	if claim.Run == 1 && claim.Attempt == 1 {
		w.opt.Meter.Waited(string(claim.Type), claim.Started.Sub(claim.Created))
	}
	ended := w.opt.Meter.RunStarted(string(claim.Type))
	began := time.Now()
	out, result := w.call(ctx, r)
	if r.settled.Swap(true) {
		ended(metrics.Abandoned, time.Since(began))
		w.opt.Log.Warn("handler ended after its job was let go", "job", r.ID, "type", r.Type, "attempt", r.Attempt)
		return
	}
	took := time.Since(began)
	ended(out.counted(claim.Tries+1 < claim.MaxTries), took)
	w.conclude(claim, out, result, took)
}

// call runs the handler and turns a panic, and a result that can't be written
// down, into a failure.
func (w *Worker) call(ctx context.Context, r *Run) (out Outcome, result json.RawMessage) {
	h := w.opt.Handlers[r.Type]
	if h == nil {
		return GiveUp(fmt.Errorf("this worker does not know jobs of type %q", r.Type), nil), nil
	}
	defer func() {
		if p := recover(); p != nil {
			w.opt.Log.Error("handler panicked", "job", r.ID, "type", r.Type, "panic", p, "stack", string(debug.Stack()))
			out, result = GiveUp(errors.New("internal error: the handler panicked"), nil), nil
		}
	}()
	out = h(ctx, r)
	result, err := out.resultJSON()
	if err != nil {
		return GiveUp(err, nil), nil
	}
	return out, result
}

// conclude turns the outcome into a transition of the record.
func (w *Worker) conclude(claim *jobs.Claim, out Outcome, result json.RawMessage, took time.Duration) {
	if out.err == nil && (out.kind == failed || out.kind == retry) {
		out.err = errNoReason
	}
	record := func(what string, f func(context.Context) error) {
		w.record(claim, what, func(ctx context.Context) error {
			if out.also != nil {
				err := out.also(ctx)
				if errors.Is(err, jobs.ErrUnavailable) {
					return err
				}
				if err != nil {
					w.opt.Log.Error("what goes with the job's end could not be noted", "job", claim.ID, "type", claim.Type, "err", err)
				}
			}
			return f(ctx)
		})
	}
	log := w.opt.Log.With("job", claim.ID, "type", claim.Type, "attempt", claim.Attempt, "took", took.Round(time.Millisecond))
	end := jobs.End{Result: result}
	switch {
	case out.kind == retry && claim.Tries+1 < claim.MaxTries:
		log.Info("job is tried again", "after", out.delay, "err", out.err)
		record("retry", func(ctx context.Context) error { return claim.Again(ctx, out.delay, out.err, result) })
		return
	case out.kind == released, out.kind == postponed:
		log.Debug("job released", "after", out.delay)
		record("release", func(ctx context.Context) error { return claim.Again(ctx, out.delay, nil, nil) })
		return
	case out.kind == completed:
		end.State = jobs.Completed
		if out.err != nil {
			end.Error = out.err.Error()
		}
	case out.kind == cancelled:
		end.State, end.Error = jobs.Cancelled, "cancelled"
	default:
		end.State, end.Error = jobs.Failed, out.err.Error()
	}
	say := log.Info
	if claim.Fleeting && end.State == jobs.Completed {
		say = log.Debug // one a minute, with a log of its own
	}
	say("job ended", "state", end.State, "err", end.Error)
	record("finish", func(ctx context.Context) error { return claim.Finish(ctx, end) })
}

// record repeats a transition until Redis has taken it, or the worker stops
// for good: then the job is taken over once this process counts as gone.
func (w *Worker) record(claim *jobs.Claim, what string, f func(context.Context) error) {
	for {
		err := f(w.store)
		switch {
		case err == nil:
			return
		case errors.Is(err, jobs.ErrLost):
			w.opt.Log.Warn("job went on without this handler", "job", claim.ID, "attempt", claim.Attempt, "transition", what)
			return
		case !errors.Is(err, jobs.ErrUnavailable):
			w.opt.Log.Error("transition failed", "job", claim.ID, "transition", what, "err", err)
			return
		}
		if !pause(w.store, storePause) {
			w.opt.Log.Error("stopped before the outcome was recorded", "job", claim.ID, "transition", what, "err", err)
			return
		}
	}
}
