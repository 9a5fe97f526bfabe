package hilink_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	client "switchyard/hardware/hilink"
	sim "switchyard/sim/hilink"
)

// Ensure a real client changes the address as a toggle does: to another mode,
// and back, with the bands as they were; and sees the modem go and come.
func TestToggle_netMode(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	c := dial(t, m, client.Options{})
	ctx := within(t)
	before := m.Address()
	original, err := c.NetMode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lte := original
	lte.Mode = "03"
	for _, mode := range []client.NetMode{original, lte} {
		if err := c.SetNetMode(ctx, mode); err != nil {
			t.Fatal(err)
		}
	}
	// Which states a poll catches depends on when it comes, their order not.
	course := []int{903, 902, 900, 901}
	for at, st := 0, (client.Status{}); !st.Connected(); {
		if st, err = c.Status(ctx); err != nil {
			t.Fatal(err)
		}
		next := slices.Index(course, st.Connection)
		if next < at {
			t.Fatalf("%v after %d", st, course[at])
		}
		at = next
		if st.Connection == 902 && st.NetworkType != 0 {
			t.Errorf("a network without a cell: %+v", st)
		}
	}
	if m.Address() == before || !m.Attached() {
		t.Errorf("address %v as before", m.Address())
	}
	if got := m.Mode(); got != (sim.NetMode{Mode: "03", NetworkBand: "2000004400000", LTEBand: "80800D5"}) {
		t.Errorf("mode %+v", got)
	}
	if err := c.SetNetMode(ctx, original); err != nil {
		t.Fatal(err)
	}
	wait(t, m, "attached", 3)
	want := []string{
		"attached " + before.String(), "net-mode 00", "net-mode 03", "detached", "attached 203.0.113.11",
		"net-mode 00", "detached", "attached 203.0.113.4",
	}
	if diff := cmp.Diff(want, happened(m)); diff != "" {
		t.Errorf("what happened (-want +got):\n%s", diff)
	}
}

// Ensure restoring the mode while the modem is still on its way costs another
// way, not another address twice.
func TestToggle_restoredAtOnce(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	c := dial(t, m, client.Options{})
	for _, mode := range []string{"03", "00"} {
		if err := c.SetNetMode(within(t), client.NetMode{Mode: mode, NetworkBand: "2000004400000", LTEBand: "80800D5"}); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, m, "attached", 2)
	if got := happened(m); len(got) != 5 || got[3] != "net-mode 00" {
		t.Errorf("%q happened", got)
	}
}

// Ensure the data switch takes the modem off the network until it is put back,
// and that other bands than were set are seen in the ledger.
func TestToggle_dataSwitch(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	c := dial(t, m, client.Options{})
	ctx := within(t)
	before := m.Address()
	if err := c.SetDataSwitch(ctx, false); err != nil {
		t.Fatal(err)
	}
	if on, err := c.DataSwitch(ctx); err != nil || on || m.DataSwitch() || m.Attached() || m.Address().IsValid() {
		t.Errorf("switched off: %v, %v; attached %v with %v", on, err, m.Attached(), m.Address())
	}
	if sig, err := c.Signal(ctx); err != nil || sig.RSRP == nil {
		t.Errorf("without data there still is a cell: %+v, %v", sig, err)
	}
	if err := c.SetDataSwitch(ctx, true); err != nil {
		t.Fatal(err)
	}
	wait(t, m, "attached", 2)
	if a := m.Address(); a == before || !a.IsValid() {
		t.Errorf("address %v after %v", a, before)
	}
	if err := c.SetNetMode(ctx, client.NetMode{Mode: "00", NetworkBand: "3FFFFFFF", LTEBand: "7FFFFFFFFFFFFFFF"}); err != nil {
		t.Fatal(err)
	}
	if n := count(m.Ledger(), "net-mode 00 bands 3FFFFFFF 7FFFFFFFFFFFFFFF"); n != 1 {
		t.Errorf("lost bands don't show: %q", happened(m))
	}
}

// Ensure a hold that is too short brings the old address back.
func TestToggle_stickyBelow(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{StickyBelow: time.Hour})
	c := dial(t, m, client.Options{})
	before := m.Address()
	for _, on := range []bool{false, true} {
		if err := c.SetDataSwitch(within(t), on); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, m, "attached", 2)
	if m.Address() != before {
		t.Errorf("address %v, want %v again", m.Address(), before)
	}
}

// Ensure radio and counters behave as they do on a stick, as a client sees
// them: nothing heard while searching, and traffic that grows.
func TestReadings_overTheAPI(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{Reattach: time.Hour})
	c := dial(t, m, client.Options{})
	ctx := within(t)
	one, err := c.Traffic(ctx)
	if err != nil {
		t.Fatal(err)
	}
	two, err := c.Traffic(ctx)
	if err != nil || two.Upload <= one.Upload || two.Download <= one.Download {
		t.Errorf("%+v after %+v, %v", two, one, err)
	}
	if sig, err := c.Signal(ctx); err != nil || sig.RSRP == nil || *sig.RSRP > -60 || *sig.RSRP < -120 || *sig.CellID != "7267507" {
		t.Errorf("%+v, %v", sig, err)
	}
	if err := c.SetNetMode(ctx, client.NetMode{Mode: "03", NetworkBand: "2000004400000", LTEBand: "80800D5"}); err != nil {
		t.Fatal(err)
	}
	if sig, err := c.Signal(ctx); err != nil || cmp.Diff(client.Signal{}, sig) != "" {
		t.Errorf("while searching: %+v, %v", sig, err)
	}
	if st, err := c.Status(ctx); err != nil || !st.Disconnecting() || st.NetworkType != 0 {
		t.Errorf("while searching: %+v, %v", st, err)
	}
}

