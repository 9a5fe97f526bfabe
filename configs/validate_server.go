package configs

import (
	"path/filepath"
	"regexp"
	"time"
	_ "time/tzdata" // a time zone that is right here is right in a bare container, too
)

// maxLogBackups is as many old files as are looked through in a moment.
const maxLogBackups = 1000

// general checks the time zone, the log and its files.
func (k *checker) general() {
	switch zone := k.c.Timezone; zone {
	case "", "Local":
		// Both load, and mean something else on every machine.
		k.fault("timezone", "must name a zone, such as Asia/Seoul or UTC")
	default:
		if _, err := time.LoadLocation(zone); err != nil {
			k.fault("timezone", "unknown time zone %q: use a name of the IANA list, such as Asia/Seoul or UTC", zone)
		}
	}
	k.oneOf("log.level", "level", k.c.Log.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", "format", k.c.Log.Format, "text", "json")
	if dir := k.c.Logs.Dir; dir != "" && !filepath.IsAbs(dir) {
		k.fault("logs.dir", "must be a path from the root, such as /var/log/switchyard, or empty")
	}
	k.number("logs.max_backups", int64(k.c.Logs.MaxBackups), 0, maxLogBackups)
}

func (k *checker) redis() {
	r := k.c.Redis
	k.noted("redis.addr", dialAddress(r.Addr))
	k.number("redis.db", int64(r.DB), 0, 15)
	k.number("redis.pool_size", int64(r.PoolSize), 0, 10_000)
	k.atLeast("redis.dial_timeout", r.DialTimeout, shortest)
	k.atLeast("redis.read_timeout", r.ReadTimeout, shortest)
	k.atLeast("redis.command_timeout", r.CommandTimeout, shortest)
	if r.Username != "" && r.Password.IsZero() && k.sound("redis.password") {
		k.fault("redis.username", "needs redis.password too: Redis logs in with both or with none")
	}
	k.sentinel()
	k.redisTLS()
}

func (k *checker) sentinel() {
	s := k.c.Redis.Sentinel
	switch {
	case s.Master == "" && len(s.Addrs) > 0 && k.sound("redis.sentinel.master"):
		k.fault("redis.sentinel.addrs", "needs redis.sentinel.master too: the name under which the Sentinels watch the master")
	case s.Master != "" && len(s.Addrs) == 0 && k.sound("redis.sentinel.addrs"):
		k.fault("redis.sentinel.master", "needs redis.sentinel.addrs too: where the Sentinels are")
	case !sentinelName.MatchString(s.Master):
		k.fault("redis.sentinel.master", "must be letters, digits, dots, dashes and underscores, as it stands behind sentinel monitor")
	}
	for i, address := range s.Addrs {
		k.noted(item("redis.sentinel.addrs", i), dialAddress(address))
	}
	k.distinct("redis.sentinel.addrs", s.Addrs)
	if s.Username != "" && s.Password.IsZero() && k.sound("redis.sentinel.password") {
		k.fault("redis.sentinel.username", "needs redis.sentinel.password too: a Sentinel logs in with both or with none")
	}
}

// sentinelName is what Sentinel takes as a master's name, or nothing.
var sentinelName = regexp.MustCompile(`^[A-Za-z0-9._-]*$`)

func (k *checker) redisTLS() {
	t := k.c.Redis.TLS
	for key, path := range map[string]string{"redis.tls.ca": t.CA, "redis.tls.cert": t.Cert, "redis.tls.key": t.Key} {
		if path != "" && !filepath.IsAbs(path) {
			k.fault(key, "must be a path from the root, such as /etc/switchyard/redis.pem")
		}
	}
	if (t.Cert == "") != (t.Key == "") && k.sound("redis.tls.cert", "redis.tls.key") {
		key := "redis.tls.cert"
		if t.Cert == "" {
			key = "redis.tls.key"
		}
		k.fault(key, "redis.tls.cert and redis.tls.key belong together: give both or none")
	}
	if t.ServerName != "" && !validHost(t.ServerName) {
		k.fault("redis.tls.server_name", "must be a host name or an IP address, as it stands in the certificate")
	}
}

func (k *checker) jobs() {
	j := k.c.Jobs
	k.atLeast("jobs.retention", j.Retention, time.Hour)
	k.number("jobs.max_per_type", int64(j.MaxPerType), 1, 10_000_000)
	k.number("jobs.event_stream", int64(j.EventStream), 1, 10_000_000)
	k.atLeast("jobs.idempotency_window", j.IdempotencyWindow, time.Second)
	k.number("jobs.max_crashes", int64(j.MaxCrashes), 1, 100)
}

func (k *checker) metrics() {
	m := k.c.Metrics
	if m.Listen == "" {
		return
	}
	host, problem := listenAddress(m.Listen)
	switch {
	case problem != "":
		k.fault("metrics.listen", "%s", problem)
	case !m.Open && !loopback(host):
		k.fault("metrics.listen", "%s can be reached from other machines, and nothing there asks who is calling: "+
			"listen on 127.0.0.1, [::1] or localhost, or let everybody read the figures with metrics.open: true", m.Listen)
	}
}
