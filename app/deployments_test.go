//go:build linux

package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/sim/project"
)

// sh is a step in sh.
func sh(name, text string) configs.PipelineStep {
	return configs.PipelineStep{Name: name, Command: []string{"/bin/sh", "-c", text}, Timeout: configs.Duration(time.Minute)}
}

// pipelines adds them to a configuration.
func pipelines(all ...configs.Pipeline) func(*configs.Config) {
	return func(c *configs.Config) { c.Deployments.Pipelines = all }
}

// deployed is as much of a deployment's document as tests look at.
type deployed struct {
	ID       string `json:"deployment_id"`
	Status   string
	Branch   string
	Commit   string `json:"commit_hash"`
	Rollback string
	Error    string
	Steps    []struct {
		Name, Status, Error string
		Runs                int
		Log                 string
	}
}

// statuses are those of its steps.
func (d deployed) statuses() string {
	var out []string
	for _, s := range d.Steps {
		out = append(out, s.Status)
	}
	return strings.Join(out, " ")
}

// deploy asks for a deployment; body is the request.
func (b *bundle) deploy(t *testing.T, p *process, body string) (id string) {
	t.Helper()
	var d deployed
	must(t, json.Unmarshal([]byte(b.wants(t, p, http.MethodPost, "/api/v1/deployments", body, 202, `"deployment_id"`)), &d))
	return d.ID
}

// deployment is one as it stands.
func (b *bundle) deployment(t *testing.T, p *process, id string) (d deployed) {
	t.Helper()
	must(t, json.Unmarshal([]byte(b.wants(t, p, http.MethodGet, "/api/v1/deployments/"+id, "", 200, id)), &d))
	return d
}

// over waits for the end of a deployment.
func (b *bundle) over(t *testing.T, p *process, id string) (d deployed) {
	t.Helper()
	b.eventually(t, "the deployment has ended", func() bool {
		d = b.deployment(t, p, id)
		return slices.Contains([]string{"completed", "failed", "cancelled"}, d.Status)
	})
	return d
}

// Ensure a project is deployed from the request to the last step, centrally and on a host,
// told of in the form of the older dashboards, with logs to read, by processes with no more
// rights in Redis than their own.
func TestDeployments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	made, err := project.Make(b.ctx, filepath.Join(t.TempDir(), "project"))
	if errors.Is(err, project.ErrMissing) {
		t.Skip(err)
	}
	must(t, err)
	own := configs.Pipeline{Project: "posco_news", Dir: made.Dir, Branches: []string{"main", "feature/*"}, Environment: []string{"PATH"}}
	for _, s := range made.Steps() {
		own.Steps = append(own.Steps, configs.PipelineStep{Name: s.Name, Command: s.Argv})
	}
	there := configs.Pipeline{Project: "there", Host: "seoul-1", Dir: t.TempDir(), Steps: []configs.PipelineStep{sh("하나", "echo on the host")}}
	all := pipelines(own, there)
	api := b.start(t, b.config(b.user(t, "api", jobs.APIAccess()), all), app.API)
	saw := b.watch(t, api)
	b.start(t, b.config(b.user(t, "scheduler", jobs.SchedulerAccess()), all), app.Scheduler)
	b.start(t, b.config(b.user(t, "worker", jobs.WorkerAccess()), all), app.Worker)
	b.start(t, b.config(b.asHost, b.user(t, "host", jobs.HostAccess("seoul-1")), all), app.Worker)

	id := b.deploy(t, api, `{"project":"posco_news","branch":"feature/headlines"}`)
	d := b.over(t, api, id)
	if d.Status != "completed" || d.Branch != project.Feature || d.Commit != made.Commits[project.Feature] || d.statuses() != "completed completed completed" {
		t.Errorf("%+v", d)
	}
	b.wants(t, api, http.MethodGet, d.Steps[2].Log, "", 200, "built "+project.Feature+" at "+made.Commits[project.Feature])
	head := `"branch":"feature/headlines","commit_hash":"` + made.Commits[project.Main] + `","deployment_id":"` + id + `","status":"in_progress","progress":0,`
	saw("posco_event", `{"event_type":"deployment_started",`+head+`"message":"배포가 시작되었습니다","steps":[{"name":"코드 체크아웃","status":"pending"},{"name":"의존성 설치","status":"pending"},{"name":"빌드","status":"pending"}]`)
	saw("posco_event", `{"event_type":"step_started",`+head+`"message":"코드 체크아웃 단계가 시작되었습니다","steps":[{"name":"코드 체크아웃","status":"in_progress","progress":0}`)
	saw("posco_event", `"event_type":"step_completed"`, `"progress":33,`, `{"name":"코드 체크아웃","status":"completed","duration_ms":`)
	saw("posco_event", `"event_type":"step_progress"`, `{"name":"의존성 설치","status":"in_progress","progress":`)
	saw("posco_event", `"event_type":"deployment_completed"`, `"status":"completed","progress":100`)
	saw("job_event", `"type":"deployment"`, `"state":"completed"`)

	d = b.over(t, api, b.deploy(t, api, `{"project":"there"}`))
	if d.Status != "completed" || d.Branch != "" {
		t.Errorf("on the host: %+v", d)
	}
	b.wants(t, api, http.MethodGet, d.Steps[0].Log, "", 200, "on the host")
	b.wants(t, api, http.MethodGet, "/api/v1/deployments?host=seoul-1", "", 200, d.ID)
	b.wants(t, api, http.MethodPost, "/api/v1/deployments", `{"project":"posco_news","wait":60}`, 200, `"branch":"main","commit_hash":"`+made.Commits[project.Main]+`"`)
	b.wants(t, api, http.MethodPost, "/api/v1/deployments", `{"project":"nothing"}`, 400, "There are: posco_news, there.")
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
}

