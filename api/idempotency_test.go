package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
)

// under are the headers of a request under an Idempotency-Key.
func under(key string) []string {
	return []string{"Idempotency-Key", key, "Content-Type", "application/json"}
}

// replays holds an answer to be the first one again.
func (a answer) replays(t *testing.T, first answer) {
	t.Helper()
	if a.status != first.status || a.body != first.body {
		t.Errorf("repeated, the answer is %d %s\nfirst it was %d %s", a.status, a.body, first.status, first.body)
	}
	for _, k := range []string{"Content-Type", "Location", "Cache-Control"} {
		a.wantsHeader(t, k, first.header.Get(k))
	}
	a.wantsHeader(t, "Idempotency-Replayed", "true")
	first.wantsHeader(t, "Idempotency-Replayed", "")
}

// failedJob is a job that has failed and may be run again.
func (b *bundle) failedJob(t *testing.T) string {
	t.Helper()
	id := b.toggle(t, `{"subnet":17}`).jobID(t)
	must(t, b.claim(t, id).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "internal error"}))
	b.settle(t)
	return id
}

// Ensure every POST under an Idempotency-Key is answered once: repeats get the
// first answer, although by now another one would be given.
func TestIdempotencyOfEveryPost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		target func(*testing.T, *bundle) (path, body string)
		after  func(*testing.T, *bundle) // between the two
		status int
	}{
		{
			"toggle", func(*testing.T, *bundle) (string, string) { return togglePath, `{"port":10016}` },
			func(t *testing.T, b *bundle) { b.complete(t, b.onlyJob(t).ID, result(t, toggled())) }, 202,
		},
		{
			"toggle by subnet", func(*testing.T, *bundle) (string, string) { return "/toggle/16", "" },
			func(t *testing.T, b *bundle) { b.complete(t, b.onlyJob(t).ID, result(t, toggled())) }, 202,
		},
		{
			"refused", func(*testing.T, *bundle) (string, string) { return togglePath, `{"port":10020}` },
			func(t *testing.T, b *bundle) {
				more := seoul
				more.Dongles = append([]int{20}, seoul.Dongles...)
				b.register(t, more)
			}, 404,
		},
		{
			"refused by subnet", func(*testing.T, *bundle) (string, string) { return "/toggle/20", "" },
			func(t *testing.T, b *bundle) {
				more := seoul
				more.Dongles = append([]int{20}, seoul.Dongles...)
				b.register(t, more)
			}, 404,
		},
		{
			"cancel", func(t *testing.T, b *bundle) (string, string) {
				return "/api/v1/jobs/" + b.toggle(t, `{"subnet":17}`).jobID(t) + "/cancel", ""
			}, nil, 202,
		},
		{
			"retry", func(t *testing.T, b *bundle) (string, string) {
				return "/api/v1/jobs/" + b.failedJob(t) + "/retry", ""
			}, nil, 202,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *configs.Config) { c.Toggle.RequestWait = configs.Duration(time.Millisecond) }).register(t, seoul)
			path, body := tt.target(t, b)
			first := b.do(t, http.MethodPost, path, body, under("a")...)
			if first.status != tt.status {
				t.Fatalf("answer %d %s", first.status, first.body)
			}
			if tt.after != nil {
				tt.after(t, b)
			}
			before := len(b.jobs(t))
			for range 2 {
				b.do(t, http.MethodPost, path, body, under("a")...).replays(t, first)
			}
			if n := len(b.jobs(t)); n != before {
				t.Errorf("%d jobs, before %d", n, before)
			}
			// Without the key, or under another, it is another request.
			for _, header := range [][]string{under("b"), {"Content-Type", "application/json"}} {
				b.do(t, http.MethodPost, path, body, header...).wantsHeader(t, "Idempotency-Replayed", "")
			}
		})
	}
}

