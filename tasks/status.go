package tasks

import "time"

// StatusDocument is what is known of a host and its dongles: the answer of
// `GET /status`, and what is pushed to receivers every minute.
type StatusDocument struct {
	Status string `json:"status"` // always "ready"
	// Timestamp is local time, "2025-12-13 22:56:01".
	Timestamp string `json:"timestamp"`
	// LastHeartbeatAt is set in pushes only, "2025-12-13T22:56:02.654200".
	LastHeartbeatAt  string        `json:"last_heartbeat_at,omitempty"`
	ServerIP         string        `json:"server_ip"`
	AvailableProxies []ProxyStatus `json:"available_proxies"`
	ProxyCount       int           `json:"proxy_count"`
	DongleCheck      DongleCheck   `json:"dongle_check"`
}

// ProxyStatus is one dongle in the status document.
type ProxyStatus struct {
	ProxyURL   string  `json:"proxy_url"`
	Subnet     int     `json:"subnet"`
	ExternalIP *string `json:"external_ip"`
	// LastToggle is local time, null where there was none.
	LastToggle   *string      `json:"last_toggle"`
	Traffic      Traffic      `json:"traffic"`
	Connected    bool         `json:"connected"`
	ToggleStatus ToggleStatus `json:"toggle_status"`
	Signal       *PlainSignal `json:"signal"`
}

// ToggleStatus has four forms, told apart by Status; each has the members its
// constructor sets.
type ToggleStatus struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	// LastToggle in idle (null where there was none) and recent.
	LastToggle Optional[string] `json:"last_toggle,omitzero"`
	// SecondsAgo in recent.
	SecondsAgo *int `json:"seconds_ago,omitempty"`
	// StartedAt, RFC 3339 UTC with milliseconds, in in_progress and timeout.
	StartedAt string `json:"started_at,omitempty"`
	// ElapsedSeconds in in_progress and timeout.
	ElapsedSeconds *int `json:"elapsed_seconds,omitempty"`
}

// DongleCheck compares what should be there with what is.
type DongleCheck struct {
	Expected int `json:"expected"`
	Physical int `json:"physical"`
	// Connected is the number of proxies whose last probe brought an address.
	Connected int `json:"connected"`
	// DisconnectedPorts are the others' ports, as strings.
	DisconnectedPorts []string `json:"disconnected_ports"`
	// HubInfo is left out where it is unknown.
	HubInfo *HubInfo `json:"hub_info,omitempty"`
}

// HubInfo is how the dongles hang on the host's USB hubs.
type HubInfo struct {
	MainHub     string   `json:"main_hub"`
	SubHubs     []string `json:"sub_hubs"`
	PortsPerHub int      `json:"ports_per_hub"`
}

// Time forms of the status document.
const (
	localTime = "2006-01-02 15:04:05"
	// MilliTime is RFC 3339 in UTC with milliseconds.
	MilliTime = "2006-01-02T15:04:05.000Z"
)

const (
	// toggleStuck is when a toggle under way reads as timed out.
	toggleStuck = 60 * time.Second
	// toggleRecent is how long a finished toggle reads as recent.
	toggleRecent = 60 * time.Second
)

// LocalTime is t as the status document shows it, nil for the zero time.
func LocalTime(t time.Time, loc *time.Location) *string {
	if t.IsZero() {
		return nil
	}
	s := t.In(loc).Format(localTime)
	return &s
}

// NewToggleStatus tells how it stands with a dongle's toggle: started is when
// the one under way began (zero: none), last when the latest one ended (zero:
// never).
func NewToggleStatus(now, started, last time.Time, loc *time.Location) ToggleStatus {
	seconds := func(since time.Time) *int {
		n := max(0, int(now.Sub(since)/time.Second))
		return &n
	}
	switch {
	case !started.IsZero() && now.Sub(started) > toggleStuck:
		return ToggleStatus{
			Status: "timeout", Message: "Toggle timed out (exceeded 60s)",
			StartedAt: started.UTC().Format(MilliTime), ElapsedSeconds: seconds(started),
		}
	case !started.IsZero():
		return ToggleStatus{
			Status: "in_progress", Message: "Toggle in progress",
			StartedAt: started.UTC().Format(MilliTime), ElapsedSeconds: seconds(started),
		}
	case !last.IsZero() && now.Sub(last) <= toggleRecent:
		return ToggleStatus{
			Status: "recent", Message: "Recently toggled",
			LastToggle: Some(LocalTime(last, loc)), SecondsAgo: seconds(last),
		}
	}
	return ToggleStatus{Status: "idle", Message: "Ready for toggle", LastToggle: Some(LocalTime(last, loc))}
}
