package api_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/api"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
)

// Ensure an accepted toggle is answered with job_id and status and nothing
// else, says where the job is, and is one job with all that was asked for.
func TestToggleIsAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	a := b.toggle(t, `{"port":10016,"chat_id":-1001234567890,"callback_url":"https://hooks.example.com/toggled?x=1&y=<2>"}`)
	id := a.jobID(t)
	a.wants(t, 202, `{"job_id":"`+id+`","status":"queued"}`)
	a.wantsHeader(t, "Location", "/api/v1/jobs/"+id)
	a.wantsHeader(t, "Idempotency-Replayed", "")
	if got := b.get(t, a.header.Get("Location")); got.status != 200 || got.jobID(t) != id {
		t.Errorf("Location leads to %d %s", got.status, got.body)
	}

	j := b.onlyJob(t)
	if j.ID != id || j.Type != tasks.Toggle || j.State != jobs.Queued || j.Host != "seoul-1" || j.Subnet != 16 || j.ChatID != "-1001234567890" {
		t.Errorf("the job is %+v", j)
	}
	if got, want := string(j.Payload), `{"host":"seoul-1","server_ip":"198.51.100.7","subnet":16}`; got != want {
		t.Errorf("payload %s, want %s", got, want)
	}
	if got, want := j.Limit, b.config.Toggle.Timeout.Std(); got != want {
		t.Errorf("limit %s, want toggle.timeout %s", got, want)
	}
	if got, want := j.Expires.Sub(j.Created).Round(time.Second), b.config.Toggle.MaxWait.Std(); got != want {
		t.Errorf("it expires after %s, want toggle.max_wait %s", got, want)
	}
	chats, urls, err := b.store.Audience(b.ctx, j)
	must(t, err)
	if fmt.Sprint(chats, urls) != "[-1001234567890] [https://hooks.example.com/toggled?x=1&y=<2>]" {
		t.Errorf("the outcome is for %q and %q", chats, urls)
	}
}

// Ensure the file of toggles hears of each request that named a dongle: of the job
// and whether it was joined, or of the refusal; and of no secret.
func TestTogglesAreTold(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	told := &records{}
	s := api.New(api.Options{
		Config: b.config, Store: b.store, Registry: b.registry, Log: slog.New(slog.DiscardHandler), Toggles: slog.New(told),
	})
	for _, body := range []string{
		`{"port":10016,"callback_url":"https://hooks.example.com/?token=s3cr3t"}`, `{"server_ip":"198.51.100.7","subnet":16}`, `{"port":10030}`,
	} {
		r := httptest.NewRequest(http.MethodPost, "/api/v1/proxies/toggle", strings.NewReader(body))
		r.RemoteAddr, r.Host = "127.0.0.1:1", "127.0.0.1"
		r.Header.Set("X-Request-Id", "trace-1")
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	id := b.onlyJob(t).ID
	const asked = " host=seoul-1 subnet=16 port=10016 request_id=trace-1"
	for want, n := range map[string]int{
		"": 3, "s3cr3t": 0,
		`level=INFO msg="toggle accepted"` + asked + " job=" + id + " joined=false replayed=false":                                                         1,
		`level=INFO msg="toggle accepted"` + asked + " job=" + id + " joined=true replayed=false":                                                          1,
		`level=WARN msg="toggle refused" host=seoul-1 subnet=30 port=10030 request_id=trace-1 code=unknown_dongle reason="Host seoul-1 has no dongle 30."`: 1,
	} {
		if got := told.count(want); got != n {
			t.Errorf("%d lines with %q, want %d; all:\n%s", got, want, n, &told.all)
		}
	}
}

// Ensure every way of naming a dongle and a chat that clients use is taken,
// and that JSON is taken by any of its names, or none.
func TestToggleTakesWhatClientsSend(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, contentType, chat string }{
		{"port", `{"port":10016}`, "application/json", ""},
		{"subnet", `{"subnet":16}`, "application/json", ""},
		{"both", `{"port":10016,"subnet":16}`, "application/json", ""},
		{"with nulls", `{"port":10016,"host":null,"chat_id":null,"callback_url":null,"wait":null}`, "application/json", ""},
		{"no wait", `{"port":10016,"wait":0}`, "application/json", ""},
		{"chat as integer", `{"port":10016,"chat_id":123456789}`, "application/json", "123456789"},
		{"largest chat", `{"port":10016,"chat_id":9007199254740993}`, "application/json", "9007199254740993"},
		{"group", `{"port":10016,"chat_id":-1001234567890}`, "application/json", "-1001234567890"},
		{"chat as string", `{"port":10016,"chat_id":"123456789"}`, "application/json", "123456789"},
		{"channel", `{"port":10016,"chat_id":"@operators"}`, "application/json", "@operators"},
		{"no Content-Type", `{"port":10016}`, "", ""},
		{"charset", `{"port":10016}`, "application/json; charset=utf-8", ""},
		{"white space", " {\n\t\"port\" : 10016 }\r\n", "application/json", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t).register(t, seoul)
			var header []string
			if tt.contentType != "" {
				header = []string{"Content-Type", tt.contentType}
			}
			a := b.do(t, http.MethodPost, togglePath, tt.body, header...)
			a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
			if j := b.onlyJob(t); j.Subnet != 16 || j.ChatID != tt.chat {
				t.Errorf("the job is for dongle %d and chat %q, want 16 and %q", j.Subnet, j.ChatID, tt.chat)
			}
		})
	}
}

