package api_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-chi/chi/v5"

	"switchyard/api"
	"switchyard/configs"
)

// keyOf is the API key of the tests with this scope.
func keyOf(s configs.Scope) string { return "swk_" + strings.ReplaceAll(string(s), ":", "-") }

// withKeys has an API key for each scope there is, and no network.
func withKeys(c *configs.Config) {
	for _, s := range configs.Scopes() {
		c.Auth.Keys = append(c.Auth.Keys, configs.APIKey{
			Name: strings.ReplaceAll(string(s), ":", "-"), Hash: configs.HashAPIKey(keyOf(s)), Scopes: []configs.Scope{s},
		})
	}
}

// local lets callers from loopback toggle.
func local(c *configs.Config) {
	c.Auth.Networks = []configs.AuthNetwork{{CIDR: "127.0.0.0/8", Scopes: []configs.Scope{configs.ProxiesToggle}}}
}

// mounted is what the tests have at /metrics and /monitoring.
var mounted = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("page " + r.URL.Path)) })

// paths fill the patterns of routes.
var paths = strings.NewReplacer("{subnet}", "16", "{id}", "j_01k9zd3v5y8m1q2r3s4t5v6w7x", "{host}", "seoul-1", "/*", "/queues/default")

// Ensure no route answers anybody but those with its scope, or with admin:
// without a key, with an unknown one and with every other scope it refuses,
// and nothing reaches Redis. What is open says so.
func TestEveryRouteTakesItsScope(t *testing.T) {
	t.Parallel()
	b := setup(t, withKeys).register(t, seoul)
	before := b.keys(t)
	routes := b.api.Routes()
	if len(routes) < 12 {
		t.Fatalf("%d routes", len(routes))
	}
	var open []string
	for _, x := range routes {
		method := x.Method
		if method == "*" {
			method = http.MethodDelete
		}
		path := paths.Replace(x.Pattern)
		if x.Scope == "" {
			open = append(open, x.Pattern)
			if x.Pattern == "/api/webhook" {
				continue // it has tokens of its own, and a log
			}
			if a := b.do(t, method, path, "", "X-API-Key", "wrong"); a.status == 401 || a.status == 403 {
				t.Errorf("%s %s: answer %d %s", method, path, a.status, a.body)
			}
			continue
		}
		a := b.do(t, method, path, `{"port":10016}`, "Content-Type", "application/json")
		a.wantsProblem(t, 401, "unauthorized", "")
		want := "Bearer realm="
		if strings.HasPrefix(path, "/monitoring") {
			want = "Basic realm=" // a browser asks for it
		}
		if how := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(how, want) {
			t.Errorf("%s %s: WWW-Authenticate %q", method, path, how)
		}
		b.do(t, method, path, `{"port":10016}`, "Content-Type", "application/json", "Authorization", "Bearer swk_unknown").wantsProblem(t, 401, "unauthorized", "")
		for _, s := range configs.Scopes() {
			if s == x.Scope || s == configs.Admin {
				continue
			}
			a := b.do(t, method, path, `{"port":10016}`, "Content-Type", "application/json", "X-API-Key", keyOf(s))
			if p := a.wantsProblem(t, 403, "forbidden", ""); !strings.Contains(p.Detail, " "+string(x.Scope)+".") {
				t.Errorf("%s %s: detail %q doesn't name the scope", method, path, p.Detail)
			}
		}
	}
	b.untouched(t, before)
	for _, path := range open {
		if !slices.Contains([]string{"/", "/health", "/healthz", "/readyz", "/docs", "/docs/*", "/openapi.json", "/api/webhook", "/ws"}, path) {
			t.Errorf("%s is open to all", path)
		}
	}
	// And those who have it get through.
	for _, s := range []configs.Scope{configs.JobsRead, configs.Admin} {
		if a := b.do(t, http.MethodGet, "/api/v1/jobs", "", "Authorization", "Bearer "+keyOf(s)); a.status != 200 {
			t.Errorf("with %s: answer %d %s", s, a.status, a.body)
		}
	}
	if a := b.toggle(t, `{"port":10016}`, "X-API-Key", keyOf(configs.ProxiesToggle), "X-Request-Id", "of-a-toggle"); a.status != 202 {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	b.eventually(t, "the log has both lines of it", func() bool { return b.log.count("request_id=of-a-toggle") == 2 })
}

// Ensure a route that says nothing of its scope, or names one that there isn't,
// is found before the server listens.
func TestRoutesWithoutAScope(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		scoped []api.Route
		fails  bool
	}{
		"none":           {nil, true},
		"of another":     {[]api.Route{{Method: "GET", Pattern: "/y", Scope: configs.Admin}}, true},
		"another method": {[]api.Route{{Method: "POST", Pattern: "/x", Scope: configs.Admin}}, true},
		"unknown":        {[]api.Route{{Method: "GET", Pattern: "/x", Scope: "jobs:red"}}, true},
		"open":           {[]api.Route{{Method: "GET", Pattern: "/x"}}, false},
		"known":          {[]api.Route{{Method: "GET", Pattern: "/x", Scope: configs.JobsRead}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if p := recover(); (p != nil) != tt.fails {
					t.Errorf("panic %v", p)
				}
			}()
			r := chi.NewRouter()
			r.Get("/x", func(http.ResponseWriter, *http.Request) {})
			api.CheckScopes(r, tt.scoped...)
		})
	}
}

