package main_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/hosts"
	"switchyard/sim/redisserver"
)

// startRedis runs a Redis as serve asks for, in which host seoul-1 with the
// dongles 11 and 12 has registered.
func startRedis(t *testing.T) *redisserver.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "always"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	defer rdb.Close()
	h := hosts.Info{Name: "seoul-1", ServerIP: "198.51.100.7", Dongles: []int{11, 12}, Seen: time.Now()}
	if err := hosts.New(rdb, time.Hour).Register(ctx, h); err != nil {
		t.Fatal(err)
	}
	return srv
}

// serving is the environment of a server on free ports.
func serving(redisAddr string, more ...string) options {
	return options{env: append([]string{
		"SWITCHYARD_REDIS_ADDR=" + redisAddr, "SWITCHYARD_HTTP_LISTEN=127.0.0.1:0", "SWITCHYARD_LOG_FORMAT=json",
	}, more...)}
}

// startServer runs serve, logging JSON, and returns the base URL of its API
// once it is ready.
func startServer(t *testing.T, opt options, args ...string) (p *program, server string) {
	t.Helper()
	p = launch(t, opt, append([]string{"serve"}, args...)...)
	p.stderr.await(t, `"msg":"listening"`)
	server = "http://" + strings.TrimSuffix(p.stderr.after(t, `"msg":"listening","role":"api","addr":"`), `"}`)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ask(t, server+"/readyz") != http.StatusOK {
		select {
		case <-tick.C:
		case <-p.done:
			t.Fatal("it ended before it was ready")
		}
	}
	return p, server
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Ensure a server serves until SIGINT or SIGTERM, ends in order with exit
// status 0, and writes nothing but its log, each line of which is JSON, also
// while Redis is away.
func TestServe(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			srv := startRedis(t)
			p, server := startServer(t, serving(srv.Addr(), "SWITCHYARD_LOG_LEVEL=debug"), "--role", "api,worker,scheduler")
			srv.Kill()
			if status := ask(t, server+"/api/v1/jobs"); status != http.StatusServiceUnavailable {
				t.Errorf("jobs without Redis: status %d", status)
			}
			p.stderr.await(t, "connection refused")
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			if err := srv.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			p.signal(t, sig)
			p.exits(t, 0)
			says(t, p.stderr, `"msg":"stopped"`)
			silent(t, p.stdout)
			for line := range strings.Lines(p.stderr.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("a line of the log is not JSON: %s", line)
				}
			}
			p.leftNothing(t)
		})
	}
}

// Ensure a server without Redis says that it waits for it and goes on waiting,
// and that Ctrl-C ends that.
func TestServeWithoutRedis(t *testing.T) {
	t.Parallel()
	addr := free(t)
	p := launch(t, serving(addr), "serve")
	p.stderr.await(t, "waiting for redis")
	says(t, p.stderr, addr)
	p.signal(t, syscall.SIGINT)
	p.exits(t, 1)
	says(t, p.stderr, "switchyard: waiting for redis at "+addr)
	silent(t, p.stdout)
}

// Ensure what stands against a start is said in a line, with exit status 1.
func TestServeThatCannotStart(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	forgetful, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forgetful.Stop)
	for _, tt := range []struct {
		name string
		opt  options
		want string
	}{
		{"port in use", serving(srv.Addr(), "SWITCHYARD_HTTP_LISTEN="+taken.Addr().String()), "another program is using it"},
		{"Redis without a file", serving(forgetful.Addr()), "appendonly"},
		{"no place for files", serving(srv.Addr(), "SWITCHYARD_LOGS_DIR=/dev/null/logs"), "SWITCHYARD_LOGS_DIR: logs.dir: can't be made"},
		{"wrong password", serving(srv.Addr(), "SWITCHYARD_REDIS_USERNAME=nobody", "SWITCHYARD_REDIS_PASSWORD=hunter2"), "redis.password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := run(t, tt.opt, "serve")
			p.exits(t, 1)
			says(t, p.stderr, "switchyard: ", tt.want)
			if strings.Contains(p.stderr.String(), "hunter2") {
				t.Error("the password is told")
			}
			silent(t, p.stdout)
		})
	}
}

// Ensure a configuration file is what a server runs by.
func TestServeByFile(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	dir := t.TempDir()
	path := file(t, "switchyard.yaml", "log: {format: json}\nhttp: {listen: ['127.0.0.1:0']}\nredis: {addr: '"+srv.Addr()+"'}\nhost: {state_dir: '"+filepath.Join(dir, "state")+"'}\n")
	p, _ := startServer(t, options{}, "-c", path, "--role", "api", "--role", "scheduler")
	p.signal(t, syscall.SIGTERM)
	p.exits(t, 0)
}

// Ensure with logs.dir a server writes its files there, has its own directory,
// and opens them anew at SIGHUP.
func TestServeWithFiles(t *testing.T) {
	t.Parallel()
	srv := startRedis(t)
	dir := filepath.Join(t.TempDir(), "logs")
	opt := serving(srv.Addr(), "SWITCHYARD_LOGS_DIR="+dir)
	p, server := startServer(t, opt, "--role", "api")
	if status := ask(t, server+"/toggle/30"); status != http.StatusNotFound {
		t.Errorf("toggle: status %d", status)
	}
	again := run(t, opt, "serve", "--role", "api")
	again.exits(t, 1)
	says(t, again.stderr, "switchyard: SWITCHYARD_LOGS_DIR: logs.dir: another process writes its logs there")

	app := filepath.Join(dir, "app.log")
	if err := os.Rename(app, app+".1"); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	p.stderr.await(t, `"msg":"configuration reloaded"`)
	p.signal(t, syscall.SIGTERM)
	p.exits(t, 0)
	for path, want := range map[string]string{
		app + ".1":                           `"msg":"listening"`,
		app:                                  `"msg":"stopped"`,
		filepath.Join(dir, "toggle_api.log"): "toggle refused host=seoul-1 subnet=30",
	} {
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has %q, %v", path, text, err)
		}
	}
}
