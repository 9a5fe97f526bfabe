package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"switchyard/app"
	"switchyard/sim/hilink"
	"switchyard/tasks"
)

// Ensure a toggle's job tells the address before and after and of each step what
// came of it, why, and how long it took; and that the new address counts as one.
func TestToggleIsToldStepByStep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	p := b.start(t, b.config(b.asHost, alsoDelivers), app.Roles()...)
	before := b.modems[0].Address().String()
	b.modems[0].Refuse(hilink.Refusal{Method: http.MethodPost, Path: "net/net-mode", Code: 112003})
	accepted := b.wants(t, p, http.MethodPost, "/api/v1/proxies/toggle", `{"port":10011}`, http.StatusAccepted, "job_id")
	var job struct {
		JobID    string               `json:"job_id"`
		State    string               `json:"state"`
		Progress tasks.ToggleProgress `json:"progress"`
	}
	must(t, json.Unmarshal([]byte(accepted), &job))
	b.eventually(t, "the toggle ends", func() bool {
		must(t, json.Unmarshal([]byte(b.wants(t, p, http.MethodGet, "/api/v1/jobs/"+job.JobID, "", http.StatusOK, "progress")), &job))
		return job.State == "completed"
	})
	after, got := b.modems[0].Address().String(), job.Progress
	if got.Diagnosis != "healthy" || got.OldIP == nil || *got.OldIP != before || got.NewIP == nil || *got.NewIP != after || before == after {
		t.Errorf("from %s to %s: %+v", before, after, got)
	}
	if len(got.Steps) != 2 {
		t.Fatalf("steps %+v", got.Steps)
	}
	if s := got.Steps[0]; s.Step != 2 || s.Method != "net_mode" || s.Outcome != "failed" || !strings.Contains(s.Reason, "(112003)") {
		t.Errorf("the first step is %+v", s)
	}
	if s := got.Steps[1]; s.Step != 2 || s.Method != "dataswitch" || s.Outcome != "ok" || s.Reason != "" || s.DurationMS <= 0 {
		t.Errorf("the second step is %+v", s)
	}
	b.wants(t, p, http.MethodGet, "/api/v1/hosts/seoul-1", "", http.StatusOK, `"rotation":{"toggles":1,"unique":1,"ratio":1},"collisions":[],`)
}
