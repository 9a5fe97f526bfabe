package notices_test

import (
	"testing"

	"switchyard/jobs"
	"switchyard/notices"
	"switchyard/tasks"
)

// Ensure a chat is told what was deployed, how it ended, and whether it was undone.
func TestOf_deployment(t *testing.T) {
	t.Parallel()
	const what = "Deployment of <b>web</b>, branch main, commit abc123def456"
	for name, tt := range map[string]struct {
		state    jobs.State
		words    string
		rollback tasks.Rollback
		want     string
	}{
		"completed":         {jobs.Completed, "", tasks.NoRollback, what + ": completed."},
		"failed":            {jobs.Failed, "step <b> has failed: exit status 2; it was rolled back", tasks.RolledBack, what + ": failed: step &lt;b&gt; has failed: exit status 2; it was rolled back."},
		"cancelled":         {jobs.Cancelled, "cancelled", tasks.RolledBack, what + ": cancelled, and rolled back."},
		"cancelled, broken": {jobs.Cancelled, "cancelled", tasks.RollbackBroke, what + ": cancelled; the roll-back has failed."},
		"cancelled at once": {jobs.Cancelled, "cancelled", "", "Deployment of <b>web</b>: cancelled."},
	} {
		j := &jobs.Job{Type: tasks.Deployment, State: tt.state, Error: tt.words, Payload: doc(t, tasks.DeploymentPayload{Project: "web", Branch: "main"})}
		if tt.rollback != "" {
			j.Progress = doc(t, tasks.DeploymentProgress{Branch: "main", Commit: "abc123def4567890", Rollback: tt.rollback})
		}
		if got, ok := notices.Of(j); !ok || got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, tt.want)
		}
	}
}
