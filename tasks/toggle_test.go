package tasks_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/tasks"
)

var toggled = tasks.TogglePayload{Host: "seoul-1", ServerIP: "198.51.100.7", Subnet: 16}

// Ensure the documents of a toggle are those of the receivers' specification
// byte for byte: order and presence of members, floats with their decimal.
func TestToggleDocuments(t *testing.T) {
	t.Parallel()
	success := tasks.ToggleResult{
		ToggleOutcome: tasks.ToggleOutcome{
			Success: true, IP: ptr("175.223.14.190"),
			Traffic: tasks.Traffic{Upload: 7408564242, Download: 13143734622},
			Signal: &tasks.Signal{
				RSRP: ptr(tasks.Decibel(-105)), RSRQ: ptr(tasks.Decibel(-14)), RSSI: ptr(tasks.Decibel(-71)), SINR: ptr(tasks.Decibel(-5)),
				Band: ptr("3"), CellID: ptr("0029435-012"), PCI: ptr("372"), PLMN: ptr("45008"),
			},
		},
		ServerIP: "198.51.100.7", Port: 10016,
	}
	wantGolden(t, "toggle_result_success", success)
	failed := toggled
	failed.Subnet = 11
	wantGolden(t, "toggle_result_failure", tasks.FailedToggle(failed, 4))
	wantGolden(t, "toggle_start", tasks.ToggleStart{ServerIP: "198.51.100.7", Port: tasks.Port(16)})
}

// Ensure a result that was stored and read back is sent as it was.
func TestToggleResult_roundTrip(t *testing.T) {
	t.Parallel()
	roundTrip[tasks.ToggleResult](t, "toggle_result_success")
	roundTrip[tasks.ToggleResult](t, "toggle_result_failure")
	roundTrip[tasks.ToggleStart](t, "toggle_start")
}

// Ensure what the modem doesn't say is null in a result and not left out.
func TestToggleOutcome_unknowns(t *testing.T) {
	t.Parallel()
	got := marshal(t, tasks.ToggleOutcome{Success: true, IP: ptr("175.223.14.190"), Signal: &tasks.Signal{SINR: ptr(tasks.Decibel(0))}, Step: 3})
	want := `{"success":true,"ip":"175.223.14.190","traffic":{"upload":0,"download":0},` +
		`"signal":{"rsrp":null,"rsrq":null,"rssi":null,"sinr":0.0,"band":null,"cell_id":null,"pci":null,"plmn":null},"step":3}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Ensure counters beyond what a float holds keep every digit.
func TestTraffic_large(t *testing.T) {
	t.Parallel()
	in := tasks.Traffic{Upload: math.MaxUint64, Download: 1<<53 + 1}
	got := marshal(t, in)
	if want := `{"upload":18446744073709551615,"download":9007199254740993}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var back tasks.Traffic
	if err := json.Unmarshal([]byte(got), &back); err != nil || back != in {
		t.Errorf("read back %+v, %v", back, err)
	}
}

// Ensure levels always show a decimal, and no exponent.
func TestDecibel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   float64
		want string
	}{
		{0, "0.0"}, {-105, "-105.0"}, {-9.5, "-9.5"}, {30, "30.0"}, {0.1, "0.1"}, {-0.25, "-0.25"},
		{1e6, "1000000.0"}, {1e-7, "0.0000001"}, {1e21, "1000000000000000000000.0"},
	} {
		if got := marshal(t, tasks.Decibel(tt.in)); got != tt.want {
			t.Errorf("%v is written as %s, want %s", tt.in, got, tt.want)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if b, err := json.Marshal(tasks.Decibel(f)); err == nil {
			t.Errorf("%v is written as %s", f, b)
		}
	}
}

