package recovery_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hardware/flock"
	"switchyard/hardware/recovery"
	"switchyard/hardware/usb"
)

// Ensure step 4 cycles the dongle's port and, if that doesn't help, those of all
// dongles on its hub, never another one; that it does nothing where it may not;
// and that no port is left without power whatever happens.
func TestPowerCycle(t *testing.T) {
	t.Parallel()
	const (
		one  = "off 1-3.1, on 1-3.1, address 11 eth11-1, route 11"
		done = one + ", reread"
	)
	failing := func(word string, port int, times int, err error) func(*bench) {
		return func(b *bench) {
			b.SetPowerFn = func(_ usb.Path, p int, on bool) error {
				if p == port && on == (word == "on") && times > 0 {
					times--
					return err
				}
				return nil
			}
		}
	}
	for _, tt := range []struct {
		name   string
		set    func(*bench)
		did    string
		errors []string // parts of its text; empty: none
		cannot bool
	}{
		{"its port helps", nil, done, nil, false},
		{"unplugged", func(b *bench) { b.unplug(hangs[11]); b.off[hangs[11]] = true }, done, nil, false},
		{"switched on at the third try", failing("on", 1, 2, errors.New("timed out")), "off 1-3.1, on 1-3.1, on 1-3.1, on 1-3.1, address 11 eth11-1, route 11, reread", nil, false},
		{"another hub", func(b *bench) { b.start(func(o *recovery.Options) { o.Hubs = []usb.Path{"1-3.4"} }) }, "",
			[]string{"hub 1-3 is not among those to be power cycled (host.usb.hubs)"}, true},
		{"it can't", func(b *bench) { b.SwitchableFn = func(usb.Path) (bool, error) { return false, nil } }, "",
			[]string{"hub 1-3 can't switch the power of single ports"}, true},
		{"it is gone", func(b *bench) { b.SwitchableFn = func(usb.Path) (bool, error) { return false, usb.ErrGone } }, "",
			[]string{"asking hub 1-3"}, true},
		{"it can't be asked", func(b *bench) { b.SwitchableFn = func(usb.Path) (bool, error) { return false, usb.ErrNotPermitted } }, done, nil, false},
		{"no right", failing("off", 1, 1, usb.ErrNotPermitted), "off 1-3.1, on 1-3.1", []string{"switching off port 1 of hub 1-3: this process may not"}, true},
		{"not switched", failing("off", 1, 1, usb.ErrNotSwitched), "off 1-3.1, on 1-3.1", []string{"did not switch the port"}, true},
		{"stuck", failing("off", 1, 1, usb.ErrStuck), "off 1-3.1, on 1-3.1", []string{"does not come back"}, false},
		{"something else there", func(b *bench) { b.plug(usb.Device{Path: hangs[11], Vendor: 0x046d}) }, "", []string{"is a device that is none"}, true},
		{"no budget", func(b *bench) { b.start(func(o *recovery.Options) { o.Budget = 0 }) }, "", []string{"toggle.power.budget is 0"}, true},

		{"the hub helps", func(b *bench) {
			b.connected[11] = false
			b.SetPowerFn = func(_ usb.Path, port int, on bool) error {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.connected[11] = b.connected[11] || port == 3 && !on
				return nil
			}
		}, one + ", off 1-3.1, off 1-3.2, off 1-3.3, on 1-3.1, on 1-3.2, on 1-3.3, " +
			"address 11 eth11-2, address 12 eth12-1, address 13 eth13-1, route 11, route 12, route 13, reread", nil, false},
		{"nothing helps", func(b *bench) { b.connected[11] = false },
			one + ", off 1-3.1, off 1-3.2, off 1-3.3, on 1-3.1, on 1-3.2, on 1-3.3, " +
				"address 11 eth11-2, address 12 eth12-1, address 13 eth13-1, route 11, route 12, route 13, reread",
			[]string{"waiting for the connectivity of dongle 11: not within 1m0s; with all dongles of hub 1-3: waiting for the connectivity"}, false},
		{"the hub is left alone", func(b *bench) {
			b.connected[11] = false
			b.start(func(o *recovery.Options) { o.WholeHub = false })
		}, done, []string{"waiting for the connectivity of dongle 11: not within 1m0s"}, false},
		{"a sibling isn't there, one of another kind is", func(b *bench) {
			b.connected[11] = false
			b.unplug(hangs[12])
			b.plug(usb.Device{Path: hangs[13], Vendor: 0x046d, Interfaces: []string{"lan0"}})
		}, one + ", off 1-3.1, off 1-3.2, on 1-3.1, on 1-3.2, address 11 eth11-2, route 11, reread", []string{"not within 1m0s; with all"}, false},
		{"no sibling", func(b *bench) {
			b.connected[11] = false
			for _, n := range []int{12, 13} {
				b.plug(usb.Device{Path: hangs[n], Vendor: 0x046d})
			}
		}, done, []string{"there are no others"}, false},
		{"a sibling never comes back", func(b *bench) {
			b.connected[11] = false
			b.SetPowerFn = func(_ usb.Path, port int, on bool) error {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.connected[11] = b.connected[11] || port == 3 && !on
				return nil
			}
			normal := func(n int) {
				time.AfterFunc(reboots, func() { b.plug(stick(hangs[n], usb.Modem, b.fresh(n))) })
			}
			b.Back = func(n int, _ bool) {
				if n != 12 {
					normal(n)
				}
			}
		}, "off 1-3.1, on 1-3.1, address 11 eth11-1, route 11, off 1-3.1, off 1-3.2, off 1-3.3, on 1-3.1, on 1-3.2, on 1-3.3, " +
			"address 11 eth11-2, address 13 eth13-1, route 11, route 13, reread", []string{"dongle 12, which lost power with it, is not back: waiting for dongle 12 at 1-3.2: for the device: not within 1m0s"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				if tt.set != nil {
					tt.set(b)
				}
				err := b.toggle(b.recovery.PowerCycle, 11)
				if (err != nil) != (len(tt.errors) > 0) || errors.Is(err, recovery.ErrUnavailable) != tt.cannot {
					t.Errorf("error: %v", err)
				}
				for _, part := range tt.errors {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("error %q does not say %q", err, part)
					}
				}
				if diff := cmp.Diff(tt.did, inOrder(b.did())); diff != "" {
					t.Errorf("done (-want +got):\n%s", diff)
				}
				b.allOn()
				b.locksFree()
			})
		})
	}
}

