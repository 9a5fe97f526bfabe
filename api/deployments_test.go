package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/jobs"
	"switchyard/steplogs"
	"switchyard/tasks"
)

const deployPath = "/api/v1/deployments"

func (b *bundle) deploy(t *testing.T, body string, header ...string) answer {
	t.Helper()
	return b.do(t, http.MethodPost, deployPath, body, append([]string{"Content-Type", "application/json"}, header...)...)
}

// Ensure a deployment becomes a job where its project is, behind those of the project, and
// that what can't be deployed is refused at once and leaves nothing.
func TestDeployAccepts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, want := range map[string]struct {
		status      int
		code, field string
	}{
		`{"project":"nothing"}`:               {400, "unknown_project", "project"},
		`{"project":"Web"}`:                   {400, "unknown_project", "project"},
		`{}`:                                  {400, "missing_project", "project"},
		`{"project":7}`:                       {400, "invalid_project", "project"},
		`{"project":"web","branch":"hotfix"}`: {400, "invalid_branch", "branch"},
		`{"project":"web","branch":"release/;x"}`: {400, "invalid_branch", "branch"},
		`{"project":"plain","branch":"main"}`:     {400, "invalid_branch", "branch"},
		`{"project":"web","chat_id":"x"}`:         {400, "invalid_chat_id", "chat_id"},
		`{"project":"web","wait":-1}`:             {400, "invalid_wait", "wait"},
		`{"project":"web","command":["/x"]}`:      {400, "unknown_field", "command"},
		`{"project":"away"}`:                      {404, "unknown_host", "project"},
	} {
		b.deploy(t, body).wantsProblem(t, want.status, want.code, want.field)
	}
	if all := b.jobs(t); len(all) > 0 {
		t.Fatalf("there are jobs: %+v", all)
	}
	b.register(t, seoul)
	for body, want := range map[string]struct{ branch, queue, payload string }{
		`{"project":"web"}`: {"main", tasks.QueueDefault, `{"project":"web","branch":"main"}`},
		`{"project":"web","branch":"release/2","chat_id":-7}`: {"release/2", tasks.QueueDefault, `{"project":"web","branch":"release/2"}`},
		`{"project":"plain"}`: {"", tasks.QueueDefault, `{"project":"plain"}`},
		`{"project":"away"}`:  {"", "host:seoul-1", `{"project":"away"}`},
	} {
		a := b.deploy(t, body)
		id := a.jobID(t)
		var p tasks.DeploymentPayload
		must(t, json.Unmarshal([]byte(want.payload), &p))
		a.wants(t, 202, `{"deployment_id":"`+id+`","job_id":"`+id+`","status":"queued","project":"`+p.Project+`","branch":"`+want.branch+`"}`)
		a.wantsHeader(t, "Location", deployPath+"/"+id)
		j, err := b.store.Get(b.ctx, id)
		must(t, err)
		if j.Type != tasks.Deployment || j.Queue != want.queue || string(j.Payload) != want.payload || j.OrderKey != "deployment:"+p.Project || j.MaxTries < 2 || j.Expires.Sub(j.Created).Round(time.Minute) != time.Hour {
			t.Errorf("%s: %+v, payload %s", body, j, j.Payload)
		}
		// Two steps of ten minutes, one that undoes, and what they may take beyond.
		if p.Project == "web" && j.Limit != 30*time.Minute+8*time.Minute {
			t.Errorf("%s: limit %s", body, j.Limit)
		}
	}
}

// Ensure a repeat under an Idempotency-Key is the same deployment.
func TestDeployAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const body = `{"project":"web"}`
	first := b.deploy(t, body, "Idempotency-Key", "k")
	b.deploy(t, body, "Idempotency-Key", "k").replays(t, first)
	b.deploy(t, `{"project":"plain"}`, "Idempotency-Key", "k").wantsProblem(t, 422, "idempotency_key_reused", "Idempotency-Key")
	b.onlyJob(t)
}