// Ensure addresses come from where the options say.
func TestOptions_addresses(t *testing.T) {
	t.Parallel()
	n := byte(0)
	m := start(t, sim.Options{Addresses: func() netip.Addr { n++; return netip.AddrFrom4([4]byte{198, 51, 100, n}) }})
	c := dial(t, m, client.Options{})
	if err := c.SetNetMode(within(t), client.NetMode{Mode: "03", NetworkBand: "2000004400000", LTEBand: "80800D5"}); err != nil {
		t.Fatal(err)
	}
	wait(t, m, "attached 198.51.100.2", 1)
}

// Ensure a modem starts once, closes at any time and more than once, and takes
// the place of one that was closed.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	unborn := sim.New(sim.Options{})
	if unborn.URL() != "" || unborn.Gateway() != "" || unborn.Attached() {
		t.Errorf("before the start: %q %q", unborn.URL(), unborn.Gateway())
	}
	unborn.Close()
	unborn.Close()
	if err := unborn.Start(within(t)); err == nil {
		t.Error("a closed modem was started")
	}

	m := start(t, sim.Options{Reattach: time.Hour})
	if err := m.Start(within(t)); err == nil {
		t.Error("a modem was started twice")
	}
	c := dial(t, m, client.Options{})
	if err := c.SetNetMode(within(t), client.NetMode{Mode: "03", NetworkBand: "2000004400000", LTEBand: "80800D5"}); err != nil {
		t.Fatal(err)
	}
	held := behind(t, m)
	waiting := make(chan error, 1)
	go func() {
		waiting <- m.WaitFor(within(t), func(entries []sim.Entry) bool { return count(entries, "attached") > 1 })
	}()
	m.Close()
	m.Close()
	if got := ended(held); got != "closed" {
		t.Errorf("a held connection outlived the modem: %q", got)
	}
	if err := <-waiting; err == nil {
		t.Error("a closed modem attached")
	}
	if n := len(m.Ledger()); n != 3 {
		t.Errorf("the ledger of a closed modem: %q", happened(m))
	}
	if _, err := c.Status(within(t)); err == nil {
		t.Error("a closed modem answers")
	}

	web, gateway := m.URL()[len("http://"):], m.Gateway()
	again := start(t, sim.Options{WebAddr: web, GatewayAddr: gateway})
	if again.URL() != m.URL() || again.Gateway() != m.Gateway() {
		t.Errorf("%s %s, want the places of the one before", again.URL(), again.Gateway())
	}
	// The session of the one before is unknown; the client finds its way.
	if mode, err := c.NetMode(within(t)); err != nil || mode.Mode != "00" {
		t.Errorf("%+v, %v", mode, err)
	}

	for _, taken := range []sim.Options{{WebAddr: web}, {GatewayAddr: gateway}, {WebAddr: "nowhere"}} {
		third := sim.New(taken)
		if err := third.Start(within(t)); err == nil {
			t.Errorf("%+v: started where another one listens", taken)
		}
		third.Close()
	}
}

// Ensure waiting ends with its context, and says what had happened.
func TestWaitFor(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := m.WaitFor(ctx, func([]sim.Entry) bool { return false })
	if !errors.Is(err, context.DeadlineExceeded) || len(err.Error()) < len("attached 203.0.113.") {
		t.Errorf("%v", err)
	}
	if err := m.WaitFor(ctx, func(e []sim.Entry) bool { return m.Attached() && len(e) == 1 }); err != nil {
		t.Errorf("what holds already: %v", err)
	}
}

// Ensure many clients at once get answers, each under its own session.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	errs := make(chan error, 64)
	for i := range 8 {
		c := dial(t, m, client.Options{})
		go func() {
			for j := range 8 {
				var err error
				switch j % 4 {
				case 0:
					err = c.SetNetMode(within(t), client.NetMode{Mode: []string{"00", "03"}[i%2], NetworkBand: "2000004400000", LTEBand: "80800D5"})
				case 1:
					_, err = c.Signal(within(t))
				case 2:
					_, err = c.Traffic(within(t))
				default:
					if behind, err := net.Dial("tcp", m.Gateway()); err == nil {
						_, _ = ask(behind) // an answer, or cut: both are right here
						behind.Close()
					}
					m.SetFaults(sim.Faults{Slow: time.Duration(j) * time.Microsecond})
				}
				if err != nil {
					err = fmt.Errorf("client %d, call %d: %w", i, j, err)
				}
				errs <- err
			}
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := count(m.Ledger(), "net-mode"); n != 16 {
		t.Errorf("%d writes, want 16", n)
	}
}
