package metrics

import "time"

// Ordered counts an order at an exchange whose fate is known, and how long after its
// webhook it was sent; 0: it wasn't.
func (m *Metrics) Ordered(exchange, status string, age time.Duration) {
	if m == nil {
		return
	}
	m.orders.WithLabelValues(exchange, status).Inc()
	if age > 0 {
		m.orderAge.WithLabelValues(exchange).Observe(age.Seconds())
	}
}

// Webhook counts a request to the trading webhook: accepted, duplicate, refused or
// unavailable.
func (m *Metrics) Webhook(outcome string, took time.Duration) {
	if m == nil {
		return
	}
	m.webhooks.WithLabelValues(outcome).Inc()
	m.webhookTook.WithLabelValues(outcome).Observe(took.Seconds())
}
