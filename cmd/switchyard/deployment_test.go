//go:build linux

package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// pipelinesFile configures four projects: two whose step hangs the first time it is run,
// one of them safe to be run again, and two that go too far.
const pipelinesFile = `
deployments:
  log_kib: 4
  pipelines:
    - project: unsafe
      dir: DIR/unsafe
      environment: [PATH, DEMO_TOKEN]
      secrets: [DEMO_WORD]
      steps:
        - {name: one, command: [/bin/sh, -c, "echo $DEMO_TOKEN and $DEMO_WORD; echo ready >>one"]}
        - {name: two, command: [/bin/sh, -c, "setsid sleep 600 & echo run >>two; [ $(wc -l <two) -gt 1 ] || wait"]}
      rollback:
        - {name: undo, command: [/bin/sh, -c, "echo undone >>undo"]}
    - project: safe
      dir: DIR/safe
      environment: [PATH]
      steps:
        - {name: one, command: [/bin/sh, -c, "echo ready >>one"]}
        - {name: two, safe: true, command: [/bin/sh, -c, "echo run >>two; [ $(wc -l <two) -gt 1 ] || exec sleep 600"]}
      rollback:
        - {name: undo, command: [/bin/sh, -c, "echo undone >>undo"]}
    - project: bomb
      dir: DIR/bomb
      environment: [PATH]
      processes: 50
      steps:
        - {name: one, command: [/bin/sh, -c, "b() { sleep 0.05; b & b & wait; }; b"]}
    - project: endless
      dir: DIR/endless
      environment: [PATH]
      steps:
        - {name: one, command: [/bin/sh, -c, "yes 'and so on'"]}
`