// Ensure a toggle for a host that is away waits in the queue.
func TestToggleWaitsForAHostThatIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	b.wind(t, 2*hostTTL)
	a := b.toggle(t, `{"port":10016}`)
	a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
}

// Ensure a second request joins the toggle of its dongle while that is queued
// or running, with the job's state, and brings its own chat and callback; one
// for another dongle, or after the end, is a job of its own.
func TestToggleJoins(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	id := b.toggle(t, `{"port":10016,"chat_id":1}`).jobID(t)
	a := b.toggle(t, `{"subnet":16,"chat_id":2,"callback_url":"https://hooks.example.com/2"}`)
	a.wants(t, 202, `{"job_id":"`+id+`","status":"queued","joined":true}`)
	a.wantsHeader(t, "Location", "/api/v1/jobs/"+id)

	c := b.claim(t, id)
	b.toggle(t, `{"subnet":16,"chat_id":2}`).wants(t, 202, `{"job_id":"`+id+`","status":"running","joined":true}`)
	chats, urls, err := b.store.Audience(b.ctx, c.Job)
	must(t, err)
	if len(chats) != 2 || len(urls) != 1 {
		t.Errorf("the outcome is for %q and %q, want two chats and one URL", chats, urls)
	}
	if other := b.toggle(t, `{"subnet":17}`); other.jobID(t) == id {
		t.Error("a toggle of another dongle joined")
	}
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(result(t, toggled()))}))
	next := b.toggle(t, `{"subnet":16}`)
	next.wants(t, 202, `{"job_id":"`+next.jobID(t)+`","status":"queued"}`)
	if next.jobID(t) == id {
		t.Error("a toggle joined one that has ended")
	}
}

// Ensure a request that waits long enough gets the stored result, byte for
// byte, whether the toggle brought an address or not.
func TestToggleWaitsForTheResult(t *testing.T) {
	t.Parallel()
	failed := tasks.FailedToggle(tasks.TogglePayload{Host: "seoul-1", ServerIP: "198.51.100.7", Subnet: 11}, 4)
	for name, r := range map[string]tasks.ToggleResult{"success": toggled(), "failure": failed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t).register(t, seoul)
			later := b.later(t, http.MethodPost, togglePath, `{"port":10016,"wait":50.5}`, "Content-Type", "application/json")
			id := b.awaitJob(t).ID
			c := b.claim(t, id)
			must(t, c.Progress(b.ctx, tasks.ToggleProgress{Diagnosis: "healthy"}))
			must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(result(t, r))}))
			a := receive(t, b, later)
			a.wants(t, 200, result(t, r))
			a.wantsHeader(t, "Location", "/api/v1/jobs/"+id)
		})
	}
}

// Ensure the result document is the specified one: its members in order,
// levels with their decimal, null where there is none.
func TestToggleResultIsAsSpecified(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	later := b.later(t, http.MethodPost, togglePath, `{"port":10016,"wait":50}`)
	b.complete(t, b.awaitJob(t).ID, result(t, toggled()))
	receive(t, b, later).wants(t, 200, `{"success":true,"ip":"175.223.14.190","traffic":{"upload":7408564242,"download":13143734622},`+
		`"signal":{"rsrp":-105.0,"rsrq":-14.0,"rssi":-71.0,"sinr":-5.0,"band":"3","cell_id":"0029435-012","pci":"372","plmn":"45008"},`+
		`"step":0,"server_ip":"198.51.100.7","port":10016}`)
}

// Ensure a wait that is over before the toggle is answered with 202 and the
// job's state at that time.
func TestToggleWaitIsOver(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	a := b.toggle(t, `{"port":10016,"wait":0.02}`)
	id := a.jobID(t)
	a.wants(t, 202, `{"job_id":"`+id+`","status":"queued"}`)
	b.claim(t, id)
	b.toggle(t, `{"port":10016,"wait":0.02}`).wants(t, 202, `{"job_id":"`+id+`","status":"running","joined":true}`)
}

// Ensure no request waits longer than toggle.request_wait.
func TestToggleWaitIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Toggle.RequestWait = configs.Duration(20 * time.Millisecond) }).register(t, seoul)
	// The test's own time is up long before these 200 s.
	a := b.toggle(t, `{"port":10016,"wait":200}`)
	a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
}

// Ensure where there is no time to wait, because none is configured or the
// client's is less than a millisecond, an accepted toggle is answered as such.
func TestToggleWithoutTimeToWait(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Toggle.RequestWait = 0 }).register(t, seoul)
	a := b.get(t, "/toggle/16")
	a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
	a = b.toggle(t, `{"port":10017,"wait":60}`)
	a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
	b = setup(t).register(t, seoul)
	a = b.toggle(t, `{"port":10017,"wait":0.0001}`)
	a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
}