// inOrder sorts what dongles that come back together did at the same time.
func inOrder(did string) string {
	before, after, whole := strings.Cut(did, "on 1-3.2, on 1-3.3, ")
	if !whole {
		return did
	}
	var addresses, routes, rest []string
	for _, what := range strings.Split(after, ", ") {
		switch {
		case strings.HasPrefix(what, "address"):
			addresses = append(addresses, what)
		case strings.HasPrefix(what, "route"):
			routes = append(routes, what)
		default:
			rest = append(rest, what)
		}
	}
	for _, s := range [][]string{addresses, routes} {
		for i := range s {
			for j := i + 1; j < len(s); j++ {
				if s[j] < s[i] {
					s[i], s[j] = s[j], s[i]
				}
			}
		}
	}
	return before + "on 1-3.2, on 1-3.3, " + strings.Join(append(append(addresses, routes...), rest...), ", ")
}

// locksFree fails the test where a hub's whole lock can't be had. The step's own
// share, which lasts as long as the toggle, is given back.
func (b *bench) locksFree() {
	b.t.Helper()
	for _, n := range []int{11, 12, 13, 14} {
		release, err := b.recovery.Share(b.t.Context(), n)
		if err != nil {
			b.t.Error(err)
			continue
		}
		release()
	}
	for _, h := range []string{"1-3", "1-3.4"} {
		l, err := flock.Try(b.dir+"/hub-"+h+".lock", flock.Exclusive)
		if err != nil {
			b.t.Errorf("hub %s: %v", h, err)
			continue
		}
		_ = l.Unlock()
	}
}

// Ensure what a step waits for is told: the hub, the port, and what comes after.
func TestPowerCycle_waits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		began := time.Now()
		if err := b.toggle(b.recovery.PowerCycle, 11); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(b.waits, " "), "hub port_off device interface address modem routing connectivity"; got != want {
			t.Errorf("waits: %s, want %s", got, want)
		}
		if took := time.Since(began); took != offTime+2*reboots {
			t.Errorf("it took %s, want the time without power and the dongle's own, %s", took, offTime+2*reboots)
		}
	})
}

