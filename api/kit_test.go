package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/alerts"
	"switchyard/api"
	"switchyard/api/access"
	"switchyard/api/ws"
	"switchyard/configs"
	"switchyard/events"
	"switchyard/executions"
	"switchyard/hosts"
	"switchyard/intake"
	"switchyard/jobs"
	"switchyard/sim/redisserver"
	"switchyard/steplogs"
	"switchyard/strategy/catalog"
	"switchyard/tasks"
)

// hostTTL is how long a host is believed online after it was seen.
const hostTTL = 30 * time.Second

// bundle is what one test works with: the API over HTTP, on a redis-server of
// its own, with nobody who executes anything but the test.
type bundle struct {
	ctx      context.Context
	srv      *redisserver.Server
	rdb      *redis.Client // the API's
	hub      *events.Hub
	store    *jobs.Store
	proc     *jobs.Process
	registry *hosts.Registry
	config   *configs.Config
	log      *records
	api      *api.Server
	http     *httptest.Server
	client   *http.Client

	ahead atomic.Int64 // see wind
	hooks hooks
	ready atomic.Pointer[error]
	down  atomic.Bool // the process has not started yet
}

// setup starts an API. Its hosts are registered by the test.
func setup(t testing.TB, change ...func(*configs.Config)) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "always"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, srv: srv, hub: events.NewHub(), log: &records{}, config: configs.Default()}
	// A slow machine is no outage; the tests of outages set their own.
	b.config.Redis.CommandTimeout = configs.Duration(20 * time.Second)
	b.config.HTTP.RateLimit.PerSecond = 0 // tests ask more often than a client should
	step := []configs.PipelineStep{{Name: "빌드", Command: []string{"/bin/true"}}}
	b.config.Deployments.Pipelines = []configs.Pipeline{
		{Project: "web", Dir: "/srv/web", Branches: []string{"main", "release/*"}, Steps: append(step, configs.PipelineStep{Name: "설치", Command: []string{"/bin/true"}}), Rollback: step},
		{Project: "plain", Dir: "/srv/plain", Steps: step}, {Project: "away", Dir: "/srv/away", Host: "seoul-1", Steps: step},
	}
	for _, c := range change {
		c(b.config)
	}
	must(t, b.config.Validate())

	// Nothing but the API's own deadlines ends a command that hangs.
	b.rdb = redis.NewClient(&redis.Options{Addr: srv.Addr(), ContextTimeoutEnabled: true, ReadTimeout: time.Minute, PoolTimeout: time.Minute})
	b.rdb.AddHook(clock{&b.ahead})
	b.rdb.AddHook(&b.hooks)
	t.Cleanup(func() { _ = b.rdb.Close() })
	b.store = jobs.NewStore(jobs.Options{
		Client: b.rdb, Hub: b.hub, Retention: time.Hour, MaxPerType: 1000, EventStream: 1000,
		IdempotencyWindow: time.Hour, MaxCrashes: 3, ProcessTTL: 10 * time.Second,
	})
	t.Cleanup(func() { _ = b.store.Close() })
	b.registry = hosts.New(b.rdb, hostTTL)
	b.proc = b.store.NewProcess(true)
	b.readEvents(t)

	strategies, err := catalog.New(catalog.Options{More: []catalog.Strategy{{
		Name: "Own", Version: "2.1", Description: "One of the tests' own.",
		Parameters: []catalog.Parameter{{Name: "asset", Type: catalog.Text, Required: true}, {Name: "share", Type: catalog.Number}},
	}}})
	must(t, err)
	socket := ws.New(ws.Options{Config: b.config.WS, Guard: access.New(b.config), Hub: b.hub, Redis: b.rdb, Log: slog.New(slog.DiscardHandler), Version: "test"})
	b.api = api.New(api.Options{
		Socket:     socket,
		StepLogs:   steplogs.New(b.rdb, time.Hour),
		Alerts:     alerts.NewBook(b.rdb, b.store.Now),
		Strategies: strategies, Executions: executions.NewNumbers(b.rdb, 100),
		Config: b.config, Store: b.store, Registry: b.registry, Log: slog.New(b.log), Version: "test",
		Ready: func(context.Context) error {
			if err := b.ready.Load(); err != nil {
				return *err
			}
			return nil
		},
		Intake:  intake.New(b.rdb),
		Started: func() bool { return !b.down.Load() },
		Metrics: http.HandlerFunc(other), Monitoring: http.HandlerFunc(other),
	})
	b.http = httptest.NewServer(b.api)
	t.Cleanup(b.http.Close)
	tr := &http.Transport{MaxIdleConnsPerHost: 200}
	t.Cleanup(tr.CloseIdleConnections)
	b.client = &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

