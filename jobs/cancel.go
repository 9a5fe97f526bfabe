package jobs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/tasks"
)

// cancelTries bounds how often a job may change under a call that ends or
// reopens it.
const cancelTries = 5

// Cancel ends a job that nobody runs, and asks the worker of a running one to
// stop: that one then is still running, until its worker has left everything
// in order. It returns the state afterwards. Errors: ErrUnknown, ErrFinal,
// ErrUnavailable.
func (s *Store) Cancel(ctx context.Context, id string) (State, error) {
	for range cancelTries {
		j, err := s.Get(ctx, id)
		if err != nil {
			return "", err
		}
		res, err := cancelScript.Run(ctx, s.rdb, []string{j.home().record(id)}, id, j.home().cancels()).StringSlice()
		if err != nil {
			return "", unavailable("cancelling job "+id, err)
		}
		switch res[0] {
		case "asked":
			return Running, nil
		case "gone":
			return "", fmt.Errorf("%w: %s", ErrUnknown, id)
		case "final":
			return State(res[1]), fmt.Errorf("job %s is %s: %w", id, res[1], ErrFinal)
		}
		if strconv.Itoa(j.Attempt) != res[1] {
			continue
		}
		e := unrunEnd(j, tasks.Cancelled(j.Type, j.Payload))
		e.State = Cancelled
		err = s.finish(ctx, j, "", e)
		if err == nil {
			return Cancelled, nil
		}
		if !isLost(err) {
			return "", err
		}
	}
	return "", fmt.Errorf("cancelling job %s: it changed %d times in between: %w", id, cancelTries, ErrUnavailable)
}

// expire ends a job that waited too long for its worker: an Expired claim, or
// one that the sweeper found.
func (s *Store) expire(ctx context.Context, j *Job) error {
	return s.finish(ctx, j, "", unrunEnd(j, tasks.Expired(j.Type, j.Payload)))
}

// Expire ends the job of an Expired claim. Errors: ErrLost, ErrUnavailable.
func (c *Claim) Expire(ctx context.Context) error { return c.store.expire(ctx, c.Job) }

// unrunEnd ends a job that no handler has ended. What its tries have come to so
// far stays its result, unless the type has one for this.
func unrunEnd(j *Job, u tasks.Unrun) End {
	e := End{State: Failed, Result: u.Result, Error: u.Error}
	if e.Result == nil {
		e.Result = j.Result
	}
	if u.Completed {
		e.State = Completed
	}
	return e
}

// Reopen runs a failed or cancelled job again. Errors: ErrUnknown,
// ErrNotRetryable, ErrBusy, ErrUnavailable.
func (s *Store) Reopen(ctx context.Context, id string) error {
	for range cancelTries {
		j, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		if !j.Type.Spec().Retryable {
			return fmt.Errorf("jobs of type %s: %w", j.Type, ErrNotRetryable)
		}
		t, err := s.tasks.make(j, j.Attempt+1, time.Time{})
		if err != nil {
			return err
		}
		h := j.home()
		rec := h.record(id)
		join, order := rec, rec
		if j.JoinKey != "" {
			join = h.join(j.JoinKey)
		}
		if j.OrderKey != "" {
			order = h.order(j.OrderKey)
		}
		args := append([]any{
			id, j.Attempt, s.Now().UnixMilli(), flag(j.JoinKey != ""), flag(j.OrderKey != ""), s.opt.EventStream,
		}, t.args()...)
		args = append(args, debtEntry(j, PhaseResult))
		res, err := reopenScript.Run(ctx, s.rdb,
			[]string{rec, h.open(), streamKey, join, order, queuesKey, t.key, t.target, owedKey}, args...).Text()
		if err != nil {
			return unavailable("running job "+id+" again", err)
		}
		switch {
		case res == "ok":
			return nil
		case res == "gone":
			return fmt.Errorf("%w: %s", ErrUnknown, id)
		case res == "not_ended":
			return fmt.Errorf("job %s is %s: %w", id, j.State, ErrNotRetryable)
		case res == "settling":
			return fmt.Errorf("the outcome of job %s is still being told to others: %w", id, ErrBusy)
		case strings.HasPrefix(res, "busy:"):
			return fmt.Errorf("job %s: %w", strings.TrimPrefix(res, "busy:"), ErrBusy)
		}
	}
	return fmt.Errorf("running job %s again: it changed %d times in between: %w", id, cancelTries, ErrUnavailable)
}