// Ensure step 4 that is cancelled in any of its waits, the dongle's or the hub's,
// ends then with the cause, and leaves every port with power and every lock free.
func TestPowerCycle_cancelled(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		for at, through := 0, false; !through; at++ {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.connected[11] = !all
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				release, err := b.recovery.Share(ctx, 11)
				if err != nil {
					t.Fatal(err)
				}
				var when time.Time
				n := 0
				err = b.recovery.PowerCycle(ctx, b.dongle(11), func(wait string) {
					if n++; n == at+1 {
						b.note("cancelled at %s", wait)
						when = time.Now()
						cancel(errCancelled)
					}
				})
				through = when.IsZero()
				if !through && (time.Since(when) != 0 || !errors.Is(err, errCancelled) && !errors.Is(err, context.Canceled)) {
					// One that came last may have found all as it should be.
					if !strings.Contains(b.did(), "cancelled at connectivity") || all || err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("wait %d: %v, %s after it was cancelled", at, err, time.Since(when))
					}
				}
				b.allOn()
				release()
				b.locksFree()
			})
			if t.Failed() {
				return
			}
		}
	}
}

// Ensure a port is switched on when the step was cancelled and the hub doesn't do
// it at once.
func TestPowerCycle_cancelledAndBroken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		broken := 5
		b.SetPowerFn = func(_ usb.Path, _ int, on bool) error {
			if on && broken > 0 {
				broken--
				return errors.New("timed out")
			}
			return nil
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(offTime/2, func() { cancel(errCancelled) })
		if err := b.recovery.PowerCycle(ctx, b.dongle(11), b.wait); !errors.Is(err, errCancelled) || broken != 0 {
			t.Errorf("%v", err)
		}
		b.allOn()
	})
}

// Ensure a toggle has its share of the hub again after step 4, done or passed
// over, so that nobody cycles the hub before the toggle's end.
func TestPowerCycle_sharesAgain(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]bool{"done": false, "passed over": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				mine, err := b.recovery.Share(t.Context(), 11)
				if err != nil {
					t.Fatal(err)
				}
				theirs := func() {}
				if busy {
					b.dead(11)
					if theirs, err = b.recovery.Share(t.Context(), 12); err != nil {
						t.Fatal(err)
					}
				}
				if err := b.recovery.PowerCycle(t.Context(), b.dongle(11), b.wait); (err != nil) != busy {
					t.Fatal(err)
				}
				theirs()
				path := b.dir + "/hub-1-3.lock"
				if _, err := flock.Try(path, flock.Exclusive); !errors.Is(err, flock.ErrLocked) {
					t.Errorf("the hub can be had as a whole: %v", err)
				}
				mine()
				b.locksFree()
			})
		})
	}
}

// Ensure a dongle loses power as often as its budget says and not more, over
// restarts, and again when the time is over.
func TestPowerCycle_budget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		twice := func(o *recovery.Options) { o.Budget = 2 }
		cycle := func(n int) error {
			b.did()
			return b.toggle(b.recovery.PowerCycle, n)
		}
		b.start(twice)
		for range 2 {
			if err := cycle(11); err != nil {
				t.Fatal(err)
			}
		}
		b.start(twice)
		err := cycle(11)
		if !errors.Is(err, recovery.ErrUnavailable) || b.did() != "" ||
			!strings.Contains(err.Error(), "dongle 11 has lost power 2 times within 30m0s (toggle.power.budget): it may again in 29m21s") {
			t.Errorf("the third: %v", err)
		}
		if err := cycle(14); err != nil {
			t.Errorf("another dongle: %v", err)
		}
		// The hub is not cycled for 12, since 11 has had its share.
		b.connected[12] = false
		err = cycle(12)
		if got := b.did(); err == nil || errors.Is(err, recovery.ErrUnavailable) || strings.Contains(got, "1-3.1") ||
			!strings.Contains(err.Error(), "the other dongles of hub 1-3 keep their power: dongle 11 has lost power 2 times") {
			t.Errorf("the hub of it: %v; %s", err, got)
		}
		// It is where 11 is no better off, and has nothing to lose.
		b.connected[11] = false
		if err := cycle(12); err == nil || !strings.Contains(b.did(), "off 1-3.1, off 1-3.2, off 1-3.3") {
			t.Errorf("the hub of two dead ones: %v", err)
		}
		b.connected[11], b.connected[12] = true, true
		<-time.After(30 * time.Minute)
		if err := cycle(11); err != nil {
			t.Errorf("when the time is over: %v", err)
		}
		b.allOn()
	})
}

// Ensure cycles of a time to come, as the clock tells that was put back, don't count.
func TestPowerCycle_clockPutBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		text := `{"cycles":["` + time.Now().Add(365*24*time.Hour).Format(time.RFC3339) + `"]}`
		if err := os.WriteFile(filepath.Join(b.dir, "dongle-11.power"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.toggle(b.recovery.PowerCycle, 11); err != nil {
			t.Error(err)
		}
	})
}

