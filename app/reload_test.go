package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/sim/receiver"
	"switchyard/tasks"
)

const apiKey = "swk_reload"

func withKey(c *configs.Config) {
	c.Auth.Keys = []configs.APIKey{{Name: "ops", Hash: configs.HashAPIKey(apiKey), Scopes: []configs.Scope{configs.JobsRead}}}
}

// Ensure a reload changes who may do what while the app runs, names what it
// has changed, and, each time, what it could not.
func TestReload(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(), app.API)
	b.wants(t, p, http.MethodGet, "/api/v1/jobs", "", 200, "jobs")

	p.Reload(b.config(withKey, func(c *configs.Config) { c.HTTP.MaxBody, c.Redis.DB = 2048, 3 }))
	b.wants(t, p, http.MethodGet, "/api/v1/jobs", "", 401, "unauthorized")
	for _, want := range []string{`msg="configuration reloaded" changed=[auth.keys]`, `msg="the configuration has changes that need a restart" keys="[redis.db http.max_body]"`} {
		if !strings.Contains(p.log.String(), want) {
			t.Errorf("the log has no %s", want)
		}
	}
	p.Reload(b.config(func(c *configs.Config) { c.Redis.DB = 3 }))
	b.wants(t, p, http.MethodGet, "/api/v1/jobs", "", 200, "jobs")
	if !strings.Contains(p.log.String(), "keys=[redis.db]") {
		t.Error("what still needs a restart is not told")
	}
	warned := strings.Count(p.log.String(), "need a restart")
	p.Reload(b.config())
	if n := strings.Count(p.log.String(), "need a restart"); n != warned {
		t.Error("a restart is asked for although all is as it was at the start")
	}
	if strings.Contains(p.log.String(), apiKey) {
		t.Error("the log tells the key")
	}
}

// Ensure deliveries that are made after a reload go to the receivers of the
// new configuration, signed with its secret, and not to those that went.
func TestReloadOfReceivers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(), app.Worker)
	other, err := receiver.Start(b.ctx, "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { must(t, other.Close()) })
	p.Reload(b.config(func(c *configs.Config) {
		c.Callbacks.Toggle = []configs.ToggleReceiver{{Name: "other", ResultURL: other.URL() + "/toggle/result"}}
		c.Callbacks.Secret = configs.NewSecret("whsec_" + strings.Repeat("A", 43) + "=")
	}))

	a, err := p.Store().Accept(b.ctx, jobs.Request{Draft: tasks.NewToggle(
		tasks.TogglePayload{Host: "seoul-1", ServerIP: "198.51.100.7", Subnet: 11}, time.Minute, p.Store().Now().Add(time.Hour))})
	must(t, err)
	_, err = p.Store().Cancel(b.ctx, a.ID)
	must(t, err)
	b.eventually(t, "the new receiver has heard of it", func() bool { return len(other.Received()) > 0 })
	got := other.Received()[0]
	if got.Headers["Webhook-Signature"] == "" {
		t.Errorf("it is not signed: %v", got.Headers)
	}
	if n := len(b.receiver.Received()); n > 0 {
		t.Errorf("the one that went has heard of it %d times", n)
	}
}
