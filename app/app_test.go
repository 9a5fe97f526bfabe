package app_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/sim/hilink"
	"switchyard/sim/receiver"
	"switchyard/tasks"
)

// Ensure an app can't be made to do nothing, or what nobody knows.
func TestRolesAreChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		roles []app.Role
		want  string
	}{
		{"none", nil, "no role: choose from api, worker, scheduler"},
		{"unknown", []app.Role{app.API, "janitor"}, `unknown role "janitor": choose from api, worker, scheduler`},
		{"empty", []app.Role{""}, `unknown role "": choose from api, worker, scheduler`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := app.New(app.Options{Config: configs.Default(), Roles: tt.roles, Log: slog.New(slog.DiscardHandler)})
			if err == nil || err.Error() != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// Ensure an app that was stopped before its start stops at once, and doesn't
// start any more.
func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.make(t, b.config(), app.API)
	must(t, p.Stop(b.ctx))
	must(t, p.Stop(b.ctx))
	if err := p.Start(b.ctx); err == nil || !strings.Contains(err.Error(), "started before, or stopped") {
		t.Errorf("starting what was stopped: %v", err)
	}
	if len(p.Addrs()) != 0 {
		t.Errorf("it listens on %q", p.Addrs())
	}
}

// Ensure a second start is refused and harms nothing, and that any number of
// stops, at once or later, leave nothing behind: no address, no host online.
func TestStartAndStopTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	p := b.start(t, b.config(b.asHost, alsoDelivers), app.Roles()...)
	if err := p.Start(b.ctx); err == nil || !strings.Contains(err.Error(), "started before, or stopped") {
		t.Errorf("starting twice: %v", err)
	}
	b.await(t, p, 200, "ok")

	addr := p.Addrs()[0]
	first, second := in(t, func() error { return p.Stop(b.ctx) }), in(t, func() error { return p.Stop(b.ctx) })
	must(t, receive(t, b, "the first stop", first))
	must(t, receive(t, b, "the second stop", second))
	must(t, p.Stop(b.ctx))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("its address is not free: %v", err)
	}
	l.Close()
	r := hosts.New(b.redis(t), time.Hour)
	h, err := r.Get(b.ctx, "seoul-1")
	must(t, err)
	if r.Online(h, time.Now()) || h.Seen.IsZero() {
		t.Errorf("a host that was stopped is online, or was never seen: %+v", h)
	}
}

// Ensure Run ends without an error when its context does, and frees what it
// had; also while it still waits for Redis, then with words of that.
func TestRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(b.ctx)
	p := b.make(t, b.config(), app.API, app.Scheduler)
	ended := in(t, func() error { return p.Run(ctx) })
	b.eventually(t, "it listens", func() bool { return strings.Contains(p.log.String(), "listening") })
	b.await(t, p, 200, "ok")
	cancel()
	must(t, receive(t, b, "the end", ended))
	if _, _, err := b.ask(p, http.MethodGet, "/healthz", ""); err == nil {
		t.Error("it still answers")
	}

	b.srv.Kill()
	ctx, cancel = context.WithCancel(b.ctx)
	p = b.make(t, b.config(), app.Roles()...)
	ended = in(t, func() error { return p.Run(ctx) })
	b.eventually(t, "it waits for Redis", func() bool { return strings.Contains(p.log.String(), "waiting for redis") })
	cancel()
	if err := receive(t, b, "the end", ended); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "waiting for redis at "+b.srv.Addr()) {
		t.Errorf("ended with %v", err)
	}
}

