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

func (k *checker) http() {
	h := k.c.HTTP
	if len(h.Listen) == 0 {
		k.fault("http.listen", "names no address: give at least one, such as 127.0.0.1:8080")
	}
	var fixed []string
	for i, address := range h.Listen {
		key := item("http.listen", i)
		host, problem := listenAddress(address)
		switch {
		case problem != "":
			k.fault(key, "%s", problem)
		case !k.c.Auth.Disabled && !loopback(host):
			k.fault(key, "%s can be reached from other machines, and nothing here asks who is calling: "+
				"listen on 127.0.0.1, [::1] or localhost, or allow everybody everything with auth.disabled: true", address)
		}
		if portOf(address) == "0" {
			address = item(key, i) // any free port, another one each time
		}
		fixed = append(fixed, address)
	}
	k.distinct("http.listen", fixed)
	k.number("http.max_body", h.MaxBody, 1<<10, 1<<30)
	k.atLeast("http.read_header_timeout", h.ReadHeaderTimeout, shortest)
	k.atLeast("http.read_timeout", h.ReadTimeout, shortest)
	k.atLeast("http.idle_timeout", h.IdleTimeout, shortest)
	k.atLeast("http.drain_timeout", h.DrainTimeout, 0)
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