// Ensure a cycle that could not be done costs nothing of the budget.
func TestPowerCycle_refund(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.SetPowerFn = func(_ usb.Path, _ int, on bool) error {
			if !on {
				return usb.ErrNotPermitted
			}
			return nil
		}
		if err := b.toggle(b.recovery.PowerCycle, 11); !errors.Is(err, recovery.ErrUnavailable) {
			t.Fatal(err)
		}
		b.SetPowerFn = nil
		if err := b.toggle(b.recovery.PowerCycle, 11); err != nil {
			t.Error(err)
		}
	})
}

// Ensure the other dongles of a hub don't lose power where the toggle would be over
// before that could help.
func TestPowerCycle_noTimeForAll(t *testing.T) {
	t.Parallel()
	for left, all := range map[time.Duration]bool{offTime + backLimit/2 - time.Second: false, offTime + backLimit/2 + 2*time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.connected[11] = false
			ctx, cancel := context.WithTimeout(t.Context(), offTime+backLimit+left)
			defer cancel()
			err := b.recovery.PowerCycle(ctx, b.dongle(11), b.wait)
			if did := b.did(); err == nil || strings.Contains(did, "off 1-3.2") != all || !all && !strings.Contains(err.Error(), "with all dongles of hub 1-3: not begun with 34s left (toggle.timeout)") {
				t.Errorf("with %s left: %v; %s", left, err, did)
			}
			b.allOn()
		})
	}
}

// Ensure dongles that lost power with another one of their hub spend their budget
// too.
func TestPowerCycle_siblingsSpend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.connected[11] = false
		if err := b.toggle(b.recovery.PowerCycle, 11); err == nil {
			t.Fatal("it is connected")
		}
		if err := b.toggle(b.recovery.PowerCycle, 13); !errors.Is(err, recovery.ErrUnavailable) || !strings.Contains(err.Error(), "lost power once") {
			t.Errorf("a sibling: %v", err)
		}
	})
}

// dead has dongles not be connected until their port was without power.
func (b *bench) dead(all ...int) {
	for _, n := range all {
		b.connected[n] = false
	}
	b.SetPowerFn = func(h usb.Path, port int, on bool) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if n := at(h.At(port)); !on {
			b.connected[n] = true
		}
		return nil
	}
}

// Ensure no hub is cycled while another toggle works on a modem of it, in this or
// another process, that the step is passed over when that lasts, and goes on when
// it ends; and that a toggle that begins meanwhile waits.
func TestPowerCycle_busy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		hold time.Duration
		ok   bool
	}{{"for long", hubWait + time.Second, false}, {"for a while", 20 * time.Second, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				mine, err := b.recovery.Share(t.Context(), 11)
				if err != nil {
					t.Fatal(err)
				}
				b.dead(11)
				here := b.recovery
				b.start()
				theirs, err := b.recovery.Share(t.Context(), 12) // of another process
				if err != nil {
					t.Fatal(err)
				}
				mine()
				b.recovery = here
				time.AfterFunc(tt.hold, theirs)
				err = b.toggle(b.recovery.PowerCycle, 11)
				if tt.ok && err != nil || !tt.ok && (!errors.Is(err, recovery.ErrUnavailable) || b.did() != "" ||
					!strings.Contains(err.Error(), "hub 1-3 is busy: toggles of other dongles on it were under way for 30s")) {
					t.Errorf("%v", err)
				}
				<-time.After(tt.hold)
				b.allOn()
				b.locksFree()
			})
		})
	}
}

