package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Registry is what tests read the metrics from.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// WithClock is Look on a clock of the test's.
func (m *Metrics) WithClock(now func() time.Time, s *surveyor) {
	s.now = now
	m.registry.MustRegister(s)
}

// NewSurveyor is a collector that asks look.
var NewSurveyor = func(look surveyFunc) *surveyor { return &surveyor{look: look} }

// KindOf is kindOf.
var KindOf = kindOf