// other answers for what the API only passes on.
func other(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// readEvents has the job events reach those who wait, as a process does.
func (b *bundle) readEvents(t testing.TB) {
	t.Helper()
	stream := redis.NewClient(&redis.Options{Addr: b.srv.Addr(), ContextTimeoutEnabled: true})
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		(&events.Reader{Client: stream, Hub: b.hub, Log: slog.New(slog.DiscardHandler)}).Run(ctx, ready)
	})
	t.Cleanup(func() {
		cancel()
		_ = stream.Close()
		reading.Wait()
	})
	select {
	case <-ready:
	case <-b.ctx.Done():
		t.Fatal("the event stream is not read")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// seoul is the host that most tests have: dongles 11, 16 and 17, online.
var seoul = hosts.Info{Name: "seoul-1", ServerIP: "198.51.100.7", Dongles: []int{11, 16, 17}, Physical: 3}

// busan is another host.
var busan = hosts.Info{Name: "busan-1", ServerIP: "203.0.113.9", Dongles: []int{16, 20}, Physical: 2}

// register has a host say that it is there, now.
func (b *bundle) register(t *testing.T, all ...hosts.Info) *bundle {
	t.Helper()
	for _, h := range all {
		h.Seen = b.store.Now()
		must(t, b.registry.Register(b.ctx, h))
	}
	return b
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; header are names and values in turn.
func (b *bundle) do(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	a, err := b.try(method, path, strings.NewReader(body), header...)
	must(t, err)
	return a
}

func (b *bundle) get(t *testing.T, path string) answer {
	t.Helper()
	return b.do(t, http.MethodGet, path, "")
}

// toggle posts a toggle in the way that most clients do.
func (b *bundle) toggle(t *testing.T, body string, header ...string) answer {
	t.Helper()
	return b.do(t, http.MethodPost, togglePath, body, append([]string{"Content-Type", "application/json"}, header...)...)
}

const togglePath = "/api/v1/proxies/toggle"

// try is do for goroutines other than the test's.
func (b *bundle) try(method, path string, body io.Reader, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(b.ctx, method, b.http.URL+path, body)
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return answer{status: res.StatusCode, header: res.Header, body: string(got)}, err
}

// later sends a request that is answered later.
func (b *bundle) later(t *testing.T, method, path, body string, header ...string) <-chan answer {
	t.Helper()
	c := make(chan answer, 1)
	var sending sync.WaitGroup
	sending.Go(func() {
		a, err := b.try(method, path, strings.NewReader(body), header...)
		if err != nil {
			t.Errorf("%s %s: %v", method, path, err)
		}
		c <- a
	})
	t.Cleanup(sending.Wait)
	return c
}

// receive waits for a value, within the test's time.
func receive[T any](t *testing.T, b *bundle, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-b.ctx.Done():
		t.Fatal("waited in vain for an answer")
		panic("unreachable")
	}
}

// eventually looks until ok holds, which it must before the test's time is up.
func (b *bundle) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// wants holds status and body of an answer.
func (a answer) wants(t *testing.T, status int, body string) {
	t.Helper()
	if a.status != status || strings.TrimSuffix(a.body, "\n") != body {
		t.Errorf("answer %d %s\nwant   %d %s", a.status, a.body, status, body)
	}
	a.wantsType(t, "application/json")
}

func (a answer) wantsType(t *testing.T, want string) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != want {
		t.Errorf("Content-Type %q, want %q (answer %d %s)", got, want, a.status, a.body)
	}
}

