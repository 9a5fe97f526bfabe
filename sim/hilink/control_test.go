package hilink_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	client "switchyard/hardware/hilink"
	sim "switchyard/sim/hilink"
)

// order sends a POST to the simulator's own API.
func order(t *testing.T, m *sim.Modem, what, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(within(t), "POST", m.ControlURL()+"/_sim/"+what, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// Ensure faults can be set from outside while the modem runs, that the state
// says so, and that a mistake changes nothing.
func TestControl(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{ControlAddr: "127.0.0.1:0", Password: "sesame-1"})
	status, body := order(t, m, "faults", `{"sticky_address": true, "refuse_net_mode": 112003, "slow": "20ms", "die_mid_switch": true}`)
	want := sim.Faults{StickyAddress: true, RefuseNetMode: 112003, Slow: 20 * time.Millisecond, DieMidSwitch: true}
	if status != 200 || m.Faults() != want {
		t.Errorf("%d %s: faults %+v", status, body, m.Faults())
	}
	var s struct {
		Family   string `json:"family"`
		Address  string `json:"address"`
		Attached bool   `json:"attached"`
		Faults   struct {
			Slow   string `json:"slow"`
			Sticky bool   `json:"sticky_address"`
		} `json:"faults"`
		Ledger []string `json:"ledger"`
	}
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	if s.Family != "e8372h-320" || s.Address != m.Address().String() || !s.Attached || s.Faults.Slow != "20ms" || !s.Faults.Sticky || len(s.Ledger) != 1 {
		t.Errorf("state %s", body)
	}
	for what, bad := range map[string]string{
		"faults": `{"slow": "soon"}`, "refuse": `{"method": "PUT", "path": "net/net-mode", "code": 1}`, "family": `{"family": "b525"}`, "lock": `{"until": "5m"}`,
	} {
		if status, body := order(t, m, what, bad); status != 400 || body == "" {
			t.Errorf("%s %s: %d %s", what, bad, status, body)
		}
	}
	if m.Faults() != want {
		t.Errorf("a mistake set %+v", m.Faults())
	}
	order(t, m, "faults", `{}`)
	order(t, m, "family", `{"family": "e8372h-153"}`)
	order(t, m, "refuse", `{"method": "GET", "path": "monitoring/status", "code": 100004, "times": 1}`)
	v := visit(t, m).enter()
	for i, want := range []string{"<code>100004</code>", "<WanIPAddress>"} {
		if got, _ := v.do("GET", "/api/monitoring/status", ""); !strings.Contains(got, want) {
			t.Errorf("request %d: %s", i+1, got)
		}
	}
	for _, what := range []string{"expire", "takeover"} {
		order(t, m, what, "")
		if got, _ := v.do("GET", "/api/monitoring/status", ""); code(t, got) != 125002 {
			t.Errorf("after %s: %s", what, got)
		}
		v.enter()
	}
	order(t, m, "lock", `{"for": "5m"}`)
	order(t, m, "reboot", "")
	if !m.Rebooting() {
		t.Error("no reboot")
	}
}

// Ensure a modem without a control address has no other port, and its own web
// API no such pages.
func TestControl_none(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	if m.ControlURL() != "" {
		t.Errorf("control at %s", m.ControlURL())
	}
	r, err := http.NewRequestWithContext(within(t), "POST", m.URL()+"/_sim/reboot", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 || m.Rebooting() {
		t.Errorf("the modem took it: %d", resp.StatusCode)
	}
}

// Ensure a reboot takes the modem away and brings it back with another address,
// no sessions, and its mode.
func TestReboot(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{Boot: 50 * time.Millisecond})
	c := dial(t, m, client.Options{})
	ctx := within(t)
	if err := c.SetNetMode(ctx, client.NetMode{Mode: "03", NetworkBand: "2000004400000", LTEBand: "80800D5"}); err != nil {
		t.Fatal(err)
	}
	wait(t, m, "attached", 2)
	before := m.Address()
	v := visit(t, m).enter()
	if err := c.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	if m.Rebooting() {
		if _, err := c.Status(ctx); err == nil && m.Rebooting() {
			t.Error("it answers while it is away")
		}
	}
	wait(t, m, "booted", 1)
	wait(t, m, "attached", 3)
	if m.Address() == before || m.Mode().Mode != "03" {
		t.Errorf("back with %v (before %v), mode %+v", m.Address(), before, m.Mode())
	}
	if got, _ := v.do("GET", "/api/monitoring/status", ""); code(t, got) != 125002 {
		t.Errorf("a session outlived the reboot: %s", got)
	}
	if st, err := c.Status(ctx); err != nil || !st.Connected() {
		t.Errorf("%v, %v", st, err)
	}
}

// Ensure a modem that dies mid-switch has taken the write, says nothing, and
// comes back.
func TestFaults_dieMidSwitch(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{Boot: time.Hour})
	m.SetFaults(sim.Faults{DieMidSwitch: true})
	c := dial(t, m, client.Options{})
	if err := c.SetDataSwitch(within(t), false); err == nil {
		t.Error("a dead modem answered")
	}
	if !m.Rebooting() || m.Attached() || m.DataSwitch() {
		t.Errorf("rebooting %v, attached %v, data %v", m.Rebooting(), m.Attached(), m.DataSwitch())
	}
	if _, err := c.Status(within(t)); err == nil {
		t.Error("it answers while it is away")
	}
}
