package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"switchyard/tasks"
)

// Ensure the commands of an operator work against a running server: they print
// what it answers, in its words where it refuses, with the exit status of the
// outcome.
func TestCommandsAgainstADemo(t *testing.T) {
	t.Parallel()
	_, api, _ := startDemo(t)
	at := func(args ...string) []string { return append(args, "--server", api) }

	t.Run("toggle", func(t *testing.T) {
		t.Parallel()
		p := run(t, options{}, at("toggle", "12")...)
		p.exits(t, 0)
		silent(t, p.stderr)
		var r tasks.ToggleResult
		if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil || !r.Success || r.Port != 10012 {
			t.Errorf("printed %s (%v)", p.stdout, err)
		}
		// The document is the server's: its order, its decimals.
		if !regexp.MustCompile(`(?s)^\{\n  "success": true,\n  "ip": "[0-9.]+",\n  "traffic": \{.*"rsrp": -\d+\.\d,.*"step": 0,\n  "server_ip": "198.51.100.7",\n  "port": 10012\n\}\n$`).MatchString(p.stdout.String()) {
			t.Errorf("printed %s", p.stdout)
		}
	})
	t.Run("toggle by host and by the configured address", func(t *testing.T) {
		t.Parallel()
		listen := options{env: []string{"SWITCHYARD_HTTP_LISTEN=" + strings.TrimPrefix(api, "http://")}}
		p := run(t, listen, "toggle", "13", "--host", "demo")
		p.exits(t, 0)
		says(t, p.stdout, `"port": 10013`)
	})
	t.Run("on a proxy host", func(t *testing.T) {
		t.Parallel()
		// What names no host means this one, whose configuration is at hand.
		here := options{env: []string{"SWITCHYARD_HOST_NAME=elsewhere", "SWITCHYARD_HOST_ECHO_URLS=http://ip.example.com/"}}
		for _, command := range []string{"toggle 15", "push"} {
			p := run(t, here, at(strings.Fields(command)...)...)
			p.exits(t, 1)
			says(t, p.stderr, "No such host has registered.")
		}
		// One that can't be read here is not needed.
		here.env = append(here.env, "SWITCHYARD_REDIS_PASSWORD=cred:redis-password")
		p := run(t, here, at("push")...)
		p.exits(t, 0)
	})
	t.Run("toggle that takes longer", func(t *testing.T) {
		t.Parallel()
		p := run(t, options{}, at("toggle", "14", "--wait", "0.01")...)
		p.exits(t, 1)
		silent(t, p.stdout)
		says(t, p.stderr, "switchyard: the toggle is still under way; 'switchyard jobs get j_")
		id := strings.TrimSuffix(p.stderr.after(t, "jobs get "), "'")
		p = run(t, options{}, at("jobs", "get", id)...)
		p.exits(t, 0)
		says(t, p.stdout, `"job_id": "`+id+`"`, `"subnet": 14`)
	})
	t.Run("refusals", func(t *testing.T) {
		t.Parallel()
		for args, want := range map[string]string{
			"toggle 25":                               "Host demo has no dongle 25.",
			"toggle 11 --host nowhere":                "No such host has registered.",
			"toggle 11 --wait 201":                    "The field wait is not valid",
			"status --server-ip 203.0.113.99":         "No such host has registered.",
			"push --host nowhere":                     "No such host has registered.",
			"push --wait 201":                         "The field wait is not valid",
			"jobs list --limit 0":                     "The field limit is not valid",
			"jobs list --state asleep":                "There is no such state.",
			"jobs list --type teleport":               "There are no jobs of this type.",
			"hosts remove nowhere":                    "No such host has registered.",
			"hosts remove demo":                       "Host demo is online. Stop its worker first.",
			"jobs get j_01k9zd3v5y8m1q2r3s4t5v6w7x":   "There is no such job",
			"jobs cancel ../../healthz":               "There is no such job",
			"jobs retry j_01k9zd3v5y8m1q2r3s4t5v6w7x": "There is no such job",
		} {
			p := run(t, options{}, at(strings.Fields(args)...)...)
			p.exits(t, 1)
			says(t, p.stderr, "switchyard: "+want)
			silent(t, p.stdout)
		}
	})
	t.Run("status", func(t *testing.T) {
		t.Parallel()
		for _, args := range [][]string{{"status"}, {"status", "--server-ip", "198.51.100.7"}} {
			p := run(t, options{}, at(args...)...)
			p.exits(t, 0)
			says(t, p.stdout, `"status": "ready"`, `"proxy_url": "socks5://198.51.100.7:10018"`, `"proxy_count": 8`)
		}
	})
	t.Run("push", func(t *testing.T) {
		t.Parallel()
		p := run(t, options{}, at("push")...)
		p.exits(t, 0)
		silent(t, p.stderr)
		if !regexp.MustCompile(`(?s)^\{\n  "status": "ready",\n.*"last_heartbeat_at": "\S+",\n.*\n\}\n\nRECEIVER +ADDRESS +STATUS +TIME +ANSWER\n` +
			`proxy +127\.0\.0\.1:\d+ +200 +\d+ ms +\{"status":"received"\}\nsync +127\.0\.0\.1:\d+ +200 +.*\n$`).MatchString(p.stdout.String()) {
			t.Errorf("printed %s", p.stdout)
		}
		p = run(t, options{}, at("push", "--host", "demo", "--json")...)
		p.exits(t, 0)
		says(t, p.stdout, `"document": {`, `"receivers": [`, `"receiver": "sync"`, `"manual": true`, `"response": "{\"status\":\"received\"}"`)
	})
	t.Run("hosts", func(t *testing.T) {
		t.Parallel()
		p := run(t, options{}, at("hosts", "list")...)
		p.exits(t, 0)
		says(t, p.stdout, "HOST", "STATUS", "ADDRESS", "DONGLES", "CONNECTED", "SEEN", "VERSION")
		if !regexp.MustCompile(`(?m)^demo +online +198\.51\.100\.7 +8 +\d +\S+Z +\S+$`).MatchString(p.stdout.String()) {
			t.Errorf("printed %s", p.stdout)
		}
		p = run(t, options{}, at("hosts", "list", "--json")...)
		p.exits(t, 0)
		says(t, p.stdout, `"hosts": [`, `"host": "demo"`, `"quality": {`)
	})
	t.Run("jobs", func(t *testing.T) {
		t.Parallel()
		p := run(t, options{}, at("jobs", "list", "--type", "toggle", "--host", "demo", "--state", "completed")...)
		p.exits(t, 0)
		says(t, p.stdout, "JOB", "TYPE", "STATE", "HOST", "DONGLE", "CREATED", "ERROR")
		m := regexp.MustCompile(`(?m)^(j_\w{26}) +toggle +completed +demo +11 +\S+Z +-$`).FindStringSubmatch(p.stdout.String())
		if m == nil {
			t.Fatalf("the demo's own toggle is not in the list:\n%s", p.stdout)
		}
		id := m[1]
		p = run(t, options{}, at("jobs", "list", "--json", "--limit", "1")...)
		p.exits(t, 0)
		says(t, p.stdout, `"jobs": [`, `"next_cursor": "`)
		for _, tt := range []struct{ command, want string }{
			{"cancel", "switchyard: The job has ended already."},
			{"retry", "switchyard: Only failed and cancelled jobs can be run again."},
		} {
			p = run(t, options{}, at("jobs", tt.command, id)...)
			p.exits(t, 1)
			says(t, p.stderr, tt.want)
		}
		p = run(t, options{}, at("jobs", "list", "--chat-id", "5")...)
		p.exits(t, 0)
		if got := strings.Count(p.stdout.String(), "\n"); got != 1 {
			t.Errorf("a list of none has %d lines, want its head", got)
		}
	})
}