// Ensure two toggles that come to step 4 on one hub at once don't hinder each
// other for good: one cycles, then the other.
func TestPowerCycle_twoAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.dead(11, 12)
		var wg sync.WaitGroup
		for _, n := range []int{11, 12} {
			wg.Go(func() {
				release, err := b.recovery.Share(t.Context(), n)
				if err != nil {
					t.Error(err)
					return
				}
				defer release()
				if err := b.recovery.PowerCycle(t.Context(), b.dongle(n), func(string) {}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		did := b.did()
		if !strings.Contains(did, "off 1-3.1") || !strings.Contains(did, "off 1-3.2") {
			t.Errorf("one was passed over: %s", did)
		}
		for _, s := range []string{"off 1-3.1, off", "off 1-3.2, off"} {
			if strings.Contains(did, s) {
				t.Errorf("both were off at once: %s", did)
			}
		}
		b.allOn()
		b.locksFree()
	})
}

// Ensure toggles that go on beginning on a hub don't keep a cycle from its turn:
// those that begin while it waits, wait for it.
func TestPowerCycle_turn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var wg sync.WaitGroup
		// 12 and 13 take turns in which one of them always works.
		for i, n := range []int{12, 13} {
			wg.Go(func() {
				<-time.After(time.Duration(i) * 10 * time.Second)
				for range 3 {
					release, err := b.recovery.Share(t.Context(), n)
					if err != nil {
						t.Error(err)
						return
					}
					<-time.After(15 * time.Second)
					release()
					<-time.After(5 * time.Second)
				}
			})
		}
		b.dead(11)
		<-time.After(time.Second)
		if err := b.toggle(b.recovery.PowerCycle, 11); err != nil || !strings.Contains(b.did(), "off 1-3.1") {
			t.Error(err)
		}
		wg.Wait()
		b.allOn()
		b.locksFree()
	})
}

// Ensure a dongle without budget is passed over at once, and neither waits for its
// hub nor for another one that does.
func TestPowerCycle_noBudgetNoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		if err := b.toggle(b.recovery.PowerCycle, 11); err != nil {
			t.Fatal(err)
		}
		release, err := b.recovery.Share(t.Context(), 12)
		if err != nil {
			t.Fatal(err)
		}
		mine, err := b.recovery.Share(t.Context(), 11)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := b.recovery.PowerCycle(t.Context(), b.dongle(13), func(string) {}); err != nil {
				t.Errorf("13: %v", err)
			}
		})
		<-time.After(time.Second)
		began := time.Now()
		if err := b.recovery.PowerCycle(t.Context(), b.dongle(11), b.wait); !errors.Is(err, recovery.ErrUnavailable) || !strings.Contains(err.Error(), "toggle.power.budget") {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %s", took)
		}
		mine()
		release()
		wg.Wait()
		b.allOn()
		b.locksFree()
	})
}

// Ensure a dongle that came back while it waited for its hub, by a cycle of that
// for another one, keeps its power, and its step 4 is a success.
func TestPowerCycle_cameBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.connected[12] = false
		theirs, err := flock.Try(b.dir+"/hub-1-3.lock", flock.Exclusive)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(20*time.Second, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.connected[12] = true
			_ = theirs.Unlock()
		})
		if err := b.recovery.PowerCycle(t.Context(), b.dongle(12), b.wait); err != nil || b.did() != "" {
			t.Errorf("%v", err)
		}
	})
}

// Ensure a dongle whose port was cycled and that doesn't come back keeps no other
// one on its hub from having its own cycle meanwhile.
func TestPowerCycle_twoDead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.start(func(o *recovery.Options) { o.WholeHub = false })
		b.connected[11] = false
		var wg sync.WaitGroup
		first := make(chan struct{})
		cycle := func(n int) (err error) {
			return b.toggle(func(ctx context.Context, d recovery.Dongle, _ recovery.Note) error {
				return b.recovery.PowerCycle(ctx, d, func(wait string) {
					if n == 11 && wait == recovery.WaitPort {
						close(first)
					}
				})
			}, n)
		}
		wg.Go(func() {
			if err := cycle(11); err == nil {
				t.Error("11 is connected")
			}
		})
		wg.Go(func() {
			<-first
			if err := cycle(12); err != nil {
				t.Errorf("12: %v", err)
			}
		})
		wg.Wait()
		b.allOn()
		b.locksFree()
	})
}

// Ensure toggles of the other dongles are kept off while all of a hub are without
// power and until they are back, and those of other hubs are not.
func TestPowerCycle_siblingsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.connected[11] = false
		var wg sync.WaitGroup
		var began, ended time.Time
		err := b.recovery.PowerCycle(t.Context(), b.dongle(11), func(wait string) {
			if wait != recovery.WaitHubOff {
				return
			}
			began = time.Now()
			wg.Go(func() {
				release, err := b.recovery.Share(t.Context(), 13)
				if err != nil {
					t.Error(err)
					return
				}
				ended = time.Now()
				release()
			})
			release, err := b.recovery.Share(t.Context(), 14)
			if err != nil {
				t.Error(err)
				return
			}
			release()
		})
		wg.Wait()
		if err == nil || ended.Sub(began) < offTime+backLimit {
			t.Errorf("%v; a toggle of a sibling waited %s", err, ended.Sub(began))
		}
	})
}