// Ensure another query or body under the same key is refused, in the form of
// the address; and that neither the slash at the end of the address nor other
// headers make it another request.
func TestIdempotencyKeyIsOfOneContent(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Toggle.RequestWait = configs.Duration(time.Millisecond) }).register(t, seoul)
	first := b.toggle(t, `{"port":10016}`, "Idempotency-Key", "a")
	for _, tt := range []struct{ path, body string }{
		{togglePath, `{"port":10017}`}, {togglePath, `{"port":10016} `}, {togglePath, ``}, {togglePath + "?x=1", `{"port":10016}`},
	} {
		b.do(t, http.MethodPost, tt.path, tt.body, under("a")...).wantsProblem(t, 422, "idempotency_key_reused", "Idempotency-Key")
	}
	b.do(t, http.MethodPost, togglePath+"/", `{"port":10016}`, under("a")...).replays(t, first)
	b.do(t, http.MethodPost, togglePath, `{"port":10016}`, "Idempotency-Key", "a", "Content-Type", "application/json; charset=utf-8", "User-Agent", "x").replays(t, first)

	first = b.do(t, http.MethodPost, "/toggle/17?server_ip=198.51.100.7", "", under("a")...)
	if first.status != 202 {
		t.Errorf("the same key at another address: answer %d %s", first.status, first.body)
	}
	for _, path := range []string{"/toggle/17", "/toggle/17?server_ip=203.0.113.9"} {
		b.do(t, http.MethodPost, path, "", under("a")...).
			wants(t, 422, `{"error":"This Idempotency-Key was used with another request. Use a new key for a new request."}`)
	}
	b.do(t, http.MethodPost, "/toggle/17/?server_ip=198.51.100.7", "", under("a")...).replays(t, first)
	if n := len(b.jobs(t)); n != 2 {
		t.Errorf("%d jobs, want 2", n)
	}
}

// Ensure a key belongs to one client: another's same key is another request.
func TestIdempotencyKeyIsOfOneClient(t *testing.T) {
	t.Parallel()
	b := setup(t, withKeys).register(t, seoul)
	ask := func(key, body string) answer { return b.toggle(t, body, "Idempotency-Key", "a", "X-API-Key", key) }
	ops, bot := keyOf(configs.Admin), keyOf(configs.ProxiesToggle)
	first := ask(ops, `{"port":10016}`)
	other := ask(bot, `{"port":10017}`)
	if other.status != 202 || other.jobID(t) == first.jobID(t) {
		t.Errorf("another client: answer %d %s", other.status, other.body)
	}
	ask(ops, `{"port":10016}`).replays(t, first)
	ask(bot, `{"port":10017}`).replays(t, other)
}

// Ensure a key means nothing to those who may not do what they ask for: they get
// no first answer of another, and leave nothing behind.
func TestIdempotencyKeyIsNoPass(t *testing.T) {
	t.Parallel()
	b := setup(t, withKeys).register(t, seoul)
	b.toggle(t, `{"port":10016}`, "Idempotency-Key", "a", "X-API-Key", keyOf(configs.ProxiesToggle))
	before := b.keys(t)
	b.toggle(t, `{"port":10016}`, "Idempotency-Key", "a").wantsProblem(t, 401, "unauthorized", "")
	b.toggle(t, `{"port":10016}`, "Idempotency-Key", "b", "X-API-Key", keyOf(configs.JobsRead)).wantsProblem(t, 403, "forbidden", "")
	b.do(t, http.MethodPost, "/toggle/16", "", "Idempotency-Key", "a").wantsProblem(t, 401, "unauthorized", "")
	b.untouched(t, before)
}

