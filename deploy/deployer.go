package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"switchyard/tasks"
)

// Deployer deploys projects.
type Deployer struct {
	// Pipelines of the projects that are here.
	Pipelines []Pipeline
	// Git is the path of git; empty: there is none, and so no branches and commits.
	Git string
	// Machine is the name of this one.
	Machine string
	Now     func() time.Time
	Log     *slog.Logger
}

// Order is one deployment.
type Order struct {
	// ID is what it is known by.
	ID string
	// Attempt at it.
	Attempt         int
	Project, Branch string
	// Before is the journal of the attempt before; nil: nothing was done yet.
	Before *tasks.DeploymentProgress
}

// Hooks are whom a deployment tells how it goes.
type Hooks struct {
	// Note has the journal written where the next worker finds it, and returns when it is.
	// Errors: the cause of ctx, or that the deployment isn't this worker's any more.
	Note func(context.Context, tasks.DeploymentProgress) error
	// Tell is Note for what may be left out.
	Tell func(context.Context, tasks.DeploymentProgress)
	// SaveLog keeps the log of a step, by its number from 1, in place of what was kept.
	SaveLog func(ctx context.Context, step int, text string) error
}

// Errors that a deployment ends with.
var (
	// ErrUnknown: there is no such project here.
	ErrUnknown = errors.New("this worker has no such project (deployments.pipelines)")
	// ErrCancelled: it was cancelled, and what was done undone as far as that went.
	ErrCancelled = errors.New("the deployment was cancelled")
)

// FailedError: it is not deployed, and what was done was undone as far as Words say.
type FailedError struct{ Words string }

// Error implements error.
func (e *FailedError) Error() string { return e.Words }

// mostRuns is how often a safe step is begun that is interrupted each time.
const mostRuns = 3

// Run deploys a project, or goes on where another worker was interrupted. ctx ends when
// the deployment is cancelled, too; lasting only when the worker has to let go of it. It
// returns nil when all steps are completed. Errors: ErrUnknown, ErrCancelled, a
// *FailedError, the cause of lasting, or what Note says.
func (d *Deployer) Run(ctx, lasting context.Context, o Order, h Hooks) error {
	i := slices.IndexFunc(d.Pipelines, func(p Pipeline) bool { return p.Project == o.Project })
	if i < 0 {
		return fmt.Errorf("%w: %s", ErrUnknown, o.Project)
	}
	r := &run{Deployer: d, pipeline: d.Pipelines[i], order: o, hooks: h, git: git{d.Git}}
	if o.Before == nil {
		return r.begin(ctx, lasting)
	}
	r.journal = *o.Before
	r.journal.Steps = slices.Clone(o.Before.Steps)
	return r.resume(ctx, lasting)
}

// run is one attempt at a deployment.
type run struct {
	*Deployer
	pipeline Pipeline
	order    Order
	hooks    Hooks
	git      git
	held     *os.File // the lock
	journal  tasks.DeploymentProgress
}

func failed(format string, args ...any) error { return &FailedError{fmt.Sprintf(format, args...)} }

// begin begins at the first step.
func (r *run) begin(ctx, lasting context.Context) error {
	if ctx.Err() != nil {
		return ended(lasting)
	}
	if err := r.lock(ctx); err != nil {
		if ctx.Err() != nil {
			return ended(lasting)
		}
		return failed("%s: %s", r.pipeline.Project, err)
	}
	defer r.held.Close() //nolint:errcheck // a directory, which was not written to
	r.journal = tasks.DeploymentProgress{
		Project: r.pipeline.Project, Machine: r.Machine, Rollback: tasks.NoRollback, Steps: r.pipeline.journal(),
	}
	if err := r.look(ctx); err != nil {
		if ctx.Err() != nil {
			return ended(lasting)
		}
		return err
	}
	if err := r.note(ctx, tasks.DeploymentStarted, 0); err != nil {
		if ctx.Err() != nil {
			return ended(lasting)
		}
		return err
	}
	return r.deploy(ctx, lasting)
}

// lock has nobody else work in the project's directory.
func (r *run) lock(ctx context.Context) (err error) {
	r.held, err = lock(ctx, r.pipeline.Dir)
	return err
}

