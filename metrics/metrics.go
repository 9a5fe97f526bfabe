package metrics

import (
	"log/slog"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace stands in front of every name.
const namespace = "switchyard"

// Metrics are those of one process.
type Metrics struct {
	registry *prometheus.Registry

	accepted  *prometheus.CounterVec
	runs      *prometheus.CounterVec
	took      *prometheus.HistogramVec
	waited    *prometheus.HistogramVec
	running   *prometheus.GaugeVec
	swept     *prometheus.CounterVec
	delivered *prometheus.CounterVec
	delivery  *prometheus.HistogramVec
	pushes    *prometheus.CounterVec
	requests  *prometheus.CounterVec
	answered  *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	waiting   prometheus.Gauge
	repairs   *prometheus.CounterVec
	redisErr  *prometheus.CounterVec
	redisTook *prometheus.HistogramVec

	orders      *prometheus.CounterVec
	orderAge    *prometheus.HistogramVec
	webhooks    *prometheus.CounterVec
	webhookTook *prometheus.HistogramVec

	ws wsMetrics

	pushesDropped     prometheus.Counter
	pushTook, pushAge prometheus.Observer
}

var (
	// short is for what is over in milliseconds.
	short = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}
	// long is for what may wait for a modem.
	long = []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 60, 120, 240}
	// wait is for what may wait for a host that is away.
	wait = []float64{.001, .0025, .005, .01, .05, .25, 1, 5, 15, 60, 300, 900, 3600}
)

// New returns the metrics of a process of this version.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
		m.registry.MustRegister(v)
		return v
	}
	m.ws = newWSMetrics(m.registry)
	m.accepted = counter("jobs_accepted_total", "Requests of clients that became a job (new), joined one (joined) or got their first answer again (replayed).", "type", "how")
	m.runs = counter("job_runs_total", "Runs of jobs in this process by how they ended; unsuccessful is completed without what was asked for.", "type", "outcome")
	m.took = histogram("job_run_duration_seconds", "Time that runs of jobs took.", long, "type")
	m.waited = histogram("job_wait_seconds", "Time from the acceptance of a job to its first run.", wait, "type")
	m.running = gauge("jobs_running", "Jobs that this process is executing.", "type")
	m.swept = counter("jobs_swept_total", "Jobs that a sweep took over (rescued), ended (expired, lost) or forgot (dropped).", "what")
	m.delivered = counter("deliveries_total", "Tries at callbacks by how they ended: delivered, or the code of the failure.", "kind", "outcome")
	m.delivery = histogram("delivery_duration_seconds", "Time that tries at callbacks took.", long, "kind")
	m.pushes = counter("pushes_total", "Posts of a host's status by how they ended: delivered, or the code of the failure.", "receiver", "outcome")
	m.pushesDropped = counter("pushes_dropped_total", "Pushes of a host's status that were too old to be posted when their turn came.").WithLabelValues()
	m.pushTook = histogram("push_duration_seconds", "Time that posts of a host's status took.", long).WithLabelValues()
	m.pushAge = histogram("push_age_seconds", "Time from the minute that a push is for to its posts.", long).WithLabelValues()
	m.orders = counter("orders_total", "Orders of webhooks by what became of them.", "exchange", "status")
	m.webhooks = counter("webhooks_total", "Requests to the trading webhook: accepted, duplicate, refused, unavailable.", "outcome")
	m.webhookTook = histogram("webhook_duration_seconds", "Time until requests to the trading webhook were answered.", long, "outcome")
	m.orderAge = histogram("order_age_seconds", "Time from a webhook until an order of it was sent to the exchange.", wait, "exchange")
	m.requests = counter("http_requests_total", "Requests answered, by route, method and class of the status.", "route", "method", "status")
	m.answered = histogram("http_request_duration_seconds", "Time to the end of the answer, waiting for jobs included.", long, "route", "method")
	m.inFlight = gauge("http_requests_in_flight", "Requests that are being answered.").WithLabelValues()
	m.waiting = gauge("http_requests_waiting", "Requests that wait for the end of a job.").WithLabelValues()
	m.repairs = counter("dongle_repairs_total", "Repairs of dongles' routing and addresses without a toggle, by how they ended: repaired, failed, not_permitted.", "dongle", "outcome")
	m.redisErr = counter("redis_errors_total", "Commands that failed: cancelled by the caller, timeout, network, or refused by Redis (answer).", "kind")
	m.redisTook = histogram("redis_command_duration_seconds", "Time to the answer of Redis, tries again included.", short, "command")

	build := gauge("build_info", "Always 1; the labels say what is running.", "version", "go_version")
	build.WithLabelValues(version, runtime.Version()).Set(1)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers with the metrics, in the format of Prometheus.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)})
}
