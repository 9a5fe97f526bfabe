package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hardware"
	"switchyard/tasks"
)

// What the steps say in the tables below.
const (
	notHere  = " skipped: not available on this host"
	noHub    = " skipped: no hub is known: not available on this host"
	noEffect = " failed: no effect within 45s"
	denied   = ": permission denied"

	modeNew, dataNew     = "2 net_mode ok", "2 dataswitch ok"
	modeSame, dataSame   = "2 net_mode unchanged", "2 dataswitch unchanged"
	modeLost, dataLost   = "2 net_mode" + noEffect, "2 dataswitch" + noEffect
	modeNo, dataNo       = "2 net_mode failed: ", "2 dataswitch failed: "
	refusedMode          = modeNo + "setting net mode 00: set net mode: the modem refuses this net mode or these bands (112003)"
	refusedData          = dataNo + "switching mobile data off: set data switch: the modem doesn't support this request (100002)"
	healthy, unreachable = hardware.Healthy, hardware.NoConnectivity
	unplugged, misrouted = hardware.NoInterface, hardware.NoRouting
)

// Ensure the ladder climbs as the package comment says: for each diagnosis and
// each outcome of its steps, where it ends, with which address and step, and
// what the record says of it.
func TestLadder(t *testing.T) {
	t.Parallel()
	type repairs = map[int]string
	for _, tt := range []struct {
		name       string
		found      hardware.Diagnosis
		accept     bool
		mode, data string // what the ways of step 2 do
		repairs    repairs
		step       int
		ip         string // old, new; empty: no success
		steps      []string
	}{
		// Healthy: step 2, reported as 0.
		{"changed", healthy, false, changes, changes, nil, 0, "new", []string{modeNew}},
		{"changed by the second way", healthy, false, keeps, changes, nil, 0, "new", []string{modeSame, dataNew}},
		{"the first way is refused", healthy, false, refused, changes, nil, 0, "new", []string{refusedMode, dataNew}},
		{"the first way loses it, the second brings it back", healthy, false, loses, changes, nil, 0, "new", []string{modeLost, dataNew}},
		{"the first way is ignored", healthy, false, ignored, changes, nil, 0, "new", []string{modeSame, dataNew}},

		// Unchanged: on to step 3, never to step 4.
		{"unchanged, no repair", healthy, false, keeps, keeps, nil, 2, "old", []string{modeSame, dataSame, dataSame, "3" + notHere}},
		{"unchanged, no hub", healthy, false, keeps, keeps, repairs{3: cannot, 4: changes}, 2, "old", []string{modeSame, dataSame, dataSame, "3" + noHub}},
		{"unchanged, reset changes", healthy, false, keeps, keeps, repairs{3: changes}, 3, "new", []string{modeSame, dataSame, dataSame, "3 ok"}},
		{"unchanged, reset keeps", healthy, false, keeps, keeps, repairs{3: keeps, 4: changes}, 3, "old", []string{modeSame, dataSame, dataSame, "3 unchanged"}},
		{"unchanged, reset does nothing", healthy, false, keeps, keeps, repairs{3: idle, 4: changes}, 3, "old", []string{modeSame, dataSame, dataSame, "3 unchanged"}},
		{"unchanged, reset is denied", healthy, false, keeps, keeps, repairs{3: fails, 4: changes}, 3, "old", []string{modeSame, dataSame, dataSame, "3 unchanged" + denied}},
		{"unchanged, reset breaks it", healthy, false, keeps, keeps, repairs{3: breaks, 4: changes}, 4, "new",
			[]string{modeSame, dataSame, dataSame, "3 failed" + denied, "4 ok"}},
		{"unchanged, reset breaks it for good", healthy, false, keeps, keeps, repairs{3: breaks}, 4, "",
			[]string{modeSame, dataSame, dataSame, "3 failed" + denied, "4" + notHere}},
		{"ignored", healthy, false, ignored, ignored, repairs{4: changes}, 2, "old", []string{modeSame, dataSame, dataSame, "3" + notHere}},
		{"nothing is taken, and it works", healthy, false, refused, refused, repairs{4: changes}, 2, "old",
			[]string{refusedMode, refusedData, refusedData, "3" + notHere}},
		{"the last way is not taken, and it works", healthy, false, keeps, refused, repairs{4: changes}, 2, "old",
			[]string{modeSame, refusedData, refusedData, "3" + notHere}},

		// Unchanged is accepted.
		{"accepted", healthy, true, keeps, keeps, repairs{3: changes, 4: changes}, 2, "old", []string{modeSame, dataSame, dataSame}},
		{"accepted, changed all the same", healthy, true, keeps, changes, repairs{3: changes}, 0, "new", []string{modeSame, dataNew}},
		{"no address is not accepted", healthy, true, loses, loses, repairs{3: keeps}, 3, "old", []string{modeLost, dataLost, dataLost, "3 unchanged"}},
		{"lost, then unchanged: accepted", healthy, true, loses, keeps, repairs{3: changes}, 2, "old", []string{modeLost, dataSame, dataSame}},
		{"unchanged, then lost: not accepted", healthy, true, keeps, loses, repairs{3: changes}, 3, "new", []string{modeSame, dataLost, dataLost, "3 ok"}},

		// Lost: to the end.
		{"lost, reset helps", healthy, false, loses, loses, repairs{3: changes, 4: changes}, 3, "new", []string{modeLost, dataLost, dataLost, "3 ok"}},
		{"lost, power cycle helps", healthy, false, loses, loses, repairs{3: idle, 4: keeps}, 4, "old",
			[]string{modeLost, dataLost, dataLost, "3" + noEffect, "4 unchanged"}},
		{"lost, nothing helps", healthy, false, loses, loses, repairs{3: idle, 4: idle}, 4, "",
			[]string{modeLost, dataLost, dataLost, "3" + noEffect, "4" + noEffect}},
		{"lost, nothing here", healthy, false, loses, loses, nil, 4, "", []string{modeLost, dataLost, dataLost, "3" + notHere, "4" + notHere}},
		{"lost, denied, cannot", healthy, false, loses, loses, repairs{3: fails, 4: cannot}, 4, "",
			[]string{modeLost, dataLost, dataLost, "3 failed" + denied, "4" + noHub}},
		{"lost, reset helps but says it failed", healthy, false, loses, loses, repairs{3: recovers, 4: changes}, 3, "old",
			[]string{modeLost, dataLost, dataLost, "3 unchanged" + denied}},
		{"lost, power cycle helps but says it failed", healthy, false, loses, loses, repairs{4: recovers}, 4, "old",
			[]string{modeLost, dataLost, dataLost, "3" + notHere, "4 unchanged" + denied}},

		// No connectivity: step 2, reported as 2.
		{"toggled back", unreachable, false, changes, changes, nil, 2, "new", []string{modeNew}},
		{"any address is another one", unreachable, false, keeps, changes, nil, 2, "old", []string{modeNew}},
		{"toggled back by the second way", unreachable, false, loses, changes, nil, 2, "new", []string{modeLost, dataNew}},
		{"reset", unreachable, false, loses, refused, repairs{1: changes, 3: changes}, 3, "new", []string{modeLost, refusedData, refusedData, "3 ok"}},
		{"power cycled", unreachable, false, loses, loses, repairs{4: changes}, 4, "new", []string{modeLost, dataLost, dataLost, "3" + notHere, "4 ok"}},
		{"out of reach for good", unreachable, false, loses, loses, repairs{3: fails, 4: fails}, 4, "",
			[]string{modeLost, dataLost, dataLost, "3 failed" + denied, "4 failed" + denied}},

		// No routing: step 1.
		{"rerouted", misrouted, false, changes, changes, repairs{1: keeps}, 1, "old", []string{"1 ok"}},
		{"rerouted with another address", misrouted, false, changes, changes, repairs{1: changes}, 1, "new", []string{"1 ok"}},
		{"routing can't be repaired", misrouted, false, changes, changes, nil, 4, "",
			[]string{"1" + notHere, modeLost, dataLost, dataLost, "3" + notHere, "4" + notHere}},
		{"routing denied, reset helps", misrouted, false, changes, changes, repairs{1: fails, 3: changes}, 3, "new",
			[]string{"1 failed" + denied, modeLost, dataLost, dataLost, "3 ok"}},
		{"routing without effect, power cycle helps", misrouted, false, changes, changes, repairs{1: idle, 3: cannot, 4: changes}, 4, "new",
			[]string{"1" + noEffect, modeLost, dataLost, dataLost, "3" + noHub, "4 ok"}},

		// No interface: step 3.
		{"replugged", unplugged, false, changes, changes, repairs{1: changes, 3: keeps, 4: changes}, 3, "old", []string{"3 ok"}},
		{"reset can't be done, power cycle helps", unplugged, false, changes, changes, repairs{4: changes}, 4, "new", []string{"3" + notHere, "4 ok"}},
		{"reset without effect, power cycle helps", unplugged, true, changes, changes, repairs{3: idle, 4: changes}, 4, "new", []string{"3" + noEffect, "4 ok"}},
		{"unplugged for good", unplugged, false, changes, changes, repairs{3: fails, 4: idle}, 4, "", []string{"3 failed" + denied, "4" + noEffect}},
		{"unplugged, nothing here", unplugged, false, changes, changes, nil, 4, "", []string{"3" + notHere, "4" + notHere}},
	} {
		t.Run(string(tt.found)+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, tt.found)
				p.ways[hardware.MethodNetMode], p.ways[hardware.MethodDataswitch] = tt.mode, tt.data
				p.repairs = tt.repairs
				l, j := p.ladder(), &journal{}
				l.AcceptUnchanged = tt.accept
				out, err := l.Toggle(t.Context(), p.dongle(t, p.modem()), j.hooks())
				if err != nil {
					t.Fatal(err)
				}
				want := tasks.ToggleOutcome{Step: tt.step}
				if tt.ip != "" {
					ip := oldIP
					if tt.ip == "new" {
						ip = newIP
					}
					want = success(ip.String(), tt.step)
				}
				if diff := cmp.Diff(want, out); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.steps, j.steps()); diff != "" {
					t.Errorf("steps (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(want.IP, j.last().NewIP); diff != "" {
					t.Errorf("new address in the record (-want +got):\n%s", diff)
				}
				if got := j.said[0]; got.Diagnosis != string(tt.found) || (got.OldIP != nil) != (tt.found == healthy) || len(got.Steps) != 0 {
					t.Errorf("it began as %+v", got)
				}
				if slices.Contains(p.cut, "4 while it worked") {
					t.Errorf("its power was cut while it worked: %q", p.cut)
				}
				if tt.mode != refused && tt.data != refused {
					p.inOrder(t)
				}
			})
		})
	}
}

