package app_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/logs"
	"switchyard/sim/hilink"
	"switchyard/sim/receiver"
)

// pushes has the host push its status to the test's receiver, twice.
func (b *bundle) pushes(c *configs.Config) {
	c.Push.Receivers = []configs.PushReceiver{
		{Name: "proxy", URL: b.receiver.URL() + "/api/proxy"}, {Name: "sync", URL: b.receiver.URL() + "/sync/dongle"},
	}
}

// pushed are what the receiver got of the host's status.
func pushed(all []receiver.Received) (out []receiver.Received) {
	for _, r := range all {
		if !strings.HasPrefix(r.Path, "/toggle/") {
			out = append(out, r)
		}
	}
	return out
}

// Ensure a host pushes its status by itself, once for however many schedulers
// there are, as specified and with what its modems say, and again when somebody
// asks for it; that a modem which hangs doesn't keep it from that; and that what
// became of it can be looked up, and is in the log files.
func TestPush(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	b.modems[1].SetFaults(hilink.Faults{Hang: true})
	api := b.start(t, b.config(), app.API)
	for range 2 {
		b.start(t, b.config(), app.Scheduler)
	}
	c := b.config(b.asHost, b.pushes, func(c *configs.Config) {
		c.Host.CollectLimit = c.Host.ModemTimeout
		c.Logs.Dir = filepath.Join(t.TempDir(), "logs")
	})
	files, err := logs.Open(c, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, files.Close()) })
	host, err := app.New(app.Options{Config: c, Roles: []app.Role{app.Worker}, Log: slog.New(slog.DiscardHandler), Files: files, Version: "test"})
	must(t, err)
	t.Cleanup(func() { must(t, host.Stop(b.ctx)) })
	must(t, host.Start(b.ctx))

	must(t, b.receiver.WaitFor(b.ctx, func(all []receiver.Received) bool { return len(pushed(all)) == 2 }))
	first := pushed(b.receiver.Received())
	for _, r := range first {
		if r.Fault != "" || r.Body != first[0].Body || r.Headers["Webhook-Id"] == "" {
			t.Errorf("received at %s: %s\n%s %v", r.Path, r.Fault, r.Body, r.Headers)
		}
	}
	for _, part := range []string{
		`"server_ip":"198.51.100.7"`, `"external_ip":"` + b.modems[0].Address().String() + `"`, `"connected":true`, `"signal":null`, `"signal":{"rsrp":`,
	} {
		if !strings.Contains(first[0].Body, part) {
			t.Errorf("pushed %s: no %s", first[0].Body, part)
		}
	}
	b.eventually(t, "it is noted", func() bool {
		_, answer, err := b.ask(api, http.MethodGet, "/api/v1/hosts/seoul-1/pushes", "")
		return err == nil && strings.Contains(answer, `"document":`+first[0].Body+`,"receivers":[{"receiver":"proxy"`)
	})
	if _, answer, err := b.ask(api, http.MethodGet, "/api/v1/jobs?type=push", ""); err != nil || !strings.Contains(answer, `"jobs":[]`) {
		t.Errorf("the jobs are %s, %v", answer, err)
	}

	// By hand: a receiver that fails is told, and changes nothing for the other.
	b.receiver.Behave(receiver.Behaviour{Path: "/sync/dongle", Status: http.StatusInternalServerError})
	b.wants(t, api, http.MethodPost, "/api/v1/hosts/seoul-1/push", `{"wait":60}`, 200, `"receiver":"sync"`)
	b.receiver.Behave(receiver.Behaviour{})
	answer := b.wants(t, api, http.MethodGet, "/api/v1/hosts/seoul-1/pushes", "", 200, `"status":500`)
	if !strings.Contains(answer, `"manual":true`) {
		t.Errorf("the pushes are %s", answer)
	}
	for name, parts := range map[string][]string{
		"push_status.log":       {"push sent", "push failed", "receiver=sync", "status=500", "host=seoul-1"},
		"last_push_status.json": {`"last_heartbeat_at":`},
	} {
		text, err := os.ReadFile(filepath.Join(c.Logs.Dir, name))
		must(t, err)
		for _, part := range parts {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s has no %s:\n%s", name, part, text)
			}
		}
	}

	// The receivers change while the host runs.
	host.Reload(b.config(b.asHost, func(c *configs.Config) {
		c.Push.Receivers = []configs.PushReceiver{{Name: "new", URL: b.receiver.URL() + "/new/api/proxy"}}
	}))
	answer = b.wants(t, api, http.MethodPost, "/api/v1/hosts/seoul-1/push", `{"wait":60}`, 200, `"receiver":"new"`)
	if strings.Contains(answer, `"receiver":"sync"`) {
		t.Errorf("it was posted to one that went: %s", answer)
	}
}
