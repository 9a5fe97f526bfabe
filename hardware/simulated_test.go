package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hardware"
	"switchyard/hardware/hilink"
	sim "switchyard/sim/hilink"
)

// stick is a simulated modem with the client and the dongle of a host around
// it, and a ladder whose times are as short as its own.
type stick struct {
	ctx    context.Context
	modem  *sim.Modem
	client *hilink.Client
	dongle *hardware.Dongle
	ladder *hardware.Ladder
	journal
}

func newStick(t *testing.T, opt sim.Options) *stick {
	t.Helper()
	return newStickWith(t, opt, 10*time.Second)
}

// newStickWith is newStick with a client that waits so long for an answer.
func newStickWith(t *testing.T, opt sim.Options, answer time.Duration) *stick {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	opt.Subnet = 16
	if opt.Reattach == 0 {
		opt.Reattach = 25 * time.Millisecond
	}
	s := &stick{ctx: ctx, modem: sim.New(opt)}
	if err := s.modem.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.modem.Close)
	client, err := hilink.New(s.modem.URL(), hilink.Options{Timeout: answer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.client = client
	s.dongle = &hardware.Dongle{
		Subnet: 16, Modem: client, Network: hardware.GatewayNetwork{Subnet: 16, Addr: s.modem.Gateway()},
		Prober:   hardware.Prober{URLs: []string{"http://ip.example/"}, Timeout: 5 * time.Second, HostIP: netip.MustParseAddr(hostAddress)},
		LockPath: filepath.Join(t.TempDir(), "dongle-16.lock"),
	}
	s.ladder = &hardware.Ladder{
		Methods: []hardware.Method{hardware.MethodNetMode, hardware.MethodDataswitch}, StepLimit: 10 * time.Second,
		Holds: []time.Duration{10 * time.Millisecond, 250 * time.Millisecond}, Poll: 10 * time.Millisecond,
		DropLimit: 3 * time.Second, SettleLimit: 2 * time.Second, RestoreLimit: restoreLimit,
	}
	return s
}

// healAt ends the modem's faults once cond holds of its ledger. The function it
// returns waits for that.
func (s *stick) healAt(cond func([]sim.Entry) bool) (wait func()) {
	healed := make(chan struct{})
	go func() {
		defer close(healed)
		_ = s.modem.WaitFor(s.ctx, cond) // else the toggle shows it
		s.modem.SetFaults(sim.Faults{})
	}()
	return func() { <-healed }
}

// writes are the ledger's entries that are not the network's doing.
func (s *stick) writes() string {
	var out []string
	for _, e := range s.modem.Ledger() {
		if !strings.Contains(e.What, "tached") {
			out = append(out, e.What)
		}
	}
	return strings.Join(out, ", ")
}

// wantOrder fails the test unless the modem is as it was made.
func (s *stick) wantOrder(t *testing.T, mode sim.NetMode) {
	t.Helper()
	if got := s.modem.Mode(); got != mode {
		t.Errorf("the modem is left in mode %+v, it was %+v; ledger: %v", got, mode, s.modem.Ledger())
	}
	if !s.modem.DataSwitch() {
		t.Errorf("mobile data is left switched off; ledger: %v", s.modem.Ledger())
	}
}

func netMode(mode string) sim.NetMode {
	return sim.NetMode{Mode: mode, NetworkBand: "2000004400000", LTEBand: "80800D5"}
}

// Ensure a toggle does at a modem what it tells: the writes in the modem's
// ledger, the address that the modem has in the end, the net mode with its
// bands as it was.
func TestSimulated(t *testing.T) {
	t.Parallel()
	const off = "dataswitch 0, dataswitch 1"
	for _, tt := range []struct {
		name   string
		mode   string
		opt    sim.Options
		faults sim.Faults
		until  string // entry of the ledger at which the faults are over
		step   int
		ip     string // new, old; empty: no success
		writes string
		steps  []string // beginnings
	}{
		{"from 00", "00", sim.Options{}, sim.Faults{}, "", 0, "new", "net-mode 00, net-mode 03, net-mode 00", []string{modeNew}},
		{"from 02", "02", sim.Options{}, sim.Faults{}, "", 0, "new", "net-mode 00, net-mode 03, net-mode 02", []string{modeNew}},
		{"from 03", "03", sim.Options{}, sim.Faults{}, "", 0, "new", "net-mode 00, net-mode 03", []string{modeNew}},
		{"dialling", "02", sim.Options{}, sim.Faults{RefuseWhileDialling: true}, "", 0, "new", "net-mode 00, net-mode 03, net-mode 02", []string{modeNew}},
		{"slow", "03", sim.Options{}, sim.Faults{Slow: 10 * time.Millisecond}, "", 0, "new", "net-mode 00, net-mode 03", []string{modeNew}},
		{"no token in the answer", "02", sim.Options{}, sim.Faults{LoseToken: true}, "", 0, "new", "net-mode 00, net-mode 03, net-mode 02", []string{modeNew}},
		{"net mode refused", "03", sim.Options{}, sim.Faults{RefuseNetMode: 112003}, "", 0, "new", off, []string{modeNo + "setting net mode 00: set net mode: the modem refuses this net mode", dataNew}},
		{"sticky address", "03", sim.Options{}, sim.Faults{StickyAddress: true}, "", 2, "old",
			"net-mode 00, net-mode 03, " + off + ", " + off, []string{modeSame, dataSame, dataSame, "3" + notHere}},
		{"sticky until data is off", "02", sim.Options{}, sim.Faults{StickyAddress: true}, "dataswitch 0", 0, "new",
			"net-mode 00, net-mode 03, net-mode 02, " + off, []string{modeSame, dataNew}},
		{"sticky unless data is off for long", "03", sim.Options{StickyBelow: 200 * time.Millisecond}, sim.Faults{StickyAddress: true}, "dataswitch 0", 0, "new",
			"net-mode 00, net-mode 03, " + off + ", " + off, []string{modeSame, dataSame, dataNew}},
		{"a web page", "03", sim.Options{}, sim.Faults{HTML: true}, "", 2, "old", "", []string{modeNo, dataNo, dataNo, "3" + notHere}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.opt.NetMode = netMode(tt.mode)
			s := newStick(t, tt.opt)
			s.modem.SetFaults(tt.faults)
			before := s.modem.Address().String()
			if tt.until != "" {
				defer s.healAt(func(all []sim.Entry) bool {
					return slices.ContainsFunc(all, func(e sim.Entry) bool { return e.What == tt.until })
				})()
			}
			out, err := s.ladder.Toggle(s.ctx, s.dongle, s.hooks())
			if err != nil || !out.Success || out.Step != tt.step {
				t.Fatalf("%+v, %v; %q", out, err, s.steps())
			}
			if *out.IP != s.modem.Address().String() || (*out.IP != before) != (tt.ip == "new") {
				t.Errorf("it tells %s; the modem had %s and has %s", *out.IP, before, s.modem.Address())
			}
			if diff := cmp.Diff(tt.writes, s.writes()); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			steps := s.steps()
			for i, want := range tt.steps {
				if i >= len(steps) || !strings.HasPrefix(steps[i], want) {
					t.Fatalf("steps %q, want %q", steps, tt.steps)
				}
			}
			if len(steps) != len(tt.steps) {
				t.Errorf("steps %q, want %q", steps, tt.steps)
			}
			s.wantOrder(t, tt.opt.NetMode)
		})
	}
}

