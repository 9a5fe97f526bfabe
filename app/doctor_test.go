package app_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/sim/redisserver"
)

// examine returns the doctor's findings by check.
func (b *bundle) examine(t *testing.T, c *configs.Config, roles ...app.Role) map[string][]app.Finding {
	t.Helper()
	out := map[string][]app.Finding{}
	for _, f := range app.Doctor(b.ctx, app.DoctorOptions{Config: c, Roles: roles}) {
		if f.Says == "" || (f.Status == app.OK) != (f.Do == "") {
			t.Errorf("finding %+v: what is not ok says what to do", f)
		}
		out[f.Check] = append(out[f.Check], f)
	}
	return out
}

// Ensure the doctor finds what is wrong with Redis, and says what to do about
// it: as a failure where jobs are not safe, as a warning where they are.
func TestDoctorAndRedis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		server redisserver.Options
		change func(*configs.Config)
		check  string
		status app.Status
		want   string
	}{
		{"sound", durable, nil, "redis.aof", app.OK, "appendonly yes"},
		{"sound", durable, nil, "redis.fsync", app.OK, "appendfsync always"},
		{"sound", durable, nil, "redis.role", app.OK, "master"},
		{"sound", durable, nil, "redis.clock", app.OK, "off this machine's"},
		{"sound", durable, nil, "redis.latency", app.OK, "median of 21"},
		{"no limit", durable, nil, "redis.memory", app.Warn, "set maxmemory"},
		{"limit", redisserver.Options{Args: []string{"--maxmemory", "100mb"}}, nil, "redis.memory", app.OK, "of 100 MiB"},
		{"full", redisserver.Options{Args: []string{"--maxmemory", "1"}}, nil, "redis.memory", app.Fail, "raise maxmemory"},
		{"no file", redisserver.Options{}, nil, "redis.aof", app.Fail, "set appendonly yes there, or redis.require_durable: false here"},
		{
			"no file, accepted", redisserver.Options{}, func(c *configs.Config) { c.Redis.RequireDurable = false },
			"redis.aof", app.Warn, "accepted by redis.require_durable: false",
		},
		{"now and then", redisserver.Options{Fsync: "everysec"}, nil, "redis.fsync", app.Warn, "set appendfsync always"},
		{"evicting", redisserver.Options{Args: []string{"--maxmemory-policy", "allkeys-lru"}}, nil, "redis.eviction", app.Fail, "set maxmemory-policy noeviction"},
		{"replica", redisserver.Options{ReplicaOf: "127.0.0.1:1"}, nil, "redis.role", app.Fail, "connect to the master"},
		{"away", durable, func(c *configs.Config) { c.Redis.Addr = "127.0.0.1:1" }, "redis.reach", app.Fail, "start it, or correct redis.addr"},
		{
			"wrong password", durable, func(c *configs.Config) { c.Redis.Username, c.Redis.Password = "nobody", configs.NewSecret("wr0ng") },
			"redis.reach", app.Fail, "refuses us (redis.username, redis.password, redis.db)",
		},
		{"no TLS", durable, nil, "redis.tls", app.OK, "on this machine"},
		{"TLS switched off", durable, func(c *configs.Config) { c.Redis.TLS.CA = "/ca.pem" }, "redis.tls", app.Warn, "set redis.tls.enabled: true"},
		{
			"no such file", durable, func(c *configs.Config) { c.Redis.TLS = configs.RedisTLS{Enabled: true, CA: "/nowhere/ca.pem"} },
			"redis.tls", app.Fail, "/nowhere/ca.pem",
		},
	} {
		t.Run(tt.name+" "+tt.check, func(t *testing.T) {
			t.Parallel()
			b := setupOn(t, tt.server)
			c := b.config()
			if tt.change != nil {
				tt.change(c)
			}
			found := b.examine(t, c, app.Scheduler)[tt.check]
			if len(found) != 1 || found[0].Status != tt.status || !strings.Contains(found[0].Says+": "+found[0].Do, tt.want) {
				t.Errorf("found %+v, want %s with %q", found, tt.status, tt.want)
			}
			for _, f := range found {
				if strings.Contains(f.Says, "wr0ng") {
					t.Errorf("a password is told: %s", f.Says)
				}
			}
		})
	}
}