func (a answer) wantsHeader(t *testing.T, name, want string) {
	t.Helper()
	if got := a.header.Get(name); got != want {
		t.Errorf("%s: %q, want %q (answer %d %s)", name, got, want, a.status, a.body)
	}
}

// problem is an error document as clients read it.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Field  string `json:"field"`
	JobID  string `json:"job_id"`
}

// wantsProblem holds an answer to be the one error document, with the members
// that are promised, in words, and without a look into the machine.
func (a answer) wantsProblem(t *testing.T, status int, code, field string) problem {
	t.Helper()
	a.wantsType(t, "application/problem+json")
	d := json.NewDecoder(strings.NewReader(a.body))
	d.DisallowUnknownFields()
	var p problem
	if err := d.Decode(&p); err != nil {
		t.Fatalf("answer %d %s: %v", a.status, a.body, err)
	}
	if a.status != status || p.Code != code || p.Field != field {
		t.Errorf("answer %d, code %q, field %q; want %d, %q, %q\n%s", a.status, p.Code, p.Field, status, code, field, a.body)
	}
	if p.Status != a.status || p.Title != http.StatusText(a.status) {
		t.Errorf("the document says %d %q, the answer is %d", p.Status, p.Title, a.status)
	}
	if len(p.Detail) < 10 || !strings.HasSuffix(p.Detail, ".") {
		t.Errorf("detail %q is no sentence", p.Detail)
	}
	a.leaksNothing(t)
	return p
}

// insides are words that tell of the machine behind an answer, not of the
// request.
var insides = []string{
	"Go struct", "Go value", "json:", "api.", "ToggleRequest", "switchyard/", ".go", "goroutine", "runtime", "panic",
	"127.0.0.1", "dial tcp", "connection refused", "i/o timeout", "context ", "EOF", "sw:v1", "asynq", "WRONGTYPE", "EVALSHA",
}

func (a answer) leaksNothing(t *testing.T) {
	t.Helper()
	for _, word := range insides {
		if strings.Contains(a.body, word) {
			t.Errorf("the answer tells %q: %s", word, a.body)
		}
	}
}

// wantsRetryAfter holds a refusal to say when to come again.
func (a answer) wantsRetryAfter(t *testing.T) {
	t.Helper()
	if s := a.header.Get("Retry-After"); s == "" || strings.Trim(s, "0123456789") != "" || s == "0" {
		t.Errorf("Retry-After %q is no number of seconds (answer %d %s)", s, a.status, a.body)
	}
}

// keys are all keys in Redis, sorted.
func (b *bundle) keys(t *testing.T) []string {
	t.Helper()
	k, err := b.rdb.Keys(b.ctx, "*").Result()
	must(t, err)
	slices.Sort(k)
	return k
}

// untouched holds that nothing came into Redis since before was taken.
func (b *bundle) untouched(t *testing.T, before []string) {
	t.Helper()
	if after := b.keys(t); !slices.Equal(before, after) {
		t.Errorf("a refused request left something behind: keys %q, before %q", after, before)
	}
}

// jobs are all jobs, newest first.
func (b *bundle) jobs(t *testing.T) []*jobs.Job {
	t.Helper()
	p, err := b.store.List(b.ctx, jobs.Filter{}, 200, "")
	must(t, err)
	return p.Jobs
}

// onlyJob is the one job that there is.
func (b *bundle) onlyJob(t *testing.T) *jobs.Job {
	t.Helper()
	all := b.jobs(t)
	if len(all) != 1 {
		t.Fatalf("%d jobs, want 1", len(all))
	}
	return all[0]
}

