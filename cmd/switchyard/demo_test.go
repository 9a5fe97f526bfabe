package main_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchyard/sim/receiver"
	"switchyard/tasks"
)

// leftNothing holds that a program that has ended left neither files nor a
// child behind.
func (p *program) leftNothing(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(p.tmp)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("it left %v behind", left)
	}
	if pids := p.children(t); len(pids) != 0 {
		t.Errorf("it left processes %v behind", pids)
	}
}

// children are the processes that work below the program's TMPDIR, as the
// demo's redis-server does. (Where there is no /proc, none is found.)
func (p *program) children(t *testing.T) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		dir, err := os.Readlink(l)
		if err != nil || !strings.HasPrefix(dir, p.tmp) {
			continue // gone meanwhile, or another's
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(l)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// Ensure demo --once prints one JSON document with the result and both
// callbacks as they were received, all as specified, and leaves nothing, with
// a redis-server and without one.
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"with a redis-server": "", "without one": "/nowhere"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(t, options{path: path}, "demo", "--once")
			p.exits(t, 0)
			silent(t, p.stderr)
			p.leftNothing(t)
			holdsOutcome(t, p.stdout.String())
		})
	}
}

// holdsOutcome holds what demo --once prints.
func holdsOutcome(t *testing.T, printed string) {
	t.Helper()
	if !regexp.MustCompile(`^\{"result":\{.*\},"callbacks":\[\{"path":".*","body":".*","headers":\{.*\}\},\{"path":".*","body":".*","headers":\{.*\}\}\]\}\n$`).MatchString(printed) {
		t.Fatalf("printed %s", printed)
	}
	var doc struct {
		Result    json.RawMessage
		Callbacks []struct {
			Path, Body string
			Headers    map[string]string
		}
	}
	d := json.NewDecoder(strings.NewReader(printed))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	var r tasks.ToggleResult
	if err := json.Unmarshal(doc.Result, &r); err != nil || !r.Success || r.Port != 10011 {
		t.Errorf("result %s (%v)", doc.Result, err)
	}
	if len(doc.Callbacks) != 2 {
		t.Fatalf("%d callbacks, want 2", len(doc.Callbacks))
	}
	for i, want := range []struct{ path, body string }{
		{"/toggle/start", `{"server_ip":"198.51.100.7","port":10011}`},
		{"/toggle/result", string(doc.Result)},
	} {
		c := doc.Callbacks[i]
		if c.Path != want.path || c.Body != want.body {
			t.Errorf("callback %s %s, want %s %s", c.Path, c.Body, want.path, want.body)
		}
		if err := receiver.Check(c.Path, []byte(c.Body)); err != nil {
			t.Error(err)
		}
		for _, h := range []string{"Webhook-Id", "Webhook-Timestamp", "Content-Type", "User-Agent"} {
			if c.Headers[h] == "" {
				t.Errorf("callback %s has no %s", c.Path, h)
			}
		}
	}
}

// startDemo starts a demo on free ports and waits until it has shown all.
func startDemo(t *testing.T) (p *program, api, redis string) {
	t.Helper()
	p = launch(t, options{}, "demo", "--listen", "127.0.0.1:0")
	p.stdout.await(t, "Ctrl-C ends it.")
	return p, p.stdout.after(t, "API "), strings.TrimSuffix(p.stdout.after(t, "Redis "), ":")
}