// success is the outcome of a toggle that left the dongle with this address.
func success(ip string, step int) tasks.ToggleOutcome {
	return tasks.ToggleOutcome{
		Success: true, IP: &ip, Traffic: tasks.Traffic{Upload: 7, Download: 9},
		Signal: &tasks.Signal{RSRP: ptr(tasks.Decibel(-96)), Band: ptr("3")}, Step: step,
	}
}

// Ensure what holds for every climb, whatever its steps do: success is told
// where there is connectivity and nowhere else, power is never cut while there
// is, steps come in their order, and the modem is left as it was found.
func TestLadder_invariants(t *testing.T) {
	t.Parallel()
	for _, found := range []hardware.Diagnosis{healthy, unreachable, misrouted, unplugged} {
		for _, accept := range []bool{false, true} {
			if accept && (found == misrouted || found == unplugged) {
				continue // nothing can come back unchanged
			}
			t.Run(fmt.Sprintf("%s/accept %v", found, accept), func(t *testing.T) {
				t.Parallel()
				first, ways := []string{missing}, []string{changes, keeps, loses, refused, ignored}
				if found == misrouted {
					first, ways = []string{missing, fails, idle, recovers, keeps}, ways[2:3] // none gets through
				}
				if found == unplugged {
					ways = ways[:1] // step 2 isn't reached
				}
				for _, one := range first {
					for _, two := range ways {
						for _, three := range []string{missing, fails, breaks, idle, keeps, changes, recovers} {
							for _, four := range []string{missing, fails, idle, recovers, changes} {
								what := fmt.Sprintf("1 %q, 2 %q, 3 %q, 4 %q", one, two, three, four)
								synctest.Test(t, func(t *testing.T) {
									p := newPlace(t, found)
									p.ways[hardware.MethodNetMode] = two
									p.repairs = map[int]string{1: one, 3: three, 4: four}
									climb(t, p, accept, what)
								})
							}
						}
					}
				}
			})
		}
	}
}

