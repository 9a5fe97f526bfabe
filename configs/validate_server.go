package configs

import (
	"time"
	_ "time/tzdata" // a time zone that is right here is right in a bare container, too
)

// general checks the time zone and the log.
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
}

func (k *checker) redis() {
	r := k.c.Redis
	k.noted("redis.addr", dialAddress(r.Addr))
	k.number("redis.db", int64(r.DB), 0, 15)
	k.number("redis.pool_size", int64(r.PoolSize), 0, 10_000)
	k.atLeast("redis.dial_timeout", r.DialTimeout, shortest)
	k.atLeast("redis.command_timeout", r.CommandTimeout, shortest)
	if r.Username != "" && r.Password.IsZero() && k.sound("redis.password") {
		k.fault("redis.username", "needs redis.password too: Redis logs in with both or with none")
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
