package app_test

import (
	"net/http"
	"strings"
	"testing"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/sim/redisserver"
)

// Ensure a Redis that may lose or evict jobs is refused, with what to set
// where, and taken where the configuration says so.
func TestRedisHasToBeDurable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		server redisserver.Options
		want   []string
	}{
		{"no append-only file", redisserver.Options{}, []string{"appendonly no", "set appendonly yes there", "redis.require_durable: false here"}},
		{
			"evicting", redisserver.Options{Fsync: "everysec", Args: []string{"--maxmemory-policy", "allkeys-lru"}},
			[]string{"maxmemory-policy allkeys-lru", "set maxmemory-policy noeviction there", "redis.require_durable: false here"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setupOn(t, tt.server)
			for _, r := range app.Roles() {
				err := b.make(t, b.config(), r).Start(b.ctx)
				if err == nil {
					t.Fatalf("role %s was started", r)
				}
				for _, part := range append(tt.want, b.srv.Addr()) {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("role %s: error %q doesn't say %q", r, err, part)
					}
				}
			}
			b.start(t, b.config(func(c *configs.Config) { c.Redis.RequireDurable = false }), app.API, app.Worker)
		})
	}
}

// Ensure durability is judged without a right to CONFIG, which shows passwords.
func TestRedisThatKeepsItsConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		server redisserver.Options
		want   string
	}{
		{"durable", durable, ""},
		{"not durable", redisserver.Options{}, "set appendonly yes there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setupOn(t, tt.server)
			p := b.make(t, b.config(b.user(t, "api", jobs.APIAccess())), app.API)
			err := p.Start(b.ctx)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			for _, d := range b.denied(t) {
				t.Errorf("Redis denied %s", d)
			}
		})
	}
}

// Ensure a Redis that doesn't let us in is told at once, with the keys to look
// at and without the password.
func TestRedisRefusesUs(t *testing.T) {
	t.Parallel()
	b := setupOn(t, redisserver.Options{Fsync: "everysec", Args: []string{"--databases", "1"}})
	rdb := b.redis(t)
	must(t, rdb.Do(b.ctx, "ACL", "SETUSER", "switchyard", "on", ">right", "~*", "&*", "+@all").Err())
	must(t, rdb.ConfigSet(b.ctx, "requirepass", "right").Err())
	for _, tt := range []struct {
		name           string
		user, password string
		db             int
		ok             bool
	}{
		{"no password", "", "", 0, false},
		{"wrong password", "", "wr0ng", 0, false},
		{"right password", "", "right", 0, true},
		{"wrong password of a user", "switchyard", "wr0ng", 0, false},
		{"right password of a user", "switchyard", "right", 0, true},
		{"unknown user", "nobody", "wr0ng", 0, false},
		{"no such database", "", "right", 5, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := b.make(t, b.config(func(c *configs.Config) {
				c.Redis.Username, c.Redis.Password, c.Redis.DB = tt.user, configs.NewSecret(tt.password), tt.db
			}), app.API, app.Worker)
			err := p.Start(b.ctx)
			switch {
			case tt.ok:
				must(t, err)
			case err == nil:
				t.Fatal("it was started")
			case !strings.Contains(err.Error(), "redis at "+b.srv.Addr()+" refuses us (redis.username, redis.password, redis.db)"):
				t.Errorf("error %q", err)
			}
			if err != nil && strings.Contains(err.Error(), tt.password) && tt.password != "" || strings.Contains(p.log.String(), "wr0ng") {
				t.Errorf("the password is told: %v\n%s", err, p.log)
			}
		})
	}
}

// Ensure every role waits for a Redis that comes up later than it, and that who
// asks meanwhile is told so.
func TestRedisComesLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	b.srv.Kill()
	p := b.make(t, b.config(b.asHost, alsoDelivers), app.Roles()...)
	started := in(t, func() error { return p.Start(b.ctx) })
	b.eventually(t, "it waits for Redis", func() bool { return strings.Contains(p.log.String(), "waiting for redis") })
	b.wants(t, p, http.MethodGet, "/healthz", "", 200, `{"status":"ok"}`)
	for _, path := range []string{"/readyz", "/toggle/11", "/status", "/api/v1/jobs"} {
		b.wants(t, p, http.MethodGet, path, "", 503, `"code":"starting"`)
	}
	must(t, b.srv.Restart(b.ctx))
	must(t, receive(t, b, "the start", started))
	b.await(t, p, 200, "ok")
	b.wants(t, p, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	if n := strings.Count(p.log.String(), "waiting for redis"); n != 1 {
		t.Errorf("it said %d times that it waits", n)
	}
}

// Ensure an app goes on by itself after Redis died and came back.
func TestRedisDiesAndComesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	p := b.start(t, b.config(b.asHost, alsoDelivers), app.Roles()...)
	b.await(t, p, 200, "ok")
	b.wants(t, p, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	b.srv.Kill()
	b.await(t, p, 503, "redis is out of reach")
	must(t, b.srv.Restart(b.ctx))
	b.await(t, p, 200, "ok")
	b.wants(t, p, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
}
