package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"runtime"
	"time"

	"switchyard/configs"
	"switchyard/sim/project"
)

// demoProject is what the demo deploys.
const demoProject = "posco_news"

// makeProject makes a project and its pipeline. Without git or a shell, and where programs
// can't be kept track of, there is none.
func (d *Demo) makeProject(ctx context.Context, c *configs.Deployments, log *slog.Logger) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	p, err := project.Make(ctx, filepath.Join(d.dir, "project"))
	if errors.Is(err, project.ErrMissing) {
		log.Info("there is nothing to deploy in this demo", "why", err)
		return nil
	}
	if err != nil {
		return err
	}
	steps := func(list []project.Step) (out []configs.PipelineStep) {
		for _, s := range list {
			out = append(out, configs.PipelineStep{Name: s.Name, Command: s.Argv, Safe: s.Safe, Timeout: configs.Duration(time.Minute)})
		}
		return out
	}
	c.Pipelines = []configs.Pipeline{{
		Project: demoProject, Dir: p.Dir, Branches: []string{project.Main, "feature/*"}, Environment: []string{"PATH"},
		Steps: steps(p.Steps()), Rollback: steps(p.Rollback()),
	}}
	return nil
}
