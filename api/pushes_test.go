package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

const (
	pushesPath = hostsPath + "/seoul-1/pushes"
	pushPath   = hostsPath + "/seoul-1/push"
)

// pushedDoc is a document as it was posted.
const pushedDoc = `{"status":"ready","timestamp":"2025-12-13 22:56:01","last_heartbeat_at":"2025-12-13T22:56:02.654200","server_ip":"198.51.100.7",` +
	`"available_proxies":[],"proxy_count":0,"dongle_check":{"expected":0,"physical":0,"connected":0,"disconnected_ports":[]}}`

// pushResult is what became of a push that one receiver took and one did not.
func pushResult() tasks.PushResult {
	at := time.Date(2025, 12, 13, 13, 56, 2, 654e6, time.UTC)
	return tasks.PushResult{Document: json.RawMessage(pushedDoc), Receivers: []tasks.PushOutcome{
		{Receiver: "main", URLHost: "203.0.113.37:3001", At: at, Attempt: 1, OK: true, Status: 200, DurationMS: 34, Response: "ok"},
		{Receiver: "dev", URLHost: "203.0.113.37:44010", At: at, Attempt: 1, Manual: true, Error: "Connection refused", Code: "connect"},
	}}
}

// shownPosts are these posts as clients see them.
const shownPosts = `{"receiver":"main","url_host":"203.0.113.37:3001","at":"2025-12-13T13:56:02.654Z","attempt":1,"manual":false,"ok":true,"status":200,"duration_ms":34,` +
	`"response":"ok","response_truncated":false,"error":null,"code":null}|` +
	`{"receiver":"dev","url_host":"203.0.113.37:44010","at":"2025-12-13T13:56:02.654Z","attempt":1,"manual":true,"ok":false,"status":0,"duration_ms":0,` +
	`"response":"","response_truncated":false,"error":"Connection refused","code":"connect"}`

// Ensure what a host pushed is shown with its last document and the outcomes of
// each receiver, and a host that never did with neither; what it has spoilt is
// left out.
func TestPushesAreShown(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	b.get(t, hostsPath+"/nowhere/pushes").wantsProblem(t, 404, "unknown_host", "host")
	b.get(t, pushesPath).wants(t, 200, `{"host":"seoul-1","pushed_at":null,"document":null,"receivers":[]}`)
	_, err := b.registry.NotePush(b.ctx, "seoul-1", hosts.Pushed{ID: "j_1", At: time.Date(2025, 12, 13, 13, 56, 2, 654e6, time.UTC), PushResult: pushResult()})
	must(t, err)
	posts := strings.Split(shownPosts, "|")
	receivers := `"receivers":[{"receiver":"main","url_host":"203.0.113.37:3001","ok":true,"outcomes":[` + posts[0] + `]},` +
		`{"receiver":"dev","url_host":"203.0.113.37:44010","ok":false,"outcomes":[` + posts[1] + `]}]}`
	b.get(t, pushesPath).wants(t, 200, `{"host":"seoul-1","pushed_at":"2025-12-13T13:56:02.654Z","document":`+pushedDoc+`,`+receivers)
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:seoul-1:pushes", "document", `"no document"`).Err())
	b.get(t, pushesPath).wants(t, 200, `{"host":"seoul-1","pushed_at":"2025-12-13T13:56:02.654Z","document":null,`+receivers)
	if b.log.count("of its pushes can't be read") != 1 {
		t.Error("nobody is told what can't be read")
	}
}

// Ensure a push that is asked for becomes a job that others join, and who waits
// gets what was posted and what the receivers said.
func TestPushIsAskedFor(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	waiting := b.later(t, http.MethodPost, pushPath, `{"wait":60}`, "Content-Type", "application/json")
	id := b.awaitJob(t).ID
	a := b.do(t, http.MethodPost, pushPath, "")
	a.wants(t, 202, `{"job_id":"`+id+`","status":"queued","joined":true}`)
	a.wantsHeader(t, "Location", "/api/v1/jobs/"+id)
	j := b.onlyJob(t)
	if j.Type != tasks.Push || j.Host != "seoul-1" || j.Queue != tasks.HostStatusQueue("seoul-1") || !j.Once || j.Fleeting || j.Expires.Sub(j.Created) < 54*time.Second {
		t.Errorf("%+v", j)
	}
	result, err := json.Marshal(pushResult())
	must(t, err)
	b.complete(t, id, string(result))
	receive(t, b, waiting).wants(t, 200, `{"document":`+pushedDoc+`,"receivers":[`+strings.ReplaceAll(shownPosts, "|", ",")+`]}`)
	b.get(t, "/api/v1/jobs?type=push").wantsType(t, "application/json")
}

// Ensure a push is refused where nobody would make it, that one which failed is
// told as that, and that one is not run again.
func TestPushRefused(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	before := b.keys(t)
	b.do(t, http.MethodPost, hostsPath+"/nowhere/push", "").wantsProblem(t, 404, "unknown_host", "host")
	b.untouched(t, before)
	waiting := b.later(t, http.MethodPost, pushPath, `{"wait":60}`, "Content-Type", "application/json")
	id := b.awaitJob(t).ID
	if got := b.do(t, http.MethodPost, pushPath, `{"wait":0}`, "Content-Type", "application/json").jobID(t); got != id {
		t.Errorf("another job: %s", got)
	}
	must(t, b.claim(t, id).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "too old to be posted"}))
	a := receive(t, b, waiting)
	if p := a.wantsProblem(t, 500, "job_failed", ""); p.JobID != id || !strings.Contains(p.Detail, "too old") {
		t.Errorf("%+v", p)
	}
	b.do(t, http.MethodPost, "/api/v1/jobs/"+id+"/retry", "").wantsProblem(t, 409, "not_retryable", "")
	b.wind(t, hostTTL)
	a = b.do(t, http.MethodPost, pushPath, "")
	a.wantsProblem(t, 503, "host_offline", "")
	a.wantsRetryAfter(t)
}