// Ensure every level that is a number is written as JSON with a decimal, and
// read back as the same number.
func FuzzDecibel(f *testing.F) {
	for _, v := range []float64{0, math.Copysign(0, -1), -105, -9.5, 1e21, 1e-320, math.MaxFloat64, math.NaN(), math.Inf(-1)} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v float64) {
		b, err := json.Marshal(tasks.Decibel(v))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			if err == nil {
				t.Fatalf("%v is written as %s", v, b)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v: %v", v, err)
		}
		whole, decimals, ok := strings.Cut(string(b), ".")
		if !ok || strings.Trim(whole, "-0123456789") != "" || decimals == "" || strings.Trim(decimals, "0123456789") != "" {
			t.Errorf("%v is written as %s", v, b)
		}
		var back tasks.Decibel
		if err := json.Unmarshal(b, &back); err != nil || math.Float64bits(float64(back)) != math.Float64bits(v) {
			t.Errorf("%v is written as %s and read back as %v, %v", v, b, back, err)
		}
	})
}

// Ensure the status document's form of a signal has whole levels plain, the
// others as they are, and unknown ones null.
func TestSignal_Plain(t *testing.T) {
	t.Parallel()
	s := &tasks.Signal{RSRP: ptr(tasks.Decibel(-105)), RSRQ: ptr(tasks.Decibel(-9.5)), Band: ptr("3"), PLMN: ptr("45008")}
	want := `{"rsrp":-105,"rsrq":-9.5,"rssi":null,"sinr":null,"band":"3","cell_id":null,"pci":null,"plmn":"45008"}`
	if got := marshal(t, s.Plain()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.RSSI, s.SINR, s.CellID, s.PCI = ptr(tasks.Decibel(-71)), ptr(tasks.Decibel(1)), ptr("7401488"), ptr("0")
	want = `{"rsrp":-105,"rsrq":-9.5,"rssi":-71,"sinr":1,"band":"3","cell_id":"7401488","pci":"0","plmn":"45008"}`
	if got := marshal(t, s.Plain()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if p := (*tasks.Signal)(nil).Plain(); p != nil {
		t.Errorf("no signal became %+v", p)
	}
}

// Ensure progress tells an address that isn't there by null, and steps that
// haven't begun by an empty list.
func TestToggleProgress(t *testing.T) {
	t.Parallel()
	p := tasks.ToggleProgress{Diagnosis: "healthy", OldIP: ptr("203.0.113.4"), Steps: []tasks.ToggleStep{}}
	if got, want := marshal(t, p), `{"diagnosis":"healthy","old_ip":"203.0.113.4","new_ip":null,"steps":[]}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	p = tasks.ToggleProgress{Steps: []tasks.ToggleStep{
		{Step: 2, Method: "net_mode", Outcome: "ok", DurationMS: 1200}, {Step: 3, Outcome: "skipped", Reason: "no hub"},
	}}
	want := `{"old_ip":null,"new_ip":null,"steps":[{"step":2,"method":"net_mode","outcome":"ok","duration_ms":1200},` +
		`{"step":3,"outcome":"skipped","reason":"no hub","duration_ms":0}]}`
	if got := marshal(t, p); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Ensure toggles of one dongle join and keep their order, go to their host's
// queue, and name host and dongle.
func TestNewToggle(t *testing.T) {
	t.Parallel()
	expires := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := tasks.Draft{
		Type: tasks.Toggle, Host: "seoul-1", Subnet: 16, Queue: "host:seoul-1", JoinKey: "toggle:16",
		Payload: []byte(`{"host":"seoul-1","server_ip":"198.51.100.7","subnet":16}`), Limit: 3 * time.Minute, MaxTries: 1, Expires: expires,
	}
	if diff := cmp.Diff(want, tasks.NewToggle(toggled, 3*time.Minute, expires)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ensure collections of a host join, and wait apart from its toggles.
func TestNewCollect(t *testing.T) {
	t.Parallel()
	expires := time.Date(2025, 12, 13, 13, 49, 40, 0, time.UTC)
	want := tasks.Draft{
		Type: tasks.Collect, Host: "seoul-1", Queue: "host:seoul-1:status", JoinKey: "collect",
		Payload: []byte(`{"host":"seoul-1"}`), Limit: time.Second, MaxTries: 1, Expires: expires,
	}
	if diff := cmp.Diff(want, tasks.NewCollect("seoul-1", time.Second, expires)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