// Ensure a modem that doesn't come back fails the toggle at the last step, each
// way having had its time, and is left in order.
func TestSimulated_noAddress(t *testing.T) {
	t.Parallel()
	s := newStick(t, sim.Options{NetMode: netMode("02")})
	s.modem.SetFaults(sim.Faults{NoAddress: true})
	s.ladder.StepLimit, s.ladder.Holds = 400*time.Millisecond, s.ladder.Holds[:1]
	s.dongle.Prober.Timeout = 200 * time.Millisecond
	out, err := s.ladder.Toggle(s.ctx, s.dongle, s.hooks())
	if err != nil || out.Success || out.IP != nil || out.Signal != nil || out.Step != 4 {
		t.Errorf("%+v, %v", out, err)
	}
	want := []string{"2 net_mode failed: no effect within 400ms", "2 dataswitch failed: no effect within 400ms", "3" + notHere, "4" + notHere}
	if diff := cmp.Diff(want, s.steps()); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	s.wantOrder(t, netMode("02"))
	// Found like this, the next one begins with another diagnosis. It helps.
	heal := s.healAt(func(all []sim.Entry) bool { return len(all) > 0 && strings.Count(s.writes(), "net-mode 00") == 2 })
	defer heal()
	s.ladder.StepLimit = 10 * time.Second
	again := &journal{}
	out, err = s.ladder.Toggle(s.ctx, s.dongle, again.hooks())
	if err != nil || !out.Success || out.Step != 2 || *out.IP != s.modem.Address().String() {
		t.Errorf("the next one: %+v, %v, %q", out, err, again.steps())
	}
	if found := again.last().Diagnosis; found != "no_connectivity" {
		t.Errorf("the next one found %s", found)
	}
	s.wantOrder(t, netMode("02"))
}