// Ensure deployments of one project run one after the other, those of two side by side.
func TestDeploymentsInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const waits = `echo begin >>log; while [ ! -e go ]; do sleep 0.02; done; echo end >>log`
	dirs := []string{t.TempDir(), t.TempDir()}
	p := b.start(t, b.config(pipelines(
		configs.Pipeline{Project: "a", Dir: dirs[0], Environment: []string{"PATH"}, Steps: []configs.PipelineStep{sh("one", waits)}},
		configs.Pipeline{Project: "b", Dir: dirs[1], Environment: []string{"PATH"}, Steps: []configs.PipelineStep{sh("one", waits)}},
	)), app.API, app.Worker)
	log := func(i int) string { text, _ := os.ReadFile(filepath.Join(dirs[i], "log")); return string(text) }
	ids := []string{b.deploy(t, p, `{"project":"a"}`), b.deploy(t, p, `{"project":"a"}`), b.deploy(t, p, `{"project":"b"}`)}
	b.eventually(t, "both projects are being deployed", func() bool { return log(0) == "begin\n" && log(1) == "begin\n" })
	if d := b.deployment(t, p, ids[1]); d.Status != "pending" || d.statuses() != "pending" {
		t.Errorf("the second one of the first project: %+v", d)
	}
	for _, dir := range dirs {
		must(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	}
	for _, id := range ids {
		if d := b.over(t, p, id); d.Status != "completed" {
			t.Errorf("%+v", d)
		}
	}
	if log(0) != "begin\nend\nbegin\nend\n" || log(1) != "begin\nend\n" {
		t.Errorf("%q, %q", log(0), log(1))
	}
}

