package recovery_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"switchyard/hardware/flock"
	"switchyard/hardware/recovery"
	"switchyard/hardware/usb"
)

// Ensure that at whatever moment of a power cycle a process dies, what it leaves
// on the disk is enough for the next one to switch on every port that was off, and
// that it then is forgotten.
func TestPowerOn_afterDeath(t *testing.T) {
	t.Parallel()
	type remains struct {
		when string
		dir  string
		off  map[usb.Path]bool
	}
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprintf("all %t", all), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.connected[11] = !all
				var dead []remains
				die := func(when string) {
					b.mu.Lock()
					off := maps.Clone(b.off)
					b.mu.Unlock()
					dead = append(dead, remains{when, b.copyState(), off})
				}
				b.SetPowerFn = func(h usb.Path, port int, on bool) error {
					die(fmt.Sprintf("before %s %t", h.At(port), on))
					return nil
				}
				err := b.recovery.PowerCycle(t.Context(), b.dongle(11), func(wait string) { die("at " + wait) })
				if (err == nil) == all {
					t.Fatal(err)
				}
				offs := 0
				for _, d := range dead {
					next := newBench(t)
					next.dir, next.off = d.dir, maps.Clone(d.off)
					next.start()
					var want []usb.Path
					for p, off := range d.off {
						if off {
							want = append(want, p)
							offs++
						}
					}
					on, err := next.recovery.PowerOn(t.Context())
					if err != nil {
						t.Errorf("%s: %v", d.when, err)
					}
					for _, p := range want {
						if !strings.Contains(fmt.Sprint(on), string(p)) {
							t.Errorf("%s: switched on %v, off were %v", d.when, on, want)
						}
					}
					next.allOn()
					next.did()
					if on, err := next.recovery.PowerOn(t.Context()); on != nil || err != nil || next.did() != "" {
						t.Errorf("%s: once more: %v, %v", d.when, on, err)
					}
				}
				if offs == 0 {
					t.Errorf("no port was off in any of %v", dead)
				}
			})
		})
	}
}

// Ensure a port that can't be switched on in time stays noted, also for a cycle of
// another port of its hub, and is switched on by the next try.
func TestPowerOn_again(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		broken := true
		b.SetPowerFn = func(_ usb.Path, port int, on bool) error {
			if broken && on && port == 1 {
				return errors.New("timed out")
			}
			return nil
		}
		err := b.toggle(b.recovery.PowerCycle, 11)
		if err == nil || errors.Is(err, recovery.ErrUnavailable) || !strings.Contains(err.Error(), "switching port 1 of hub 1-3 on again: timed out: not done within 20s") {
			t.Errorf("%v", err)
		}
		b.start()
		if on, err := b.recovery.PowerOn(t.Context()); on != nil || err == nil || len(b.left()) != 1 {
			t.Errorf("it is still broken: %v, %v, left %v", on, err, b.left())
		}
		if err := b.toggle(b.recovery.PowerCycle, 12); err == nil || !strings.Contains(err.Error(), "switching port 1 of hub 1-3 on again") {
			t.Errorf("a cycle of its neighbour: %v", err)
		}
		broken = false
		on, err := b.recovery.PowerOn(t.Context())
		if diff := cmp.Diff([]usb.Path{"1-3.1"}, on); diff != "" && len(on) != 2 || err != nil {
			t.Errorf("mended: %v, %v", on, err)
		}
		b.allOn()
	})
}

// Ensure what is not this process' to switch on is left alone: a cycle under way,
// a hub that isn't there. And that a file that can't be read costs no port its
// power.
func TestPowerOn_left(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		note := filepath.Join(b.dir, "hub-1-3.off")
		write := func(text string) {
			if err := os.WriteFile(note, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		nothing := func(why string) {
			t.Helper()
			if on, err := b.recovery.PowerOn(t.Context()); on != nil || err != nil || b.did() != "" || len(b.left()) != 1 {
				t.Errorf("%s: %v, %v, left %v", why, on, err, b.left())
			}
		}
		write(`{"ports":[2]}`)
		lock, err := flock.Try(filepath.Join(b.dir, "hub-1-3.lock"), flock.Exclusive)
		if err != nil {
			t.Fatal(err)
		}
		nothing("somebody cycles")
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
		b.unplug("1-3")
		nothing("the hub is gone")
		b.plug(stick("1-3", usb.Modem))
		nothing("something else is in its place")
		b.plug(hub("1-3"))
		write("{")
		if on, err := b.recovery.PowerOn(t.Context()); len(on) != 4 || err != nil || b.did() != "on 1-3.1, on 1-3.2, on 1-3.3, on 1-3.4" {
			t.Errorf("unreadable: %v, %v", on, err)
		}
		b.allOn()
	})
}

// Ensure a port that there is no more, as where a hub was replaced by a smaller
// one, is forgotten, and keeps neither the others nor a cycle from being done.
func TestPowerOn_smallerHub(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.SetPowerFn = func(_ usb.Path, port int, _ bool) error {
			if port > 4 {
				return usb.ErrGone
			}
			return nil
		}
		write := func(ports string) {
			if err := os.WriteFile(filepath.Join(b.dir, "hub-1-3.off"), []byte(`{"ports":`+ports+`}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("[2,7]")
		if on, err := b.recovery.PowerOn(t.Context()); fmt.Sprint(on) != "[1-3.2]" || err != nil {
			t.Errorf("switched on %v, %v", on, err)
		}
		b.allOn()
		write("[7]")
		if on, err := b.recovery.PowerOn(t.Context()); on != nil || err != nil {
			t.Errorf("with no other: switched on %v, %v", on, err)
		}
		b.allOn()
		write("[7]")
		if err := b.toggle(b.recovery.PowerCycle, 11); err != nil {
			t.Errorf("a cycle: %v", err)
		}
		b.allOn()
	})
}

// Ensure no port is switched off that can't be noted before.
func TestPowerCycle_noNote(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		if err := os.Mkdir(filepath.Join(b.dir, "hub-1-3.off.new"), 0o700); err != nil {
			t.Fatal(err)
		}
		err := b.toggle(b.recovery.PowerCycle, 11)
		if did := b.did(); err == nil || strings.Contains(did, "off") || !strings.Contains(err.Error(), "noting which ports are switched off: writing to host.state_dir") {
			t.Errorf("%v; %s", err, did)
		}
	})
}
