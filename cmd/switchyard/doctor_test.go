package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchyard/sim/redisserver"
)

// Ensure the doctor prints a line for each look and exits with 0 where nothing
// failed, with 1 where something did, also where the configuration can't be
// used; and the same as JSON.
func TestDoctor(t *testing.T) {
	t.Parallel()
	srv, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir(), Fsync: "always"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	good := file(t, "good.yaml", "redis: {addr: '"+srv.Addr()+"'}\nhttp: {listen: ['127.0.0.1:0']}\n")
	p := run(t, options{}, "doctor", "-c", good)
	p.exits(t, 0)
	says(t, p.stdout, "ok    configuration   can be used\n", "ok    redis.aof       appendonly yes", "warn  redis.memory", "ok    http.listen[0]  127.0.0.1:0 is free\n")
	silent(t, p.stderr)

	away := file(t, "away.yaml", "redis: {addr: '127.0.0.1:1'}\n")
	p = run(t, options{}, "doctor", "-c", away, "--role", "scheduler")
	p.exits(t, 1)
	says(t, p.stdout, "fail  redis.reach    redis at 127.0.0.1:1 is out of reach")
	silent(t, p.stderr)

	p = run(t, options{}, "doctor", "--json", "-c", file(t, "bad.yaml", "redis: {db: 99}\n"))
	p.exits(t, 1)
	var found []struct{ Check, Status, Says, Do string }
	if err := json.Unmarshal([]byte(p.stdout.String()), &found); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Check != "configuration" || found[0].Status != "fail" || !strings.Contains(found[0].Says, "redis.db") {
		t.Errorf("found %+v", found)
	}
}

// Ensure the printed rules make a user that Redis takes, that their passwords
// are there as hashes only, and that without one Redis doesn't take them.
func TestRedisACL(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, args := range [][]string{
		{"--role", "api"}, {"--role", "worker,scheduler"}, {"--host", "seoul-1"}, {"--role", "worker", "--host", "seoul-2", "--user", "both"},
	} {
		p := run(t, options{env: []string{"PASSWORD=hunter2"}}, append([]string{"redis-acl", "--password-env", "PASSWORD"}, args...)...)
		p.exits(t, 0)
		silent(t, p.stderr)
		lines = append(lines, p.stdout.String())
		if strings.Contains(p.stdout.String(), "hunter2") || strings.Count(p.stdout.String(), "\n") != 1 {
			t.Errorf("printed %q", p.stdout.String())
		}
	}
	for i, name := range []string{"switchyard-api", "switchyard-worker-scheduler", "switchyard-host-seoul-1", "both"} {
		if !strings.HasPrefix(lines[i], "user "+name+" reset on #f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7 ") {
			t.Errorf("line %d is %.100q", i, lines[i])
		}
	}
	serve := func(text string) error {
		dir := t.TempDir()
		path := filepath.Join(dir, "users.acl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		srv, err := redisserver.Start(t.Context(), redisserver.Options{Dir: dir, Args: []string{"--aclfile", path}})
		if err == nil {
			srv.Stop()
		}
		return err
	}
	if err := serve(strings.Join(lines, "")); err != nil {
		t.Errorf("Redis doesn't take the rules: %v", err)
	}
	p := run(t, options{}, "redis-acl", "--role", "api")
	if err := serve(p.stdout.String()); err == nil {
		t.Error("Redis takes a user without a password")
	}
	p = run(t, options{}, "redis-acl", "--sentinel", "--setuser")
	says(t, p.stdout, "ACL SETUSER switchyard 'reset' 'on' '#SHA-256-OF-THE-PASSWORD' ", "'+sentinel|get-master-addr-by-name'")
}