// Ensure a modem whose web API hangs is given up at the limit of each way, that
// a working dongle is reported as such, and that the modem is put in order once
// it answers again.
func TestSimulated_hang(t *testing.T) {
	t.Parallel()
	s := newStickWith(t, sim.Options{}, 500*time.Millisecond)
	s.modem.SetFaults(sim.Faults{Hang: true})
	s.ladder.StepLimit, s.ladder.Holds = 100*time.Millisecond, s.ladder.Holds[:1]
	before, mode := s.modem.Address().String(), s.modem.Mode()
	// Switching data off had no answer, so on it goes again. That hangs too, once.
	s.dongle.Modem = &interrupted{Modem: s.client, At: func(n int) error {
		if n == 3 {
			s.modem.SetFaults(sim.Faults{})
		}
		return nil
	}}
	out, err := s.ladder.Toggle(s.ctx, s.dongle, s.hooks())
	if err != nil || !out.Success || *out.IP != before || out.Step != 2 {
		t.Errorf("%+v, %v; %q", out, err, s.steps())
	}
	for i, want := range []string{"2 net_mode failed: reading the net mode: ", "2 dataswitch failed: switching mobile data off: ", "3" + notHere} {
		if steps := s.steps(); i >= len(steps) || !strings.HasPrefix(steps[i], want) {
			t.Errorf("steps %q", steps)
		}
	}
	if diff := cmp.Diff("dataswitch 1", s.writes()); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	s.wantOrder(t, mode)
}

// Ensure a toggle that is cancelled at any call of the real client, before it is
// made or after the modem has answered, leaves the modem in order.
func TestSimulated_cancelAtEachCall(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"00", "02", "03"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/after %v", mode, after), func(t *testing.T) {
				t.Parallel()
				s := newStick(t, sim.Options{NetMode: netMode(mode)})
				for n, through := 0, false; !through; n++ {
					ctx, cancel := context.WithCancelCause(s.ctx)
					stop := func(k int) error {
						if k == n {
							cancel(errCancelled)
							return ctx.Err()
						}
						return nil
					}
					m := &interrupted{Modem: s.client, At: stop}
					if after {
						m.At, m.After = nil, stop
					}
					through = s.cancelled(ctx, t, m, netMode(mode), fmt.Sprintf("at call %d", n))
					cancel(nil)
				}
			})
		}
	}
}

// Ensure the same where the cancellation cuts requests off in the middle.
func TestSimulated_cancelAtEachMoment(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newStick(t, sim.Options{NetMode: netMode(w.mode)})
			s.modem.SetFaults(sim.Faults{Slow: 5 * time.Millisecond})
			s.ladder.Methods = []hardware.Method{w.method}
			for after, through := time.Duration(0), false; !through; after += 12 * time.Millisecond {
				ctx, cancel := context.WithCancelCause(s.ctx)
				timer := time.AfterFunc(after, func() { cancel(errCancelled) })
				through = s.cancelled(ctx, t, &interrupted{Modem: s.client}, netMode(w.mode), fmt.Sprintf("after %v", after))
				timer.Stop()
				cancel(nil)
			}
		})
	}
}

// cancelled toggles by m once, and waits until the modem is back on the network
// for the next one. It reports whether the toggle came to its end first.
func (s *stick) cancelled(ctx context.Context, t *testing.T, m hardware.Modem, mode sim.NetMode, when string) (through bool) {
	t.Helper()
	d, j := *s.dongle, &journal{}
	d.Modem = m
	out, err := s.ladder.Toggle(ctx, &d, j.hooks())
	s.wantOrder(t, mode)
	through = err == nil
	if through != out.Success || !through && !errors.Is(err, errCancelled) || t.Failed() {
		t.Fatalf("%s: %+v, %v, %q", when, out, err, j.steps())
	}
	if err := s.modem.WaitFor(s.ctx, func([]sim.Entry) bool { return s.modem.Attached() }); err != nil {
		t.Fatal(err)
	}
	return through
}
