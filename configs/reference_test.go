package configs

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// vault is a directory with secrets, and the environment that leads to them.
type vault struct {
	dir     string
	environ []string
}

func newVault(t *testing.T, files map[string]string) vault {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return vault{dir: dir, environ: []string{"CREDENTIALS_DIRECTORY=" + dir, "PW=" + password, "EMPTY="}}
}

// Ensure that a secret is found where its reference says, without the newline
// that editors leave.
func TestReference(t *testing.T) {
	t.Parallel()
	v := newVault(t, map[string]string{"pw": password + "\n", "crlf.txt": password + "\r\n", "bare": password})
	for name, text := range map[string]string{
		"literal":          password,
		"quoted":           `"` + password + `"`,
		"env":              "env:PW",
		"file":             "file:" + v.dir + "/pw",
		"file, CRLF":       "file:" + v.dir + "/crlf.txt",
		"cred":             "cred:pw",
		"cred, no newline": "cred:bare",
	} {
		c := accepted(t, "redis:\n  password: "+text+"\n", v.environ...)
		if got := c.Redis.Password.Reveal(); got != password {
			t.Errorf("%s: %q", name, got)
		}
	}
	// A colon alone makes no reference.
	if c := accepted(t, "redis: {password: 'vault:a:b'}"); c.Redis.Password.Reveal() != "vault:a:b" {
		t.Errorf("got %q", c.Redis.Password.Reveal())
	}
	// An empty literal is no secret.
	if c := accepted(t, `redis: {password: ""}`); !c.Redis.Password.IsZero() {
		t.Error("an empty password is not empty")
	}
}

// Ensure that a reference which leads nowhere is a fault of its key, and that
// no fault shows more than the place it refers to.
func TestReference_Refused(t *testing.T) {
	t.Parallel()
	v := newVault(t, map[string]string{"empty": "\n", "large": strings.Repeat("x", maxSecret+1), "unreadable": "x"})
	if err := syscall.Mkfifo(filepath.Join(v.dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"env:MISSING":                "the environment variable MISSING is not set",
		"env:EMPTY":                  "the environment variable EMPTY is empty",
		"env:" + password:            "env: must be followed by the name of a variable",
		"'env:'":                     "env: must be followed by the name of a variable",
		"file:" + password:           "file: must be followed by a path from the root",
		"file:" + v.dir + "/missing": "the file " + v.dir + "/missing: there is no such file",
		"file:" + v.dir + "/empty":   "the file " + v.dir + "/empty is empty",
		"file:" + v.dir + "/large":   "the file " + v.dir + "/large is larger than 64 KiB",
		"file:" + v.dir + "/pipe":    "the file " + v.dir + "/pipe is not a regular file",
		"file:" + v.dir:              "the file " + v.dir + " is not a regular file",
		"cred:missing":               "the systemd credential missing: there is no such file",
		"cred:../" + password:        "cred: must be followed by the name of a credential",
		"cred:..":                    "cred: must be followed by the name of a credential",
		"'[redacted]'":               "is what a printed configuration shows",
		`"two\nlines"`:               "must be one line",
	} {
		yaml := "redis:\n  password: " + text + "\n"
		refused(t, yaml, v.environ, "2: redis.password: "+want)
		if _, err := load(file, []byte(yaml), v.environ); leaks(err.Error()) {
			t.Errorf("%s: %v", text, err)
		}
	}
	refused(t, "redis: {password: 'cred:pw'}", nil, "1: redis.password: there are no systemd credentials here")
	refused(t, "", []string{"SWITCHYARD_REDIS_PASSWORD=env:MISSING"}, "SWITCHYARD_REDIS_PASSWORD: redis.password: the environment variable MISSING")
}

// Ensure that the file of a secret which the environment replaces is not
// looked for: on a developer's machine it isn't there.
func TestReference_Overridden(t *testing.T) {
	t.Parallel()
	c := accepted(t, "redis: {password: 'cred:pw'}", "SWITCHYARD_REDIS_PASSWORD="+password)
	if c.Redis.Password.Reveal() != password {
		t.Errorf("got %q", c.Redis.Password.Reveal())
	}
}

// Ensure that a variable with our prefix may hold a secret that the file
// refers to.
func TestReference_OwnPrefix(t *testing.T) {
	t.Parallel()
	c := accepted(t, "redis: {password: 'env:SWITCHYARD_PW'}", "SWITCHYARD_PW="+password)
	if c.Redis.Password.Reveal() != password {
		t.Errorf("got %q", c.Redis.Password.Reveal())
	}
}

// Ensure that a secret in the wrong place or without quotes shows in no fault.
func TestFaults_LeakNothing(t *testing.T) {
	t.Parallel()
	for _, yaml := range []string{
		"redis: {password: *" + password + "}",
		"redis: {password: &" + password + "}",
		"redis: {password: !" + password + "}",
		"redis:\n  password: !" + password + " x\n",
		"redis: {password: [" + password + "]}",
		"redis: {password: {" + password + ": 1}}",
		"redis: {addr: 'redis://:" + password + "@203.0.113.5:6379'}",
		"redis: {addr: '" + password + "'}",
		"http: {listen: ['" + password + "@203.0.113.5:80']}",
		"host: {name: '" + password + "!'}",
		"host: {echo_urls: ['http://user:" + password + "@example.com']}",
		"host: {echo_urls: ['http://user:" + password + "/x@example.com']}",
		"host: {dongles: [{subnet: 11, modem: 'http://admin:" + password + "@192.0.2.1'}]}",
		"host: {dongles: [{subnet: 11, gateway: 'admin:" + password + "@192.0.2.1:1'}]}",
		"callbacks: {toggle: [{name: a, start_url: 'http://u:" + password + "@example.com'}]}",
		"callbacks: {toggle: [{name: a, start_url: '" + password + "'}]}",
		"callbacks: {toggle: [{name: 'A " + password + "', start_url: 'http://example.com'}]}",
		"callbacks: {secret: " + password + "}",
		"callbacks: {secret: whsec_" + password + "}",
		"callbacks: {secrets: {example.com: " + password + "}}",
		"cloudflare: {token: " + password + "}",
		"cloudflare: {token: 'a " + password + "', account_id: 023e105f4ecef8ad9ca31a8372d0c353}",
		"cloudflare: {account_id: " + password + "}",
		"cloudflare: {zone_ids: [" + password + "]}",
		"cloudflare: {base_url: 'https://u:" + password + "@example.com/'}",
		"delivery: {allow: ['http://u:" + password + "@example.com/']}",
	} {
		_, err := load(file, []byte(yaml), nil)
		if err == nil {
			t.Errorf("%s was taken", yaml)
		} else if leaks(err.Error()) {
			t.Errorf("%s: %v", yaml, err)
		}
	}
}