// look finds out what is to be deployed, and what is checked out now.
func (r *run) look(ctx context.Context) error {
	current, err := r.git.branch(ctx, r.pipeline.Dir)
	if err != nil {
		return failed("%s", err)
	}
	if r.journal.PreviousCommit, err = r.git.commit(ctx, r.pipeline.Dir); err != nil {
		return failed("%s", err)
	}
	r.journal.Commit = r.journal.PreviousCommit
	allowed := r.pipeline.Branches
	switch branch := r.order.Branch; {
	case branch != "" && !tasks.AllowsBranch(allowed, branch):
		return failed("branch %q may not be deployed here", branch)
	case branch != "":
		r.journal.Branch = branch
	case len(allowed) > 0:
		r.journal.Branch = allowed[0]
	case current != "" && !tasks.ValidBranch(current):
		return failed("branch %q, which is checked out, has a name that can't be passed on", current)
	default:
		r.journal.Branch = current
	}
	return nil
}

// deploy does what is left of the steps that deploy.
func (r *run) deploy(ctx, lasting context.Context) error {
	for i := range r.pipeline.Steps {
		if r.journal.Steps[i].Status == tasks.StepCompleted {
			continue
		}
		switch v, err := r.step(ctx, lasting, i); v {
		case completed:
		case gone:
			return err
		case broke:
			return r.rollBack(lasting)
		case cut:
			r.journal.Cancelled = true
			return r.rollBack(lasting)
		}
	}
	return nil
}

// rollBack undoes what was done.
func (r *run) rollBack(lasting context.Context) error {
	if len(r.pipeline.Rollback) == 0 || !slices.ContainsFunc(r.journal.Steps, tasks.DeploymentStep.Begun) {
		return r.over("")
	}
	r.skip(func(s tasks.DeploymentStep) bool { return !s.Rollback })
	r.journal.Rollback = tasks.RollbackInProgress
	if err := r.note(lasting, tasks.RollbackStarted, 0); err != nil {
		return err
	}
	return r.undo(lasting)
}

// undo does what is left of the steps that undo.
func (r *run) undo(lasting context.Context) error {
	for n := range r.pipeline.Rollback {
		i := len(r.pipeline.Steps) + n
		verdict := broke // as it was found: interrupted, or failed and not followed up
		var err error
		switch r.journal.Steps[i].Status {
		case tasks.StepCompleted:
			continue
		case tasks.StepPending:
			verdict, err = r.step(lasting, lasting, i)
		default:
		}
		switch verdict {
		case completed:
			continue
		case gone, cut:
			return err
		case broke:
		}
		r.skip(func(s tasks.DeploymentStep) bool { return s.Rollback })
		r.journal.Rollback = tasks.RollbackBroke
		if err := r.note(lasting, tasks.RollbackFailed, i+1); err != nil {
			return err
		}
		s := r.journal.Steps[i]
		return r.over(fmt.Sprintf("; and the roll-back has failed: %s: %s", s.Name, s.Error))
	}
	for i := range r.journal.Steps {
		if s := &r.journal.Steps[i]; !s.Rollback && s.Status == tasks.StepCompleted {
			s.Status = tasks.StepRolledBack
		}
	}
	r.journal.Rollback = tasks.RolledBack
	if err := r.note(lasting, tasks.RollbackCompleted, 0); err != nil {
		return err
	}
	return r.over("; it was rolled back")
}

// over is what a deployment ends with that isn't completed.
func (r *run) over(more string) error {
	if r.journal.Failure == "" {
		return fmt.Errorf("%w%s", ErrCancelled, more)
	}
	return &FailedError{r.journal.Failure + more}
}

// skip: those of the steps that are pending are not done.
func (r *run) skip(which func(tasks.DeploymentStep) bool) {
	for i := range r.journal.Steps {
		if s := &r.journal.Steps[i]; s.Status == tasks.StepPending && which(*s) {
			s.Status = tasks.StepSkipped
		}
	}
}

// note notes what has happened, to step n from 1, or to none.
func (r *run) note(ctx context.Context, e tasks.DeploymentEvent, n int) error {
	return r.hooks.Note(ctx, r.told(e, n))
}

// told is the journal with what has happened last, as it is now.
func (r *run) told(e tasks.DeploymentEvent, n int) tasks.DeploymentProgress {
	j := &r.journal
	j.Event, j.Step, j.Attempt = e, n, r.order.Attempt
	j.Count()
	copied := *j
	copied.Steps = slices.Clone(j.Steps)
	return copied
}

// ended is why nothing is begun any more.
func ended(lasting context.Context) error {
	if lasting.Err() != nil {
		return context.Cause(lasting)
	}
	return ErrCancelled
}
