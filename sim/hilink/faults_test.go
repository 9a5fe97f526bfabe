package hilink_test

import (
	"context"
	"errors"
	"testing"
	"time"

	client "switchyard/hardware/hilink"
	sim "switchyard/sim/hilink"
)

// toggled sets another net mode than is set.
func toggled(t *testing.T, m *sim.Modem, c *client.Client) error {
	t.Helper()
	mode := client.NetMode{Mode: "03", NetworkBand: "2000004400000", LTEBand: "80800D5"}
	if m.Mode().Mode == "03" {
		mode.Mode = "00"
	}
	return c.SetNetMode(within(t), mode)
}

// Ensure a sticky address returns, and another one when the fault is over.
func TestFault_stickyAddress(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	c := dial(t, m, client.Options{})
	before := m.Address()
	m.SetFaults(sim.Faults{StickyAddress: true})
	if err := toggled(t, m, c); err != nil {
		t.Fatal(err)
	}
	wait(t, m, "attached "+before.String(), 2)
	m.SetFaults(sim.Faults{})
	if err := toggled(t, m, c); err != nil {
		t.Fatal(err)
	}
	wait(t, m, "attached", 3)
	if m.Address() == before {
		t.Errorf("address %v still", before)
	}
}

// Ensure a modem without a network goes on dialling, and attaches once there is
// one.
func TestFault_noAddress(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{Reattach: 10 * time.Millisecond})
	c := dial(t, m, client.Options{})
	m.SetFaults(sim.Faults{NoAddress: true})
	if !m.Attached() {
		t.Error("an attached modem lost its network")
	}
	if err := toggled(t, m, c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // five times the way back
	defer cancel()
	if err := m.WaitFor(ctx, func(e []sim.Entry) bool { return count(e, "attached") > 1 }); err == nil {
		t.Errorf("%q happened", happened(m))
	}
	if st, err := c.Status(within(t)); err != nil || st.Connected() {
		t.Errorf("%v, %v", st, err)
	}
	m.SetFaults(sim.Faults{})
	wait(t, m, "attached", 2)
}

// Ensure a hung modem costs a client its timeout, and answers again when it is
// over; and that Close doesn't wait for those who hang.
func TestFault_hang(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	c := dial(t, m, client.Options{Timeout: 40 * time.Millisecond})
	m.SetFaults(sim.Faults{Hang: true})
	for range 2 {
		if _, err := c.Status(within(t)); !errors.Is(err, client.ErrTimeout) {
			t.Errorf("%v", err)
		}
	}
	if err := m.WaitFor(within(t), func([]sim.Entry) bool { return m.Hanging() == 0 }); err != nil {
		t.Errorf("requests hang whose client has gone: %v", err)
	}
	m.SetFaults(sim.Faults{})
	patient := dial(t, m, client.Options{})
	if st, err := patient.Status(within(t)); err != nil || !st.Connected() {
		t.Errorf("%v, %v", st, err)
	}

	for _, end := range []func(){func() { m.SetFaults(sim.Faults{}) }, m.Close} {
		m.SetFaults(sim.Faults{Hang: true})
		ended := make(chan error, 1)
		go func() { ended <- patient.SetDataSwitch(within(t), false) }()
		if err := m.WaitFor(within(t), func([]sim.Entry) bool { return m.Hanging() == 1 }); err != nil {
			t.Fatal(err)
		}
		end()
		if err := <-ended; err == nil || errors.Is(err, client.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the connection cut", err)
		}
	}
	if n := count(m.Ledger(), "dataswitch"); n != 0 {
		t.Errorf("a request that hung was carried out: %q", happened(m))
	}
}

// Ensure another device's page is told from a modem's answer.
func TestFault_html(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	c := dial(t, m, client.Options{})
	m.SetFaults(sim.Faults{HTML: true})
	if _, err := c.Signal(within(t)); !errors.Is(err, client.ErrNotHiLink) {
		t.Errorf("%v", err)
	}
	if err := toggled(t, m, c); !errors.Is(err, client.ErrNotHiLink) {
		t.Errorf("%v", err)
	}
	m.SetFaults(sim.Faults{})
	if _, err := c.Signal(within(t)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Ensure refused modes change nothing, whether refused for good or for now.
func TestFault_refuseNetMode(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{Reattach: time.Hour})
	c := dial(t, m, client.Options{})
	refused := func(code int) {
		t.Helper()
		before := m.Mode()
		err := toggled(t, m, c)
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != code || !e.NetModeRefused() {
			t.Errorf("%v, want %d", err, code)
		}
		if m.Mode() != before {
			t.Errorf("mode %+v, want %+v", m.Mode(), before)
		}
	}
	m.SetFaults(sim.Faults{RefuseNetMode: 112003})
	refused(112003)
	m.SetFaults(sim.Faults{RefuseWhileDialling: true})
	if err := toggled(t, m, c); err != nil { // attached: taken
		t.Fatal(err)
	}
	refused(112001)
	if err := c.SetDataSwitch(within(t), false); err != nil {
		t.Fatal(err)
	}
	if err := toggled(t, m, c); err != nil { // switched off: doesn't dial
		t.Fatal(err)
	}
	if n := count(m.Ledger(), "net-mode"); n != 2 {
		t.Errorf("%q happened", happened(m))
	}
}

// Ensure a real client gets along with lost tokens and ended sessions, and each
// write is carried out once.
func TestFault_tokensAndSessions(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	c := dial(t, m, client.Options{})
	write := func() {
		t.Helper()
		if err := c.SetDataSwitch(within(t), true); err != nil {
			t.Error(err)
		}
	}
	write()
	m.SetFaults(sim.Faults{LoseToken: true})
	write()
	write()
	m.SetFaults(sim.Faults{ExpireSession: true})
	write()
	m.SetFaults(sim.Faults{ExpireSession: true})
	if _, err := c.Status(within(t)); err != nil {
		t.Error(err)
	}
	// Another visitor doesn't disturb.
	if got := visit(t, m).enter().post(dataSwitch, dataOn); got != 0 {
		t.Error(got)
	}
	write()
	if n := count(m.Ledger(), "dataswitch 1"); n != 6 {
		t.Errorf("%d writes, want 6: %q", n, happened(m))
	}
}

// Ensure a slow modem answers late, and a request that its client gave up is
// not carried out.
func TestFault_slow(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	c := dial(t, m, client.Options{})
	m.SetFaults(sim.Faults{Slow: 30 * time.Millisecond})
	begin := time.Now()
	if _, err := c.Status(within(t)); err != nil || time.Since(begin) < 60*time.Millisecond {
		t.Errorf("session and status after %v, %v", time.Since(begin), err)
	}
	m.SetFaults(sim.Faults{Slow: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.SetDataSwitch(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	m.Close()
	if n := count(m.Ledger(), "dataswitch"); n != 0 {
		t.Errorf("%q happened", happened(m))
	}
}