// Ensure a stop answers requests that wait for a toggle, lets the toggle go
// with the modem in order, and that the next start takes it up again: one
// start and one result are told of it.
func TestStopInTheMiddleOfAToggle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	mode := b.modems[0].Mode()
	p := b.start(t, b.config(b.asHost, alsoDelivers), app.Roles()...)
	b.await(t, p, 200, "ok")
	b.modems[0].SetFaults(hilink.Faults{NoAddress: true})
	var answer string
	waiting := in(t, func() (err error) {
		_, answer, err = b.ask(p, http.MethodGet, "/toggle/11", "")
		return err
	})
	b.eventually(t, "the modem has left the network", func() bool { return !b.modems[0].Attached() })
	must(t, p.Stop(b.ctx))
	must(t, receive(t, b, "the waiting request", waiting))
	if !strings.HasPrefix(answer, `{"job_id":"`) || !strings.HasSuffix(answer, `"status":"running"}`) {
		t.Errorf("the waiting request was answered with %s", answer)
	}
	if got := b.modems[0].Mode(); got != mode {
		t.Errorf("the modem was left in mode %+v, it was in %+v", got, mode)
	}

	b.modems[0].SetFaults(hilink.Faults{})
	p = b.start(t, b.config(b.asHost, alsoDelivers), app.Roles()...)
	id := answer[len(`{"job_id":"`):][:len(jobs.NewID(time.Now()))]
	b.eventually(t, "the toggle has ended", func() bool {
		return strings.Contains(b.wants(t, p, http.MethodGet, "/api/v1/jobs/"+id, "", 200, id), `"state":"completed"`)
	})
	b.wants(t, p, http.MethodGet, "/api/v1/jobs/"+id, "", 200, `"attempts":2`)
	b.toldOnce(t)
}

// toldOnce waits for a start and a result at the receiver, as specified, and
// holds that there was one of each.
func (b *bundle) toldOnce(t *testing.T) {
	t.Helper()
	must(t, b.receiver.WaitFor(b.ctx, func(all []receiver.Received) bool { return len(all) >= 2 }))
	paths := map[string]int{}
	for _, r := range b.receiver.Received() {
		paths[r.Path]++
		if r.Fault != "" {
			t.Errorf("callback %s %s: %s", r.Path, r.Body, r.Fault)
		}
	}
	if len(paths) != 2 || paths["/toggle/start"] != 1 || paths["/toggle/result"] != 1 {
		t.Errorf("callbacks %v, want one start and one result", paths)
	}
}

// Ensure a stop comes to its end while Redis is dead or hangs, and says what
// it could not do.
func TestStopWithoutRedis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		roles []app.Role
		lose  func(*bundle) error
		want  error
	}{
		{"dead", app.Roles(), func(b *bundle) error { b.srv.Kill(); return nil }, jobs.ErrUnavailable},
		// A worker takes as long as asynq's own commands do, four times 3 s.
		{"hung", []app.Role{app.API, app.Scheduler}, func(b *bundle) error { return b.srv.Hang() }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.plug(t)
			p := b.start(t, b.config(b.asHost, alsoDelivers), tt.roles...)
			b.await(t, p, 200, "ok")
			must(t, tt.lose(b))
			stopped := in(t, func() error { return p.Stop(b.ctx) })
			if err := receive(t, b, "the stop", stopped); !errors.Is(err, tt.want) {
				t.Errorf("stopping ended with %v, want %v", err, tt.want)
			}
		})
	}
}

// Ensure an address that another program has is told at once, by key, even
// where Redis is away, and that the other addresses are freed.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.srv.Kill()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	free.Close()
	p := b.make(t, b.config(func(c *configs.Config) { c.HTTP.Listen = []string{free.Addr().String(), taken.Addr().String()} }), app.API)
	err = p.Start(b.ctx)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "http.listen") {
		t.Errorf("error %v", err)
	}
	l, err := net.Listen("tcp", free.Addr().String())
	if err != nil {
		t.Fatalf("the other address is not free: %v", err)
	}
	l.Close()
}

// Ensure an address that this machine doesn't have is passed over where there
// is another one, and told by key where there is none.
func TestAddressOfAnotherMachine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	elsewhere := func(c *configs.Config) {
		c.Auth.Disabled = true
		c.HTTP.Listen = append([]string{"203.0.113.1:8080"}, c.HTTP.Listen...)
	}
	p := b.start(t, b.config(elsewhere), app.API)
	b.wants(t, p, http.MethodGet, "/healthz", "", 200, "ok")
	if len(p.Addrs()) != 1 {
		t.Errorf("it listens on %q", p.Addrs())
	}
	p = b.make(t, b.config(elsewhere, func(c *configs.Config) { c.HTTP.Listen = c.HTTP.Listen[:1] }), app.API)
	if err := p.Start(b.ctx); err == nil || !strings.Contains(err.Error(), "http.listen") {
		t.Errorf("error %v", err)
	}
}

