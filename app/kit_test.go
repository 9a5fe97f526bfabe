package app_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/sim/hilink"
	"switchyard/sim/receiver"
	"switchyard/sim/redisserver"
)

// bundle is what one test works with: a Redis, modems and a receiver of its
// own, on which it starts apps.
type bundle struct {
	ctx      context.Context
	srv      *redisserver.Server
	modems   []*hilink.Modem
	receiver *receiver.Receiver
	stateDir string
	client   *http.Client
}

// durable is a Redis as the apps ask for, that loses nothing when it is killed.
var durable = redisserver.Options{Fsync: "always"}

func setup(t *testing.T) *bundle {
	t.Helper()
	return setupOn(t, durable)
}

// setupOn is setup with a Redis of a special kind.
func setupOn(t *testing.T, server redisserver.Options) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	b := &bundle{ctx: ctx, stateDir: filepath.Join(t.TempDir(), "state")}
	var err error
	server.Dir = t.TempDir()
	if b.srv, err = redisserver.Start(ctx, server); err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(b.srv.Stop)
	b.receiver, err = receiver.Start(ctx, "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { must(t, b.receiver.Close()) })
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	b.client = &http.Client{Transport: tr}
	return b
}

// plug starts two modems, 11 and 12, that are back in the network at once.
func (b *bundle) plug(t *testing.T) {
	t.Helper()
	for _, n := range []int{11, 12} {
		m := hilink.New(hilink.Options{Subnet: n, Reattach: 20 * time.Millisecond, Seed: 1})
		must(t, m.Start(b.ctx))
		t.Cleanup(m.Close)
		b.modems = append(b.modems, m)
	}
}

// config is that of a process without a host.
func (b *bundle) config(change ...func(*configs.Config)) *configs.Config {
	c := configs.Default()
	c.Redis.Addr = b.srv.Addr()
	c.Redis.CommandTimeout = configs.Duration(20 * time.Second) // a slow machine is no outage
	c.HTTP.Listen = []string{"127.0.0.1:0"}
	c.HTTP.RateLimit.PerSecond = 0 // tests ask more often than a client should
	c.Delivery.Allow = []string{"127.0.0.0/8"}
	c.Callbacks.Toggle = []configs.ToggleReceiver{{
		Name: "test", StartURL: b.receiver.URL() + "/toggle/start", ResultURL: b.receiver.URL() + "/toggle/result",
	}}
	for _, f := range change {
		f(c)
	}
	return c
}

// asHost makes the configuration that of a host with the plugged modems.
func (b *bundle) asHost(c *configs.Config) {
	c.Host.Name, c.Host.ServerIP, c.Host.EchoURLs = "seoul-1", "198.51.100.7", []string{"http://ip.example.com/"}
	c.Host.StateDir = b.stateDir
	c.Toggle.PollInterval = configs.Duration(10 * time.Millisecond)
	for i, m := range b.modems {
		c.Host.Dongles = append(c.Host.Dongles, configs.Dongle{Subnet: 11 + i, Modem: m.URL(), Gateway: m.Gateway()})
	}
}

// alsoDelivers has a host's worker do the deliveries, too.
func alsoDelivers(c *configs.Config) { c.Worker.Queues = []string{"delivery", "default"} }

// process is an app and its log.
type process struct {
	*app.App
	log *records
}

// make prepares an app.
func (b *bundle) make(t *testing.T, c *configs.Config, roles ...app.Role) *process {
	t.Helper()
	must(t, c.Validate())
	p := &process{log: &records{}}
	var err error
	p.App, err = app.New(app.Options{Config: c, Roles: roles, Log: slog.New(p.log), Version: "test"})
	must(t, err)
	// It stops before what it works with does.
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Errorf("stopping: %v", err)
		}
		if t.Failed() {
			t.Logf("log of %v:\n%s", roles, p.log)
		}
	})
	return p
}

// start starts an app.
func (b *bundle) start(t *testing.T, c *configs.Config, roles ...app.Role) *process {
	t.Helper()
	p := b.make(t, c, roles...)
	must(t, p.Start(b.ctx))
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// in runs f beside the test and returns its error when there is one.
func in(t *testing.T, f func() error) <-chan error {
	t.Helper()
	c := make(chan error, 1)
	var running sync.WaitGroup
	running.Go(func() { c <- f() })
	t.Cleanup(running.Wait)
	return c
}

// receive waits for a value, within the test's time.
func receive[T any](t *testing.T, b *bundle, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-b.ctx.Done():
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// eventually looks until ok holds, which it must before the test's time is up.
func (b *bundle) eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// ask sends a request to an app's API; header are names and values in turn.
func (b *bundle) ask(p *process, method, path, body string, header ...string) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(b.ctx, method, "http://"+p.Addrs()[0]+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return res.StatusCode, strings.TrimSuffix(string(got), "\n"), err
}

// wants holds an answer of an app's API.
func (b *bundle) wants(t *testing.T, p *process, method, path, body string, status int, part string) string {
	t.Helper()
	got, answer, err := b.ask(p, method, path, body)
	must(t, err)
	if got != status || !strings.Contains(answer, part) {
		t.Fatalf("%s %s: answer %d %s; want %d with %s", method, path, got, answer, status, part)
	}
	return answer
}

// await waits until /readyz answers so.
func (b *bundle) await(t *testing.T, p *process, status int, part string) {
	t.Helper()
	b.eventually(t, "/readyz says "+part, func() bool {
		got, answer, err := b.ask(p, http.MethodGet, "/readyz", "")
		return err == nil && got == status && strings.Contains(answer, part)
	})
}

// redis is a client of the test's own.
func (b *bundle) redis(t *testing.T) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: b.srv.Addr()})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// records keeps a log.
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

// String is the log so far.
func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.String()
}
