package main_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Ensure health tells a server that takes requests from one that doesn't, with
// the server's own reason, whether it finds it by configuration or by URL.
func TestHealth(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	_, server := startServer(t, serving(srv.Addr()), "--role", "api")
	configured := options{env: []string{"SWITCHYARD_HTTP_LISTEN=" + strings.TrimPrefix(server, "http://")}}
	for _, p := range []*program{
		run(t, configured, "health"),
		run(t, options{}, "health", "--url", server+"/healthz"),
		run(t, options{}, "health", "--url", server+"/readyz?verbose=1"),
	} {
		p.exits(t, 0)
		if got := p.stdout.String(); got != "ok\n" {
			t.Errorf("said %q", got)
		}
		silent(t, p.stderr)
	}

	srv.Kill()
	p := run(t, configured, "health")
	p.exits(t, 1)
	says(t, p.stderr, "switchyard: not ready: redis is out of reach\n")
	silent(t, p.stdout)
	// Alive it is, all the same.
	run(t, options{}, "health", "--url", server+"/healthz").exits(t, 0)
}

// Ensure what is no answer of a healthy process is said in a line, with exit
// status 1, and in bounded time.
func TestHealthOfTheUnwell(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hangs":
			<-done
		case "/fails":
			w.WriteHeader(http.StatusInternalServerError)
		case "/stopping":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"status":"stopping"}`))
		case "/problem":
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"detail":"Redis has not been reached yet."}`))
		}
	}))
	t.Cleanup(answers.Close)
	t.Cleanup(func() { close(done) })
	for _, tt := range []struct{ url, want string }{
		{answers.URL + "/hangs", "no answer from " + answers.URL + "/hangs within 50ms"},
		{answers.URL + "/fails", "the server answered with status 500"},
		{answers.URL + "/stopping", "stopping"},
		{answers.URL + "/problem", "Redis has not been reached yet."},
		{"http://" + free(t), "no server answers at"},
	} {
		limit := "30s"
		if strings.HasSuffix(tt.url, "/hangs") {
			limit = "50ms"
		}
		p := run(t, options{}, "health", "--url", tt.url, "--timeout", limit)
		p.exits(t, 1)
		says(t, p.stderr, "switchyard: "+tt.want)
		silent(t, p.stdout)
	}
}

// Ensure the service manager is told that a server is ready, not before it is,
// and that it stops.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	for name, socket := range map[string]string{
		"file":     filepath.Join(t.TempDir(), "notify"),
		"abstract": "@switchyard-test-" + strings.ReplaceAll(free(t), ":", "-"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			told := func() string {
				if err := l.SetReadDeadline(time.Now().Add(limit)); err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 256)
				n, err := l.Read(b)
				if err != nil {
					t.Fatalf("the service manager was told nothing: %v", err)
				}
				return string(b[:n])
			}

			// Without Redis there is nothing to be told but the end, which is none
			// of a service that was ready.
			waiting := launch(t, serving(free(t), "NOTIFY_SOCKET="+socket), "serve", "--role", "api")
			waiting.stderr.await(t, "waiting for redis")
			waiting.signal(t, syscall.SIGTERM)
			<-waiting.done

			p := launch(t, serving(startRedis(t).Addr(), "NOTIFY_SOCKET="+socket), "serve", "--role", "api")
			if got := told(); got != "READY=1" {
				t.Errorf("told %q, want READY=1", got)
			}
			server := "http://" + strings.TrimSuffix(p.stderr.after(t, `"msg":"listening","role":"api","addr":"`), `"}`)
			if status := ask(t, server+"/readyz"); status != http.StatusOK {
				t.Errorf("told that it is ready, and /readyz is %d", status)
			}
			p.signal(t, syscall.SIGTERM)
			if got := told(); got != "STOPPING=1" {
				t.Errorf("told %q, want STOPPING=1", got)
			}
			p.exits(t, 0)
		})
	}
}

// Ensure a service manager that is gone keeps no server from its work.
func TestServiceManagerIsGone(t *testing.T) {
	t.Parallel()
	gone := filepath.Join(t.TempDir(), "notify")
	p, _ := startServer(t, serving(startRedis(t).Addr(), "NOTIFY_SOCKET="+gone), "--role", "api")
	p.stderr.await(t, "the service manager doesn't hear us")
	p.signal(t, syscall.SIGTERM)
	p.exits(t, 0)
}
