package receiver_test

import (
	"testing"

	"switchyard/sim/receiver"
)

// pushed is the status document that the receivers' specification shows, with as
// many dongles as it says.
const pushed = `{
  "status": "ready",
  "timestamp": "2025-12-13 22:56:01",
  "last_heartbeat_at": "2025-12-13T22:56:02.654200",
  "server_ip": "198.51.100.7",
  "available_proxies": [
    {
      "proxy_url": "socks5://198.51.100.7:10016",
      "subnet": 16,
      "external_ip": "175.223.26.202",
      "last_toggle": "2025-12-13 22:49:25",
      "traffic": {"upload": 7408510801, "download": 13143595860},
      "connected": true,
      "toggle_status": {"status": "idle", "message": "Ready for toggle", "last_toggle": "2025-12-13 22:49:25"},
      "signal": {"rsrp": -105, "rsrq": -9, "rssi": -79, "sinr": -2, "band": "3", "cell_id": "0029403-030", "pci": "228", "plmn": "45008"}
    },
    {
      "proxy_url": "socks5://198.51.100.7:10011",
      "subnet": 11,
      "external_ip": null,
      "last_toggle": null,
      "traffic": {"upload": 0, "download": 0},
      "connected": false,
      "toggle_status": {"status": "timeout", "message": "Toggle timed out (exceeded 60s)", "started_at": "2025-12-13T22:49:00.000Z", "elapsed_seconds": 65},
      "signal": null
    }
  ],
  "proxy_count": 2,
  "dongle_check": {
    "expected": 2,
    "physical": 14,
    "connected": 1,
    "disconnected_ports": ["10011"],
    "hub_info": {"main_hub": "1-3", "sub_hubs": ["1-3.4"], "ports_per_hub": 4}
  }
}`

// Ensure the status document of the specification is taken, with and without what
// may be left out, and that whatever is not as there is found.
func TestCheck_status(t *testing.T) {
	t.Parallel()
	without := change(pushed, `,
    "hub_info": {"main_hub": "1-3", "sub_hubs": ["1-3.4"], "ports_per_hub": 4}`, "")
	for _, path := range []string{"/api/proxy", "/sync/dongle", "/some/api/proxy"} {
		for _, body := range []string{pushed, without, change(pushed, `"rsrp": -105`, `"rsrp": -105.5`), change(pushed, `"sinr": -2`, `"sinr": null`)} {
			if err := receiver.Check(path, []byte(body)); err != nil {
				t.Errorf("%s: %v\n%s", path, err, body)
			}
		}
	}
	for name, body := range map[string]string{
		"no heartbeat":           change(pushed, `"last_heartbeat_at": "2025-12-13T22:56:02.654200",`, ""),
		"heartbeat with a zone":  change(pushed, `02.654200"`, `02.654200Z"`),
		"heartbeat in millis":    change(pushed, `02.654200"`, `02.654"`),
		"timestamp with a T":     change(pushed, `"2025-12-13 22:56:01"`, `"2025-12-13T22:56:01"`),
		"not ready":              change(pushed, `"ready"`, `"busy"`),
		"count is off":           change(pushed, `"proxy_count": 2`, `"proxy_count": 8`),
		"another port":           change(pushed, `:10016"`, `:10017"`),
		"address without a link": change(pushed, `"connected": true`, `"connected": false`),
		"level with a decimal":   change(pushed, `"rsrp": -105`, `"rsrp": -105.0`),
		"signal lacks a member":  change(pushed, `"pci": "228", `, ""),
		"unknown toggle state":   change(pushed, `"status": "idle"`, `"status": "asleep"`),
		"member of another form": change(pushed, `"elapsed_seconds": 65`, `"seconds_ago": 65`),
		"connected is off":       change(pushed, `"connected": 1,`, `"connected": 2,`),
		"ports as numbers":       change(pushed, `["10011"]`, `[10011]`),
		"ports null":             change(pushed, `["10011"]`, `null`),
		"a port is missing":      change(pushed, `["10011"]`, `[]`),
		"hubs are null":          change(pushed, `{"main_hub": "1-3", "sub_hubs": ["1-3.4"], "ports_per_hub": 4}`, "null"),
		"one member more":        change(pushed, `"proxy_count": 2,`, `"proxy_count": 2, "host": "seoul-1",`),
		"no server":              change(pushed, `"server_ip": "198.51.100.7"`, `"server_ip": "here"`),
	} {
		if err := receiver.Check("/api/proxy", []byte(body)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