// climb toggles once, quickly, and holds the outcome against what is there.
func climb(t *testing.T, p *place, accept bool, what string) {
	t.Helper()
	before, wasHealthy := p.connected()
	l, j := p.ladder(), &journal{}
	l.Methods, l.AcceptUnchanged, l.StepLimit, l.Poll = l.Methods[:1], accept, 10*time.Second, 500*time.Millisecond
	out, err := l.Toggle(t.Context(), p.dongle(t, p.modem()), j.hooks())
	ip, works := p.connected()
	steps := strings.Join(j.steps(), ", ")
	wrong := func(format string, a ...any) {
		t.Helper()
		t.Errorf("%s: %s; %+v after %s", what, fmt.Sprintf(format, a...), out, steps)
	}
	if err != nil {
		wrong("error %v", err)
	}
	if out.Success != works {
		wrong("there is connectivity: %v", works)
	}
	if out.Success && (out.IP == nil || *out.IP != ip.String()) || !out.Success && (out.IP != nil || out.Signal != nil) {
		wrong("its address is %v", ip)
	}
	if diff := cmp.Diff(out.IP, j.last().NewIP); diff != "" {
		wrong("the record has another address: %s", diff)
	}
	if slices.Contains(p.cut, "4 while it worked") {
		wrong("its power was cut while it worked")
	}
	if !out.Success && out.Step != 4 {
		wrong("it failed before the ladder was exhausted")
	}
	if zero := wasHealthy && out.Success && ip != before && !reached(j, 3); zero != (out.Success && out.Step == 0) {
		wrong("step 0 is told of a healthy dongle that another address came to, at step 2")
	}
	if got := j.last().Steps; !slices.IsSortedFunc(got, func(a, b tasks.ToggleStep) int { return a.Step - b.Step }) {
		wrong("steps are out of order")
	}
	if last := j.last().Steps; accept && reached(j, 3) && slices.ContainsFunc(last, func(s tasks.ToggleStep) bool { return s.Step == 2 && s.Outcome == "unchanged" }) {
		wrong("it went on although unchanged is accepted")
	}
	p.inOrder(t)
}