// Ensure each role does its own part in a process of its own, and together
// they carry a toggle from the request to the callbacks.
func TestRolesApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	api := b.start(t, b.config(), app.API)
	b.wants(t, api, http.MethodGet, "/readyz", "", 200, "ok") // it needs no host of its own
	b.wants(t, api, http.MethodPost, "/api/v1/proxies/toggle", `{"port":10011}`, 503, "no_host")

	host := b.start(t, b.config(b.asHost), app.Worker)
	if len(host.Addrs()) != 0 {
		t.Errorf("a worker listens on %q", host.Addrs())
	}
	b.wants(t, api, http.MethodPost, "/api/v1/proxies/toggle", `{"port":10011,"wait":60}`, 200, `"success":true`)
	// It is known and owed, but nobody here delivers.
	b.wants(t, api, http.MethodGet, "/api/v1/jobs?type=callback", "", 200, `{"jobs":[],`)
	if got := b.receiver.Received(); len(got) != 0 {
		t.Errorf("a host's worker delivered %v", got)
	}
	b.start(t, b.config(), app.Worker)
	b.toldOnce(t)
}

// Ensure a scheduler alone ends a toggle whose host is away for longer than
// toggle.max_wait, as a completed job without success.
func TestSchedulerAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, hosts.New(b.redis(t), time.Hour).Register(b.ctx, hosts.Info{Name: "seoul-1", ServerIP: "198.51.100.7", Dongles: []int{11}}))
	api := b.start(t, b.config(func(c *configs.Config) { c.Toggle.MaxWait = configs.Duration(time.Millisecond) }), app.API)
	waiting := in(t, func() error {
		status, answer, err := b.ask(api, http.MethodPost, "/api/v1/proxies/toggle", `{"port":10011,"wait":60}`)
		if want := `{"success":false,"ip":null,"traffic":{"upload":0,"download":0},"signal":null,"step":0,"server_ip":"198.51.100.7","port":10011}`; status != 200 || answer != want {
			t.Errorf("answer %d %s, want 200 %s", status, answer, want)
		}
		return err
	})
	b.start(t, b.config(func(c *configs.Config) { c.Scheduler.SweepInterval = configs.Duration(10 * time.Millisecond) }), app.Scheduler)
	must(t, receive(t, b, "the answer", waiting))
	b.wants(t, api, http.MethodGet, "/api/v1/jobs?state=completed", "", 200, "the host was away for too long")
}

// Ensure a worker of no host executes what belongs to none.
func TestWorkerWithoutAHost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(), app.Worker)
	body := `{"server_ip":"198.51.100.7","port":10011}`
	a, err := p.Store().Accept(b.ctx, jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{
		Kind: "toggle/start", URL: b.receiver.URL() + "/toggle/start", Body: body,
	}, "", "", time.Minute, 1)})
	must(t, err)
	must(t, b.receiver.WaitFor(b.ctx, func(all []receiver.Received) bool { return len(all) == 1 }))
	if got := b.receiver.Received()[0]; got.Body != body || got.Headers["Webhook-Id"] == "" {
		t.Errorf("received %+v", got)
	}
	b.eventually(t, "the job has ended", func() bool {
		j, err := p.Store().Get(b.ctx, a.ID)
		return err == nil && j.State == jobs.Completed
	})
}

// Ensure /readyz is 200 only once the host's dongles have been read, and 503
// again while Redis is away.
func TestReadyAfterTheFirstCollection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	b.modems[1].SetFaults(hilink.Faults{Hang: true})
	p := b.start(t, b.config(b.asHost, func(c *configs.Config) {
		c.Host.ModemTimeout = configs.Duration(time.Minute) // it would wait
		c.Redis.CommandTimeout = configs.Duration(100 * time.Millisecond)
	}), app.Roles()...)
	must(t, b.modems[1].WaitFor(b.ctx, func([]hilink.Entry) bool { return b.modems[1].Hanging() > 0 }))
	b.wants(t, p, http.MethodGet, "/readyz", "", 503, `"reason":"the host's dongles have not been read yet"`)
	b.wants(t, p, http.MethodGet, "/healthz", "", 200, "ok")
	b.modems[1].SetFaults(hilink.Faults{})
	b.await(t, p, 200, "ok")
	b.wants(t, p, http.MethodGet, "/status", "", 200, `"external_ip":"`+b.modems[0].Address().String())

	b.srv.Kill()
	b.await(t, p, 503, "redis is out of reach")
	must(t, b.srv.Restart(b.ctx))
	b.await(t, p, 200, "ok")
}

