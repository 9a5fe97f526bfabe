package app_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"switchyard/app"
	"switchyard/configs"
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
