package app

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"

	"switchyard/configs"
	"switchyard/deploy"
	"switchyard/keeper"
	"switchyard/steplogs"
	"switchyard/worker"
)

// What a step's program may use where nothing is configured.
const (
	stepMemoryMiB = 2048
	stepProcesses = 256
)

// stepLogs are those of deployments' steps.
func (a *App) stepLogs() *steplogs.Store { return steplogs.New(a.rdb, a.cfg.Jobs.Retention.Std()) }

// deployments deploys the projects that are here: those of this process' host, and those
// of no host where it takes their queue.
func (a *App) deployments(log *slog.Logger, shared bool) (*worker.Deployments, error) {
	machine, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for this machine's name, for deployments: %w", err)
	}
	d := &deploy.Deployer{Machine: machine, Now: a.store.Now, Log: log}
	for _, p := range a.cfg.Deployments.Pipelines {
		if p.Host == "" && shared || p.Host != "" && p.Host == a.cfg.Host.Name {
			d.Pipelines = append(d.Pipelines, pipeline(p, a.cfg.Deployments.LogKiB<<10))
		}
	}
	if len(d.Pipelines) > 0 {
		if d.Git, err = exec.LookPath("git"); err != nil {
			log.Warn("there is no git: deployments tell of no branches and commits", "err", err)
		}
	}
	return &worker.Deployments{Deployer: d, Logs: a.stepLogs(), Log: log}, nil
}

func pipeline(p configs.Pipeline, kept int) deploy.Pipeline {
	out := deploy.Pipeline{
		Project: p.Project, Dir: p.Dir, Branches: p.Branches, KeptLog: kept, Steps: steps(p.Steps), Rollback: steps(p.Rollback),
		Environment: configs.Variables(slices.Concat(p.Environment, p.Secrets)),
		Limits:      keeper.Limits{Memory: stepMemoryMiB << 20, Processes: stepProcesses},
	}
	for _, v := range configs.Variables(p.Secrets) {
		_, value, _ := strings.Cut(v, "=")
		out.Secrets = append(out.Secrets, value)
	}
	if p.MemoryMiB > 0 {
		out.Limits.Memory = int64(p.MemoryMiB) << 20
	}
	if p.Processes > 0 {
		out.Limits.Processes = p.Processes
	}
	return out
}

func steps(list []configs.PipelineStep) []deploy.Step {
	out := make([]deploy.Step, len(list))
	for i, s := range list {
		out[i] = deploy.Step{Name: s.Name, Argv: s.Command, Dir: s.Dir, Timeout: s.Limit(), Safe: s.Safe, Environment: configs.Variables(s.Environment)}
	}
	return out
}