// Ensure a request may wait longer than http.read_timeout, which is about
// reading it.
func TestWaitingIsNotReading(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, hosts.New(b.redis(t), time.Hour).Register(b.ctx, hosts.Info{Name: "seoul-1", ServerIP: "198.51.100.7", Dongles: []int{11, 12}, Seen: time.Now()}))
	p := b.start(t, b.config(func(c *configs.Config) { c.HTTP.ReadTimeout = configs.Duration(200 * time.Millisecond) }), app.API)
	ask := func(method, path, body string, header ...string) <-chan error {
		return in(t, func() error {
			status, answer, err := b.ask(p, method, path, body, header...)
			if status != 200 {
				t.Errorf("%s %s: answer %d %s", method, path, status, answer)
			}
			return err
		})
	}
	const toggle, body = "/api/v1/proxies/toggle", `{"port":10012,"wait":60}`
	get, post := ask(http.MethodGet, "/toggle/11", ""), ask(http.MethodPost, toggle, body)
	keyed := ask(http.MethodPost, toggle, body, "Idempotency-Key", "a")
	b.eventually(t, "all are accepted", func() bool { return strings.Count(p.log.String(), "toggle accepted") == 3 })
	all, err := p.Store().List(b.ctx, jobs.Filter{}, 10, "")
	must(t, err)
	// What is sent after them and never ends is cut off: so their time to be
	// read is over, too.
	c, err := net.Dial("tcp", p.Addrs()[0])
	must(t, err)
	defer c.Close()
	_, err = c.Write([]byte("POST /api/v1/proxies/toggle HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"))
	must(t, err)
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	cut, err := io.ReadAll(c)
	must(t, err)
	if !strings.Contains(string(cut), " 408 ") || !strings.Contains(string(cut), `"code":"timeout"`) {
		t.Errorf("a request that never ended was answered with %s", cut)
	}
	proc := p.Store().NewProcess(false, "seoul-1")
	for _, j := range all.Jobs {
		claim, _, err := p.Store().Claim(b.ctx, jobs.TaskPayload{Job: j.ID, Attempt: 1, Host: "seoul-1"}, proc.NewOwner())
		must(t, err)
		must(t, claim.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(`{"success":true}`)}))
	}
	must(t, receive(t, b, "GET", get))
	must(t, receive(t, b, "POST", post))
	must(t, receive(t, b, "POST under an Idempotency-Key", keyed))
}

// Ensure all addresses close at once when the app stops: none goes on taking
// requests while another waits for its last one.
func TestListenersCloseTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(func(c *configs.Config) {
		c.HTTP.Listen = []string{"127.0.0.1:0", "127.0.0.1:0"}
		c.HTTP.ReadTimeout, c.HTTP.DrainTimeout = configs.Duration(time.Minute), configs.Duration(time.Minute)
	}), app.API)
	var slow []net.Conn
	for _, addr := range p.Addrs() {
		c, err := net.Dial("tcp", addr)
		must(t, err)
		t.Cleanup(func() { c.Close() })
		slow = append(slow, c)
		_, err = c.Write([]byte("POST /api/v1/proxies/toggle HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"))
		must(t, err)
		must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "100") {
			t.Fatalf("the body is not read: %q, %v", line, err) // else it is under way now
		}
	}
	stopped := in(t, func() error { return p.Stop(b.ctx) })
	for _, addr := range p.Addrs() {
		b.eventually(t, addr+" is closed", func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				c.Close()
			}
			return err != nil
		})
	}
	select {
	case err := <-stopped:
		t.Errorf("it did not wait for the requests under way: %v", err)
	default:
	}
	for _, c := range slow {
		c.Close()
	}
	must(t, receive(t, b, "the end", stopped))
}