// reached reports whether a step was begun.
func reached(j *journal, step int) bool {
	return slices.ContainsFunc(j.last().Steps, func(s tasks.ToggleStep) bool { return s.Step == step })
}

// Ensure each step is told of when it begins and when it ends, with the
// addresses and the time that it took.
func TestLadder_progress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, healthy)
		p.ways[hardware.MethodNetMode], p.ways[hardware.MethodDataswitch] = refused, changes
		j := &journal{}
		if _, err := p.ladder().Toggle(t.Context(), p.dongle(t, p.modem()), j.hooks()); err != nil {
			t.Fatal(err)
		}
		old, next := ptr(oldIP.String()), ptr(newIP.String())
		no := tasks.ToggleStep{Step: 2, Method: "net_mode", Outcome: "failed", Reason: strings.TrimPrefix(refusedMode, modeNo)}
		running := func(method string) tasks.ToggleStep {
			return tasks.ToggleStep{Step: 2, Method: method, Outcome: "running"}
		}
		// Six seconds off, then back after two.
		ok := tasks.ToggleStep{Step: 2, Method: "dataswitch", Outcome: "ok", DurationMS: 8000}
		want := []tasks.ToggleProgress{
			{Diagnosis: "healthy", OldIP: old, Steps: []tasks.ToggleStep{}},
			{Diagnosis: "healthy", OldIP: old, Steps: []tasks.ToggleStep{running("net_mode")}},
			{Diagnosis: "healthy", OldIP: old, Steps: []tasks.ToggleStep{no}},
			{Diagnosis: "healthy", OldIP: old, Steps: []tasks.ToggleStep{no, running("dataswitch")}},
			{Diagnosis: "healthy", OldIP: old, NewIP: next, Steps: []tasks.ToggleStep{no, ok}},
		}
		if diff := cmp.Diff(want, j.said); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Ensure a modem that was never seen off the network is given a moment to show
