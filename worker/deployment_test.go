//go:build linux

package worker_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/deploy"
	"switchyard/jobs"
	"switchyard/steplogs"
	"switchyard/tasks"
	"switchyard/worker"
)

// deploys starts a worker that deploys a project "web" by one step in sh.
func (b *bundle) deploys(t *testing.T, dir, text string) *worker.Worker {
	t.Helper()
	h := &worker.Deployments{
		Deployer: &deploy.Deployer{Machine: "a", Now: b.store.Now, Log: discard, Pipelines: []deploy.Pipeline{{
			Project: "web", Dir: dir, Environment: []string{"PATH=/usr/bin:/bin"}, KeptLog: 1000,
			Steps: []deploy.Step{{Name: "one", Argv: []string{"/bin/sh", "-c", text}, Timeout: time.Minute}},
		}}},
		Logs: steplogs.New(b.rdb, time.Hour), Log: discard,
	}
	return b.start(t, nil, soon, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: tasks.QueueDefault, Concurrency: 2}}
		o.Handlers = map[tasks.Type]worker.Handler{tasks.Deployment: h.Handle}
	})
}

func (b *bundle) toDeploy(t *testing.T, project string) string {
	t.Helper()
	return b.accept(t, jobs.Request{Draft: tasks.NewDeployment(tasks.DeploymentPayload{Project: project}, "", time.Minute, time.Time{}, "")})
}

// Ensure a deployment leaves its journal and its log, and that one of a project that this
// worker doesn't know is left to others for a while.
func TestDeployment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deploys(t, t.TempDir(), "echo done")
	id := b.toDeploy(t, "web")
	j := b.ended(t, id)
	var p tasks.DeploymentProgress
	must(t, json.Unmarshal(j.Progress, &p))
	if j.State != jobs.Completed || p.Steps[0].Status != tasks.StepCompleted || p.Percent != 100 || p.Attempt != 1 {
		t.Errorf("%+v, %s", j, j.Progress)
	}
	if log, err := steplogs.New(b.rdb, time.Hour).Read(b.ctx, "", id, 1); err != nil || log != "done\n" {
		t.Errorf("log %q, %v", log, err)
	}
	other := b.toDeploy(t, "other")
	b.eventually(t, "it is left to others", func() bool { return b.get(t, other).State == jobs.Retrying })
	if j := b.get(t, other); j.Tries != 1 || !strings.Contains(j.Error, "this worker has no such project") || j.Progress != nil {
		t.Errorf("%+v", j)
	}
}

// Ensure a deployment outlives an outage of Redis, and does nothing twice because of it.
func TestDeploymentDuringAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := t.TempDir()
	b.deploys(t, dir, "echo run >>log; while [ ! -e go ]; do sleep 0.02; done; touch gone")
	id := b.toDeploy(t, "web")
	there := func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	}
	b.eventually(t, "it is in its step", there("log"))
	b.srv.Kill()
	must(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	b.eventually(t, "its program has ended", there("gone"))
	must(t, b.srv.Restart(b.ctx))
	if j := b.ended(t, id); j.State != jobs.Completed || j.Attempt != 1 {
		t.Errorf("%+v", j)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "log")); err != nil || string(text) != "run\n" {
		t.Errorf("%q, %v", text, err)
	}
}
