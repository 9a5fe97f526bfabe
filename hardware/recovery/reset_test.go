package recovery_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/hardware/recovery"
	"switchyard/hardware/usb"
	"switchyard/hardware/usbmap"
)

// Ensure step 3 does to the device what its state asks for, waits for what it has
// to wait for, in whatever order that comes, and says in words what was in the
// way.
func TestReset(t *testing.T) {
	t.Parallel()
	const whole = "rebind 1-3.1, address 11 eth11-1, route 11, reread"
	path := hangs[11]
	for _, tt := range []struct {
		name   string
		set    func(*bench)
		did    string
		waits  string
		errors []string // parts of its text; empty: none
		cannot bool
	}{
		{"back", nil, whole, "rebind device interface address modem routing", nil, false},
		{"nothing is heard", func(b *bench) { b.WatchFn = func() error { return errors.ErrUnsupported } }, whole, "rebind device interface address modem routing", nil, false},
		{"an event goes missing", func(b *bench) {
			b.Back = func(int, bool) {
				time.AfterFunc(reboots, func() {
					b.mu.Lock()
					defer b.mu.Unlock()
					b.devices[path] = stick(path, usb.Modem, "eth30")
				})
			}
		}, "rebind 1-3.1, address 11 eth30, route 11, reread", "rebind device interface address modem routing", nil, false},
		{"goes once more", func(b *bench) {
			again := true
			b.AddressFn = func(int, string) error {
				if !again {
					return nil
				}
				again = false
				b.unplug(path)
				b.comes(11, false)
				return errors.New("no such interface")
			}
		}, "rebind 1-3.1, address 11 eth11-2, route 11, reread", "rebind device interface address device interface address modem routing", nil, false},
		{"goes while the modem starts", func(b *bench) {
			again := true
			b.AnswersFn = func(int) error {
				if again {
					again = false
					b.unplug(path)
					b.comes(11, false)
				}
				return nil
			}
		}, "rebind 1-3.1, address 11 eth11-1, address 11 eth11-2, route 11, reread",
			"rebind device interface address modem device interface address modem routing", nil, false},
		{"the modem takes its time", func(b *bench) {
			left := 50
			b.AnswersFn = func(int) error {
				if left--; left > 0 {
					return errors.New("connection refused")
				}
				return nil
			}
		}, whole, "rebind device interface address modem routing", nil, false},
		{"comes back as a disk", func(b *bench) {
			b.Back = func(int, bool) { time.AfterFunc(reboots, func() { b.plug(stick(path, usb.Storage)) }) }
		}, "rebind 1-3.1, switch mode 1-3.1, address 11 eth11-1, route 11, reread", "rebind device interface mode_switch address modem routing", nil, false},
		{"comes back as a disk that others switch", func(b *bench) {
			b.Back = func(int, bool) {
				b.plug(stick(path, usb.Storage))
				time.AfterFunc(2500*time.Millisecond, func() { b.plug(stick(path, usb.Modem, "eth30")) })
			}
		}, "rebind 1-3.1, address 11 eth30, route 11, reread", "rebind device address modem routing", nil, false},
		{"is a disk", func(b *bench) { b.plug(stick(path, usb.Storage)) },
			"switch mode 1-3.1, address 11 eth11-1, route 11, reread", "mode_switch device address modem routing", nil, false},
		{"is a disk that nothing can switch", func(b *bench) {
			b.plug(stick(path, usb.Storage))
			b.SwitchModeFn = func(usb.Path) error { return usb.ErrNoModeSwitch }
			b.Back = func(int, bool) {}
		}, "switch mode 1-3.1, rebind 1-3.1, switch mode 1-3.1", "mode_switch rebind device mode_switch",
			[]string{"waiting for dongle 11 at 1-3.1: for network mode: it shows itself as a disk: no effect", "usb_modeswitch is not there"}, false},
		{"never back", func(b *bench) { b.Back = func(int, bool) { b.unplug(path) } }, "rebind 1-3.1", "rebind device",
			[]string{"waiting for dongle 11 at 1-3.1: for the device: no effect"}, false},
		{"never an interface", func(b *bench) { b.Back = func(int, bool) {} }, "rebind 1-3.1", "rebind device interface",
			[]string{"waiting for dongle 11 at 1-3.1: for the network interface: no effect"}, false},
		{"never an address", func(b *bench) {
			b.AddressFn = func(int, string) error { return errors.New("the modem has another subnet") }
		},
			"rebind 1-3.1", "", []string{"giving eth11-1 its address: the modem has another subnet", "no effect"}, false},
		{"gone while it was off its driver", func(b *bench) {
			b.RebindFn = func(usb.Path) error {
				b.unplug(path)
				b.comes(11, false)
				return usb.ErrGone
			}
		}, whole, "rebind device interface address modem routing", nil, false},
		{"stuck", func(b *bench) { b.RebindFn = func(usb.Path) error { return usb.ErrStuck } }, "rebind 1-3.1", "rebind",
			[]string{"binding the USB device at 1-3.1 anew: the kernel does not come back"}, false},
		{"does not answer", func(b *bench) { b.RebindFn = func(usb.Path) error { return errors.New("shows no interfaces") } },
			"rebind 1-3.1", "rebind", []string{"shows no interfaces"}, false},
		{"still stuck", func(b *bench) { b.stuck[path] = true }, "", "", []string{"dongle 11 at 1-3.1 is still stuck"}, true},
		{"no right", func(b *bench) { b.RebindFn = func(usb.Path) error { return usb.ErrNotPermitted } }, "rebind 1-3.1", "rebind",
			[]string{"this process may not"}, true},
		{"unplugged", func(b *bench) { b.unplug(path) }, "", "", []string{"nothing is plugged in at 1-3.1, where dongle 11 hangs"}, true},
		{"something else there", func(b *bench) { b.plug(usb.Device{Path: path, Vendor: 0x046d, Product: 0xc31c}) }, "", "",
			[]string{"at 1-3.1, where dongle 11 should be, is a device that is none (046d:c31c)", "host.usb.ids"}, true},
		{"a hub there", func(b *bench) { b.plug(hub(path)) }, "", "", []string{"is a device that is none"}, true},
		{"a stick of its maker there", func(b *bench) { b.plug(usb.Device{Path: path, Vendor: 0x12d1, Product: 0x1443}) }, whole, "rebind device interface address modem routing", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				if tt.set != nil {
					tt.set(b)
				}
				ctx, cancel := context.WithTimeoutCause(t.Context(), 45*time.Second, errors.New("no effect"))
				defer cancel()
				err := b.recovery.Reset(ctx, b.dongle(11), b.wait)
				if (err != nil) != (len(tt.errors) > 0) || errors.Is(err, recovery.ErrUnavailable) != tt.cannot {
					t.Errorf("error: %v", err)
				}
				for _, part := range tt.errors {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("error %q does not say %q", err, part)
					}
				}
				if diff := cmp.Diff(tt.did, b.did()); diff != "" {
					t.Errorf("done (-want +got):\n%s", diff)
				}
				if got := strings.Join(b.waits, " "); tt.waits != "" && got != tt.waits {
					t.Errorf("waits: %s\nwant:  %s", got, tt.waits)
				}
			})
		})
	}
}

