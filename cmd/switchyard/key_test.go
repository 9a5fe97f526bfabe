package main_test

import (
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"switchyard/configs"
)

var printedKey = regexp.MustCompile(`(?m)^swk_[A-Za-z0-9_-]{43}$`)

// newKey makes a key, and returns it with its lines for the configuration.
func newKey(t *testing.T, name, scopes string) (key, lines string) {
	t.Helper()
	p := run(t, options{}, "key", "new", "--name", name, "--scopes", scopes)
	p.exits(t, 0)
	silent(t, p.stderr)
	out := p.stdout.String()
	key = printedKey.FindString(out)
	_, lines, found := strings.Cut(out, "# For the configuration, below what stands there already:\n")
	if key == "" || !found || strings.Count(out, key) != 1 || strings.Contains(lines, key) || !strings.Contains(lines, configs.HashAPIKey(key)) {
		t.Fatalf("printed %s", out)
	}
	return key, lines
}

// Ensure a new key is printed once, beside lines that a configuration takes as
// they stand, and that what could not be configured is refused with what could.
func TestKeyNew(t *testing.T) {
	t.Parallel()
	a, lines := newKey(t, "ops", "jobs:read,proxies:toggle")
	if b, _ := newKey(t, "null", "admin"); a == b {
		t.Error("the same key twice")
	}
	p := run(t, options{stdin: lines}, "config", "check", "--print", "-c", "/dev/stdin")
	p.exits(t, 0)
	says(t, p.stdout, "name: ops", configs.HashAPIKey(a), "jobs:read", "proxies:toggle")
	_, null := newKey(t, "null", "admin")
	run(t, options{stdin: null}, "config", "check", "-c", "/dev/stdin").exits(t, 0)

	for args, want := range map[string]string{
		"key":                                   "choose what to do: 'switchyard key --help' lists it",
		"key new":                               "give the key a name with --name",
		"key new --name ops":                    "say what it allows with --scopes: proxies:read, proxies:toggle, ",
		"key new --name Ops --scopes x":         `--name "Ops" is not of a-z`,
		"key new --name ops --scopes x":         `there is no scope "x"; there are proxies:read, proxies:toggle, `,
		"key new --name ops --scopes *":         `there is no scope "*"`,
		"key new --name ops now":                `'switchyard key new' takes no argument, not "now"`,
		"key new --name a --scopes b,b":         `there is no scope "b"`,
		"key new --name a --scopes=admin,admin": "--scopes names admin twice",
	} {
		p := run(t, options{}, strings.Fields(args)...)
		p.exits(t, 2)
		says(t, p.stderr, want)
		silent(t, p.stdout)
	}
}

// await asks until the answer has this status.
func await(t *testing.T, url, key string, status int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(limit)
	for got := 0; ; {
		if got = askWith(t, url, key); got == status {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("%s answers %d, want %d", url, got, status)
		}
	}
}

