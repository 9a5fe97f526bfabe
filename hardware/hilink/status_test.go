package hilink

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Ensure the recorded connection states are read, and what firmware leaves out
// is unknown, not zero.
func TestStatusOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Status{
		"e8372h320_kr.xml":  {Connection: 901, NetworkType: 19, NetworkTypeEx: 101, Service: 2, SIM: 1},
		"no_sim.xml":        {Connection: 902, NetworkType: 19, NetworkTypeEx: 101, Service: 1, SIM: 255},
		"b525.xml":          {Connection: 901, NetworkType: 19, NetworkTypeEx: 101, Service: 2, SIM: 1},
		"wingle_wanip.http": {Connection: 901, NetworkType: 19, NetworkTypeEx: -1, Service: 2, SIM: 1, WANAddress: netip.MustParseAddr("100.80.212.39")},
	} {
		got := statusOf(parsed(t, "status/"+name))
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for body, want := range map[string]int{
		"<response></response>": -1,
		"<response><ConnectionStatus></ConnectionStatus></response>":  -1,
		"<response><ConnectionStatus>x</ConnectionStatus></response>": -1,
		"<response><WanIPAddress>0.0.0.0</WanIPAddress></response>":   -1,
		"<response><WanIPAddress>nowhere</WanIPAddress></response>":   -1,
	} {
		a, err := decode([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if got := statusOf(a); got.Connection != want || got.WANAddress.IsValid() {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

// Ensure each connection state is exactly one of the four, or none.
func TestStatus_words(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		900: "connecting (900)", 901: "connected (901)", 902: "disconnected (902)", 903: "disconnecting (903)",
		904: "failed (904)", 905: "too weak a signal (905)", 113: "disconnected (113)", 201: "over its quota (201)",
		7: "unknown (7)", -1: "unknown",
	} {
		s := Status{Connection: code}
		if got := s.String(); got != want {
			t.Errorf("%d: %q, want %q", code, got, want)
		}
		states := 0
		for _, is := range []bool{s.Connected(), s.Connecting(), s.Disconnected(), s.Disconnecting()} {
			if is {
				states++
			}
		}
		if known := code != 7 && code != -1; known != (states == 1) || states > 1 {
			t.Errorf("%d is %d states at once", code, states)
		}
	}
	for sim, want := range map[int]bool{0: true, 255: true, 1: false, -1: false} {
		if got := (Status{SIM: sim}).NoSIM(); got != want {
			t.Errorf("SIM %d: none = %v", sim, got)
		}
	}
}
