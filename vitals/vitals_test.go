package vitals_test

import (
	"encoding/json"
	"strings"
	"testing"

	"switchyard/vitals"
)

// Ensure the figures of a real machine are in their bounds, and named as dashboards know
// them, in their order.
func TestRead(t *testing.T) {
	t.Parallel()
	for range 2 {
		s, err := vitals.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.CPU < 0 || s.CPU > 100 || s.Memory <= 0 || s.Memory >= 100 || s.Disk <= 0 || s.Disk > 100 || s.Uptime == 0 {
			t.Errorf("%+v", s)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		at := -1
		for _, name := range []string{`"cpu_percent":`, `"memory_percent":`, `"disk_usage":`, `"network_status":"`, `"uptime":`, `"active_services":`} {
			i := strings.Index(string(b), name)
			if i <= at {
				t.Errorf("%s is not in its place in %s", name, b)
			}
			at = i
		}
	}
}
