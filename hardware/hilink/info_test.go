package hilink

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Ensure a modem's own words on itself are read, from either of its two places,
// and what it doesn't say is nil.
func TestInfoOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Info{
		"information_e8372h320_kr.xml": {
			Device: new("E8372h-320"), Class: new("wingle"), Software: new("10.0.5.1(H195SP4C983)"), Hardware: new("CL4E8372HM01"),
			WebUI: new("WEBUI 10.0.5.1(W13SP5C7702)"), IMEI: new("860000000000001"), IMSI: new("450050000000001"),
			ICCID: new("8982050000000000001"), MSISDN: new("01000000000"), WorkMode: new("LTE"),
			WANAddress: netip.MustParseAddr("10.19.125.192"), Uptime: new(2407 * time.Second),
		},
		"basic_e8372h320_kr.xml": {Device: new("E8372h-320"), Class: new("wingle")},
		"no_sim.xml":             {Class: new("hilink")},
	} {
		got := infoOf(parsed(t, "status/"+name))
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Ensure the network is read as recorded, and an unknown one is nil.
func TestNetworkOf(t *testing.T) {
	t.Parallel()
	want := Network{PLMN: new("45005"), Name: new("SKTelecom"), Short: new("SKTelecom"), RAT: new(7)}
	if diff := cmp.Diff(want, networkOf(parsed(t, "status/plmn_e8372h320_kr.xml"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Network{}, networkOf(answer{})); diff != "" {
		t.Errorf("nothing said (-want +got):\n%s", diff)
	}
}
