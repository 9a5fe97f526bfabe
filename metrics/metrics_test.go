package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"

	"switchyard/metrics"
	"switchyard/sim/redisserver"
)

// report uses every method once.
func report(m *metrics.Metrics) {
	m.Accepted("toggle", false, false)
	m.Accepted("toggle", true, false)
	m.Accepted("toggle", true, true)
	m.RunStarted("toggle")(metrics.Unsuccessful, 3*time.Second)
	m.RunStarted("callback")
	m.Waited("toggle", 2*time.Millisecond)
	m.Swept(1, 2, 3, 4)
	m.Delivered("toggle/start", "", time.Millisecond)
	m.Delivered("toggle/result", "timeout", 5*time.Second)
	m.Pushed("main", "", 34*time.Millisecond)
	m.Pushed("dev", "connect", time.Millisecond)
	m.Pushing(2 * time.Second)
	m.PushDropped()
	m.RequestStarted()("/status", http.MethodGet, 0)
	m.RequestStarted()("", "BREW", 404)
	m.RequestStarted()
	m.Waiting()
	m.DongleRepaired(16, metrics.Repaired)
}

// full is everything that a process can tell.
func full(t *testing.T) *metrics.Metrics {
	t.Helper()
	m := metrics.New("1.2.3")
	report(m)
	m.Pool("commands", func() *redis.PoolStats { return &redis.PoolStats{TotalConns: 3, IdleConns: 2} })
	m.Pool("stream", func() *redis.PoolStats { return &redis.PoolStats{} })
	m.Look(func(context.Context) (metrics.Survey, error) {
		return metrics.Survey{
			Queues: []metrics.Queue{{Name: "delivery", Pending: 7, Active: 1, Scheduled: 2, Retry: 3, Oldest: 1500 * time.Millisecond}},
			Hosts: []metrics.Host{
				{
					Name: "seoul-1", Online: true, Dongles: 20, Connected: 19, Rotations: 40, Unique: 38, Colliding: 2,
					Radios: []metrics.Radio{{Subnet: 16, RSRP: ptr(-105.0), RSRQ: ptr(-9.5), RSSI: ptr(-79.0), SINR: ptr(-2.0), Quality: map[string]int{"rsrp": 2, "sinr": 2}}, {Subnet: 17}},
				},
				{Name: "busan-1", Dongles: 2},
			},
			Debts:  &metrics.Debts{Open: 2, Oldest: time.Minute},
			Alerts: map[[2]string]int{{"error", "exchange"}: 3},
		}, nil
	})
	return m
}

// Names, helps and units keep to what Prometheus asks for.
func TestMetricsAreWellFormed(t *testing.T) {
	t.Parallel()
	faults, err := testutil.GatherAndLint(full(t).Registry())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Errorf("%s: %s", f.Metric, f.Text)
	}
}

