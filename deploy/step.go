package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchyard/keeper"
	"switchyard/tasks"
)

const (
	// endGrace is how long a program may take to end once it is asked to.
	endGrace = 5 * time.Second
	// logPause is the pause between two looks at whether a log has grown.
	logPause = time.Second
	// percentPause is the least time between two words of how far a step is.
	percentPause = 250 * time.Millisecond
	// saveLimit bounds the keeping of a log whose step has ended.
	saveLimit = 3 * time.Second
)

// verdict is what became of a step.
type verdict int

const (
	completed verdict = iota
	// broke: it has failed.
	broke
	// cut: ctx ended before it was through, and lasting didn't.
	cut
	// gone: this worker has to let go of the deployment.
	gone
)

// errCut: its context ended before the program did.
var errCut = errors.New("it was ended")

// step does step i. The error is why it is gone.
func (r *run) step(ctx, lasting context.Context, i int) (verdict, error) {
	s := &r.journal.Steps[i]
	before := *s
	if ctx.Err() != nil {
		return r.unbegun(lasting)
	}
	began := r.Now().UTC().Truncate(time.Millisecond)
	*s = tasks.DeploymentStep{Name: s.Name, Rollback: s.Rollback, Status: tasks.StepInProgress, StartedAt: &began, Runs: s.Runs + 1}
	if err := r.note(ctx, tasks.StepStarted, i+1); err != nil {
		*s = before
		if ctx.Err() != nil {
			return r.unbegun(lasting)
		}
		return gone, err
	}
	log := r.Log.With("job", r.order.ID, "project", r.pipeline.Project, "step", s.Name)
	log.Info("step of a deployment begun")
	clock := time.Now()
	text, err := r.program(ctx, i)
	took := time.Since(clock)
	s.DurationMS = took.Milliseconds()
	log.Info("step of a deployment ended", "took", took.Round(time.Millisecond), "err", err)

	event, out := tasks.StepEnded, completed
	var exit *keeper.ExitError
	switch {
	case err == nil:
		zero := 0
		s.Status, s.Percent, s.ExitCode = tasks.StepCompleted, 100, &zero
	case errors.Is(err, errCut):
		event, out = tasks.StepCut, cut
		s.Status, s.Error = tasks.StepInterrupted, "it was cancelled"
		if lasting.Err() != nil {
			s.Error = interruption
			// The next worker finds out by itself, only later.
			r.hooks.Tell(lasting, r.told(event, i+1))
			return gone, context.Cause(lasting)
		}
		r.journal.Cancelled = true
	default:
		event, out = tasks.StepBroke, broke
		s.Status, s.Error = tasks.StepFailed, r.explain(err, text)
		if errors.As(err, &exit) && exit.Signal == 0 {
			s.ExitCode = &exit.Code
		}
		if !s.Rollback {
			r.journal.Failure = fmt.Sprintf("step %s has failed: %s", s.Name, s.Error)
		}
	}
	if commit, err := r.git.commit(lasting, r.pipeline.Dir); err != nil {
		log.Warn("git doesn't say what is checked out", "err", err)
	} else {
		r.journal.Commit = commit
	}
	if err := r.note(lasting, event, i+1); err != nil {
		return gone, err
	}
	return out, nil
}

// unbegun is the verdict on a step when ctx ends before it.
func (*run) unbegun(lasting context.Context) (verdict, error) {
	if lasting.Err() != nil {
		return gone, context.Cause(lasting)
	}
	return cut, nil
}

// program runs the program of step i to its end, or that of ctx (errCut). text is its log.
func (r *run) program(ctx context.Context, i int) (text string, err error) {
	c := r.pipeline.command(r.order.ID, i, r.journal)
	out := newOutput(r.pipeline.KeptLog, newSecrets(r.pipeline.Secrets, c.Env))
	c.Stdout, c.Stderr, c.Hold = &out.stdout, &out.stderr, r.held
	r.save(ctx, i, "") // what an earlier run has left is not this one's
	p, err := keeper.Start(c)
	if err == nil {
		err = r.watch(ctx, p, out, i)
	}
	text = out.text()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
	defer cancel()
	r.save(last, i, text)
	return text, err
}

// watch follows a program to its end.
func (r *run) watch(ctx context.Context, p *keeper.Process, out *output, i int) error {
	step := r.pipeline.at(i)
	s := &r.journal.Steps[i]
	timeout := time.NewTimer(step.Timeout)
	defer timeout.Stop()
	look := time.NewTicker(logPause)
	defer look.Stop()
	var told time.Time
	var reason error
	var kill <-chan time.Time
	cancelled, late := ctx.Done(), timeout.C
	end := func(why error) {
		cancelled, late, reason = nil, nil, why
		p.Terminate()
		kill = time.After(endGrace)
	}
	for {
		select {
		case <-p.Done():
			if err := p.Wait(); reason == nil {
				return err
			}
			return reason
		case <-cancelled:
			end(errCut)
		case <-late:
			end(fmt.Errorf("it took longer than %s, and was ended", step.Timeout))
		case <-kill:
			p.Kill()
		case <-look.C:
			if text, news := out.news(); news {
				r.save(ctx, i, text)
			}
		case percent := <-out.percent:
			news := s.Percent != percent
			if s.Percent = percent; news && (percent == 100 || time.Since(told) >= percentPause) {
				told = time.Now()
				r.hooks.Tell(ctx, r.told(tasks.StepProgressed, i+1))
			}
		}
	}
}

// save keeps the log of step i. One that can't be kept is no reason to fail.
func (r *run) save(ctx context.Context, i int, text string) {
	if err := r.hooks.SaveLog(ctx, i+1, text); err != nil && ctx.Err() == nil {
		r.Log.Warn("the log of a step can't be kept", "job", r.order.ID, "step", r.journal.Steps[i].Name, "err", err)
	}
}

// explain says a failure in words: a limit with its figure, an exit with the last line of
// what the program said.
func (r *run) explain(err error, text string) string {
	l := r.pipeline.Limits
	if limit := (*keeper.LimitError)(nil); errors.As(err, &limit) {
		switch limit.Limit {
		case keeper.Memory:
			return fmt.Sprintf("it used more than %d MiB of memory, and was ended", l.Memory>>20)
		case keeper.Processes:
			return fmt.Sprintf("it had more than %d processes, and was ended", l.Processes)
		case keeper.CPU:
		}
	}
	words := err.Error()
	if exit := (*keeper.ExitError)(nil); errors.As(err, &exit) {
		if last := lastLine(text); last != "" {
			words += ": " + last
		}
	}
	return words
}
