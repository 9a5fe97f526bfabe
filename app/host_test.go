package app_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/sim/hilink"
	"switchyard/tasks"
)

// Ensure a second worker of a host waits until the first one has gone, saying
// so, and then does its work.
func TestSecondWorkerOfAHost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	api := b.start(t, b.config(), app.API)
	first := b.start(t, b.config(b.asHost), app.Worker)
	b.wants(t, api, http.MethodGet, "/toggle/11", "", 200, `"success":true`)

	second := b.make(t, b.config(b.asHost), app.Worker)
	started := in(t, func() error { return second.Start(b.ctx) })
	b.eventually(t, "it waits", func() bool {
		return strings.Contains(second.log.String(), "another worker of this host is still running")
	})
	b.wants(t, api, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	select {
	case err := <-started:
		t.Fatalf("the second worker did not wait: %v", err)
	default:
	}
	must(t, first.Stop(b.ctx))
	must(t, receive(t, b, "the second worker", started))
	b.wants(t, api, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	if log := second.log.String(); !strings.Contains(log, "type=toggle") && !strings.Contains(log, "job ended") {
		t.Errorf("the second worker did nothing: %s", log)
	}
}

// Ensure a worker that waits for its host gives up with its context, and that
// workers of different hosts don't wait for each other.
func TestWorkersOfHosts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	b.start(t, b.config(b.asHost), app.Worker)
	p := b.make(t, b.config(b.asHost), app.Worker)
	ctx, cancel := context.WithCancel(b.ctx)
	started := in(t, func() error { return p.Start(ctx) })
	b.eventually(t, "it waits", func() bool { return strings.Contains(p.log.String(), "another worker of this host") })
	cancel()
	if err := receive(t, b, "its end", started); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "seoul-1") {
		t.Errorf("error %v", err)
	}
	b.start(t, b.config(b.asHost, func(c *configs.Config) { c.Host.Name = "seoul-2" }), app.Worker)
}

// anotherMachine makes the configuration that of another machine that was given
// the same name.
func anotherMachine(t *testing.T) func(*configs.Config) {
	t.Helper()
	dir := t.TempDir()
	return func(c *configs.Config) { c.Host.StateDir, c.Host.ServerIP = dir, "203.0.113.9" }
}

// away has the host read as if nothing had been heard of it for a while, although
// its process lives, as when the network is cut.
func (b *bundle) away(t *testing.T) {
	t.Helper()
	must(t, b.redis(t).HSet(b.ctx, "sw:v1:h:seoul-1:registration", "until", 0).Err())
}

// Ensure a second machine with a host's name doesn't start while the first is
// online, and says who has the name and what to do; and that it does once that
// one has gone.
func TestSecondMachineOfAHost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	api := b.start(t, b.config(), app.API)
	first := b.start(t, b.config(b.asHost), app.Worker)
	other := anotherMachine(t)
	err := b.make(t, b.config(b.asHost, other), app.Worker).Start(b.ctx)
	if !errors.Is(err, hosts.ErrTaken) {
		t.Fatalf("the second machine started: %v", err)
	}
	for _, part := range []string{"seoul-1", "198.51.100.7", "since 2", "host.name"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	b.wants(t, api, http.MethodGet, "/api/v1/hosts/seoul-1", "", 200, `"server_ip":"198.51.100.7","status":"online"`)
	b.wants(t, api, http.MethodGet, "/toggle/11", "", 200, `"success":true`)

	must(t, first.Stop(b.ctx))
	b.wants(t, api, http.MethodGet, "/api/v1/hosts/seoul-1", "", 200, `"status":"offline"`)
	b.start(t, b.config(b.asHost, other), app.Worker)
	b.wants(t, api, http.MethodGet, "/api/v1/hosts/seoul-1", "", 200, `"server_ip":"203.0.113.9","status":"online"`)
	b.wants(t, api, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
}

// Ensure a machine that was replaced while it was away ends by its next
// heartbeat, says why, and leaves the name to its successor.
func TestReplacedMachineEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	api := b.start(t, b.config(), app.API)
	p := b.make(t, b.config(b.asHost, func(c *configs.Config) { c.Worker.Heartbeat = configs.Duration(500 * time.Millisecond) }), app.Worker)
	ended := in(t, func() error { return p.Run(b.ctx) })
	b.eventually(t, "it is online", func() bool {
		_, answer, err := b.ask(api, http.MethodGet, "/api/v1/hosts", "")
		return err == nil && strings.Contains(answer, `"status":"online"`)
	})
	// The heartbeat may come between the two.
	r := hosts.New(b.redis(t), time.Hour)
	b.eventually(t, "another machine took the name", func() bool {
		b.away(t)
		_, err := r.Claim(b.ctx, hosts.Info{Name: "seoul-1", Machine: "m2", Process: "p2", ServerIP: "203.0.113.9", Seen: time.Now()})
		return err == nil
	})
	err := receive(t, b, "its end", ended)
	if !errors.Is(err, hosts.ErrTaken) || !strings.Contains(err.Error(), "this process was replaced") || !strings.Contains(err.Error(), "203.0.113.9") {
		t.Errorf("it ended with %v", err)
	}
	b.wants(t, api, http.MethodGet, "/api/v1/hosts/seoul-1", "", 200, `"server_ip":"203.0.113.9","status":"online"`)
}

// Ensure a replacement takes over nothing from a machine whose process lives,
// although that was thought to be away: what it runs is not run twice.
func TestReplacementLeavesTheLivingTheirJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	api := b.start(t, b.config(), app.API)
	slowly := func(c *configs.Config) {
		c.Host.ModemTimeout, c.Worker.Heartbeat, c.Worker.TTL = configs.Duration(time.Minute), configs.Duration(time.Minute), configs.Duration(time.Hour)
	}
	first := b.start(t, b.config(b.asHost, slowly), app.Worker)
	b.modems[0].SetFaults(hilink.Faults{Hang: true})
	waiting := in(t, func() error {
		status, answer, err := b.ask(api, http.MethodPost, "/api/v1/proxies/toggle", `{"port":10011,"wait":60}`)
		if status != 200 || !strings.Contains(answer, `"success":true`) {
			t.Errorf("answer %d %s", status, answer)
		}
		return err
	})
	var id string
	b.eventually(t, "it runs", func() bool {
		p, err := first.Store().List(b.ctx, jobs.Filter{State: jobs.Running, Type: tasks.Toggle}, 10, "")
		must(t, err)
		if len(p.Jobs) == 1 {
			id = p.Jobs[0].ID
		}
		return id != ""
	})
	b.away(t)
	second := b.start(t, b.config(b.asHost, slowly, anotherMachine(t)), app.Worker)
	if !strings.Contains(second.log.String(), "from another machine") {
		t.Error("the second machine doesn't know that it is one")
	}
	b.modems[0].SetFaults(hilink.Faults{})
	must(t, receive(t, b, "the answer", waiting))
	j, err := first.Store().Get(b.ctx, id)
	must(t, err)
	if j.Attempt != 1 {
		t.Errorf("it took %d attempts", j.Attempt)
	}
	if strings.Contains(second.log.String(), id) {
		t.Error("the second machine ran it")
	}
}

// Ensure a host that can't be set up is told by key.
func TestHostThatCannotBeSetUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	p := b.make(t, b.config(b.asHost, func(c *configs.Config) { c.Host.StateDir = "/dev/null/state" }), app.Worker)
	if err := p.Start(b.ctx); err == nil || !strings.Contains(err.Error(), "host.state_dir") || !strings.Contains(err.Error(), "seoul-1") {
		t.Errorf("error %v", err)
	}
}
