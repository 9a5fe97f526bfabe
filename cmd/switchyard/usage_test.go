package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Ensure the version that a release was built with is printed.
func TestVersion(t *testing.T) {
	t.Parallel()
	p := run(t, options{}, "version")
	p.exits(t, 0)
	if got := p.stdout.String(); !regexp.MustCompile(`^switchyard v1\.2\.3-test \(go1\.\S+, \w+/\w+\)\n$`).MatchString(got) {
		t.Errorf("version %q", got)
	}
	silent(t, p.stderr)
}

// Ensure help names every command, with and without being asked for it.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"--help"}, {"help"}} {
		p := run(t, options{}, args...)
		p.exits(t, 0)
		says(t, p.stdout, "serve", "demo", "toggle", "status", "push", "jobs", "hosts", "health", "key", "config", "doctor", "modem", "redis-acl", "version")
		silent(t, p.stderr)
	}
	p := run(t, options{}, "serve", "--help")
	p.exits(t, 0)
	says(t, p.stdout, "api", "worker", "scheduler", "--role")
}

// Ensure whatever is called wrongly says so in a line on standard error, with
// exit status 2, and does nothing.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		want string
	}{
		{"teleport", `there is no command "teleport"`},
		{"--fast", "unknown flag: --fast"},
		{"version now", `'switchyard version' takes no argument, not "now"`},
		{"version --fast", "unknown flag: --fast"},
		{"serve api", `'switchyard serve' takes no argument, not "api"`},
		{"serve --role janitor", `unknown role "janitor": choose from api, worker, scheduler`},
		{"serve --role api,janitor", `unknown role "janitor"`},
		{"serve --role=", "no role: choose from api, worker, scheduler"},
		{"serve --once", "unknown flag: --once"},
		{"demo now", `'switchyard demo' takes no argument, not "now"`},
		{"demo --fast", "unknown flag: --fast"},
		{"config", "choose what to do: 'switchyard config --help' lists it"},
		{"config chek", `there is no command "chek": 'switchyard config --help' lists those there are`},
		{"config check it", `'switchyard config check' takes no argument, not "it"`},
		{"jobs", "choose what to do: 'switchyard jobs --help' lists it"},
		{"jobs delete", `there is no command "delete"`},
		{"jobs list all", `'switchyard jobs list' takes no argument, not "all"`},
		{"jobs list --limit many", "invalid argument"},
		{"jobs get", "give the job's id"},
		{"jobs cancel a b", "give the job's id"},
		{"hosts", "choose what to do: 'switchyard hosts --help' lists it"},
		{"hosts add", `there is no command "add"`},
		{"hosts list all", `'switchyard hosts list' takes no argument, not "all"`},
		{"hosts remove", "give the host's name"},
		{"hosts remove a b", "give the host's name"},
		{"health now", `'switchyard health' takes no argument, not "now"`},
		{"health --url 127.0.0.1:8080", "is not a URL such as http://127.0.0.1:8080/healthz"},
		{"health --url=", "is not a URL"},
		{"health --timeout 0s", "--timeout 0s leaves no time for an answer"},
		{"push now", `'switchyard push' takes no argument, not "now"`},
		{"push --wait long", "invalid argument"},
		{"status now", `'switchyard status' takes no argument, not "now"`},
		{"doctor now", `'switchyard doctor' takes no argument, not "now"`},
		{"doctor --role janitor", `unknown role "janitor": choose from api, worker, scheduler`},
		{"redis-acl", "say whose rights: --role, --host or --sentinel"},
		{"redis-acl api", `'switchyard redis-acl' takes no argument, not "api"`},
		{"redis-acl --role janitor", `unknown role "janitor"`},
		{"redis-acl --host *", `"*" is no host's name (host.name)`},
		{"redis-acl --host a:b", `"a:b" is no host's name`},
		{"redis-acl --sentinel --role api", "--sentinel goes alone"},
		{"redis-acl --role api --password-env NOT_SET", "the variable NOT_SET is not set, or empty"},
		{"toggle", "give the dongle's subnet, 11 to 30"},
		{"toggle 11 12", "give the dongle's subnet, 11 to 30"},
		{"toggle 10", `"10" is not a dongle's subnet, 11 to 30`},
		{"toggle 31", `"31" is not a dongle's subnet, 11 to 30`},
		{"toggle 10016", `"10016" is not a dongle's subnet, 11 to 30`},
		{"toggle eleven", `"eleven" is not a dongle's subnet, 11 to 30`},
		{"toggle 11 --wait long", "invalid argument"},
		{"toggle 11 --server 127.0.0.1:8080", "is not a base URL such as http://127.0.0.1:8080"},
		{"toggle 11 --server ftp://127.0.0.1", "is not a base URL"},
		{"status --server http://", "is not a base URL"},
		{"modem", "choose what to do: 'switchyard modem --help' lists it"},
		{"modem reboot", `there is no command "reboot"`},
		{"modem signal", "give the modem's address with --url, such as http://192.168.16.1"},
		{"modem signal --url 192.168.16.1", "give the modem's address with --url"},
		{"modem signal --url http://192.168.16.1/html", "want http://host or http://host:port"},
		{"modem signal now --url http://192.168.16.1", `'switchyard modem signal' takes no argument, not "now"`},
		{"modem signal --url http://192.168.16.1 --password-env MODEM", "the environment variable MODEM, which --password-env names, is empty"},
		{"modem signal --url http://192.168.16.1 --timeout 0s", "--timeout 0s is no time"},
		{"modem mode 04 --url http://192.168.16.1", `"04" is not a net mode: choose from 00, 01, 02, 03`},
		{"modem switch up --url http://192.168.16.1", `"up" is not a switch's position: choose from on, off`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			p := run(t, options{}, strings.Fields(tt.args)...)
			p.exits(t, 2)
			says(t, p.stderr, "switchyard: ", tt.want, "Try 'switchyard --help'.\n")
			if n := strings.Count(p.stderr.String(), "\n"); n != 2 {
				t.Errorf("%d lines on standard error, want 2", n)
			}
			silent(t, p.stdout)
		})
	}
}