// What is reported is told, under labels that no request can invent.
func TestWhatIsReportedIsTold(t *testing.T) {
	t.Parallel()
	got := scrape(t, full(t))
	for _, line := range []string{
		`switchyard_build_info{go_version=`,
		`switchyard_jobs_accepted_total{how="new",type="toggle"} 1`,
		`switchyard_jobs_accepted_total{how="joined",type="toggle"} 1`,
		`switchyard_jobs_accepted_total{how="replayed",type="toggle"} 1`,
		`switchyard_job_runs_total{outcome="unsuccessful",type="toggle"} 1`,
		`switchyard_job_run_duration_seconds_bucket{type="toggle",le="5"} 1`,
		`switchyard_job_wait_seconds_bucket{type="toggle",le="0.0025"} 1`,
		`switchyard_jobs_running{type="toggle"} 0`,
		`switchyard_jobs_running{type="callback"} 1`,
		`switchyard_jobs_swept_total{what="lost"} 3`,
		`switchyard_deliveries_total{kind="toggle/start",outcome="delivered"} 1`,
		`switchyard_deliveries_total{kind="toggle/result",outcome="timeout"} 1`,
		`switchyard_pushes_total{outcome="delivered",receiver="main"} 1`,
		`switchyard_pushes_total{outcome="connect",receiver="dev"} 1`,
		`switchyard_push_duration_seconds_count 2`,
		`switchyard_push_age_seconds_sum 2`,
		`switchyard_pushes_dropped_total 1`,
		`switchyard_http_requests_total{method="GET",route="/status",status="2xx"} 1`,
		`switchyard_http_requests_total{method="other",route="none",status="4xx"} 1`,
		`switchyard_http_requests_in_flight 1`,
		`switchyard_http_requests_waiting 1`,
		`switchyard_redis_pool_connections{pool="commands"} 3`,
		`switchyard_redis_up 1`,
		`switchyard_queue_tasks{queue="delivery",state="pending"} 7`,
		`switchyard_queue_oldest_pending_seconds{queue="delivery"} 1.5`,
		`switchyard_host_online{host="seoul-1"} 1`,
		`switchyard_host_online{host="busan-1"} 0`,
		`switchyard_host_dongles_connected{host="seoul-1"} 19`,
		`switchyard_host_rotations{host="seoul-1"} 40`,
		`switchyard_host_rotations{host="busan-1"} 0`,
		`switchyard_host_unique_ip_ratio{host="seoul-1"} 0.95`,
		`switchyard_host_ip_collisions{host="seoul-1"} 2`,
		`switchyard_host_ip_collisions{host="busan-1"} 0`,
		`switchyard_dongle_rsrp_dbm{host="seoul-1",subnet="16"} -105`,
		`switchyard_dongle_rsrq_db{host="seoul-1",subnet="16"} -9.5`,
		`switchyard_dongle_rssi_dbm{host="seoul-1",subnet="16"} -79`,
		`switchyard_dongle_sinr_db{host="seoul-1",subnet="16"} -2`,
		`switchyard_dongle_signal_quality{host="seoul-1",reading="rsrp",subnet="16"} 2`,
		`switchyard_debts_open 2`,
		`switchyard_alerts_open{level="error",source="exchange"} 3`,
		`switchyard_debts_oldest_seconds 60`,
		`go_goroutines `,
		`process_start_time_seconds `,
	} {
		if !strings.Contains(got, "\n"+line) {
			t.Errorf("missing: %s", line)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func ptr[T any](v T) *T { return &v }

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("answer %d %v", w.Code, w.Header())
	}
	return w.Body.String()
}

// A part that was given no metrics needs none.
func TestNoMetrics(t *testing.T) {
	t.Parallel()
	report(nil)
}

// Redis is looked at once in a while however often somebody asks, and what was
// seen before an outage is not told as if it were news.
func TestSurveyIsKeptForAWhile(t *testing.T) {
	t.Parallel()
	m := metrics.New("test")
	now, looks := time.Unix(1_800_000_000, 0), 0
	var away error
	m.WithClock(func() time.Time { return now }, metrics.NewSurveyor(func(context.Context) (metrics.Survey, error) {
		looks++
		return metrics.Survey{Debts: &metrics.Debts{Open: int64(looks)}}, away
	}))
	for i, step := range []struct {
		after time.Duration
		away  error
		want  string
	}{
		{0, nil, "\nswitchyard_debts_open 1\n"},
		{metrics.Fresh - 1, nil, "\nswitchyard_debts_open 1\n"},
		{1, nil, "\nswitchyard_debts_open 2\n"},
		{metrics.Fresh, errors.New("connection refused"), "\nswitchyard_redis_up 0\n"},
		{metrics.Fresh, nil, "\nswitchyard_debts_open 4\n"},
	} {
		now, away = now.Add(step.after), step.away
		got := scrape(t, m)
		if !strings.Contains(got, step.want) {
			t.Errorf("step %d: want %q in\n%s", i, step.want, got)
		}
		if (step.away != nil) == strings.Contains(got, "switchyard_debts_open") {
			t.Errorf("step %d: told of debts with Redis away: %v", i, step.away)
		}
	}
}

// Failed commands are counted by what failed; an absent key and a script to be
// loaded are no failures.
func TestRedisCommandsAreMeasured(t *testing.T) {
	t.Parallel()
	srv, err := redisserver.Start(t.Context(), redisserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	m := metrics.New("test")
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(m.RedisHook())
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelLate()

	_ = rdb.Get(t.Context(), "absent").Err()
	_ = rdb.EvalSha(t.Context(), strings.Repeat("0", 40), nil).Err()
	_ = rdb.Do(t.Context(), "incr", "a", "b").Err()
	_ = rdb.Get(gone, "a").Err()
	_ = rdb.Get(late, "a").Err()
	srv.Stop()
	_ = rdb.Get(t.Context(), "a").Err()

	got := scrape(t, m)
	for _, line := range []string{
		`switchyard_redis_errors_total{kind="answer"} 1`,
		`switchyard_redis_errors_total{kind="cancelled"} 1`,
		`switchyard_redis_errors_total{kind="timeout"} 1`,
		`switchyard_redis_errors_total{kind="network"} 1`,
		`switchyard_redis_command_duration_seconds_count{command="get"} 4`,
		`switchyard_redis_command_duration_seconds_count{command="evalsha"} 1`,
	} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("missing: %s in\n%s", line, got)
		}
	}
	if kind := metrics.KindOf(fmt.Errorf("reading: %w", io.EOF)); kind != "network" {
		t.Errorf("a closed connection is %q", kind)
	}
}

// BenchmarkRequest is what the metrics of one request cost.
func BenchmarkRequest(b *testing.B) {
	m := metrics.New("test")
	b.ReportAllocs()
	for b.Loop() {
		m.RequestStarted()("/api/v1/proxies/toggle", http.MethodPost, 202)
	}
}

// BenchmarkRun is what the metrics of one run of a job cost.
func BenchmarkRun(b *testing.B) {
	m := metrics.New("test")
	b.ReportAllocs()
	for b.Loop() {
		m.Waited("toggle", time.Millisecond)
		m.RunStarted("toggle")(metrics.Completed, time.Second)
	}
}

// BenchmarkCommand is what measuring one command of Redis costs.
func BenchmarkCommand(b *testing.B) {
	hook := metrics.New("test").RedisHook().ProcessHook(func(context.Context, redis.Cmder) error { return nil })
	cmd := redis.NewStringCmd(b.Context(), "get", "a")
	b.ReportAllocs()
	for b.Loop() {
		_ = hook(b.Context(), cmd)
	}
}