// Ensure step 3 goes on with the event that tells of a change, or that others were
// lost, and not with the next look.
func TestReset_byEvent(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]usb.Event{"told": {Path: hangs[11]}, "lost": {Lost: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.Back = func(int, bool) {
					time.AfterFunc(reboots, func() {
						b.mu.Lock()
						defer b.mu.Unlock()
						b.devices[hangs[11]] = stick(hangs[11], usb.Modem, "eth30")
						b.tell(e)
					})
				}
				began := time.Now()
				if err := b.recovery.Reset(t.Context(), b.dongle(11), b.wait); err != nil || time.Since(began) != reboots {
					t.Errorf("%v, after %s, want %s", err, time.Since(began), reboots)
				}
			})
		})
	}
}

// Ensure step 3 works from what a former process has read, with the dongle's
// interface gone, and doesn't guess where a dongle is that was never read.
func TestReset_afterRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.plug(stick(hangs[11], usb.Modem)) // its interface is gone
		b.start()
		if err := b.recovery.Reset(t.Context(), b.dongle(11), b.wait); err != nil {
			t.Error(err)
		}
		if got, want := b.did(), "rebind 1-3.1, address 11 eth11-1, route 11, reread"; got != want {
			t.Errorf("done: %s, want %s", got, want)
		}
		err := b.recovery.Reset(t.Context(), b.dongle(15), b.wait)
		if !errors.Is(err, recovery.ErrUnavailable) || !errors.Is(err, usbmap.ErrUnknown) || b.did() != "" {
			t.Errorf("a dongle that was never read: %v", err)
		}
	})
}

// Ensure step 3 that is cancelled in any of its waits ends then, with the cause.
func TestReset_cancelled(t *testing.T) {
	t.Parallel()
	for _, wait := range []string{recovery.WaitMode, recovery.WaitDevice, recovery.WaitInterface, recovery.WaitAddress, recovery.WaitModem, recovery.WaitRouting} {
		t.Run(wait, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				if wait == recovery.WaitMode {
					b.Back = func(int, bool) { b.plug(stick(hangs[11], usb.Storage)) }
					b.SwitchModeFn = func(usb.Path) error { return errCancelled }
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				var when time.Time
				err := b.recovery.Reset(ctx, b.dongle(11), func(now string) {
					if now == wait {
						when = time.Now()
						cancel(errCancelled)
					}
				})
				if !errors.Is(err, errCancelled) && !errors.Is(err, context.Canceled) || time.Since(when) != 0 {
					t.Errorf("%v, %s after it was cancelled", err, time.Since(when))
				}
			})
		})
	}
}