// Ensure a repeat that comes while the first request waits is told so, in the
// form of the address, and gets the first answer afterwards.
func TestIdempotencyWhileInProgress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, body string }{{togglePath, `{"port":10016,"wait":50}`}, {"/toggle/16", ""}} {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			b := setup(t).register(t, seoul)
			later := b.later(t, http.MethodPost, tt.path, tt.body, under("a")...)
			id := b.awaitJob(t).ID
			a := b.do(t, http.MethodPost, tt.path, tt.body, under("a")...)
			a.wantsRetryAfter(t)
			if tt.body != "" {
				a.wantsProblem(t, 409, "in_progress", "Idempotency-Key")
			} else {
				a.wants(t, 409, `{"error":"The first request under this Idempotency-Key has not been answered yet. Try again in a moment."}`)
				a.wantsHeader(t, "Cache-Control", "no-store")
			}
			b.complete(t, id, result(t, toggled()))
			first := receive(t, b, later)
			if first.status != 200 {
				t.Fatalf("answer %d %s", first.status, first.body)
			}
			b.do(t, http.MethodPost, tt.path, tt.body, under("a")...).replays(t, first)
			b.onlyJob(t)
		})
	}
}

// Ensure of many same requests at once one is made, and none gets another
// answer than its, or word that it is under way.
func TestIdempotencyOfManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	var sending sync.WaitGroup
	answers := make(chan answer, 50)
	for range cap(answers) {
		sending.Go(func() {
			a, err := b.try(http.MethodPost, togglePath, strings.NewReader(`{"port":10016}`), under("a")...)
			if err != nil {
				t.Error(err)
			}
			answers <- a
		})
	}
	sending.Wait()
	id := b.onlyJob(t).ID
	for range cap(answers) {
		switch a := <-answers; a.status {
		case 409:
			a.wantsProblem(t, 409, "in_progress", "Idempotency-Key")
		default:
			a.wants(t, 202, `{"job_id":"`+id+`","status":"queued"}`)
		}
	}
}

// Ensure what lies at the server or the moment is not kept: the repeat is
// judged anew.
func TestIdempotencyKeepsNoPassingRefusal(t *testing.T) {
	t.Parallel()
	t.Run("too soon", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *configs.Config) { c.Toggle.MinInterval = configs.Duration(time.Minute) }).register(t, seoul)
		must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 16, b.store.Now()))
		b.toggle(t, `{"subnet":16}`, "Idempotency-Key", "a").wantsProblem(t, 429, "too_soon", "")
		b.wind(t, time.Minute)
		a := b.toggle(t, `{"subnet":16}`, "Idempotency-Key", "a")
		a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
		a.wantsHeader(t, "Idempotency-Replayed", "")
	})
	t.Run("offline", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *configs.Config) { c.Toggle.RequestWait = 0 }).register(t, seoul)
		b.wind(t, hostTTL)
		if a := b.do(t, http.MethodPost, "/toggle/16", "", under("a")...); a.status != 503 {
			t.Fatalf("answer %d %s", a.status, a.body)
		}
		b.register(t, seoul)
		a := b.do(t, http.MethodPost, "/toggle/16", "", under("a")...)
		a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
	})
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *configs.Config) { c.HTTP.MaxBody = 1 << 10 }).register(t, seoul)
		before := b.keys(t)
		large := `{"port":10016` + strings.Repeat(" ", 1<<11) + `}`
		a, err := b.try(http.MethodPost, togglePath, struct{ *strings.Reader }{strings.NewReader(large)}, under("a")...)
		must(t, err)
		a.wantsProblem(t, 413, "too_large", "")
		b.untouched(t, before)
	})
	t.Run("Redis away", func(t *testing.T) {
		t.Parallel()
		b := setup(t, brief).register(t, seoul)
		b.srv.Kill()
		b.toggle(t, `{"port":10016}`, "Idempotency-Key", "a").wantsProblem(t, 503, "redis_unavailable", "")
		must(t, b.srv.Restart(b.ctx))
		b.eventually(t, "it is accepted", func() bool {
			a := b.toggle(t, `{"port":10016}`, "Idempotency-Key", "a")
			if a.status == 409 || a.header.Get("Idempotency-Replayed") != "" {
				t.Fatalf("answer %d %s", a.status, a.body)
			}
			return a.status == 202
		})
		b.onlyJob(t)
	})
}

