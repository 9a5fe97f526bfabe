package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// wsMetrics are those of the WebSocket.
type wsMetrics struct {
	open          prometheus.Gauge
	lasted        prometheus.Observer
	in, out, errs *prometheus.CounterVec
	answered      *prometheus.HistogramVec
}

// lives are how long connections last.
var lives = []float64{1, 10, 60, 300, 1800, 3600, 4 * 3600, 24 * 3600}

func newWSMetrics(r prometheus.Registerer) wsMetrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
	}
	open := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "websocket_connections", Help: "WebSocket connections that are open."})
	lasted := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "websocket_connection_duration_seconds", Help: "How long WebSocket connections lasted.", Buckets: lives})
	m := wsMetrics{
		open: open, lasted: lasted,
		in:   counter("websocket_messages_received_total", "Messages of WebSocket clients, by type; invalid, unknown and dropped are those that were none, of no known type, or too many.", "type"),
		out:  counter("websocket_messages_sent_total", "Messages to WebSocket clients, by type.", "type"),
		errs: counter("websocket_errors_total", "Error messages to WebSocket clients, by code.", "code"),
		answered: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "websocket_handling_seconds", Help: "Time from a WebSocket client's message until its answer was queued.", Buckets: short,
		}, []string{"type"}),
	}
	r.MustRegister(open, lasted, m.in, m.out, m.errs, m.answered)
	return m
}

// WebSocketOpened counts a connection; call closed when it ends.
func (m *Metrics) WebSocketOpened() (closed func()) {
	if m == nil {
		return func() {}
	}
	began := time.Now()
	m.ws.open.Inc()
	return func() {
		m.ws.open.Dec()
		m.ws.lasted.Observe(time.Since(began).Seconds())
	}
}

// WebSocketReceived counts a message of a client's, of a known type or one of invalid,
// unknown and dropped.
func (m *Metrics) WebSocketReceived(kind string, took time.Duration) {
	if m == nil {
		return
	}
	m.ws.in.WithLabelValues(kind).Inc()
	m.ws.answered.WithLabelValues(kind).Observe(took.Seconds())
}

// WebSocketSent counts a message to a client.
func (m *Metrics) WebSocketSent(kind string) {
	if m != nil {
		m.ws.out.WithLabelValues(kind).Inc()
	}
}

// WebSocketError counts an error message to a client.
func (m *Metrics) WebSocketError(code string) {
	if m != nil {
		m.ws.errs.WithLabelValues(code).Inc()
	}
}