// Ensure the doctor asks nothing that a role's user is not allowed.
func TestDoctorWithOwnRights(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, access := range map[string]jobs.Access{"host": jobs.HostAccess("seoul-1"), "api": jobs.APIAccess()} {
		for check, found := range b.examine(t, b.config(b.user(t, name, access)), app.Scheduler) {
			for _, f := range found {
				if f.Status == app.Fail {
					t.Errorf("%s: %s: %s", name, check, f.Says)
				}
			}
		}
	}
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
}

// Ensure a certificate that ends soon is told.
func TestDoctorAndCertificates(t *testing.T) {
	t.Parallel()
	for good, want := range map[time.Duration]app.Status{time.Hour: app.Warn, 365 * 24 * time.Hour: app.OK} {
		a := newAuthority(t)
		b := setupOn(t, withTLS(t, a, good))
		cert, key := a.sign(t, "switchyard.example.com", nil, time.Hour)
		c := b.config(func(c *configs.Config) {
			c.Redis.TLS = configs.RedisTLS{Enabled: true, CA: a.ca, Cert: cert, Key: key, ServerName: "redis.example.com"}
		})
		if f := b.examine(t, c, app.Scheduler)["redis.tls"]; len(f) != 1 || f[0].Status != want || !strings.Contains(f[0].Says, "TLS 1.3") {
			t.Errorf("good for %s: found %+v, want %s", good, f, want)
		}
	}
}

// Ensure each Sentinel is examined, and one that is down is no failure while
// others are there.
func TestDoctorAndSentinels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, bySentinel := b.watched(t, "--min-replicas-to-write", "1")
	all := b.examine(t, b.config(bySentinel), app.Scheduler)
	if f := all["redis.sentinel"]; len(f) != 3 || f[0].Status != app.OK || !strings.Contains(f[0].Says, "1 replica(s), 2 other Sentinels, quorum 2") {
		t.Errorf("found %+v", f)
	}
	if f := all["redis.replicas"]; len(f) != 1 || f[0].Status != app.OK || !strings.Contains(f[0].Says, "1 of them up to date") {
		t.Errorf("found %+v", f)
	}
	w.Sentinels[1].Kill()
	all = b.examine(t, b.config(bySentinel), app.Scheduler)
	if f := all["redis.sentinel"]; len(f) != 3 || f[1].Status != app.Warn || !strings.Contains(f[1].Says, "out of reach") {
		t.Errorf("found %+v", f)
	}
	if f := all["redis.reach"]; len(f) != 1 || f[0].Status != app.OK {
		t.Errorf("found %+v", f)
	}
	unknown := b.config(bySentinel, func(c *configs.Config) { c.Redis.Sentinel.Master = "other" })
	if f := b.examine(t, unknown, app.Scheduler)["redis.sentinel"]; f[0].Status != app.Fail || !strings.Contains(f[0].Says, "knows no master other") {
		t.Errorf("found %+v", f)
	}
}

// Ensure the doctor finds what is wrong with this machine.
func TestDoctorAndThisMachine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { must(t, l.Close()) }()
	running := b.start(t, b.config(), app.API)
	occupied := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(occupied, nil, 0o600))
	for _, tt := range []struct {
		name, check string
		change      func(*configs.Config)
		status      app.Status
		want        string
	}{
		{"free", "http.listen[0]", nil, app.OK, "is free"},
		{"used", "http.listen[0]", func(c *configs.Config) { c.HTTP.Listen = []string{l.Addr().String()} }, app.Fail, "another program"},
		{"ours", "http.listen[0]", func(c *configs.Config) { c.HTTP.Listen = running.Addrs() }, app.OK, "a switchyard that is running"},
		{"another machine's", "http.listen[0]", func(c *configs.Config) { c.HTTP.Listen = []string{"192.0.2.1:8080"} }, app.Warn, "doesn't have 192.0.2.1:8080"},
		{"to be made", "host.state_dir", b.asHost, app.OK, "can be made"},
		{"a file", "host.state_dir", func(c *configs.Config) { b.asHost(c); c.Host.StateDir = occupied }, app.Fail, "is no directory"},
		{"below a file", "host.state_dir", func(c *configs.Config) { b.asHost(c); c.Host.StateDir = occupied + "/state" }, app.Fail, "not a directory"},
	} {
		c := b.config()
		if tt.change != nil {
			tt.change(c)
		}
		found := b.examine(t, c, app.API, app.Worker)[tt.check]
		if len(found) != 1 || found[0].Status != tt.status || !strings.Contains(found[0].Says, tt.want) {
			t.Errorf("%s: found %+v, want %s with %q", tt.name, found, tt.status, tt.want)
		}
	}
	if all := b.examine(t, b.config(b.asHost), app.Scheduler); all["host.state_dir"] != nil || all["http.listen[0]"] != nil {
		t.Errorf("a scheduler is examined for what it doesn't need: %+v", all)
	}
}

