package api_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"switchyard/api"
	"switchyard/configs"
)

// Ensure the checks of life answer without anybody behind them.
func TestHealth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.srv.Kill()
	for _, path := range []string{"/health", "/healthz", "/health/", "/healthz/"} {
		b.get(t, path).wants(t, 200, `{"status":"ok"}`)
	}
}

// Ensure /readyz tells what stands against taking requests, and that the
// process stops.
func TestReady(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.get(t, "/readyz").wants(t, 200, `{"status":"ok"}`)
	b.ready.Store(&errNotYet)
	b.get(t, "/readyz").wants(t, 503, `{"reason":"the host's dongles have not been read yet","status":"not ready"}`)
	b.ready.Store(nil)
	b.get(t, "/readyz").wants(t, 200, `{"status":"ok"}`)
	b.api.StopWaiting()
	b.get(t, "/readyz").wants(t, 503, `{"status":"stopping"}`)
	b.get(t, "/healthz").wants(t, 200, `{"status":"ok"}`)
}

// Ensure a process that has not started yet answers for its life and refuses
// everything else until it has.
func TestNotStartedYet(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	before := b.keys(t)
	b.down.Store(true)
	b.get(t, "/healthz").wants(t, 200, `{"status":"ok"}`)
	b.get(t, "/healthz/").wants(t, 200, `{"status":"ok"}`)
	for _, path := range []string{"/readyz", "/toggle/16", "/status", "/api/v1/jobs", "/nowhere"} {
		a := b.get(t, path)
		a.wantsProblem(t, 503, "starting", "")
		a.wantsRetryAfter(t)
	}
	b.toggle(t, `{"port":10016}`).wantsProblem(t, 503, "starting", "")
	b.untouched(t, before)
	b.down.Store(false)
	if a := b.toggle(t, `{"port":10016}`); a.status != 202 {
		t.Errorf("answer %d %s", a.status, a.body)
	}
}

// Ensure a server that was given nothing to ask is ready.
func TestReadyWithoutAQuestion(t *testing.T) {
	t.Parallel()
	s := api.New(api.Options{Config: configs.Default(), Log: slog.New(slog.DiscardHandler)})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != 200 {
		t.Errorf("answer %d %s", w.Code, w.Body)
	}
}

// Ensure a request that makes a handler panic is answered without a look
// inside, logged, and harms nobody else.
func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	log := &records{}
	s := api.New(api.Options{Config: configs.Default(), Log: slog.New(log), Ready: func(context.Context) error { panic("runtime secret") }})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	answer{w.Code, w.Header(), w.Body.String()}.wantsProblem(t, 500, "internal", "")
	if log.count("runtime secret") != 1 || log.count("path=/readyz") != 1 {
		t.Errorf("the log says %s", &log.all)
	}
}

// Ensure whatever is at no address, or takes another method, is refused as
// the one error document; a 405 names the methods that there are.
func TestNothingThere(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	before := b.keys(t)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{http.MethodGet, "/nowhere", 404, ""},
		{http.MethodPost, "/nowhere", 404, ""},
		{http.MethodGet, "/toggle", 404, ""},
		{http.MethodGet, "/toggle/16/now", 404, ""},
		{http.MethodGet, "//toggle/16", 404, ""},
		{http.MethodGet, "/%74oggle/16", 404, ""},
		{http.MethodGet, "/api/v1/jobs/x/y", 404, ""},
		{http.MethodGet, "/index.html", 404, ""},
		{http.MethodPut, "/toggle/16", 405, "GET, POST"},
		{http.MethodHead, "/toggle/16", 405, "GET, POST"},
		{http.MethodDelete, "/toggle/16/", 405, "GET, POST"},
		{http.MethodGet, "/api/v1/proxies/toggle", 405, "POST"},
		{http.MethodPost, "/status", 405, "GET, HEAD"},
		{http.MethodPost, "/api/v1/jobs", 405, "GET, HEAD"},
		{http.MethodDelete, "/api/v1/jobs/x", 405, "GET, HEAD"},
		{http.MethodGet, "/api/v1/jobs/x/cancel", 405, "POST"},
		{http.MethodPost, "/", 405, "GET, HEAD"},
		{"BREW", "/status", 405, "GET, HEAD"},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			a := b.do(t, tt.method, tt.path, "")
			a.wantsHeader(t, "Allow", tt.allow)
			if tt.method == http.MethodHead {
				if a.status != tt.status || a.body != "" {
					t.Errorf("answer %d %s", a.status, a.body)
				}
			} else {
				a.wantsProblem(t, tt.status, map[int]string{404: "not_found", 405: "method_not_allowed"}[tt.status], "")
			}
			b.untouched(t, before)
		})
	}
}

// Ensure HEAD answers as GET does, without the body.
func TestHead(t *testing.T) {
	t.Parallel()
	b := setUpStatus(t)
	before := b.keys(t)
	for _, path := range []string{"/", "/healthz", "/readyz", "/health", "/status", "/status/", "/api/v1/jobs", "/docs", "/openapi.json"} {
		a := b.do(t, http.MethodHead, path, "")
		if a.status != 200 || a.body != "" || a.header.Get("Content-Type") != b.get(t, path).header.Get("Content-Type") {
			t.Errorf("HEAD %s: answer %d %q %v", path, a.status, a.body, a.header)
		}
	}
	b.untouched(t, before)
}