// file writes a file of the test's own.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, text)
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Ensure a configuration that can be used is said to be ok, whichever way it
// is given, and printed without secrets where asked for.
func TestConfigCheck(t *testing.T) {
	t.Parallel()
	good := file(t, "good.yaml", "timezone: UTC\nredis:\n  password: hunter2\n")
	p := run(t, options{}, "config", "check", "-c", good)
	p.exits(t, 0)
	if got := p.stdout.String(); got != good+": ok\n" {
		t.Errorf("said %q", got)
	}
	silent(t, p.stderr)

	p = run(t, options{env: []string{"SWITCHYARD_CONFIG=" + good}}, "config", "check")
	p.exits(t, 0)
	says(t, p.stdout, good+": ok\n")

	p = run(t, options{}, "config", "check")
	p.exits(t, 0)
	says(t, p.stdout, "the defaults: ok\n")

	p = run(t, options{env: []string{"SWITCHYARD_LOG_LEVEL=debug"}}, "config", "check", "--print", "--config", good)
	p.exits(t, 0)
	says(t, p.stdout, "timezone: UTC\n", "level: debug\n")
	if strings.Contains(p.stdout.String(), "hunter2") {
		t.Error("a secret is printed")
	}
}

// Ensure every fault of a configuration is told on standard error with file,
// line and key, or the variable, with exit status 2; by every command that
// reads it.
func TestConfigCheckTellsEveryFault(t *testing.T) {
	t.Parallel()
	bad := file(t, "bad.yaml", "timezone: Mars/Olympus\nhttp:\n  listen:\n    - 0.0.0.0:8080\nredis:\n  adr: 127.0.0.1:6379\n")
	for _, args := range [][]string{{"config", "check"}, {"serve"}, {"toggle", "11"}, {"status"}, {"jobs", "list"}, {"hosts", "list"}, {"hosts", "remove", "a"}} {
		p := run(t, options{env: []string{"SWITCHYARD_LOG_LEVEL=loud"}}, append(args, "-c", bad)...)
		p.exits(t, 2)
		says(t, p.stderr, "switchyard: the configuration can't be used:\n",
			"  "+bad+":1: timezone: unknown time zone", "  "+bad+":4: http.listen[0]: ", "  "+bad+":6: redis.adr: ", "  SWITCHYARD_LOG_LEVEL: log.level: ")
		if n := strings.Count(p.stderr.String(), "\n"); n != 5 {
			t.Errorf("%d lines on standard error, want 5:\n%s", n, p.stderr)
		}
		silent(t, p.stdout)
	}
}

// Ensure a file that isn't there, or is none of YAML, is told with exit status
// 2.
func TestConfigCheckOfNoConfiguration(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	for path, want := range map[string]string{
		missing:                          missing,
		t.TempDir():                      "directory",
		file(t, "x.yaml", "a: [1\n"):     ":",
		file(t, "two.yaml", "{}\n---\n"): "document",
	} {
		p := run(t, options{}, "config", "check", "-c", path)
		p.exits(t, 2)
		says(t, p.stderr, "the configuration can't be used", path, want)
		silent(t, p.stdout)
	}
}

// Ensure the printed example can be used as it stands.
func TestConfigExample(t *testing.T) {
	t.Parallel()
	p := run(t, options{}, "config", "example")
	p.exits(t, 0)
	silent(t, p.stderr)
	check := run(t, options{stdin: p.stdout.String()}, "config", "check", "-c", "/dev/stdin")
	check.exits(t, 0)
	says(t, check.stdout, ": ok\n")
}
