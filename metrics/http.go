package metrics

import (
	"net/http"
	"time"
)

// RequestStarted counts a request; call the result with the pattern of its
// route ("" where none matched), its method and the status of its answer.
func (m *Metrics) RequestStarted() (ended func(route, method string, status int)) {
	if m == nil {
		return func(string, string, int) {}
	}
	began := time.Now()
	m.inFlight.Inc()
	return func(route, method string, status int) {
		m.inFlight.Dec()
		if route == "" {
			route = "none"
		}
		method = knownMethod(method)
		m.requests.WithLabelValues(route, method, class(status)).Inc()
		m.answered.WithLabelValues(route, method).Observe(time.Since(began).Seconds())
	}
}

// Waiting counts a request that waits for a job until the result is called.
func (m *Metrics) Waiting() (over func()) {
	if m == nil {
		return func() {}
	}
	m.waiting.Inc()
	return m.waiting.Dec
}

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

func class(status int) string {
	switch status / 100 {
	case 1:
		return "1xx"
	case 0, 2: // nothing was written, which is 200
		return "2xx"
	case 3:
		return "3xx"
	case 4:
		return "4xx"
	}
	return "5xx"
}
