package app_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/sim/receiver"
	"switchyard/sim/redisserver"
	"switchyard/tasks"
)

// startDemo starts a demo whose files are in a directory of the test's own.
// Tests that use it don't run beside others: where files go, and which Redis
// there is, is said by the environment.
func startDemo(t *testing.T, opt app.DemoOptions) (*app.Demo, string, error) {
	t.Helper()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	if opt.Listen == nil {
		opt.Listen = []string{"127.0.0.1:0"}
	}
	opt.Log, opt.Version = slog.New(slog.DiscardHandler), "test"
	d, err := app.StartDemo(ctx, opt)
	return d, tmp, err
}

// leftNothing holds that a demo's directory is gone.
func leftNothing(t *testing.T, tmp string) {
	t.Helper()
	left, err := os.ReadDir(tmp)
	must(t, err)
	if len(left) != 0 {
		t.Errorf("the demo left %v behind", left)
	}
}

// Ensure the demo carries a whole toggle, from the request to both callbacks,
// all as specified, with a redis-server and without one, and leaves nothing.
func TestDemo(t *testing.T) {
	for _, tt := range []struct {
		name, path, redis string
	}{
		{"with a redis-server", os.Getenv("PATH"), "redis-server from the PATH"},
		{"without one", t.TempDir(), "in this process"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", tt.path)
			d, tmp, err := startDemo(t, app.DemoOptions{})
			must(t, err)
			stopped := false
			t.Cleanup(func() {
				if !stopped {
					_ = d.Stop(context.Background())
				}
			})
			if !strings.Contains(d.Redis, tt.redis) {
				t.Errorf("its Redis is %q", d.Redis)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			got, err := d.Toggle(ctx)
			must(t, err)
			must(t, got.Err())
			holdsToggle(t, got)
			must(t, d.Receiver.WaitFor(ctx, func(all []receiver.Received) bool { return len(pushed(all)) >= 2 }))
			for _, r := range pushed(d.Receiver.Received()) {
				if r.Fault != "" {
					t.Errorf("the status pushed to %s: %s", r.Path, r.Fault)
				}
			}
			if n := demoStatus(t, d); n != 8 {
				t.Errorf("%d dongles in the status document, want 8", n)
			}

			stopped = true
			must(t, d.Stop(ctx))
			must(t, d.Stop(ctx))
			leftNothing(t, tmp)
			for _, addr := range []string{d.RedisAddr, d.App.Addrs()[0], strings.TrimPrefix(d.Receiver.URL(), "http://")} {
				if c, err := net.Dial("tcp", addr); err == nil {
					c.Close()
					t.Errorf("somebody still listens on %s", addr)
				}
			}
		})
	}
}

// holdsToggle holds the demo's toggle: another address, told as it came.
func holdsToggle(t *testing.T, got *app.DemoToggle) {
	t.Helper()
	var r tasks.ToggleResult
	must(t, json.Unmarshal(got.Result, &r))
	if !r.Success || r.IP == nil || *r.IP != got.After || got.After == got.Before || r.Port != 10011 || r.ServerIP != "198.51.100.7" {
		t.Errorf("%s became %s, the result is %s", got.Before, got.After, got.Result)
	}
	if len(got.Callbacks) != 2 {
		t.Fatalf("%d callbacks, want 2", len(got.Callbacks))
	}
	for i, want := range []struct{ path, body string }{
		{"/toggle/start", `{"server_ip":"198.51.100.7","port":10011}`},
		{"/toggle/result", string(got.Result)},
	} {
		c := got.Callbacks[i]
		if c.Path != want.path || c.Body != want.body || c.Headers["Webhook-Id"] == "" || c.Headers["Content-Type"] != "application/json" {
			t.Errorf("callback %d is %+v, want %+v", i, c, want)
		}
		must(t, receiver.Check(c.Path, []byte(c.Body)))
	}
}

// demoStatus is the number of connected dongles in the demo's status document.
func demoStatus(t *testing.T, d *app.Demo) int {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: tr}).Get(d.URL() + "/status")
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	var doc tasks.StatusDocument
	must(t, json.Unmarshal(b, &doc))
	return doc.DongleCheck.Connected
}

// Ensure a toggle's verdict names what is wrong with it.
func TestDemoToggleVerdict(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		got  app.DemoToggle
		want string
	}{
		{"fine", app.DemoToggle{Result: json.RawMessage(`{"success":true}`), Callbacks: []app.DemoCallback{{Path: "/toggle/start"}}}, ""},
		{"no address", app.DemoToggle{Result: json.RawMessage(`{"success":false}`)}, "the toggle brought no address"},
		{"faulty callback", app.DemoToggle{
			Result: json.RawMessage(`{"success":true}`), Callbacks: []app.DemoCallback{{Path: "/toggle/result", Fault: "step is 9"}},
		}, "callback /toggle/result: step is 9"},
		{"no result", app.DemoToggle{Result: json.RawMessage(`x`)}, "reading the result"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := tt.got.Err(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// Ensure a demo that can't start says why and leaves nothing behind.
func TestDemoThatCannotStart(t *testing.T) {
	if !redisserver.Available() {
		t.Fatal("no redis-server (make deps installs it)")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	addr := taken.Addr().String()
	for _, tt := range []struct {
		name string
		opt  app.DemoOptions
		want string
	}{
		{"API's address in use", app.DemoOptions{Listen: []string{addr}}, "http.listen"},
		{"API on all addresses", app.DemoOptions{Listen: []string{"0.0.0.0:0"}}, "can be reached from other machines"},
		{"receiver's address in use", app.DemoOptions{Receiver: addr}, "callback receiver"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, tmp, err := startDemo(t, tt.opt)
			if err == nil {
				_ = d.Stop(context.Background())
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q doesn't say %q", err, tt.want)
			}
			leftNothing(t, tmp)
		})
	}
}