// Ensure what is mounted at /monitoring asks a browser for the key, takes one
// with admin as the password, and that /metrics takes its own scope.
func TestMountedPages(t *testing.T) {
	t.Parallel()
	c := configs.Default()
	withKeys(c)
	s := api.New(api.Options{Config: c, Log: slog.New(slog.DiscardHandler), Metrics: mounted, Monitoring: mounted})
	ask := func(method, path string, header ...string) answer {
		r := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return answer{w.Code, w.Header(), w.Body.String()}
	}
	basic := func(key string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte("anna:"+key)) }
	for _, path := range []string{"/monitoring", "/monitoring/", "/monitoring/api/queues"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			for _, header := range [][]string{nil, {"Authorization", basic("wrong")}, {"X-API-Key", "wrong"}} {
				a := ask(method, path, header...)
				a.wantsProblem(t, 401, "unauthorized", "")
				if how := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(how, `Basic realm="`) {
					t.Errorf("%s %s: WWW-Authenticate %q", method, path, how)
				}
			}
			ask(method, path, "Authorization", basic(keyOf(configs.JobsRead))).wantsProblem(t, 403, "forbidden", "")
			if a := ask(method, path, "Authorization", basic(keyOf(configs.Admin))); a.status != 200 || a.body != "page "+path {
				t.Errorf("%s %s: answer %d %s", method, path, a.status, a.body)
			}
		}
		ask(http.MethodPost, path, "Authorization", basic(keyOf(configs.Admin)), "Sec-Fetch-Site", "cross-site").wantsProblem(t, 403, "foreign_page", "")
	}
	// A browser sends what it has for a page to no other address.
	ask(http.MethodGet, "/metrics", "Authorization", basic(keyOf(configs.Admin))).wantsProblem(t, 401, "unauthorized", "")
	ask(http.MethodGet, "/monitoringx", "Authorization", basic(keyOf(configs.Admin))).wantsProblem(t, 404, "not_found", "")
	if a := ask(http.MethodGet, "/metrics", "Authorization", "Bearer "+keyOf(configs.MetricsRead)); a.status != 200 {
		t.Errorf("answer %d %s", a.status, a.body)
	}
}