// Ensure a deployment whose worker is killed is taken up by the next one: the step that
// ran is interrupted, ended with all it started, and run again only where that is safe;
// that programs that go too far are ended; and that no secret stands in any log.
func TestDeploymentOfAKilledWorker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, project := range []string{"unsafe", "safe", "bomb", "endless"} {
		if err := os.Mkdir(filepath.Join(dir, project), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "switchyard.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(pipelinesFile, "DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	written := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(text)
	}
	opt := serving(startRedis(t).Addr(), "SWITCHYARD_CONFIG="+file, "SWITCHYARD_WORKER_HEARTBEAT=200ms", "SWITCHYARD_WORKER_TTL=2s", "SWITCHYARD_SCHEDULER_SWEEP_INTERVAL=200ms",
		"DEMO_TOKEN=tok-en-of-the-test", "DEMO_WORD=hush-hush")
	_, server := startServer(t, opt, "--role", "api,scheduler")
	worker := func() *program {
		w := launch(t, opt, "serve", "--role", "worker")
		w.stderr.await(t, `"msg":"worker started"`)
		return w
	}
	first := worker()

	ids := map[string]string{}
	for _, project := range []string{"unsafe", "safe"} {
		ids[project] = deploy(t, server, project)
	}
	eventually(t, "both are in their second step", func() bool { return written("unsafe/two") != "" && written("safe/two") != "" })
	if log := get(t, server+"/api/v1/deployments/"+ids["unsafe"]+"/steps/1/log"); log != "[redacted] and [redacted]\n" {
		t.Errorf("the log of a step that knows secrets: %q", log)
	}
	first.signal(t, syscall.SIGKILL)
	<-first.done
	eventually(t, "nothing of them is left", func() bool { return len(workingBelow(t, dir)) == 0 })
	second := worker()
	type document struct {
		Status, Error, Rollback string
		Steps                   []struct {
			Status string
			Runs   int
		}
	}
	over := func(id string) (d document, text string) {
		t.Helper()
		eventually(t, "the deployment has ended", func() bool {
			text = get(t, server+"/api/v1/deployments/"+id)
			d = document{}
			if err := json.Unmarshal([]byte(text), &d); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			return d.Status == "completed" || d.Status == "failed"
		})
		return d, text
	}
	d, text := over(ids["unsafe"])
	if d.Status != "failed" || d.Error != "step two was interrupted: its worker went away; it was rolled back" || d.Rollback != "completed" ||
		d.Steps[0].Status != "rolled_back" || d.Steps[1].Status != "interrupted" || written("unsafe/one")+written("unsafe/two")+written("unsafe/undo") != "ready\nrun\nundone\n" {
		t.Errorf("not safe: %s\none %q, two %q, undo %q", text, written("unsafe/one"), written("unsafe/two"), written("unsafe/undo"))
	}
	d, text = over(ids["safe"])
	if d.Status != "completed" || d.Steps[1].Runs != 2 || written("safe/one")+written("safe/two")+written("safe/undo") != "ready\nrun\nrun\n" {
		t.Errorf("safe: %s\none %q, two %q, undo %q", text, written("safe/one"), written("safe/two"), written("safe/undo"))
	}

	for project, words := range map[string]string{"bomb": "processes, and was ended", "endless": "it has written more than 64 MiB, and was ended"} {
		id := deploy(t, server, project)
		if d, text := over(id); d.Status != "failed" || !strings.Contains(d.Error, words) {
			t.Errorf("%s: %s", project, text)
		}
		if log := get(t, server+"/api/v1/deployments/"+id+"/steps/1/log"); len(log) > 4<<10+len("…\n") {
			t.Errorf("%s: a log of %d bytes", project, len(log))
		}
	}
	if left := workingBelow(t, dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	second.signal(t, syscall.SIGTERM)
	second.exits(t, 0)
	for _, w := range []*program{first, second} {
		if log := w.stderr.String(); strings.Contains(log, "tok-en-of-the-test") || strings.Contains(log, "hush-hush") {
			t.Errorf("a secret is logged:\n%s", log)
		}
	}
}

// Ensure the demo deploys its project, and that its dashboards see it in the form that the
// older API has shown: with the members and types of its sample.
func TestDemoDeployment(t *testing.T) {
	t.Parallel()
	p := launch(t, options{}, "demo", "--listen", "127.0.0.1:0")
	p.stdout.await(t, "Ctrl-C ends it.")
	server := p.stdout.after(t, "  API          ")
	c, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(server, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteMessage(websocket.TextMessage, []byte(`{"type":"subscribe","data":{"event_types":["posco_event"]},"timestamp":"2024-01-01T12:00:00Z"}`)); err != nil {
		t.Fatal(err)
	}
	if answer := get(t, server+"/api/v1/deployments"); answer != `{"deployments":[],"next_cursor":null}`+"\n" {
		t.Skipf("nothing can be deployed here: %s", answer)
	}
	id := deploy(t, server, "posco_news")
	var sample map[string]any
	if err := json.Unmarshal([]byte(`{"event_type":"deployment_started","branch":"main","commit_hash":"abc123def456","deployment_id":"deploy_001","status":"in_progress",
		"progress":25,"message":"배포가 시작되었습니다","steps":[{"name":"코드 체크아웃","status":"completed","duration_ms":1500},{"name":"의존성 설치","status":"in_progress","progress":60},{"name":"빌드","status":"pending"}]}`), &sample); err != nil {
		t.Fatal(err)
	}
	alike := func(a, b any) bool {
		switch a.(type) {
		case string:
			_, ok := b.(string)
			return ok
		case float64:
			_, ok := b.(float64)
			return ok
		}
		_, ok := b.([]any)
		return ok
	}
	var seen []string
	shaped := false // one had steps in all three states of the sample
	for len(seen) == 0 || seen[len(seen)-1] != "deployment_completed" {
		_, text, err := c.ReadMessage()
		if err != nil {
			t.Fatalf("%v, after %v", err, seen)
		}
		var m struct {
			Type, Timestamp string
			ID              string `json:"broadcast_id"`
			Data            map[string]any
		}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		if m.Type != "posco_event" {
			continue
		}
		for name, value := range sample {
			if !alike(value, m.Data[name]) {
				t.Errorf("%s is %v in %s", name, m.Data[name], text)
			}
		}
		if m.Timestamp == "" || m.ID == "" || m.Data["deployment_id"] != id || m.Data["branch"] != "main" || len(m.Data["commit_hash"].(string)) != 40 {
			t.Errorf("%s", text)
		}
		if e := m.Data["event_type"].(string); e != "step_progress" {
			seen = append(seen, e)
		}
		shaped = shaped || strings.Contains(string(text), `{"name":"코드 체크아웃","status":"completed","duration_ms":`) && strings.Contains(string(text), `{"name":"의존성 설치","status":"in_progress","progress":`) &&
			strings.Contains(string(text), `{"name":"빌드","status":"pending"}`)
	}
	if got, want := strings.Join(seen, " "), "deployment_started step_started step_completed step_started step_completed step_started step_completed deployment_completed"; got != want || !shaped {
		t.Errorf("got  %s\nwant %s; shaped %v", got, want, shaped)
	}
	p.signal(t, syscall.SIGINT)
	p.exits(t, 0)
	p.leftNothing(t)
}

// client leaves no connections open.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}

// deploy asks a server for the deployment of a project.
func deploy(t *testing.T, server, project string) (id string) {
	t.Helper()
	resp, err := client.Post(server+"/api/v1/deployments", "application/json", strings.NewReader(`{"project":"`+project+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		ID string `json:"deployment_id"`
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusAccepted || json.Unmarshal(text, &a) != nil {
		t.Fatalf("answer %d %s, %v", resp.StatusCode, text, err)
	}
	return a.ID
}

// get is the body of an answer with 200.
func get(t *testing.T, address string) string {
	t.Helper()
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", address, resp.StatusCode, text, err)
	}
	return string(text)
}

// eventually looks until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick, end := time.NewTicker(20*time.Millisecond), time.After(limit)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// workingBelow are the processes whose working directory is in dir.
func workingBelow(t *testing.T, dir string) []int {
	t.Helper()
	return (&program{tmp: dir}).children(t)
}