// Ensure the page at / is plain: nothing on it is loaded from elsewhere, and
// the addresses it links to are there.
func TestIndexPage(t *testing.T) {
	t.Parallel()
	b := setUpStatus(t)
	a := b.get(t, "/")
	a.wantsType(t, "text/html; charset=utf-8")
	a.wantsHeader(t, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	if strings.Contains(a.body, "http://") || strings.Contains(a.body, "https://") {
		t.Errorf("the page leads elsewhere: %s", a.body)
	}
	links := 0
	for rest := a.body; ; links++ {
		_, after, ok := strings.Cut(rest, `href="`)
		if !ok {
			break
		}
		link, after, _ := strings.Cut(after, `"`)
		if got := b.get(t, link); got.status != 200 {
			t.Errorf("%s: answer %d %s", link, got.status, got.body)
		}
		rest = after
	}
	if links < 3 {
		t.Errorf("%d links", links)
	}
}

// Ensure no page of another site can use a visitor's browser to start
// something, or to read, while links, own pages and other programs can.
func TestForeignPagesAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Config) { c.Toggle.RequestWait = 0 }).register(t, seoul)
	before := b.keys(t)
	for _, tt := range []struct{ method, path, mode string }{
		{http.MethodGet, "/toggle/16", "navigate"},
		{http.MethodGet, "/toggle/16/", "navigate"},
		{http.MethodGet, "/toggle/16", "no-cors"},
		{http.MethodGet, "/toggle/16", ""},
		{http.MethodPost, "/toggle/16", "navigate"},
		{http.MethodPost, togglePath, "no-cors"},
		{http.MethodPost, togglePath, "navigate"},
		{http.MethodPost, "/api/v1/jobs/x/cancel", "cors"},
		{http.MethodGet, "/api/v1/jobs", "cors"},
		{http.MethodGet, "/status", "no-cors"},
		{http.MethodHead, "/status", "no-cors"},
	} {
		a := b.do(t, tt.method, tt.path, `{"port":10016}`, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", tt.mode)
		if a.status != 403 {
			t.Errorf("%s %s, mode %q: answer %d %s", tt.method, tt.path, tt.mode, a.status, a.body)
		}
		if tt.method != http.MethodHead {
			a.wantsProblem(t, 403, "foreign_page", "")
		}
	}
	b.untouched(t, before)

	for _, path := range []string{"/", "/healthz", "/api/v1/jobs"} {
		if a := b.do(t, http.MethodGet, path, "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"); a.status != 200 {
			t.Errorf("a link to %s: answer %d %s", path, a.status, a.body)
		}
	}
	for _, site := range []string{"same-origin", "none"} {
		if a := b.do(t, http.MethodGet, "/toggle/16", "", "Sec-Fetch-Site", site, "Sec-Fetch-Mode", "navigate"); a.status != 202 {
			t.Errorf("%s: answer %d %s", site, a.status, a.body)
		}
	}
}

// Ensure all who wait are answered with 202 as soon as the process stops, and
// nobody waits from then on; what was accepted stays.
func TestStopWaitingAnswersEverybody(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	waiting := []<-chan answer{
		b.later(t, http.MethodPost, togglePath, `{"port":10011,"wait":50}`),
		b.later(t, http.MethodGet, "/toggle/16", ""),
	}
	b.eventually(t, "both wait", func() bool { return b.hub.Watching() == 2 })
	b.api.StopWaiting()
	for _, later := range waiting {
		a := receive(t, b, later)
		a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
	}
	b.api.StopWaiting()
	a := b.toggle(t, `{"subnet":17,"wait":200}`)
	a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
	if n := len(b.jobs(t)); n != 3 {
		t.Errorf("%d jobs, want 3", n)
	}
}

// Ensure a client that goes away while it waits frees its place without a
// warning, and its toggle goes on.
func TestClientThatGoesAway(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	ctx, cancel := context.WithCancel(b.ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.http.URL+togglePath, strings.NewReader(`{"port":10016,"wait":50}`))
	must(t, err)
	gone := make(chan error, 1)
	go func() {
		res, err := b.client.Do(req)
		if err == nil {
			res.Body.Close()
		}
		gone <- err
	}()
	b.eventually(t, "it waits", func() bool { return b.hub.Watching() == 1 })
	cancel()
	if err := receive(t, b, gone); !errors.Is(err, context.Canceled) {
		t.Errorf("the request ended with %v", err)
	}
	b.eventually(t, "its place is free", func() bool { return b.hub.Watching() == 0 })
	if n := b.log.count("level=WARN"); n != 0 {
		t.Errorf("%d warnings because of it: %s", n, &b.log.all)
	}
	b.complete(t, b.onlyJob(t).ID, result(t, toggled()))
}

// Ensure no document has a member that nobody specified, whatever the client
// says it accepts.
func TestDocumentsAreNotDecorated(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	for _, accept := range []string{"", "*/*", "text/html", "application/cbor", "application/json"} {
		a := b.do(t, http.MethodPost, togglePath, `{"port":10016}`, "Accept", accept)
		for _, got := range []answer{
			a, b.do(t, http.MethodGet, "/api/v1/jobs", "", "Accept", accept), b.do(t, http.MethodGet, "/api/v1/jobs/"+a.jobID(t), "", "Accept", accept),
			b.do(t, http.MethodPost, togglePath, `{}`, "Accept", accept),
		} {
			if strings.Contains(got.body, "$schema") || got.header.Get("Link") != "" {
				t.Errorf("answer %d %v %s", got.status, got.header, got.body)
			}
			if ct := got.header.Get("Content-Type"); !slices.Contains([]string{"application/json", "application/problem+json"}, ct) {
				t.Errorf("Content-Type %q for Accept %q", ct, accept)
			}
		}
	}
}
