package metrics

import "time"

// Pushed counts a post of a host's status to a receiver; code is why it failed,
// empty if it was taken.
func (m *Metrics) Pushed(receiver, code string, took time.Duration) {
	if m == nil {
		return
	}
	if code == "" {
		code = "delivered"
	}
	m.pushes.WithLabelValues(receiver, code).Inc()
	m.pushTook.Observe(took.Seconds())
}

// PushDropped counts a push that was not posted.
func (m *Metrics) PushDropped() {
	if m != nil {
		m.pushesDropped.Inc()
	}
}

// Pushing notes how old a push is when its posts begin.
func (m *Metrics) Pushing(age time.Duration) {
	if m != nil {
		m.pushAge.Observe(max(0, age.Seconds()))
	}
}