// awaitJob waits until there is a job, and returns it.
func (b *bundle) awaitJob(t *testing.T) *jobs.Job {
	t.Helper()
	b.eventually(t, "there is a job", func() bool { return len(b.jobs(t)) > 0 })
	return b.jobs(t)[0]
}

// claim takes a job up, as its worker.
func (b *bundle) claim(t *testing.T, id string) *jobs.Claim {
	t.Helper()
	j, err := b.store.Get(b.ctx, id)
	must(t, err)
	c, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: j.Attempt, Host: j.Host}, b.proc.NewOwner())
	must(t, err)
	if v != jobs.Run {
		t.Fatalf("claiming %s: verdict %v", id, v)
	}
	return c
}

// complete takes a job up and ends it with this result.
func (b *bundle) complete(t *testing.T, id, result string) {
	t.Helper()
	must(t, b.claim(t, id).Finish(b.ctx, jobs.End{State: jobs.Completed, Result: json.RawMessage(result)}))
}

// jobID reads the id out of a 202.
func (a answer) jobID(t *testing.T) string {
	t.Helper()
	var got struct {
		JobID string `json:"job_id"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || !jobs.ValidID(got.JobID) {
		t.Fatalf("answer %d %s has no job_id", a.status, a.body)
	}
	return got.JobID
}

// result is a toggle's result as a worker writes it down.
func result(t *testing.T, r tasks.ToggleResult) string {
	t.Helper()
	b, err := json.Marshal(r)
	must(t, err)
	return string(b)
}

func ptr[T any](v T) *T { return &v }

// toggled is the successful toggle that the older API's specification shows.
func toggled() tasks.ToggleResult {
	return tasks.ToggleResult{
		ToggleOutcome: tasks.ToggleOutcome{
			Success: true, IP: ptr("175.223.14.190"), Traffic: tasks.Traffic{Upload: 7408564242, Download: 13143734622},
			Signal: &tasks.Signal{
				RSRP: ptr(tasks.Decibel(-105)), RSRQ: ptr(tasks.Decibel(-14)), RSSI: ptr(tasks.Decibel(-71)), SINR: ptr(tasks.Decibel(-5)),
				Band: ptr("3"), CellID: ptr("0029435-012"), PCI: ptr("372"), PLMN: ptr("45008"),
			},
		},
		ServerIP: "198.51.100.7", Port: 10016,
	}
}

// wind moves Redis' clock, as the API knows it, forward.
func (b *bundle) wind(t *testing.T, d time.Duration) {
	t.Helper()
	b.ahead.Add(int64(d))
	must(t, b.store.SyncClock(b.ctx))
}

// clock makes Redis' clock run ahead.
type clock struct{ ahead *atomic.Int64 }

func (c clock) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c clock) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (c clock) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if t, ok := cmd.(*redis.TimeCmd); ok && err == nil {
			t.SetVal(t.Val().Add(time.Duration(c.ahead.Load())))
		}
		return err
	}
}

// hooks call a function before each command, once it is set.
type hooks struct {
	before atomic.Pointer[func(redis.Cmder)]
}

var (
	_ redis.Hook = clock{}
	_ redis.Hook = (*hooks)(nil)
)

func (h *hooks) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *hooks) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *hooks) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if f := h.before.Load(); f != nil {
			(*f)(cmd)
		}
		return next(ctx, cmd)
	}
}

// records keeps the log.
type records struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) WithGroup(string) slog.Handler            { return r }

func (r *records) Handle(ctx context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slog.NewTextHandler(&r.all, &slog.HandlerOptions{Level: slog.LevelDebug}).Handle(ctx, rec)
}

// count is how many lines of the log hold a text.
func (r *records) count(text string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.all.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

var errNotYet = errors.New("the host's dongles have not been read yet")
