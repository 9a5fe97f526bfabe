package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchyard/deploy"
	"switchyard/jobs"
	"switchyard/steplogs"
	"switchyard/tasks"
)

// Deployments deploys projects.
type Deployments struct {
	Deployer *deploy.Deployer
	Logs     *steplogs.Store
	Log      *slog.Logger
}

const (
	// saveTimeout bounds what keeping a log may cost a step.
	saveTimeout = time.Second
	// Pauses before another worker is looked for that knows a project.
	firstSearch = 2 * time.Second
	maxSearch   = 30 * time.Second
)

// Handle is the handler of tasks.Deployment. Its journal is the job's progress: whoever
// takes the job up after another goes on from there.
func (d *Deployments) Handle(ctx context.Context, r *Run) Outcome {
	var p tasks.DeploymentPayload
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		return GiveUp(fmt.Errorf("unreadable payload: %w", err), nil)
	}
	o := deploy.Order{ID: r.ID, Attempt: r.Attempt, Project: p.Project, Branch: p.Branch}
	if len(r.Job.Progress) > 0 {
		if err := json.Unmarshal(r.Job.Progress, &o.Before); err != nil {
			return GiveUp(fmt.Errorf("unreadable journal: nothing was undone: %w", err), nil)
		}
	}
	err := d.Deployer.Run(ctx, r.Lasting(), o, deploy.Hooks{
		Note: func(ctx context.Context, j tasks.DeploymentProgress) error { return r.Note(ctx, j) },
		Tell: func(ctx context.Context, j tasks.DeploymentProgress) {
			if err := r.Progress(ctx, j); err != nil {
				d.Log.Debug("progress not noted", "job", r.ID, "err", err)
			}
		},
		SaveLog: func(ctx context.Context, step int, text string) error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
			defer cancel()
			return d.Logs.Save(ctx, r.Host, r.ID, step, text)
		},
	})
	switch {
	case err == nil:
		return Done(nil)
	case errors.Is(err, ErrStopping), errors.Is(err, jobs.ErrLost):
		return Release()
	case errors.Is(err, deploy.ErrCancelled):
		return Cancelled(nil)
	case errors.Is(err, deploy.ErrUnknown) && o.Before == nil: // another may know it
		return RetryAfter(tasks.Backoff(firstSearch, maxSearch, r.Tries), err, nil)
	case errors.Is(err, ErrLimit):
		return GiveUp(fmt.Errorf("it took longer than %s: nothing was undone", r.Limit), nil)
	}
	return GiveUp(err, nil)
}