// Ensure a deployment can be looked at in all its states, with its steps and their logs,
// waited for, found, and cancelled.
func TestDeployment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.deploy(t, `{"project":"web"}`).jobID(t)
	path := deployPath + "/" + id
	const nothing = `,"progress":0,"exit_code":null,"error":null,"runs":0,"started_at":null,"duration_ms":null,"log":null}`
	pending := func(status string) string {
		return `"steps":[{"number":1,"name":"빌드","rollback":false,"status":"` + status + `"` + nothing + `,{"number":2,"name":"설치","rollback":false,"status":"` + status + `"` + nothing +
			`,{"number":3,"name":"빌드","rollback":true,"status":"` + status + `"` + nothing + `]}`
	}
	shows := func(path string, parts ...string) {
		t.Helper()
		a := b.get(t, path)
		for _, p := range parts {
			if a.status != 200 || !strings.Contains(a.body, p) {
				t.Errorf("%d %s\nhas no %s", a.status, a.body, p)
			}
		}
	}
	shows(path, `{"deployment_id":"`+id+`","project":"web","host":null,"branch":"main","commit_hash":"","previous_commit":"","status":"pending","progress":0,"rollback":"none","error":null,"attempts":1`, pending("pending"))

	waiting := b.later(t, http.MethodPost, deployPath, `{"project":"plain","wait":60}`, "Content-Type", "application/json")
	other := b.awaitDeployment(t, "plain")
	c := b.claim(t, other.ID)
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "step 빌드 has failed"}))
	if a := <-waiting; a.status != 200 || !strings.Contains(a.body, `"status":"failed"`) || !strings.Contains(a.body, `"error":"step 빌드 has failed"`) {
		t.Errorf("answer %d %s", a.status, a.body)
	}

	c = b.claim(t, id)
	began, zero := time.Date(2024, 1, 1, 12, 0, 0, 5_000_000, time.UTC), 0
	p := tasks.DeploymentProgress{
		Event: tasks.StepStarted, Attempt: 1, Step: 2, Project: "web", Branch: "main", Commit: "abc", PreviousCommit: "def", Percent: 50, Rollback: tasks.NoRollback,
		Steps: []tasks.DeploymentStep{
			{Name: "빌드", Status: tasks.StepCompleted, Percent: 100, ExitCode: &zero, StartedAt: &began, DurationMS: 1500, Runs: 1},
			{Name: "설치", Status: tasks.StepInProgress, Percent: 60, StartedAt: &began, Runs: 1}, {Name: "빌드", Rollback: true, Status: tasks.StepPending},
		},
	}
	must(t, c.Progress(b.ctx, p))
	logs := steplogs.New(b.rdb, time.Hour)
	must(t, logs.Save(b.ctx, "", id, 1, "한 줄\n"))
	shows(path, `"commit_hash":"abc","previous_commit":"def","status":"in_progress","progress":50,"rollback":"none"`,
		`{"number":1,"name":"빌드","rollback":false,"status":"completed","progress":100,"exit_code":0,"error":null,"runs":1,"started_at":"2024-01-01T12:00:00.005Z","duration_ms":1500,"log":"`+path+`/steps/1/log"}`,
		`{"number":2,"name":"설치","rollback":false,"status":"in_progress","progress":60,"exit_code":null,"error":null,"runs":1,"started_at":"2024-01-01T12:00:00.005Z","duration_ms":null,"log":"`+path+`/steps/2/log"}`)
	a := b.get(t, path+"/steps/1/log")
	if a.status != 200 || a.body != "한 줄\n" {
		t.Errorf("log: %d %q", a.status, a.body)
	}
	a.wantsType(t, "text/plain; charset=utf-8")
	for _, n := range []string{"2", "0", "01", "-1", "x"} {
		b.get(t, path+"/steps/"+n+"/log").wantsProblem(t, 404, "unknown_step", "")
	}
	b.do(t, http.MethodPost, path+"/cancel", "").wants(t, 202, `{"job_id":"`+id+`","status":"running"}`)
	p.Rollback = tasks.RollbackInProgress
	must(t, c.Progress(b.ctx, p))
	shows(path, `"status":"rolling_back"`)
	// A worker that died says no more.
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Cancelled, Error: "cancelled"}))
	shows(path, `"status":"cancelled"`, `"rollback":"failed"`, `"name":"설치","rollback":false,"status":"interrupted"`, `"rollback":true,"status":"skipped"`)
	b.do(t, http.MethodPost, path+"/cancel", "").wantsProblem(t, 409, "job_ended", "")
	b.do(t, http.MethodPost, "/api/v1/jobs/"+id+"/retry", "").wantsProblem(t, 409, "not_retryable", "")

	idle := b.deploy(t, `{"project":"web","branch":"release/1"}`).jobID(t)
	b.do(t, http.MethodPost, deployPath+"/"+idle+"/cancel", "").wants(t, 202, `{"job_id":"`+idle+`","status":"cancelled"}`)
	shows(deployPath+"/"+idle, `"branch":"release/1"`, `"status":"cancelled"`, pending("skipped"))

	for query, want := range map[string]string{
		"": idle + " " + other.ID + " " + id, "?project=web": idle + " " + id, "?project=web&branch=main": id, "?status=cancelled": idle + " " + id, "?status=failed": other.ID, "?status=pending": "", "?host=seoul-1": "", "?limit=1": idle,
	} {
		var page struct {
			Deployments []struct {
				ID    string `json:"deployment_id"`
				Steps any
			}
			Next *string `json:"next_cursor"`
		}
		a := b.get(t, deployPath+query)
		must(t, json.Unmarshal([]byte(a.body), &page))
		var got []string
		for _, d := range page.Deployments {
			got = append(got, d.ID)
			if d.Steps != nil {
				t.Errorf("%s: a list with steps", query)
			}
		}
		if strings.Join(got, " ") != want || (page.Next != nil) != (query == "?limit=1") {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	b.get(t, deployPath+"?status=done").wantsProblem(t, 400, "invalid_status", "status")
	b.get(t, deployPath+"?host=A").wantsProblem(t, 400, "invalid_host", "host")
	toggle := b.register(t, seoul).toggle(t, `{"port":10016}`).jobID(t)
	for _, no := range []string{"x", "j_01k9zd3v5y8m1q2r3s4t5v6w7x", toggle} {
		b.get(t, deployPath+"/"+no).wantsProblem(t, 404, "unknown_deployment", "")
		b.get(t, deployPath+"/"+no+"/steps/1/log").wantsProblem(t, 404, "unknown_deployment", "")
		b.do(t, http.MethodPost, deployPath+"/"+no+"/cancel", "").wantsProblem(t, 404, "unknown_deployment", "")
	}
}

// awaitDeployment waits for one of a project.
func (b *bundle) awaitDeployment(t *testing.T, project string) (found *jobs.Job) {
	t.Helper()
	b.eventually(t, project+" is to be deployed", func() bool {
		for _, j := range b.jobs(t) {
			if j.Type == tasks.Deployment && strings.Contains(string(j.Payload), `"project":"`+project+`"`) {
				found = j
			}
		}
		return found != nil
	})
	return found
}