// another address before it counts as unchanged.
func TestLadder_changesLate(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]string{
		// Three seconds for each of two modes to be seen, then two to settle.
		7 * time.Second: newIP.String(), 9 * time.Second: oldIP.String(),
	} {
		synctest.Test(t, func(t *testing.T) {
			p, j := newPlace(t, healthy), &journal{}
			p.ways[hardware.MethodNetMode] = ignored
			l := p.ladder()
			l.Methods, l.AcceptUnchanged = l.Methods[:1], true
			defer time.AfterFunc(after, func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.ip = newIP
			}).Stop()
			out, err := l.Toggle(t.Context(), p.dongle(t, p.modem()), j.hooks())
			if err != nil || !out.Success || *out.IP != want {
				t.Errorf("after %v: %+v, %v, want %s; %q", after, out, err, want, j.steps())
			}
		})
	}
}

// Ensure a job that is no longer ours has no further effect: the check is made
// before each way and each repair, and its error ends the toggle.
func TestLadder_check(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	for allowed, want := range []struct {
		step int
		did  []string // writes, then repairs
	}{
		{2, nil},
		{2, []string{"mode 00", "mode 03"}},
		{2, []string{"mode 00", "mode 03", "data false", "data true"}},
		{3, []string{"mode 00", "mode 03", "data false", "data true", "data false", "data true"}},
		{4, []string{"mode 00", "mode 03", "data false", "data true", "data false", "data true", "3"}},
	} {
		t.Run(fmt.Sprint(allowed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, healthy)
				p.ways[hardware.MethodNetMode], p.ways[hardware.MethodDataswitch] = loses, loses
				p.repairs = map[int]string{3: idle, 4: changes}
				asked := 0
				j := &journal{CheckFn: func(context.Context) error {
					if asked++; asked > allowed {
						return lost
					}
					return nil
				}}
				out, err := p.ladder().Toggle(t.Context(), p.dongle(t, p.modem()), j.hooks())
				if !errors.Is(err, lost) || asked != allowed+1 {
					t.Errorf("after %d checks: %v", asked, err)
				}
				if diff := cmp.Diff(tasks.ToggleOutcome{Step: want.step}, out); diff != "" {
					t.Errorf("outcome (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(want.did, append(slices.Clone(p.did), p.cut...)); diff != "" {
					t.Errorf("effects (-want +got):\n%s", diff)
				}
				p.inOrder(t)
			})
		})
	}
}

// Ensure a host whose interfaces can't be listed toggles nothing.
func TestLadder_noDiagnosis(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, j := newPlace(t, healthy), &journal{}
		d := p.dongle(t, p.modem())
		d.Network = &fakeNetwork{InterfaceFn: func() (string, error) { return "", errNoAccess }}
		out, err := p.ladder().Toggle(t.Context(), d, j.hooks())
		if !errors.Is(err, errNoAccess) || out.Success || len(p.did)+len(j.said) != 0 {
			t.Errorf("%+v, %v; it did %q and said %v", out, err, p.did, j.said)
		}
	})
}