// Ensure a waiting job is cancelled and run again from the command line.
func TestJobsAreCancelledAndRunAgain(t *testing.T) {
	t.Parallel()
	// Nobody is there for the toggles, but for what is told of their ends.
	_, server := startServer(t, serving(startRedis(t).Addr()), "--role", "api,worker")
	p := run(t, options{}, "toggle", "11", "--wait", "0.01", "--server", server)
	p.exits(t, 1)
	id := strings.TrimSuffix(p.stderr.after(t, "jobs get "), "'")

	p = run(t, options{}, "jobs", "cancel", id, "--server", server)
	p.exits(t, 0)
	says(t, p.stdout, `"job_id": "`+id+`"`, `"status": "cancelled"`)
	// It can be run again once its end was told.
	for p = run(t, options{}, "jobs", "retry", id, "--server", server); strings.Contains(p.stderr.String(), "Try again when it has ended"); {
		p = run(t, options{}, "jobs", "retry", id, "--server", server)
	}
	p.exits(t, 0)
	says(t, p.stdout, `"job_id": "`+id+`"`, `"status": "queued"`)
	p = run(t, options{}, "jobs", "get", id, "--server", server)
	p.exits(t, 0)
	says(t, p.stdout, `"state": "queued"`, `"attempts": 2`)
}

