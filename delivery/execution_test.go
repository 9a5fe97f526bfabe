package delivery_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/executions"
	"switchyard/jobs"
	"switchyard/tasks"
)

// Ensure the end of an execution is posted to those URLs that asked for it, as its
// document, and that no other phase, nor any configured receiver, is told.
func TestPlanExecution(t *testing.T) {
	t.Parallel()
	c := receivers()
	c.StrategyAttempts, c.StrategyTimeout = 1, configs.Duration(10*time.Second)
	j := &jobs.Job{
		ID: "j_1", Type: tasks.Strategy, State: jobs.Failed, Run: 1, Created: accepted, Started: begun, Completed: ended, Error: "Unknown variant: X",
		Payload: []byte(`{"execution":124,"strategy":"BoldAssetAllocation","version":"1.0.0","parameters":{"variant":"X"}}`),
	}
	const body = `{"execution_id":124,"strategy":"BoldAssetAllocation","version":"1.0.0","status":"failed","started_at":"2026-01-02T03:04:06.000Z",` +
		`"completed_at":"2026-01-02T03:05:05.000Z","execution_parameters":{"variant":"X"},"error_message":"Unknown variant: X"}`
	got, err := delivery.Plan(j, jobs.PhaseResult, []string{"https://b.example.com/", "https://a.example.com/"}, c)
	if err != nil {
		t.Fatal(err)
	}
	want := []line{{"https://a.example.com/", "strategy/result", body, "", 1, true}, {"https://b.example.com/", "strategy/result", body, "", 1, true}}
	if diff := cmp.Diff(want, lines(t, got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got[0].ID != executions.CallbackID(j, "https://a.example.com/") || got[0].Limit < 10*time.Second {
		t.Errorf("planned %+v", got[0])
	}
	c.StrategyAttempts = 3
	if got, _ := delivery.Plan(j, jobs.PhaseResult, []string{"https://a.example.com/"}, c); got[0].MaxTries != 3 || got[0].Once {
		t.Errorf("with three attempts: %+v", got[0])
	}
	for _, phase := range []jobs.Phase{jobs.PhaseStart, jobs.PhaseResult} {
		urls := []string{"https://a.example.com/"}
		if phase == jobs.PhaseResult {
			urls = nil
		}
		if got, err := delivery.Plan(j, phase, urls, c); err != nil || len(got) != 0 {
			t.Errorf("%s to %v: %v, %v", phase, urls, got, err)
		}
	}
	j.Payload = []byte("x")
	if _, err := delivery.Plan(j, jobs.PhaseResult, []string{"https://a.example.com/"}, c); err == nil {
		t.Error("a broken payload is posted")
	}
}