// Ensure a caller with a right by address gets nothing under a name that is not
// this server's, and starts nothing by a link on another site, while a key
// works under every name.
func TestForeignHost(t *testing.T) {
	t.Parallel()
	b := setup(t, local, withKeys, func(c *configs.Config) { c.HTTP.ServerNames = []string{"yard.example.com"}; c.Toggle.RequestWait = 0 }).register(t, seoul)
	before := b.keys(t)
	ask := func(host string, header ...string) answer {
		r := httptest.NewRequest(http.MethodGet, "/toggle/16", nil)
		r.Host, r.RemoteAddr = host, "127.0.0.1:1234"
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		b.api.ServeHTTP(w, r)
		a := answer{w.Code, w.Header(), w.Body.String()}
		a.wantsHeader(t, "Cache-Control", "no-store")
		return a
	}
	ask("rebound.example.com:8080").wantsProblem(t, 421, "foreign_host", "Host")
	ask("rebound.example.com:8080", "Sec-Fetch-Site", "same-origin", "Origin", "http://rebound.example.com:8080").wantsProblem(t, 421, "foreign_host", "Host")
	ask("127.0.0.1:8080", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate").wantsProblem(t, 403, "foreign_page", "")
	ask("127.0.0.1:8080", "X-API-Key", "swk_wrong").wantsProblem(t, 401, "unauthorized", "")
	ask("127.0.0.1:8080", "Cookie", "key="+keyOf(configs.Admin), "X-API-Key", "").wantsProblem(t, 401, "unauthorized", "")
	b.untouched(t, before)
	for _, host := range []string{"127.0.0.1:8080", "[::1]", "localhost:8080", "Yard.example.com:443"} {
		if a := ask(host); a.status != 202 {
			t.Errorf("%s: answer %d %s", host, a.status, a.body)
		}
	}
	if a := ask("rebound.example.com", "X-API-Key", keyOf(configs.ProxiesToggle)); a.status != 202 {
		t.Errorf("with a key: answer %d %s", a.status, a.body)
	}
}

// Ensure pages of allowed origins may ask and read, in the way that browsers
// find out; that others are told nothing; and that by default nobody is.
func TestOrigins(t *testing.T) {
	t.Parallel()
	const app = "https://app.example.com"
	b := setup(t, func(c *configs.Config) { c.HTTP.AllowedOrigins = []string{app} }).register(t, seoul)
	preflight := func(b *bundle, origin string) answer {
		return b.do(t, http.MethodOptions, togglePath, "", "Origin", origin, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "Content-Type, X-API-Key, idempotency-key, authorization")
	}
	a := preflight(b, app)
	if a.status != 200 && a.status != 204 {
		t.Errorf("preflight: answer %d %s", a.status, a.body)
	}
	a.wantsHeader(t, "Access-Control-Allow-Origin", app)
	a.wantsHeader(t, "Access-Control-Allow-Methods", "POST")
	a.wantsHeader(t, "Access-Control-Allow-Credentials", "")
	for _, h := range []string{"authorization", "x-api-key", "idempotency-key", "content-type"} {
		if !strings.Contains(strings.ToLower(a.header.Get("Access-Control-Allow-Headers")), h) {
			t.Errorf("%s is not allowed: %v", h, a.header)
		}
	}
	page := []string{"Origin", app, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"}
	a = b.toggle(t, `{"port":10016}`, page...)
	if a.status != 202 {
		t.Errorf("answer %d %s", a.status, a.body)
	}
	a.wantsHeader(t, "Access-Control-Allow-Origin", app)
	a.wantsHeader(t, "Access-Control-Expose-Headers", "Location, Idempotency-Replayed, Retry-After, X-Request-Id")
	a = b.toggle(t, `{}`, page...) // refusals can be read, too
	a.wantsProblem(t, 400, "missing_port", "port")
	a.wantsHeader(t, "Access-Control-Allow-Origin", app)

	before := b.keys(t)
	own := setup(t)
	for _, tt := range []struct {
		b      *bundle
		origin string
	}{{b, "https://evil.example.com"}, {b, "null"}, {b, app + ".example.com"}, {own, app}} {
		preflight(tt.b, tt.origin).wantsHeader(t, "Access-Control-Allow-Origin", "")
		a := tt.b.toggle(t, `{"port":10017}`, "Origin", tt.origin)
		a.wantsProblem(t, 403, "foreign_page", "")
		a.wantsHeader(t, "Access-Control-Allow-Origin", "")
	}
	b.untouched(t, before)
}

// Ensure who asks too often is told when to come again, also at what is open,
// while supervisors may ask for the process' life as often as they like.
func TestRateLimitIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := configs.Default()
		c.HTTP.RateLimit = configs.RateLimit{PerSecond: 1, Burst: 2}
		s := api.New(api.Options{Config: c, Log: slog.New(slog.DiscardHandler)})
		ask := func(path string) answer {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			return answer{w.Code, w.Header(), w.Body.String()}
		}
		for i, want := range []int{200, 200, 429, 429} {
			if a := ask("/health"); a.status != want {
				t.Fatalf("request %d: answer %d %s", i, a.status, a.body)
			}
		}
		a := ask("/nowhere")
		a.wantsProblem(t, 429, "rate_limited", "")
		a.wantsHeader(t, "Retry-After", "1")
		for range 10 {
			for _, path := range []string{"/healthz", "/readyz", "/healthz/"} {
				if a := ask(path); a.status != 200 {
					t.Fatalf("%s: answer %d %s", path, a.status, a.body)
				}
			}
		}
		time.Sleep(time.Second)
		if a := ask("/health"); a.status != 200 {
			t.Errorf("a second later: answer %d %s", a.status, a.body)
		}
	})
}

