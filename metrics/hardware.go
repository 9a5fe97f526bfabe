package metrics

import "strconv"

// How a repair of a dongle ended.
const (
	Repaired        = "repaired"
	RepairFailed    = "failed"
	RepairForbidden = "not_permitted"
)

// DongleRepaired counts a repair of a dongle's routing or address that no toggle
// asked for, by how it ended.
func (m *Metrics) DongleRepaired(subnet int, outcome string) {
	if m == nil {
		return
	}
	m.repairs.WithLabelValues(strconv.Itoa(subnet), outcome).Inc()
}
