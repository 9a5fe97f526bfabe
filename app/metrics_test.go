package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/tasks"
)

// figures reads /metrics at an address.
func (b *bundle) figures(t *testing.T, addr string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	must(t, err)
	res, err := b.client.Do(req)
	must(t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %d %s", res.StatusCode, got)
	}
	return "\n" + string(got)
}

// Ensure every process tells its figures: the api at its own addresses, a worker
// without one where it was told to. What stands in Redis is told by those alone
// who have everything in view.
func TestMetricsOfEveryRole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	listen := func(c *configs.Config) { c.Metrics.Listen = "127.0.0.1:0" }
	host := b.start(t, b.config(b.asHost, alsoDelivers, listen), app.Worker)
	api := b.start(t, b.config(listen), app.API, app.Scheduler)
	if api.MetricsAddr() != "" {
		t.Errorf("the api listens for metrics at %s, too", api.MetricsAddr())
	}
	b.wants(t, api, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	b.eventually(t, "both callbacks are delivered", func() bool {
		return strings.Contains(b.figures(t, host.MetricsAddr()), "\nswitchyard_deliveries_total{kind=\"toggle/result\",outcome=\"delivered\"} 1\n")
	})
	tells(t, "the host", b.figures(t, host.MetricsAddr()),
		`switchyard_job_runs_total{outcome="completed",type="toggle"} 1`,
		`switchyard_job_wait_seconds_count{type="toggle"} 1`,
		`switchyard_deliveries_total{kind="toggle/start",outcome="delivered"} 1`,
		`switchyard_redis_up 1`, `!switchyard_queue_tasks`, `!switchyard_host_online`)
	tells(t, "the api", b.figures(t, api.Addrs()[0]),
		`switchyard_http_requests_total{method="GET",route="/toggle/{subnet}",status="2xx"} 1`,
		`switchyard_http_requests_waiting 0`,
		`switchyard_jobs_accepted_total{how="new",type="toggle"} 1`,
		`switchyard_host_online{host="seoul-1"} 1`, `switchyard_host_dongles{host="seoul-1"} 2`,
		`switchyard_host_rotations{host="seoul-1"} 1`, `switchyard_host_unique_ip_ratio{host="seoul-1"} 1`, `switchyard_host_ip_collisions{host="seoul-1"} 0`,
		`switchyard_dongle_rsrp_dbm{host="seoul-1",subnet="11"} -`, `switchyard_dongle_signal_quality{host="seoul-1",reading="rsrp",subnet="11"} `,
		`switchyard_queue_tasks{queue="host:seoul-1",state="pending"} 0`,
		`switchyard_queue_tasks{queue="delivery",state="pending"} 0`,
		`switchyard_debts_open 0`, `switchyard_build_info{go_version=`)
	must(t, host.Stop(b.ctx))
	if req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, "http://"+host.MetricsAddr()+"/metrics", nil); err == nil {
		if res, err := b.client.Do(req); err == nil {
			_ = res.Body.Close()
			t.Error("a stopped process still tells figures")
		}
	}
}

// tells holds that lines begin with each of the texts, or that none does where
// it begins with "!".
func tells(t *testing.T, who, figures string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		text, not := strings.CutPrefix(line, "!")
		if strings.Contains(figures, "\n"+text) == not {
			t.Errorf("%s: %s (in its figures: %v)", who, line, !not)
		}
	}
}

// Ensure a metrics address that is taken is told by its key.
func TestMetricsAddressTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	api := b.start(t, b.config(), app.API)
	p := b.make(t, b.config(func(c *configs.Config) { c.Metrics.Listen = api.Addrs()[0] }), app.Scheduler)
	if err := p.Start(b.ctx); err == nil || !strings.Contains(err.Error(), "metrics.listen") {
		t.Errorf("error %v", err)
	}
}

// Ensure asynq's page shows the queues and can't act: whoever deletes, runs or
// pauses by it is refused, and the tasks stay as they are.
func TestMonitoringOnlyShows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	api := b.start(t, b.config(), app.API)
	a, err := api.Store().Accept(b.ctx, jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{Kind: "test", Body: "{}", Receiver: "nobody"}, "", "", 1e9, 3)})
	must(t, err)
	b.wants(t, api, http.MethodGet, "/monitoring", "", 200, "<title>Asynq")
	b.wants(t, api, http.MethodGet, "/monitoring/queues/delivery", "", 200, "<title>Asynq")
	b.wants(t, api, http.MethodGet, "/monitoring/api/queues", "", 200, `"queue":"delivery"`)
	b.wants(t, api, http.MethodGet, "/monitoring/api/queues/delivery/pending_tasks", "", 200, a.ID)
	task := "/monitoring/api/queues/delivery/pending_tasks/" + a.ID + ":1"
	for _, call := range []struct{ method, path string }{
		{http.MethodDelete, task}, {http.MethodPost, task + ":archive"}, {http.MethodPost, "/monitoring/api/queues/delivery:pause"},
		{http.MethodDelete, "/monitoring/api/queues/delivery"}, {http.MethodDelete, "/monitoring/api/queues/delivery/pending_tasks:delete_all"},
	} {
		b.wants(t, api, call.method, call.path, "", http.StatusMethodNotAllowed, "")
	}
	b.wants(t, api, http.MethodGet, "/monitoring/api/queues/delivery", "", 200, `"pending":1,`)
	b.wants(t, api, http.MethodGet, "/monitoring/api/queues/delivery", "", 200, `"paused":false`)
}