// Ensure a repeat gets its first answer although its host is away by now and
// the dongle was toggled a moment ago, also where that answer is a failure,
// which is kept by the job alone.
func TestIdempotencyBeforeOtherRefusals(t *testing.T) {
	t.Parallel()
	failed := result(t, tasks.FailedToggle(tasks.TogglePayload{Host: "seoul-1", ServerIP: "198.51.100.7", Subnet: 16}, 4))
	for _, tt := range []struct {
		path, body, result string
		status             int
	}{
		{togglePath, `{"port":10016,"wait":50}`, result(t, toggled()), 200},
		{"/toggle/16", "", result(t, toggled()), 200},
		{"/toggle/16", "", failed, 500},
	} {
		t.Run(fmt.Sprint(tt.path, " ", tt.status), func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *configs.Config) { c.Toggle.MinInterval = configs.Duration(time.Hour) }).register(t, seoul)
			later := b.later(t, http.MethodPost, tt.path, tt.body, under("a")...)
			b.complete(t, b.awaitJob(t).ID, tt.result)
			first := receive(t, b, later)
			if first.status != tt.status {
				t.Fatalf("answer %d %s", first.status, first.body)
			}
			must(t, b.registry.SetLastToggle(b.ctx, "seoul-1", 16, b.store.Now()))
			b.wind(t, hostTTL)
			b.do(t, http.MethodPost, tt.path, tt.body, under("a")...).replays(t, first)
			b.onlyJob(t)
		})
	}
}

// Ensure a request whose process died before its answer was kept is under way
// for a few seconds, and that its repeat then gets the same job.
func TestIdempotencyAfterTheProcessDied(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	first := b.toggle(t, `{"port":10016}`, "Idempotency-Key", "a")
	b.complete(t, first.jobID(t), result(t, toggled()))
	// As it would stand there had it died right before.
	kept, err := b.rdb.Keys(b.ctx, "sw:v1:answer:*").Result()
	must(t, err)
	if len(kept) != 1 {
		t.Fatalf("answers kept under %q", kept)
	}
	must(t, b.rdb.HDel(b.ctx, kept[0], "status", "header", "body").Err())
	must(t, b.rdb.HSet(b.ctx, kept[0], "owner", "dead", "until", b.store.Now().Add(8*time.Second).UnixMilli()).Err())

	b.toggle(t, `{"port":10016}`, "Idempotency-Key", "a").wantsProblem(t, 409, "in_progress", "Idempotency-Key")
	b.wind(t, 8*time.Second)
	b.toggle(t, `{"port":10017}`, "Idempotency-Key", "a").wantsProblem(t, 422, "idempotency_key_reused", "Idempotency-Key")
	for range 2 {
		b.toggle(t, `{"port":10016}`, "Idempotency-Key", "a").replays(t, first)
	}
	b.onlyJob(t)
}

// Ensure an answer that its client didn't wait for is none: the repeat waits
// for the same job.
func TestIdempotencyAfterTheClientHasGone(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	const body = `{"port":10016,"wait":50}`
	ctx, leave := context.WithCancel(b.ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.http.URL+togglePath, strings.NewReader(body))
	must(t, err)
	req.Header.Set("Idempotency-Key", "a")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := b.client.Do(req); err == nil {
			res.Body.Close()
			t.Error("it was answered")
		}
	}()
	id := b.awaitJob(t).ID
	leave()
	<-gone
	b.eventually(t, "its turn is over", func() bool { return len(b.rdb.Keys(b.ctx, "sw:v1:answer:*").Val()) == 0 })
	later := b.later(t, http.MethodPost, togglePath, body, under("a")...)
	b.eventually(t, "the repeat waits", func() bool { return b.hub.Watching() == 1 })
	b.complete(t, id, result(t, toggled()))
	a := receive(t, b, later)
	a.wants(t, 200, result(t, toggled()))
	a.wantsHeader(t, "Idempotency-Replayed", "true")
	b.onlyJob(t)
}