// Ensure a push that names no host isn't sent to any of several.
func TestPush_severalHosts(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/api/v1/hosts" {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
		_, _ = io.WriteString(w, `{"hosts":[{"host":"busan-1"},{"host":"seoul-1"}]}`)
	}))
	t.Cleanup(server.Close)
	p := run(t, options{}, "push", "--server", server.URL)
	p.exits(t, 2)
	says(t, p.stderr, "switchyard: there are several hosts; name one with --host: busan-1, seoul-1")
}

// Ensure who ends the waiting for a toggle is told that the toggle isn't ended by
// it, and where to find it.
func TestToggle_interrupted(t *testing.T) {
	t.Parallel()
	_, server := startServer(t, serving(startRedis(t).Addr()), "--role", "api,worker")
	p := launch(t, options{}, "toggle", "11", "--server", server)
	for asked := run(t, options{}, "jobs", "list", "--server", server); !strings.Contains(asked.stdout.String(), "queued"); {
		asked = run(t, options{}, "jobs", "list", "--server", server)
	}
	p.signal(t, syscall.SIGINT)
	p.exits(t, 1)
	says(t, p.stderr, "switchyard: no longer waiting: the toggle goes on", "'switchyard jobs list --type toggle' shows it")
}

// Ensure a toggle that brought no address prints the result and exits 1.
func TestToggleWithoutSuccess(t *testing.T) {
	t.Parallel()
	_, server := startServer(t, serving(startRedis(t).Addr(), "SWITCHYARD_TOGGLE_MAX_WAIT=1ms", "SWITCHYARD_SCHEDULER_SWEEP_INTERVAL=10ms"), "--role", "api,scheduler")
	p := run(t, options{}, "toggle", "11", "--server", server)
	p.exits(t, 1)
	says(t, p.stdout, `"success": false`, `"ip": null`, `"port": 10011`)
	silent(t, p.stderr)
}

// Ensure that with no server every command says so, and what to do, with exit
// status 1.
func TestCommandsWithoutAServer(t *testing.T) {
	t.Parallel()
	server := "http://" + free(t)
	for _, args := range []string{"toggle 11", "status", "jobs list", "jobs get x", "jobs cancel x", "jobs retry x"} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			p := run(t, options{}, append(strings.Fields(args), "--server", server)...)
			p.exits(t, 1)
			says(t, p.stderr, "switchyard: no server answers at "+server+": start one with 'switchyard serve' or 'switchyard demo', or name it with --server")
			silent(t, p.stdout)
		})
	}
}