// Ensure the demo shows a toggle with its callbacks, that each command it
// offers works, and that it ends by Ctrl-C, SIGTERM or with its terminal in
// order: exit status 0, no redis-server and no files left behind.
func TestDemoIsGuided(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p, api, redis := startDemo(t)
			says(t, p.stdout, "on loopback only", "dongles 11 to 18", `-d '{"port": 10011, "wait": 60}'`, " became ",
				"POST /toggle/start ", "POST /toggle/result ", "; as specified)", `"success":true`)
			if strings.Contains(p.stdout.String(), "NOT as specified") {
				t.Error("a callback is not as specified")
			}
			commands := regexp.MustCompile(`(?m)^   curl (http://\S+) +#`).FindAllStringSubmatch(p.stdout.String(), -1)
			if len(commands) != 5 {
				t.Errorf("%d commands are offered, want 5", len(commands))
			}
			for _, m := range commands {
				if status := ask(t, m[1]); status != http.StatusOK {
					t.Errorf("%s: status %d", m[1], status)
				}
			}
			modem := regexp.MustCompile(`(?m)^   switchyard (modem signal --url http://\S+) +#`).FindStringSubmatch(p.stdout.String())
			if modem == nil {
				t.Fatal("no modem is offered")
			}
			asked := run(t, options{}, strings.Fields(modem[1])...)
			asked.exits(t, 0)
			says(t, asked.stdout, "rsrp")
			p.signal(t, sig)
			p.exits(t, 0)
			silent(t, p.stderr)
			says(t, p.stdout, "Stopping…", "Stopped.\n")
			p.leftNothing(t)
			for _, addr := range []string{redis, strings.TrimPrefix(api, "http://")} {
				if c, err := net.Dial("tcp", addr); err == nil {
					c.Close()
					t.Errorf("somebody still listens on %s", addr)
				}
			}
		})
	}
}

// Ensure Ctrl-C ends a demo as well in the middle of its own toggle, and before
// it has said anything.
func TestDemoIsInterruptedEarly(t *testing.T) {
	t.Parallel()
	p := launch(t, options{}, "demo", "--listen", "127.0.0.1:0")
	p.stdout.await(t, "1. Toggle dongle 11")
	p.signal(t, syscall.SIGINT)
	p.exits(t, 0)
	silent(t, p.stderr)
	says(t, p.stdout, "Stopping…", "Stopped.\n")
	p.leftNothing(t)

	p = launch(t, options{}, "demo", "--listen", "127.0.0.1:0")
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for entries := 0; entries == 0; { // its directory is what it makes first
		<-tick.C
		left, err := os.ReadDir(p.tmp)
		if err != nil {
			t.Fatal(err)
		}
		entries = len(left)
	}
	p.signal(t, syscall.SIGINT)
	p.exits(t, 0)
	silent(t, p.stderr)
	p.leftNothing(t)
}

// ask gets a URL and returns the status.
func ask(t *testing.T, url string) int {
	t.Helper()
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}).Get(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// Ensure not even a demo that is killed leaves its redis-server behind.
func TestDemoIsKilled(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("only Linux ends children with their parent")
	}
	p, _, _ := startDemo(t)
	if pids := p.children(t); len(pids) != 1 {
		t.Fatalf("processes %v, want one redis-server", pids)
	}
	p.signal(t, syscall.SIGKILL)
	<-p.done
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(limit)
	for len(p.children(t)) > 0 {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("processes %v live on", p.children(t))
		}
	}
}

// Ensure a demo whose address is in use says so, and what to do, and leaves
// nothing behind.
func TestDemoWithItsPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, args := range [][]string{{"demo"}, {"demo", "--once"}} {
		p := run(t, options{}, append(args, "--listen", taken.Addr().String())...)
		p.exits(t, 1)
		says(t, p.stderr, "switchyard: ", taken.Addr().String(), "another program is using it", "http.listen")
		silent(t, p.stdout)
		p.leftNothing(t)
	}
}

// Ensure the demo can't be opened to other machines.
func TestDemoStaysOnLoopback(t *testing.T) {
	t.Parallel()
	p := run(t, options{}, "demo", "--once", "--listen", "0.0.0.0:0")
	p.exits(t, 2)
	says(t, p.stderr, "http.listen[0]: 0.0.0.0:0 can be reached from other machines")
	silent(t, p.stdout)
	p.leftNothing(t)
}