// Ensure an answer that is too large to be kept is sent whole, and given again
// from the job.
func TestIdempotencyOfALargeAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	const body = `{"port":10016,"wait":50}`
	later := b.later(t, http.MethodPost, togglePath, body, under("a")...)
	large, err := json.Marshal(map[string]string{"text": strings.Repeat("x", 1<<20)})
	must(t, err)
	b.complete(t, b.awaitJob(t).ID, string(large))
	first := receive(t, b, later)
	first.wants(t, 200, string(large))
	if left := b.rdb.Keys(b.ctx, "sw:v1:answer:*").Val(); len(left) != 0 {
		t.Errorf("kept %q", left)
	}
	b.do(t, http.MethodPost, togglePath, body, under("a")...).replays(t, first)
	b.onlyJob(t)
}

// Ensure what can't be a key is refused in the form of the address, with and
// without a request behind it; at a GET, and where nothing can be posted, the
// header counts for nothing.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Toggle.RequestWait = 0 }).register(t, seoul)
	before := b.keys(t)
	for _, key := range []string{"", " ", "a b", "a\tb", "ключ", strings.Repeat("k", 256)} {
		b.toggle(t, `{"port":10016}`, "Idempotency-Key", key).wantsProblem(t, 400, "invalid_idempotency_key", "Idempotency-Key")
		b.toggle(t, `{`, "Idempotency-Key", key).wantsProblem(t, 400, "invalid_idempotency_key", "Idempotency-Key")
		a := b.do(t, http.MethodPost, "/toggle/16", "", "Idempotency-Key", key)
		a.wants(t, 400, `{"error":"An Idempotency-Key is 1 to 255 characters of visible ASCII, without spaces, and stands in one header."}`)
		b.do(t, http.MethodPost, "/api/v1/jobs/x/cancel", "", "Idempotency-Key", key).wantsProblem(t, 400, "invalid_idempotency_key", "Idempotency-Key")
		b.do(t, http.MethodGet, "/api/v1/jobs", "", "Idempotency-Key", key).wants(t, 200, `{"jobs":[],"next_cursor":null}`)
		b.do(t, http.MethodPost, "/nowhere", "", "Idempotency-Key", key).wantsProblem(t, 404, "not_found", "")
		b.do(t, http.MethodPost, "/status", "", "Idempotency-Key", key).wantsProblem(t, 405, "method_not_allowed", "")
	}
	r := httptest.NewRequestWithContext(b.ctx, http.MethodPost, togglePath, strings.NewReader(`{"port":10016}`))
	r.Header["Idempotency-Key"] = []string{"a", "b"}
	r.RemoteAddr, r.Host = "127.0.0.1:1234", "127.0.0.1"
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	if w.Code != 400 {
		t.Errorf("two keys: answer %d %s", w.Code, w.Body)
	}
	b.untouched(t, before)
	for _, key := range []string{"a", `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, "!~", strings.Repeat("k", 255)} {
		if a := b.toggle(t, `{"port":10016}`, "Idempotency-Key", key); a.status != 202 {
			t.Errorf("%.40q: answer %d %s", key, a.status, a.body)
		}
	}
}

// Ensure a request without the header leaves nothing for repeats, and that one
// with it leaves no word of the key.
func TestIdempotencyLeavesNoTrace(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	b.toggle(t, `{"port":10016}`)
	for _, k := range b.keys(t) {
		if strings.Contains(k, "answer") || strings.Contains(k, "idempotency") {
			t.Errorf("key %s", k)
		}
	}
	b.toggle(t, `{"port":10017}`, "Idempotency-Key", "my-secret")
	n := 0
	for _, k := range b.keys(t) {
		if strings.Contains(k, "answer") || strings.Contains(k, "idempotency") {
			n++
			if ttl := b.rdb.TTL(b.ctx, k).Val(); ttl <= 0 || ttl > time.Hour {
				t.Errorf("key %s is kept for %s", k, ttl)
			}
		}
		if strings.Contains(k, "my-secret") || strings.Contains(b.rdb.Dump(b.ctx, k).Val(), "my-secret") {
			t.Errorf("key %s tells the Idempotency-Key", k)
		}
	}
	if n != 2 {
		t.Errorf("%d keys for repeats, want 2", n)
	}
}
