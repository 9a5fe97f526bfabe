package hardware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/configs"
	"switchyard/hardware"
	"switchyard/hardware/hilink"
	"switchyard/hardware/netroute"
	"switchyard/hardware/recovery"
	"switchyard/hardware/usb"
	"switchyard/hosts"
)

// fakeBus answers by its function fields. Where they are nil it is a USB without
// devices that does what it is told.
type fakeBus struct {
	TreeFn     func() (*usb.Tree, error)
	WatchFn    func(context.Context) (<-chan usb.Event, error)
	SetPowerFn func(hub usb.Path, port int, on bool) error
	StuckFn    func(usb.Path) bool
}

var _ recovery.Bus = (*fakeBus)(nil)

func (b *fakeBus) Tree() (*usb.Tree, error) {
	if b.TreeFn == nil {
		return usb.NewTree(), nil
	}
	return b.TreeFn()
}

func (b *fakeBus) Watch(ctx context.Context) (<-chan usb.Event, error) {
	if b.WatchFn == nil {
		return nil, errors.ErrUnsupported
	}
	return b.WatchFn(ctx)
}

func (b *fakeBus) SetPower(_ context.Context, hub usb.Path, port int, on bool) error {
	if b.SetPowerFn == nil {
		return nil
	}
	return b.SetPowerFn(hub, port, on)
}

