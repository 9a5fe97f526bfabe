package deploy

import (
	"context"
	"fmt"

	"switchyard/tasks"
)

// interruption is what is said of a step whose worker let go of it.
const interruption = "its worker went away"

// resume goes on after another worker, or an earlier life of this one.
func (r *run) resume(ctx, lasting context.Context) error {
	switch {
	case r.journal.Machine != r.Machine:
		return r.leave(lasting, fmt.Sprintf("its worker, on %s, went away, and this one is on %s: nothing was undone", r.journal.Machine, r.Machine))
	case !r.pipeline.is(r.journal.Steps):
		return r.leave(lasting, "its worker went away, and the steps of its pipeline have been changed since: nothing was undone")
	}
	if err := r.lock(lasting); err != nil {
		if lasting.Err() != nil {
			return context.Cause(lasting)
		}
		return r.leave(lasting, fmt.Sprintf("its worker went away; %s: nothing was undone", err))
	}
	defer r.held.Close() //nolint:errcheck // a directory, which was not written to
	if err := r.interrupted(ctx, lasting); err != nil {
		return err
	}
	switch {
	case r.journal.Rollback == tasks.RollbackInProgress:
		return r.undo(lasting)
	case r.journal.Rollback == tasks.RolledBack:
		return r.over("; it was rolled back")
	case r.journal.Rollback == tasks.RollbackBroke:
		return r.over("; and the roll-back has failed")
	case r.journal.Failure != "", r.journal.Cancelled:
		return r.rollBack(lasting)
	}
	return r.deploy(ctx, lasting)
}

// interrupted finds the step that was in progress, and decides what becomes of it: again
// if that is safe, else it counts as failed.
func (r *run) interrupted(ctx, lasting context.Context) error {
	for i := range r.journal.Steps {
		s := &r.journal.Steps[i]
		told := s.Status == tasks.StepInterrupted && s.Error == interruption // by a worker that stopped
		if s.Status != tasks.StepInProgress && !told {
			continue
		}
		if !s.Rollback && (r.journal.Failure != "" || r.journal.Cancelled) {
			continue // that has been decided
		}
		s.Status, s.Error = tasks.StepInterrupted, interruption
		again := r.pipeline.at(i).Safe && s.Runs < mostRuns
		switch {
		case again, s.Rollback:
		case ctx.Err() != nil: // it was to end anyway
			r.journal.Cancelled = true
		default:
			r.journal.Failure = fmt.Sprintf("step %s was interrupted: %s", s.Name, interruption)
		}
		r.Log.Warn("a step of a deployment was interrupted", "job", r.order.ID, "project", r.pipeline.Project, "step", s.Name, "runs", s.Runs, "again", again)
		if !told || !again {
			if err := r.note(lasting, tasks.StepCut, i+1); err != nil {
				return err
			}
		}
		if again {
			s.Status = tasks.StepPending
		}
	}
	return nil
}

// leave ends a deployment as it is.
func (r *run) leave(lasting context.Context, why string) error {
	r.Log.Error("a deployment can't go on here", "job", r.order.ID, "project", r.pipeline.Project, "why", why)
	r.journal = r.journal.Ended()
	for i := range r.journal.Steps {
		if s := &r.journal.Steps[i]; s.Status == tasks.StepInterrupted && s.Error == "" {
			s.Error = interruption
		}
	}
	if r.journal.Failure == "" {
		r.journal.Failure = why
	}
	if err := r.note(lasting, tasks.StepCut, 0); err != nil {
		return err
	}
	return &FailedError{r.journal.Failure}
}