// Ensure the doctor looks at what is served with TLS, at its certificate's files
// and end, and at the address of the figures where no api has them.
func TestDoctorAndTLS(t *testing.T) {
	t.Parallel()
	b := setup(t)
	year := issueFor(t, t.TempDir(), 1, 365*24*time.Hour)
	week := issueFor(t, t.TempDir(), 2, 7*24*time.Hour)
	over := issueFor(t, t.TempDir(), 3, -time.Minute)
	api := b.start(t, b.config(year.withTLS), app.API)
	clock := b.start(t, b.config(func(c *configs.Config) { c.Metrics.Listen = "127.0.0.1:0" }), app.Scheduler)
	for _, tt := range []struct {
		name, check string
		change      func(*configs.Config)
		role        app.Role
		status      app.Status
		want        string
	}{
		{"free", "http.tls.listen[0]", year.withTLS, app.API, app.OK, "is free"},
		{"ours", "http.tls.listen[0]", func(c *configs.Config) { year.withTLS(c); c.HTTP.TLS.Listen = api.TLSAddrs() }, app.API, app.OK, "that is running"},
		{"without TLS", "http.tls.listen[0]", func(c *configs.Config) { year.withTLS(c); c.HTTP.TLS.Listen = api.Addrs() }, app.API, app.Fail, "another program"},
		{"good", "http.tls.cert", year.withTLS, app.API, app.OK, "good until"},
		{"ends soon", "http.tls.cert", week.withTLS, app.API, app.Warn, "good until"},
		{"over", "http.tls.cert", over.withTLS, app.API, app.Fail, "over since"},
		{"no pair", "http.tls.cert", func(c *configs.Config) { year.withTLS(c); c.HTTP.TLS.Key = week.key }, app.API, app.Fail, "private key"},
		{"figures", "metrics.listen", func(c *configs.Config) { c.Metrics.Listen = clock.MetricsAddr() }, app.Scheduler, app.OK, "that is running"},
		{"taken by another", "metrics.listen", func(c *configs.Config) { c.Metrics.Listen = api.TLSAddrs()[0] }, app.Scheduler, app.Fail, "another program"},
	} {
		found := b.examine(t, b.config(tt.change), tt.role)[tt.check]
		if len(found) != 1 || found[0].Status != tt.status || !strings.Contains(found[0].Says, tt.want) {
			t.Errorf("%s: found %+v, want %s with %q", tt.name, found, tt.status, tt.want)
		}
	}
	if all := b.examine(t, b.config(year.withTLS), app.Worker); all["http.tls.cert"] != nil {
		t.Errorf("a worker is examined for what it doesn't need: %+v", all)
	}
}

// Ensure every fault of a configuration is a finding, and fails.
func TestDoctorAndFaults(t *testing.T) {
	t.Parallel()
	c := configs.Default()
	c.Redis.DB, c.Timezone = 99, "Nowhere"
	all := app.FaultFindings(c.Validate())
	if len(all) != 2 || !app.Failed(all) || !strings.Contains(all[0].Says+all[1].Says, "redis.db") {
		t.Errorf("found %+v", all)
	}
	if all := app.FaultFindings(errors.New("no such file")); len(all) != 1 || !app.Failed(all) {
		t.Errorf("found %+v", all)
	}
}
