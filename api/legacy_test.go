package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
)

// outcome is what /toggle/{subnet} answers for toggled.
const outcome = `{"success":true,"ip":"175.223.14.190","traffic":{"upload":7408564242,"download":13143734622},` +
	`"signal":{"rsrp":-105.0,"rsrq":-14.0,"rssi":-71.0,"sinr":-5.0,"band":"3","cell_id":"0029435-012","pci":"372","plmn":"45008"},"step":0}`

// Ensure /toggle/{subnet} refuses in the words of the older API, by either
// method, and leaves nothing behind.
func TestToggleBySubnetRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul, busan)
	before := b.keys(t)
	const invalid = `{"error":"Invalid subnet (11-30)"}`
	for _, tt := range []struct {
		name, path string
		status     int
		want       string
	}{
		{"below", "/toggle/10", 400, invalid},
		{"above", "/toggle/31", 400, invalid},
		{"the port", "/toggle/10016", 400, invalid},
		{"negative", "/toggle/-16", 400, invalid},
		{"no number", "/toggle/abc", 400, invalid},
		{"fraction", "/toggle/16.0", 400, invalid},
		{"beyond int64", "/toggle/99999999999999999999", 400, invalid},
		{"invalid and a host", "/toggle/31?server_ip=198.51.100.7", 400, invalid},
		{"unknown dongle", "/toggle/25?server_ip=198.51.100.7", 404, `{"error":"Unknown dongle 25"}`},
		{"a dongle of another host", "/toggle/17?server_ip=203.0.113.9", 404, `{"error":"Unknown dongle 17"}`},
		{"unknown host", "/toggle/16?server_ip=203.0.113.99", 404, `{"error":"No such host has registered."}`},
		{"several hosts", "/toggle/16", 400, `{"error":"There are several hosts; name one: busan-1, seoul-1."}`},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(method+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				a := b.do(t, method, tt.path, "")
				a.wants(t, tt.status, tt.want)
				a.wantsHeader(t, "Cache-Control", "no-store")
				b.untouched(t, before)
			})
		}
	}
}

// Ensure /toggle/{subnet} does not wait for a host that is away.
func TestToggleBySubnetRefusesAnOfflineHost(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	b.wind(t, hostTTL)
	before := b.keys(t)
	a := b.get(t, "/toggle/16")
	a.wants(t, 503, `{"error":"Host seoul-1 is offline."}`)
	a.wantsRetryAfter(t)
	b.untouched(t, before)
	b.register(t, seoul)
	must(t, b.registry.Leave(b.ctx, seoul))
	if a := b.get(t, "/toggle/16"); a.status != 503 {
		t.Errorf("a host that left: answer %d %s", a.status, a.body)
	}
}

// Ensure /toggle/{subnet} waits and answers with exactly the five members of
// the outcome, in order, levels with their decimal: 200 for success and 500
// for failure, by either method, with a slash at the end or not.
func TestToggleBySubnetAnswersWithTheOutcome(t *testing.T) {
	t.Parallel()
	failed := result(t, tasks.FailedToggle(tasks.TogglePayload{Host: "seoul-1", ServerIP: "198.51.100.7", Subnet: 16}, 4))
	const failure = `{"success":false,"ip":null,"traffic":{"upload":0,"download":0},"signal":null,"step":4}`
	for _, tt := range []struct {
		method, path, result string
		status               int
		want                 string
	}{
		{http.MethodGet, "/toggle/16", result(t, toggled()), 200, outcome},
		{http.MethodPost, "/toggle/16", result(t, toggled()), 200, outcome},
		{http.MethodGet, "/toggle/16/", result(t, toggled()), 200, outcome},
		{http.MethodGet, "/toggle/16?server_ip=198.51.100.7", result(t, toggled()), 200, outcome},
		{http.MethodGet, "/toggle/16", failed, 500, failure},
		{http.MethodPost, "/toggle/16/", failed, 500, failure},
	} {
		t.Run(tt.method+" "+tt.path+" "+http.StatusText(tt.status), func(t *testing.T) {
			t.Parallel()
			b := setup(t).register(t, seoul)
			later := b.later(t, tt.method, tt.path, "")
			b.complete(t, b.awaitJob(t).ID, tt.result)
			a := receive(t, b, later)
			a.wants(t, tt.status, tt.want)
			a.wantsHeader(t, "Cache-Control", "no-store")
		})
	}
}

// Ensure /toggle/{subnet} answers with a failure, too, where the job ended
// without a result.
func TestToggleBySubnetWithoutAResult(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	later := b.later(t, http.MethodGet, "/toggle/16", "")
	must(t, b.claim(t, b.awaitJob(t).ID).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "internal error"}))
	receive(t, b, later).wants(t, 500, `{"success":false,"ip":null,"traffic":{"upload":0,"download":0},"signal":null,"step":0}`)
}

// Ensure /toggle/{subnet} answers 202 with the job once toggle.request_wait is
// over, and that the next request joins the job.
func TestToggleBySubnetWaitIsOver(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Toggle.RequestWait = configs.Duration(20 * time.Millisecond) }).register(t, seoul)
	a := b.get(t, "/toggle/16")
	id := a.jobID(t)
	a.wants(t, 202, `{"job_id":"`+id+`","status":"queued"}`)
	a.wantsHeader(t, "Location", "/api/v1/jobs/"+id)
	a.wantsHeader(t, "Cache-Control", "no-store")
	b.claim(t, id)
	b.get(t, "/toggle/16").wants(t, 202, `{"job_id":"`+id+`","status":"running","joined":true}`)
}

// Ensure POST /toggle/{subnet} keeps Idempotency-Keys, and GET passes over them.
func TestToggleBySubnetIdempotency(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.HTTP.MaxBody = 1 << 10 }).register(t, seoul, busan)
	const path = "/toggle/16?server_ip=198.51.100.7"
	later := b.later(t, http.MethodPost, path, "", "Idempotency-Key", "a")
	b.complete(t, b.awaitJob(t).ID, result(t, toggled()))
	receive(t, b, later).wants(t, 200, outcome)

	a := b.do(t, http.MethodPost, path, "", "Idempotency-Key", "a")
	a.wants(t, 200, outcome)
	a.wantsHeader(t, "Idempotency-Replayed", "true")
	before := b.keys(t)
	a = b.do(t, http.MethodPost, "/toggle/16?server_ip=203.0.113.9", "", "Idempotency-Key", "a")
	if a.status != 422 || !strings.HasPrefix(a.body, `{"error":"`) {
		t.Errorf("another host under the same key: answer %d %s", a.status, a.body)
	}
	b.do(t, http.MethodPost, path, "", "Idempotency-Key", strings.Repeat("k", 256)).wants(t, 400, `{"error":"An Idempotency-Key is 1 to 255 characters of visible ASCII, without spaces, and stands in one header."}`)
	a, err := b.try(http.MethodPost, path, struct{ *strings.Reader }{strings.NewReader(strings.Repeat("x", 1<<11))}, "Idempotency-Key", "b")
	must(t, err)
	a.wants(t, 413, `{"error":"The request's body is too large."}`)
	b.untouched(t, before)

	later = b.later(t, http.MethodGet, path, "", "Idempotency-Key", "a")
	b.eventually(t, "GET makes a job of its own", func() bool { return len(b.jobs(t)) == 2 })
	b.complete(t, b.jobs(t)[0].ID, result(t, toggled()))
	receive(t, b, later).wants(t, 200, outcome)
}
