package events_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"switchyard/events"
	"switchyard/tasks"
)

// Ensure each change of a deployment's job is told in the form of the older dashboards,
// once, however it came about, and nothing is told of what says nothing new.
func TestDeploymentOf(t *testing.T) {
	t.Parallel()
	three := func(change ...func(*tasks.DeploymentProgress)) tasks.DeploymentProgress {
		p := tasks.DeploymentProgress{
			Event: tasks.StepStarted, Attempt: 1, Step: 2, Project: "web", Branch: "main", Commit: "abc123def456", Percent: 33, Rollback: tasks.NoRollback,
			Steps: []tasks.DeploymentStep{
				{Name: "코드 체크아웃", Status: tasks.StepCompleted, DurationMS: 1500, Percent: 100, Runs: 1}, {Name: "의존성 설치", Status: tasks.StepInProgress, Percent: 60, Runs: 1},
				{Name: "빌드", Status: tasks.StepPending}, {Name: "복원", Status: tasks.StepPending, Rollback: true},
			},
		}
		for _, c := range change {
			c(&p)
		}
		return p
	}
	const head = `","branch":"main","commit_hash":"abc123def456","deployment_id":"j_1","status":`
	const running = `"steps":[{"name":"코드 체크아웃","status":"completed","duration_ms":1500},{"name":"의존성 설치","status":"in_progress","progress":60},{"name":"빌드","status":"pending"}],"project":"web"}`
	const over = `"steps":[{"name":"코드 체크아웃","status":"completed","duration_ms":1500},{"name":"의존성 설치","status":"interrupted","duration_ms":0},{"name":"빌드","status":"skipped"}`
	for name, tt := range map[string]struct {
		job      events.Job
		progress any
		want     string
	}{
		"started": {events.Job{State: "running", Attempt: 1}, three(func(p *tasks.DeploymentProgress) { p.Event, p.Step = tasks.DeploymentStarted, 0 }),
			`{"event_type":"deployment_started` + head + `"in_progress","progress":33,"message":"배포가 시작되었습니다",` + running},
		"step": {events.Job{State: "running", Attempt: 1}, three(), `{"event_type":"step_started` + head + `"in_progress","progress":33,"message":"의존성 설치 단계가 시작되었습니다",` + running},
		"rollback": {events.Job{State: "running", Attempt: 1}, three(func(p *tasks.DeploymentProgress) {
			p.Event, p.Step, p.Rollback = tasks.RollbackStarted, 0, tasks.RollbackInProgress
		}), `{"event_type":"rollback_started` + head + `"rolling_back","progress":33,"message":"롤백이 시작되었습니다",` + strings.Replace(running, `"pending"}]`, `"pending"},{"name":"복원","status":"pending"}]`, 1)},
		"completed": {events.Job{State: "completed", Attempt: 1}, three(func(p *tasks.DeploymentProgress) { p.Percent = 100 }),
			`{"event_type":"deployment_completed` + head + `"completed","progress":100,"message":"배포가 완료되었습니다",` + over + `],"project":"web"}`},
		"lost":                   {events.Job{State: "failed", Attempt: 5, Error: "its worker went away 5 times"}, three(), `{"event_type":"deployment_failed` + head + `"failed","progress":33,"message":"배포가 실패했습니다: its worker went away 5 times",` + over + `],"project":"web"}`},
		"cancelled":              {events.Job{State: "cancelled", Attempt: 1, Error: "cancelled"}, three(), `{"event_type":"deployment_cancelled` + head + `"cancelled","progress":33,"message":"배포가 취소되었습니다",` + over + `],"project":"web"}`},
		"taken up again":         {events.Job{State: "running", Attempt: 2}, three(), ""},
		"let go of":              {events.Job{State: "queued", Attempt: 2}, three(), ""},
		"not begun":              {events.Job{State: "running", Attempt: 1}, nil, ""},
		"cancelled in the queue": {events.Job{State: "cancelled", Attempt: 1}, nil, ""},
		"no journal":             {events.Job{State: "running", Attempt: 1}, "x", ""},
	} {
		tt.job.JobID, tt.job.Type = "j_1", "deployment"
		if tt.progress != nil {
			tt.job.Progress, _ = json.Marshal(tt.progress)
		}
		at := time.Unix(1_700_000_000, 0)
		e, err := events.New(events.Jobs, events.JobKind, at, tt.job)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := events.DeploymentOf(e)
		if ok != (tt.want != "") || string(got.Data) != tt.want || ok && (got.Kind != "posco_event" || !got.At.Equal(at)) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, ok, got.Data, tt.want)
		}
		e.Class = events.Logs
		if _, ok := events.DeploymentOf(e); ok {
			t.Errorf("%s: one of another class tells of a deployment", name)
		}
	}
}
