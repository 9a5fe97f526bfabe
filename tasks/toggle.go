package tasks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// TogglePayload asks a host to change a dongle's IP.
type TogglePayload struct {
	Host     string `json:"host"`
	ServerIP string `json:"server_ip"`
	Subnet   int    `json:"subnet"`
}

// NewToggle drafts the toggle of one dongle. Toggles of one dongle join, and
// never run beside each other.
func NewToggle(p TogglePayload, limit time.Duration, expires time.Time) Draft {
	key := ToggleKey(p.Subnet)
	return Draft{
		Type: Toggle, Host: p.Host, Subnet: p.Subnet, Queue: HostQueue(p.Host),
		JoinKey: key, Payload: mustJSON(p), Limit: limit, MaxTries: 1, Expires: expires,
	}
}

// ToggleKey is the join and order key of a dongle's toggles, on its host.
func ToggleKey(subnet int) string { return fmt.Sprintf("toggle:%d", subnet) }

// ToggleResult is the document of a finished toggle, as receivers of
// `toggle/result`, the command line and the job's own record show it.
type ToggleResult struct {
	ToggleOutcome
	ServerIP string `json:"server_ip"`
	Port     int    `json:"port"`
}

// ToggleOutcome is the part that `GET /toggle/{subnet}` answers with.
type ToggleOutcome struct {
	Success bool    `json:"success"`
	IP      *string `json:"ip"`
	Traffic Traffic `json:"traffic"`
	Signal  *Signal `json:"signal"`
	// Step is the step at which the address came: 0 healthy and toggled, 1
	// routing repaired, 2 unhealthy and toggled, 3 USB reset, 4 power cycle;
	// on failure the last one reached.
	Step int `json:"step"`
}

// Traffic is the modem's count since it was last reset, in bytes.
type Traffic struct {
	Upload   uint64 `json:"upload"`
	Download uint64 `json:"download"`
}

// Signal is what the modem says of its radio, every member null where it says
// nothing. RSRP and RSSI in dBm, RSRQ and SINR in dB.
type Signal struct {
	RSRP   *Decibel `json:"rsrp"`
	RSRQ   *Decibel `json:"rsrq"`
	RSSI   *Decibel `json:"rssi"`
	SINR   *Decibel `json:"sinr"`
	Band   *string  `json:"band"`
	CellID *string  `json:"cell_id"`
	PCI    *string  `json:"pci"`
	PLMN   *string  `json:"plmn"`
}

// Decibel is a level that always shows a decimal (-105.0), as toggle results
// do. The status document shows whole ones plain: see PlainSignal.
type Decibel float64

// MarshalJSON writes the level with at least one decimal.
func (d Decibel) MarshalJSON() ([]byte, error) {
	f := float64(d)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("level %v is not a number", f)
	}
	b := strconv.AppendFloat(nil, f, 'f', -1, 64)
	if !bytes.ContainsRune(b, '.') {
		b = append(b, '.', '0')
	}
	return b, nil
}

// PlainSignal is Signal as the status document shows it: whole numbers plain.
type PlainSignal struct {
	RSRP   *float64 `json:"rsrp"`
	RSRQ   *float64 `json:"rsrq"`
	RSSI   *float64 `json:"rssi"`
	SINR   *float64 `json:"sinr"`
	Band   *string  `json:"band"`
	CellID *string  `json:"cell_id"`
	PCI    *string  `json:"pci"`
	PLMN   *string  `json:"plmn"`
}

// Plain converts a signal for the status document; nil stays nil.
func (s *Signal) Plain() *PlainSignal {
	if s == nil {
		return nil
	}
	return &PlainSignal{
		RSRP: (*float64)(s.RSRP), RSRQ: (*float64)(s.RSRQ), RSSI: (*float64)(s.RSSI), SINR: (*float64)(s.SINR),
		Band: s.Band, CellID: s.CellID, PCI: s.PCI, PLMN: s.PLMN,
	}
}

// FailedToggle is the result of a toggle that brought no address.
func FailedToggle(p TogglePayload, step int) ToggleResult {
	return ToggleResult{
		ToggleOutcome: ToggleOutcome{Step: step},
		ServerIP:      p.ServerIP, Port: Port(p.Subnet),
	}
}

// ToggleStart is the document that receivers of `toggle/start` get.
type ToggleStart struct {
	ServerIP string `json:"server_ip"`
	Port     int    `json:"port"`
}

// ToggleProgress is what a running toggle says of itself, and afterwards the
// record of how it went: which steps ran, why, and how long each took.
type ToggleProgress struct {
	// Diagnosis is what was found at the start: healthy, no_interface,
	// no_routing, no_connectivity.
	Diagnosis string `json:"diagnosis,omitempty"`
	// OldIP is the address before, null where there was none.
	OldIP *string `json:"old_ip"`
	// NewIP is the address after, null until there is one.
	NewIP *string      `json:"new_ip"`
	Steps []ToggleStep `json:"steps"`
}

// ToggleStep is one step of the ladder as it went.
type ToggleStep struct {
	Step int `json:"step"`
	// Method tells apart the ways of step 2: net_mode, dataswitch.
	Method string `json:"method,omitempty"`
	// Outcome is running, ok, unchanged, failed, or skipped.
	Outcome string `json:"outcome"`
	// Reason says in words why it was skipped or failed.
	Reason string `json:"reason,omitempty"`
	// DurationMS is how long it took.
	DurationMS int64 `json:"duration_ms"`
	// Waits are what it waited for, in steps 3 and 4; the last one lasts while the
	// step runs.
	Waits []ToggleWait `json:"waits,omitempty"`
}

// ToggleWait is one wait of a step: for the device, its interface, the modem …
type ToggleWait struct {
	Name       string `json:"name"`
	DurationMS int64  `json:"duration_ms"`
}

// CollectPayload asks a host for the state of its dongles.
type CollectPayload struct {
	Host string `json:"host"`
}

// NewCollect drafts the collection of a host's dongles. Requests join. Whoever
// wants it waits for it, so one that no worker takes up by expires just ends.
func NewCollect(host string, limit time.Duration, expires time.Time) Draft {
	return Draft{
		Type: Collect, Host: host, Queue: HostStatusQueue(host), JoinKey: "collect",
		Payload: mustJSON(CollectPayload{Host: host}), Limit: limit, MaxTries: 1, Expires: expires,
	}
}

// mustJSON marshals a payload of this package, which can't fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("tasks: " + err.Error())
	}
	return b
}