func askWith(t *testing.T, url, key string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// Ensure SIGHUP has a server take over new keys, and the secrets that files
// hold, while it runs; that the log names what waits for a restart; and that a
// configuration with a fault changes nothing and is told with file, line and
// key.
func TestHangupReloads(t *testing.T) {
	t.Parallel()
	key, lines := newKey(t, "ops", "jobs:read")
	other, otherLines := newKey(t, "other", "jobs:read")
	secret := file(t, "secret", "whsec_"+strings.Repeat("A", 43)+"=\n")
	base := "log: {format: json}\nhttp: {listen: ['127.0.0.1:0']}\nredis: {addr: '" + startRedis(t).Addr() + "'}\ncallbacks: {secret: 'file:" + secret + "'}\n"
	path := file(t, "switchyard.yaml", base+lines)
	p, server := startServer(t, options{}, "-c", path, "--role", "api")
	jobs := server + "/api/v1/jobs"
	for k, want := range map[string]int{"": 401, key: 200, other: 401} {
		if got := askWith(t, jobs, k); got != want {
			t.Errorf("at the start: answer %d, want %d", got, want)
		}
	}

	write(t, path, base+otherLines)
	write(t, secret, "whsec_"+strings.Repeat("B", 43)+"=\n")
	p.signal(t, syscall.SIGHUP)
	await(t, jobs, other, 200)
	if got := askWith(t, jobs, key); got != 401 {
		t.Errorf("the key that went: answer %d", got)
	}
	p.stderr.await(t, `"msg":"configuration reloaded","changed":["auth.keys","callbacks.secret"]`)

	write(t, path, base+lines+"tiemzone: UTC\n")
	p.signal(t, syscall.SIGHUP)
	p.stderr.await(t, `"msg":"not reloaded: the configuration can't be used","fault":"`+path+":10: tiemzone: unknown key")
	for k, want := range map[string]int{key: 401, other: 200} {
		if got := askWith(t, jobs, k); got != want {
			t.Errorf("after a broken file: answer %d, want %d", got, want)
		}
	}

	write(t, path, base+lines+"timezone: UTC\ntoggle: {timeout: 60s}\n")
	p.signal(t, syscall.SIGHUP)
	p.stderr.await(t, `"keys":["timezone","toggle.timeout"]`)
	await(t, jobs, key, 200)
	p.signal(t, syscall.SIGTERM)
	p.exits(t, 0)
	for _, leaked := range []string{key, other, "AAAA", "BBBB"} {
		if strings.Contains(p.stderr.String(), leaked) {
			t.Errorf("the log tells %.8s…", leaked)
		}
	}
}

// Ensure a hangup while a server still waits for Redis neither ends it nor gets
// lost.
func TestHangupBeforeTheStart(t *testing.T) {
	t.Parallel()
	path := file(t, "switchyard.yaml", "redis: {addr: '"+free(t)+"'}\nhttp: {listen: ['127.0.0.1:0']}\n")
	p := launch(t, options{}, "serve", "-c", path)
	p.stderr.await(t, "waiting for redis")
	p.signal(t, syscall.SIGHUP)
	p.stderr.await(t, "configuration reloaded")
	p.signal(t, syscall.SIGINT)
	p.exits(t, 1)
}

// Ensure the commands of an operator bring the key that the environment or a
// file holds, find the server by the environment, and say what to do where a
// key is missing, or the server is another machine.
func TestCommandsBringAKey(t *testing.T) {
	t.Parallel()
	key, lines := newKey(t, "ops", "jobs:read")
	redis := startRedis(t).Addr()
	path := file(t, "switchyard.yaml", "log: {format: json}\nhttp: {listen: ['127.0.0.1:0']}\nredis: {addr: '"+redis+"'}\n"+lines)
	_, server := startServer(t, options{}, "-c", path, "--role", "api")
	at := "SWITCHYARD_SERVER=" + server

	run(t, options{env: []string{at, "SWITCHYARD_API_KEY=" + key}}, "jobs", "list").exits(t, 0)
	run(t, options{env: []string{at}}, "jobs", "list", "--key-file", file(t, "key", key+"\n")).exits(t, 0)

	for _, tt := range []struct {
		opt  options
		args string
		want []string
	}{
		{options{env: []string{at}}, "jobs list", []string{"takes an API key with the scope jobs:read", "set SWITCHYARD_API_KEY, or --key-file"}},
		{options{env: []string{at, "SWITCHYARD_API_KEY=swk_wrong"}}, "jobs list", []string{"is not known here"}},
		{options{env: []string{at, "SWITCHYARD_API_KEY=" + key}}, "toggle 11", []string{"The API key ops lacks the scope proxies:toggle."}},
		{options{}, "status --server " + server + " --key-file /nowhere/key", []string{"reading the API key (--key-file)", "/nowhere/key"}},
		{options{}, "status --server " + server + " --key-file " + file(t, "empty", "\n"), []string{"holds no API key"}},
	} {
		p := run(t, tt.opt, strings.Fields(tt.args)...)
		p.exits(t, 1)
		says(t, p.stderr, tt.want...)
		silent(t, p.stdout)
		if strings.Contains(p.stderr.String(), "swk_") {
			t.Errorf("the key is told: %s", p.stderr)
		}
	}

	host := file(t, "host.yaml", "http: {listen: ['"+free(t)+"']}\nhost: {name: seoul-1, echo_urls: ['http://ip.example.com']}\n")
	p := run(t, options{}, "status", "-c", host)
	p.exits(t, 1)
	says(t, p.stderr, "this is proxy host seoul-1: name the server that it belongs to with --server or SWITCHYARD_SERVER")
	p = run(t, options{env: []string{"SWITCHYARD_SERVER=nonsense"}}, "status")
	p.exits(t, 2)
	says(t, p.stderr, `SWITCHYARD_SERVER "nonsense" is not a base URL`)
}
