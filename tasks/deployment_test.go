package tasks_test

import (
	"slices"
	"testing"
	"time"

	"switchyard/tasks"
)

// Ensure a branch's name is one that git takes, and nothing that a shell or an option
// could be made of.
func TestValidBranch(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"main", "release/1.2", "feature/a_b-c", "_x", "v1.0.0+b"} {
		if !tasks.ValidBranch(good) {
			t.Errorf("%q can't be deployed", good)
		}
	}
	for _, bad := range []string{"", "-f", "a b", "a;b", "$(x)", "a..b", "a//b", "a/.b", "a/", "a.", "a.lock", "a.lock/b", "/a", ".a", "a\nb", "가"} {
		if tasks.ValidBranch(bad) {
			t.Errorf("%q can be deployed", bad)
		}
	}
}

// Ensure only what one of the patterns is of may be deployed, and a star is no slash.
func TestAllowsBranch(t *testing.T) {
	t.Parallel()
	for branch, want := range map[string]bool{"main": true, "release/1": true, "release/1/2": false, "hotfix": false, "-f": false, "": false} {
		if got := tasks.AllowsBranch([]string{"main", "release/*", "-*"}, branch); got != want {
			t.Errorf("%s: %v", branch, got)
		}
	}
	if tasks.AllowsBranch(nil, "main") {
		t.Error("without a pattern")
	}
}

// Ensure a deployment waits where its project is, behind those of the same project.
func TestNewDeployment(t *testing.T) {
	t.Parallel()
	d := tasks.NewDeployment(tasks.DeploymentPayload{Project: "web", Branch: "main"}, "", time.Hour, time.Time{}, "7")
	if d.Queue != tasks.QueueDefault || d.OrderKey != "deployment:web" || d.JoinKey != "" || string(d.Payload) != `{"project":"web","branch":"main"}` || d.ChatID != "7" {
		t.Errorf("%+v", d)
	}
	if d := tasks.NewDeployment(tasks.DeploymentPayload{Project: "web"}, "seoul-1", time.Hour, time.Time{}, ""); d.Queue != "host:seoul-1" || d.Host != "seoul-1" || string(d.Payload) != `{"project":"web"}` {
		t.Errorf("%+v", d)
	}
}

// Ensure the percentage counts the steps that deploy alone, and what ended without a
// worker's word stands as such.
func TestDeploymentProgress(t *testing.T) {
	t.Parallel()
	p := tasks.DeploymentProgress{Rollback: tasks.RollbackInProgress, Steps: []tasks.DeploymentStep{
		{Status: tasks.StepCompleted}, {Status: tasks.StepInProgress, Percent: 60}, {Status: tasks.StepPending}, {Status: tasks.StepCompleted, Rollback: true},
	}}
	if p.Count(); p.Percent != 53 {
		t.Errorf("%d %%", p.Percent)
	}
	e := p.Ended()
	var got []tasks.StepStatus
	for _, s := range e.Steps {
		got = append(got, s.Status)
	}
	if !slices.Equal(got, []tasks.StepStatus{"completed", "interrupted", "skipped", "completed"}) || e.Rollback != tasks.RollbackBroke || p.Steps[1].Status != tasks.StepInProgress {
		t.Errorf("%v, %s; it was %v", got, e.Rollback, p.Steps)
	}
}