func (b *fakeBus) Stuck(p usb.Path) bool                              { return b.StuckFn != nil && b.StuckFn(p) }
func (b *fakeBus) Rebind(context.Context, usb.Path) error             { return nil }
func (b *fakeBus) SwitchMode(context.Context, usb.Path) error         { return nil }
func (b *fakeBus) Switchable(context.Context, usb.Path) (bool, error) { return true, nil }

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// take returns what was logged since.
func (l *logged) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func newHostOn(t *testing.T, c *configs.Config, bus recovery.Bus) *hardware.Host {
	t.Helper()
	h, err := hardware.NewHostOn(c, bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// Ensure what is wrong on the USB is told once, again when it is something else,
// and that a port that a killed toggle left off is switched on as soon as it can
// be.
func TestLookAtUSB(t *testing.T) {
	t.Parallel()
	c := hostConfig(t, configs.Dongle{Subnet: 11, USB: "1-3.1"}, configs.Dongle{Subnet: 12, USB: "1-3.2"})
	broken := errors.New("timed out")
	devices := []usb.Device{{Path: "1-3", Class: 9, Ports: 4}, {Path: "1-3.1", Vendor: 0x12d1, Product: 0x1f01, Mode: usb.Storage}}
	b := &fakeBus{
		TreeFn:     func() (*usb.Tree, error) { return usb.NewTree(devices...), nil },
		SetPowerFn: func(usb.Path, int, bool) error { return broken },
		StuckFn:    func(p usb.Path) bool { return p == "1-3.2" },
	}
	h, log := newHostOn(t, c, b), &logged{}
	note := filepath.Join(c.Host.StateDir, "hub-1-3.off")
	if err := os.WriteFile(note, []byte(`{"ports":[1]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	h.LookAtUSB(t.Context(), log.logger())
	said := log.take()
	for _, part := range []string{"could not switch on what a killed toggle left without power", "timed out", "dongles show themselves as disks", "1-3.1"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q does not say %q", said, part)
		}
	}
	h.LookAtUSB(t.Context(), log.logger())
	if said := log.take(); said != "" {
		t.Errorf("said once more: %s", said)
	}
	broken, devices[1] = nil, usb.Device{Path: "1-3.1", Vendor: 0x12d1, Product: 0x14dc, Mode: usb.Modem}
	h.LookAtUSB(t.Context(), log.logger())
	if said := log.take(); !strings.Contains(said, "switched on what a killed toggle left without power") || !strings.Contains(said, "ports=[1-3.1]") || strings.Count(said, "\n") != 1 {
		t.Errorf("mended: %s", said)
	}
	if _, err := os.Stat(note); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still noted: %v", err)
	}
	b.TreeFn = func() (*usb.Tree, error) { return nil, errors.New("input/output error") }
	h.LookAtUSB(t.Context(), log.logger())
	if said := log.take(); !strings.Contains(said, "input/output error") {
		t.Errorf("unreadable: %s", said)
	}
	want := "map[11:{1-3.1 1-3 1 modem} 12:{1-3.2 1-3 2 stuck}]"
	if got := fmt.Sprint(h.USB()); got != want || h.Physical() != 1 {
		t.Errorf("it is told as %s, %d dongles, want %s", got, h.Physical(), want)
	}
}

// Ensure a host whose dongles are all simulated, or whose system has no USB, has
// as many dongles as it was given and tells nothing of hubs, and that steps 3 and
// 4 are passed over there.
func TestUSB_none(t *testing.T) {
	t.Parallel()
	simulated := configs.Dongle{Subnet: 11, Modem: "http://127.0.0.1:1", Gateway: "127.0.0.1:2"}
	for name, d := range map[string]configs.Dongle{"simulated": simulated, "no USB": {Subnet: 11}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &fakeBus{TreeFn: func() (*usb.Tree, error) {
				if name == "simulated" {
					t.Error("the USB is read")
				}
				return nil, errors.ErrUnsupported
			}}
			h, log := newHostOn(t, hostConfig(t, d), b), &logged{}
			h.LookAtUSB(t.Context(), log.logger())
			h.FollowUSB(t.Context(), log.logger())
			if said := log.take(); said != "" || h.Physical() != 1 || h.Hubs() != nil || len(h.USB()) != 0 {
				t.Errorf("%d dongles, %v, %v; %s", h.Physical(), h.Hubs(), h.USB(), said)
			}
			made, err := h.Dongle(11)
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range []int{3, 4} {
				repair := h.Ladder.Repairs[step]
				if (repair == nil) != (name == "simulated") {
					t.Errorf("step %d: %t", step, repair != nil)
				}
				if repair == nil {
					continue
				}
				if err := repair(t.Context(), made); !errors.Is(err, hardware.ErrUnavailable) {
					t.Errorf("step %d: %v", step, err)
				}
			}
		})
	}
}

// Ensure a reading of the USB that was slow doesn't undo a later one.
func TestLookAtUSB_overtaken(t *testing.T) {
	t.Parallel()
	slow, goOn := make(chan struct{}), make(chan struct{})
	var reads atomic.Int32
	b := &fakeBus{TreeFn: func() (*usb.Tree, error) {
		if reads.Add(1) == 1 {
			close(slow)
			<-goOn
			return usb.NewTree(), nil
		}
		return usb.NewTree(usb.Device{Path: "1-3.1", Mode: usb.Modem}), nil
	}}
	h := newHostOn(t, hostConfig(t, configs.Dongle{Subnet: 11, USB: "1-3.1"}), b)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.LookAtUSB(t.Context(), (&logged{}).logger())
	}()
	<-slow
	h.LookAtUSB(t.Context(), (&logged{}).logger())
	close(goOn)
	<-ended
	if got := h.USB()[11].State; got != hosts.USBModem || h.Physical() != 1 {
		t.Errorf("it is told as %s, %d dongles", got, h.Physical())
	}
}

// Ensure the interface at a dongle's place is the dongle's, and not that of
// something else that was plugged in there.
func TestLocate(t *testing.T) {
	t.Parallel()
	unreadable := errors.New("input/output error")
	for name, tt := range map[string]struct {
		device usb.Device
		err    error
		want   string
	}{
		"dongle":       {usb.Device{Path: "1-3.1", Mode: usb.Modem, Interfaces: []string{"eth1"}}, nil, "eth1"},
		"disk":         {usb.Device{Path: "1-3.1", Mode: usb.Storage}, nil, ""},
		"adapter":      {usb.Device{Path: "1-3.1", Vendor: 0x0bda, Interfaces: []string{"eth1"}}, nil, ""},
		"another port": {usb.Device{Path: "1-3.2", Mode: usb.Modem, Interfaces: []string{"eth1"}}, nil, ""},
		"unreadable":   {usb.Device{Path: "1-3.1", Mode: usb.Modem, Interfaces: []string{"eth1"}}, unreadable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostOn(t, hostConfig(t, configs.Dongle{Subnet: 11, USB: "1-3.1"}, configs.Dongle{Subnet: 12}), &fakeBus{
				TreeFn: func() (*usb.Tree, error) { return usb.NewTree(tt.device), tt.err },
			})
			if got, found := h.Locate(11); got != tt.want || found != (tt.want != "") {
				t.Errorf("at %q, %t, want %q", got, found, tt.want)
			}
			if got, found := h.Locate(12); found {
				t.Errorf("one whose place isn't known is at %q", got)
			}
		})
	}
}

// resetModem is a modem that answers, and counts how often what was open to it is
// dropped.
type resetModem struct {
	hardware.Modem

	dropped int
}

func (m *resetModem) Status(context.Context) (hilink.Status, error) { return hilink.Status{}, nil }
func (m *resetModem) CloseIdle()                                    { m.dropped++ }

// Ensure step 3 drops the connections of the interface that has gone, and is a
// success also where the routing isn't this process' to repair, but not where the
// repair failed; and that a simulated dongle beside real ones has no such step.
func TestResetUSB(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such device")
	for reason, fails := range map[error]bool{nil: false, netroute.ErrNotPermitted: false, errors.ErrUnsupported: false, broken: true} {
		t.Run(fmt.Sprint(reason), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := hostConfig(t, configs.Dongle{Subnet: 11, USB: "1-3.1"}, configs.Dongle{Subnet: 12, USB: "1-3.2", Modem: "http://127.0.0.1:1", Gateway: "127.0.0.1:2"})
				h := newHostOn(t, c, &fakeBus{TreeFn: func() (*usb.Tree, error) {
					return usb.NewTree(
						usb.Device{Path: "1-3.1", Vendor: 0x12d1, Product: 0x14dc, Mode: usb.Modem, Interfaces: []string{"eth1"}},
						usb.Device{Path: "1-3.2", Vendor: 0x12d1, Product: 0x14dc, Mode: usb.Modem, Interfaces: []string{"eth2"}},
					), nil
				}})
				given := ""
				h.Assigner = &fakeAssigner{EnsureFn: func(_ context.Context, iface string, subnet int) error {
					given += fmt.Sprint(iface, " ", subnet)
					return nil
				}}
				d, err := h.Dongle(11)
				if err != nil {
					t.Fatal(err)
				}
				m := &resetModem{Modem: d.Modem}
				d.Modem, d.Router = m, &fakeRouter{RepairFn: func(context.Context, int) error { return reason }}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := h.Ladder.Repairs[3](ctx, d); (err != nil) != fails {
					t.Errorf("%v", err)
				}
				if m.dropped == 0 || !fails && given != "eth1 11" {
					t.Errorf("dropped %d times, addresses given: %s", m.dropped, given)
				}
				if d, err = h.Dongle(12); err != nil {
					t.Fatal(err)
				}
				if err := h.Ladder.Repairs[3](ctx, d); !errors.Is(err, hardware.ErrUnavailable) {
					t.Errorf("a simulated one: %v", err)
				}
			})
		})
	}
}

// Ensure the USB is read anew when something changes on it, once for what comes
// together, and that this ends with its context.
func TestFollowUSB(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		events := make(chan usb.Event)
		var reads atomic.Int32
		b := &fakeBus{
			TreeFn: func() (*usb.Tree, error) {
				reads.Add(1)
				return usb.NewTree(usb.Device{Path: "1-3.1", Mode: usb.Modem}), nil
			},
			WatchFn: func(ctx context.Context) (<-chan usb.Event, error) {
				context.AfterFunc(ctx, func() { close(events) })
				return events, nil
			},
		}
		h := newHostOn(t, hostConfig(t, configs.Dongle{Subnet: 11, USB: "1-3.1"}), b)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			h.FollowUSB(ctx, (&logged{}).logger())
		}()
		<-time.After(time.Minute)
		if reads.Load() != 1 {
			t.Errorf("nothing changes, and it was read %d times", reads.Load())
		}
		for range 10 {
			events <- usb.Event{Path: "1-3.1"}
			<-time.After(10 * time.Millisecond)
		}
		<-time.After(time.Minute)
		if got := h.USB()[11].State; reads.Load() != 2 || got != hosts.USBModem {
			t.Errorf("after ten changes it was read %d times: %s", reads.Load(), got)
		}
		for range 600 { // a loose contact
			events <- usb.Event{Path: "1-3.1"}
			<-time.After(100 * time.Millisecond)
		}
		if n := reads.Load() - 2; n < 25 || n > 35 {
			t.Errorf("in a minute of changes it was read %d times", n)
		}
		cancel()
		<-ended
	})
}

// Ensure a toggle keeps its dongle's hub from the first look to its end, and gives
// it back however it ends; and that one that can't have it ends without touching
// the modem.
func TestToggle_sharesItsHub(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, found := range []hardware.Diagnosis{healthy, unplugged} {
			p := newPlace(t, found)
			d, j := p.dongle(t, p.modem()), &journal{}
			held := 0
			d.ShareHub = func(context.Context) (func(), error) {
				held++
				return func() { held-- }, nil
			}
			j.CheckFn = func(context.Context) error {
				if held != 1 {
					t.Errorf("a step begins with the hub shared %d times", held)
				}
				return nil
			}
			if _, err := p.ladder().Toggle(t.Context(), d, j.hooks()); err != nil || held != 0 {
				t.Errorf("%v; the hub is still shared %d times", err, held)
			}
		}
		p := newPlace(t, healthy)
		d := p.dongle(t, p.modem())
		d.ShareHub = func(context.Context) (func(), error) { return nil, errNoAccess }
		if _, err := p.ladder().Toggle(t.Context(), d, (&journal{}).hooks()); !errors.Is(err, errNoAccess) || len(p.did) > 0 {
			t.Errorf("%v; %q", err, p.did)
		}
	})
}
