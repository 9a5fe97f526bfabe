package metrics

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// RedisHook measures the commands of a client. It is for clients whose commands
// don't block on purpose.
func (m *Metrics) RedisHook() redis.Hook { return redisHook{m} }

type redisHook struct{ m *Metrics }

var _ redis.Hook = redisHook{}

// DialHook implements redis.Hook.
func (h redisHook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (h redisHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmd)
		if !greets(cmd) {
			h.m.command(cmd.Name(), err, time.Since(began))
		}
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (h redisHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmds)
		if len(cmds) > 0 && !greets(cmds[0]) {
			h.m.command("pipeline", err, time.Since(began))
		}
		return err
	}
}

// greets reports whether go-redis introduces itself by it on a new connection,
// in part by what older versions of Redis refuse.
func greets(cmd redis.Cmder) bool {
	switch cmd.Name() {
	case "hello", "client", "auth", "select":
		return true
	}
	return false
}

func (m *Metrics) command(name string, err error, took time.Duration) {
	m.redisTook.WithLabelValues(name).Observe(took.Seconds())
	if kind := kindOf(err); kind != "" {
		m.redisErr.WithLabelValues(kind).Inc()
	}
}

// kindOf tells what kind of failure it is, "" if it is none: neither is a key
// that isn't there, nor a script that Redis doesn't know yet.
func kindOf(err error) string {
	var answer redis.Error
	var network net.Error
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		return ""
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.As(err, &answer):
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			return ""
		}
		return "answer"
	}
	return "network"
}

// Pool adds the connections of a client, under a name of its own.
func (m *Metrics) Pool(name string, stats func() *redis.PoolStats) {
	m.registry.MustRegister(&pool{name: name, stats: stats})
}

// pool reads go-redis' own counts when somebody asks.
type pool struct {
	name  string
	stats func() *redis.PoolStats
}

func poolDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "redis_pool", name), help, []string{"pool"}, nil)
}

var (
	poolConnections = poolDesc("connections", "Connections to Redis that are open.")
	poolIdle        = poolDesc("idle_connections", "Connections to Redis that nobody uses.")
	poolTimeouts    = poolDesc("timeouts_total", "Times that no connection became free in time.")
	poolMisses      = poolDesc("misses_total", "Times that no idle connection was there.")
	poolStale       = poolDesc("stale_connections_total", "Connections that were found broken and closed.")
)

// Describe implements prometheus.Collector. It describes nothing, so that
// several pools can be registered.
func (p *pool) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (p *pool) Collect(ch chan<- prometheus.Metric) {
	s := p.stats()
	send := func(d *prometheus.Desc, t prometheus.ValueType, v uint32) {
		ch <- prometheus.MustNewConstMetric(d, t, float64(v), p.name)
	}
	send(poolConnections, prometheus.GaugeValue, s.TotalConns)
	send(poolIdle, prometheus.GaugeValue, s.IdleConns)
	send(poolTimeouts, prometheus.CounterValue, s.Timeouts)
	send(poolMisses, prometheus.CounterValue, s.Misses)
	send(poolStale, prometheus.CounterValue, s.StaleConns)
}