// Ensure a deployment that is cancelled is ended with all that its program started, and
// rolled back, as is one that fails; and that a roll-back may fail itself.
func TestDeploymentsUndone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := t.TempDir()
	undo := []configs.PipelineStep{sh("undo", "echo undone >>log")}
	p := b.start(t, b.config(pipelines(
		configs.Pipeline{Project: "slow", Dir: dir, Environment: []string{"PATH"}, Rollback: undo, Steps: []configs.PipelineStep{sh("one", "true"), sh("two", "setsid sleep 600 & echo $! >pid; mv pid child; wait"), sh("three", "true")}},
		configs.Pipeline{Project: "broken", Dir: t.TempDir(), Rollback: undo, Steps: []configs.PipelineStep{sh("one", "true"), sh("two", "echo no room >&2; exit 7")}},
		configs.Pipeline{Project: "stuck", Dir: t.TempDir(), Rollback: []configs.PipelineStep{sh("undo", "exit 9")}, Steps: []configs.PipelineStep{sh("one", "exit 8")}},
	)), app.API, app.Worker)
	saw := b.watch(t, p)

	id := b.deploy(t, p, `{"project":"slow"}`)
	child := 0
	b.eventually(t, "its program has a child", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "child"))
		if err != nil {
			return false
		}
		_, err = fmt.Sscan(string(text), &child)
		return err == nil
	})
	b.wants(t, p, http.MethodPost, "/api/v1/deployments/"+id+"/cancel", "", 202, `"running"`)
	d := b.over(t, p, id)
	if d.Status != "cancelled" || d.Rollback != "completed" || d.statuses() != "rolled_back interrupted skipped completed" {
		t.Errorf("%+v", d)
	}
	if err := syscall.Kill(child, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("its child is still there: %v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "log")); string(text) != "undone\n" {
		t.Errorf("undone: %q", text)
	}
	saw("posco_event", `"event_type":"step_interrupted"`)
	saw("posco_event", `"event_type":"rollback_completed"`, `"status":"rolling_back"`, `{"name":"undo","status":"completed"`)
	saw("posco_event", `"event_type":"deployment_cancelled"`, `"status":"cancelled"`, `{"name":"three","status":"skipped"}`)

	d = b.over(t, p, b.deploy(t, p, `{"project":"broken"}`))
	if d.Status != "failed" || d.Rollback != "completed" || d.statuses() != "rolled_back failed completed" || d.Error != "step two has failed: exit status 7: no room; it was rolled back" {
		t.Errorf("%+v", d)
	}
	saw("posco_event", `"event_type":"deployment_failed"`, `no room; it was rolled back`)
	d = b.over(t, p, b.deploy(t, p, `{"project":"stuck"}`))
	if d.Status != "failed" || d.Rollback != "failed" || d.statuses() != "failed failed" || d.Error != "step one has failed: exit status 8; and the roll-back has failed: undo: exit status 9" {
		t.Errorf("%+v", d)
	}
	saw("posco_event", `"event_type":"rollback_failed"`, `"message":"롤백이 실패했습니다: undo: exit status 9"`)
}

// Ensure a worker that stops in the middle leaves the deployment to the next one, which
// does the step again only where that is safe.
func TestDeploymentsOutliveTheirWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dirs := map[string]string{"safe": t.TempDir(), "unsafe": t.TempDir()}
	var all []configs.Pipeline
	for project, dir := range dirs {
		s := sh("one", `echo run >>log; [ $(wc -l <log) -gt 1 ] || exec sleep 600`)
		s.Safe = project == "safe"
		all = append(all, configs.Pipeline{Project: project, Dir: dir, Environment: []string{"PATH"}, Steps: []configs.PipelineStep{s}, Rollback: []configs.PipelineStep{sh("undo", "true")}})
	}
	api := b.start(t, b.config(pipelines(all...)), app.API)
	first := b.start(t, b.config(pipelines(all...)), app.Worker)
	ids, runs := map[string]string{}, func(project string) int {
		text, _ := os.ReadFile(filepath.Join(dirs[project], "log"))
		return strings.Count(string(text), "run\n")
	}
	for project := range dirs {
		ids[project] = b.deploy(t, api, `{"project":"`+project+`"}`)
	}
	b.eventually(t, "both are in their step", func() bool { return runs("safe") == 1 && runs("unsafe") == 1 })
	must(t, first.Stop(b.ctx))
	b.start(t, b.config(pipelines(all...)), app.Worker)
	if d := b.over(t, api, ids["safe"]); d.Status != "completed" || d.Steps[0].Runs != 2 || runs("safe") != 2 {
		t.Errorf("safe: %+v, %d runs", d, runs("safe"))
	}
	if d := b.over(t, api, ids["unsafe"]); d.Status != "failed" || d.statuses() != "interrupted completed" || runs("unsafe") != 1 || d.Error != "step one was interrupted: its worker went away; it was rolled back" {
		t.Errorf("not safe: %+v, %d runs", d, runs("unsafe"))
	}
}
