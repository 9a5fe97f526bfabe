package metrics

import "time"

// How a request became part of a job.
const (
	AcceptedNew      = "new"
	AcceptedJoined   = "joined"
	AcceptedReplayed = "replayed"
)

// Accepted counts a request that became a job, or part of one.
func (m *Metrics) Accepted(jobType string, joined, replayed bool) {
	if m == nil {
		return
	}
	how := AcceptedNew
	switch {
	case replayed:
		how = AcceptedReplayed
	case joined:
		how = AcceptedJoined
	}
	m.accepted.WithLabelValues(jobType, how).Inc()
}

// Outcome is how a run of a job ended.
type Outcome string

// The outcomes.
const (
	Completed    Outcome = "completed"
	Unsuccessful Outcome = "unsuccessful"
	Failed       Outcome = "failed"
	Cancelled    Outcome = "cancelled"
	Retried      Outcome = "retried"
	Released     Outcome = "released"
	Postponed    Outcome = "postponed"
	// Abandoned: the handler did not end when its worker stopped.
	Abandoned Outcome = "abandoned"
)

// RunStarted counts a job that is executed from now on; call the result when
// that has ended.
func (m *Metrics) RunStarted(jobType string) (ended func(Outcome, time.Duration)) {
	if m == nil {
		return func(Outcome, time.Duration) {}
	}
	running := m.running.WithLabelValues(jobType)
	running.Inc()
	return func(o Outcome, took time.Duration) {
		running.Dec()
		m.runs.WithLabelValues(jobType, string(o)).Inc()
		m.took.WithLabelValues(jobType).Observe(took.Seconds())
	}
}

// Waited notes how long a job waited for its first run.
func (m *Metrics) Waited(jobType string, d time.Duration) {
	if m != nil {
		m.waited.WithLabelValues(jobType).Observe(max(0, d.Seconds()))
	}
}

// Swept counts what one sweep did.
func (m *Metrics) Swept(rescued, expired, lost, dropped int) {
	if m == nil {
		return
	}
	m.swept.WithLabelValues("rescued").Add(float64(rescued))
	m.swept.WithLabelValues("expired").Add(float64(expired))
	m.swept.WithLabelValues("lost").Add(float64(lost))
	m.swept.WithLabelValues("dropped").Add(float64(dropped))
}

// Delivered counts a try at a callback; code is why it failed, empty if it was
// delivered.
func (m *Metrics) Delivered(kind, code string, took time.Duration) {
	if m == nil {
		return
	}
	if code == "" {
		code = "delivered"
	}
	m.delivered.WithLabelValues(kind, code).Inc()
	m.delivery.WithLabelValues(kind).Observe(took.Seconds())
}