// Ensure a waiting request hears of a job that was cancelled or has failed.
func TestToggleWaitsForOtherEnds(t *testing.T) {
	t.Parallel()
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		b := setup(t).register(t, seoul)
		later := b.later(t, http.MethodPost, togglePath, `{"port":10016,"wait":50}`)
		id := b.awaitJob(t).ID
		if a := b.do(t, http.MethodPost, "/api/v1/jobs/"+id+"/cancel", ""); a.status != 202 {
			t.Fatalf("cancel: %d %s", a.status, a.body)
		}
		receive(t, b, later).wants(t, 200, `{"success":false,"ip":null,"traffic":{"upload":0,"download":0},"signal":null,"step":0,"server_ip":"198.51.100.7","port":10016}`)
	})
	t.Run("failed", func(t *testing.T) {
		t.Parallel()
		b := setup(t).register(t, seoul)
		later := b.later(t, http.MethodPost, togglePath, `{"port":10016,"wait":50}`)
		id := b.awaitJob(t).ID
		must(t, b.claim(t, id).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "internal error: the handler panicked"}))
		a := receive(t, b, later)
		a.wantsType(t, "application/problem+json")
		if a.status != 500 || !strings.Contains(a.body, `"code":"job_failed"`) || !strings.Contains(a.body, `"job_id":"`+id+`"`) {
			t.Errorf("answer %d %s", a.status, a.body)
		}
	})
}

// Ensure the same Idempotency-Key and body get the first answer again, even
// after the job has ended, another body is refused, and another key is another
// request.
func TestToggleIdempotency(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	const body = `{"port":10016}`
	first := b.toggle(t, body, "Idempotency-Key", "a")
	id := first.jobID(t)
	first.wantsHeader(t, "Idempotency-Replayed", "")
	again := func() {
		t.Helper()
		a := b.toggle(t, body, "Idempotency-Key", "a")
		a.wants(t, 202, strings.TrimSpace(first.body))
		a.wantsHeader(t, "Idempotency-Replayed", "true")
		a.wantsHeader(t, "Location", "/api/v1/jobs/"+id)
	}
	again()
	joined := b.toggle(t, body, "Idempotency-Key", "b")
	joined.wants(t, 202, `{"job_id":"`+id+`","status":"queued","joined":true}`)
	joined.wantsHeader(t, "Idempotency-Replayed", "")
	b.complete(t, id, result(t, toggled()))
	again()
	a := b.toggle(t, body, "Idempotency-Key", "b")
	a.wants(t, 202, `{"job_id":"`+id+`","status":"queued","joined":true}`)
	a.wantsHeader(t, "Idempotency-Replayed", "true")

	before := b.keys(t)
	b.toggle(t, `{"port":10017}`, "Idempotency-Key", "a").wantsProblem(t, 422, "idempotency_key_reused", "Idempotency-Key")
	b.untouched(t, before)
	if c := b.toggle(t, body, "Idempotency-Key", "c"); c.jobID(t) == id {
		t.Errorf("a new key got an old answer: %s", c.body)
	}
}

// Ensure a repeated request that waits gets the result of its first one,
// instead of another toggle.
func TestToggleIdempotencyWaits(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	const body = `{"port":10016,"wait":50}`
	later := b.later(t, http.MethodPost, togglePath, body, "Idempotency-Key", "a")
	b.complete(t, b.awaitJob(t).ID, result(t, toggled()))
	first := receive(t, b, later)
	a := b.toggle(t, body, "Idempotency-Key", "a")
	a.wants(t, 200, strings.TrimSpace(first.body))
	a.wantsHeader(t, "Idempotency-Replayed", "true")
	b.onlyJob(t)
}

// Ensure a hundred requests at once for one dongle are one job, and all of
// them get its one outcome.
func TestToggleOfManyAtOnce(t *testing.T) {
	t.Parallel()
	const many = 100
	for _, tt := range []struct {
		name, method, path string
		body               func(i int) string
		want               string
	}{
		{"POST", http.MethodPost, togglePath, func(i int) string { return fmt.Sprintf(`{"port":10016,"wait":50,"chat_id":%d}`, i+1) }, result(t, toggled())},
		{"GET", http.MethodGet, "/toggle/16", func(int) string { return "" }, outcome},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t).register(t, seoul)
			var sending sync.WaitGroup
			answers := make(chan answer, many)
			for i := range many {
				sending.Go(func() {
					a, err := b.try(tt.method, tt.path, strings.NewReader(tt.body(i)))
					if err != nil {
						t.Error(err)
					}
					answers <- a
				})
			}
			t.Cleanup(sending.Wait)
			// It mustn't end before the last of them has joined it.
			b.eventually(t, "all were accepted", func() bool { return b.log.count("toggle accepted") == many })
			if n := b.log.count("joined=true"); n != many-1 {
				t.Errorf("%d requests joined, want %d", n, many-1)
			}
			b.complete(t, b.onlyJob(t).ID, result(t, toggled()))
			for range many {
				receive(t, b, answers).wants(t, 200, tt.want)
			}
			b.onlyJob(t)
		})
	}
}