// Ensure a request keeps the id that its client gave it, if it can stand in a
// log, and has one of ours otherwise, in the answer and in each line of the log
// about it; the line of the request holds neither query nor headers.
func TestRequestsAreLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := configs.Default()
	withKeys(c)
	s := api.New(api.Options{Config: c, Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Ready: nil, Monitoring: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("broken") })})
	ask := func(path, id string) (answer, string) {
		out.Reset()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("X-API-Key", keyOf(configs.Admin))
		r.Header.Set("X-Request-Id", id)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return answer{w.Code, w.Header(), w.Body.String()}, out.String()
	}
	a, log := ask("/api/v1/jobs/no-id?token=s3cr3t", "trace_1.2-A")
	a.wantsHeader(t, "X-Request-Id", "trace_1.2-A")
	for _, want := range []string{
		"level=INFO msg=request method=GET route=/api/v1/jobs/{id} status=404 duration=", " bytes=", " client=192.0.2.1 principal=key:admin request_id=trace_1.2-A\n",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s: %s", want, log)
		}
	}
	if strings.Contains(log, "s3cr3t") || strings.Contains(log, keyOf(configs.Admin)) {
		t.Errorf("the log tells a secret: %s", log)
	}
	ours := map[string]bool{}
	for _, bad := range []string{"", "a b", "a\tb", "ü", `a"b`, strings.Repeat("x", 65)} {
		a, log := ask("/health", bad)
		id := a.header.Get("X-Request-Id")
		if id == bad || len(id) < 16 || ours[id] || strings.Count(log, "request_id="+id+"\n") != 1 {
			t.Errorf("%q became %q: %s", bad, id, log)
		}
		ours[id] = true
	}
	if a, _ := ask("/health", strings.Repeat("x", 64)); a.header.Get("X-Request-Id") != strings.Repeat("x", 64) {
		t.Errorf("64 letters became %q", a.header.Get("X-Request-Id"))
	}
	for path, level := range map[string]string{"/healthz": "DEBUG", "/readyz": "DEBUG", "/health": "INFO", "/nowhere": "INFO"} {
		if _, log := ask(path, "x"); !strings.Contains(log, "level="+level+" msg=request ") {
			t.Errorf("%s: %s", path, log)
		}
	}
	a, log = ask("/monitoring", "breaks")
	if a.wantsProblem(t, 500, "internal", ""); strings.Count(log, "request_id=breaks") != 2 || !strings.Contains(log, "status=500") {
		t.Errorf("the log of what broke: %s", log)
	}
}
