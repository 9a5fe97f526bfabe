package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/hardware/recovery"
	"switchyard/hardware/usb"
	"switchyard/hardware/usbmap"
)

// The bench's times. What takes a dongle time is over between two looks.
const (
	poll      = 100 * time.Millisecond
	reboots   = 7250 * time.Millisecond
	offTime   = 5 * time.Second
	hubWait   = 30 * time.Second
	backLimit = time.Minute
	onLimit   = 20 * time.Second
)

var errCancelled = errors.New("cancelled")

// bench is a main hub 1-3 and a hub 1-3.4 in its port 4, with dongles 11 to 14 on
// ports 1 to 3 of the first and 1 of the second, in memory and on the bubble's
// clock. What is done to it stands in its journal.
type bench struct {
	t        *testing.T
	dir      string
	places   *usbmap.Map
	recovery *recovery.Recovery

	// What goes wrong; nil: nothing.
	RebindFn     func(usb.Path) error
	SetPowerFn   func(hub usb.Path, port int, on bool) error
	SwitchModeFn func(usb.Path) error
	SwitchableFn func(hub usb.Path) (bool, error)
	WatchFn      func() error
	AddressFn    func(n int, iface string) error
	AnswersFn    func(n int) error
	// Back is how a dongle comes back that was bound anew, or has power again. nil:
	// after a while, as a modem with a new interface.
	Back func(n int, power bool)

	mu        sync.Mutex
	devices   map[usb.Path]usb.Device
	off       map[usb.Path]bool
	connected map[int]bool
	watchers  map[chan usb.Event]bool
	stuck     map[usb.Path]bool
	named     map[int]int
	journal   []string
	waits     []string
}

var _ recovery.Bus = (*bench)(nil)

var hangs = map[int]usb.Path{11: "1-3.1", 12: "1-3.2", 13: "1-3.3", 14: "1-3.4.1"}

func hub(p usb.Path) usb.Device { return usb.Device{Path: p, Class: 9, Ports: 4} }

func stick(p usb.Path, mode usb.Mode, interfaces ...string) usb.Device {
	product := uint16(0x14dc)
	if mode == usb.Storage {
		product = 0x1f01
	}
	return usb.Device{Path: p, Vendor: 0x12d1, Product: product, Mode: mode, Interfaces: interfaces}
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		t: t, dir: t.TempDir(), devices: map[usb.Path]usb.Device{}, off: map[usb.Path]bool{}, connected: map[int]bool{},
		watchers: map[chan usb.Event]bool{}, stuck: map[usb.Path]bool{}, named: map[int]int{},
	}
	for _, p := range []usb.Path{"usb1", "1-3", "1-3.4"} {
		b.devices[p] = hub(p)
	}
	b.devices["1-9"] = usb.Device{Path: "1-9", Vendor: 0x046d, Product: 0xc31c}
	held := map[int][]string{}
	for n, p := range hangs {
		name := fmt.Sprintf("eth%d", n)
		b.devices[p], held[n], b.connected[n] = stick(p, usb.Modem, name), []string{name}, true
	}
	b.start()
	tree, _ := b.Tree()
	if err := b.places.Read(tree, held); err != nil {
		t.Fatal(err)
	}
	return b
}

// start begins anew with what is on the disk, as the next process does.
func (b *bench) start(change ...func(*recovery.Options)) {
	b.places = usbmap.Open(usbmap.Options{File: filepath.Join(b.dir, "usb.json")})
	opt := recovery.Options{
		Bus: b, Map: b.places, Reread: func() { b.note("reread") }, Dir: b.dir, Hubs: []usb.Path{"1-3", "1-3.4"}, WholeHub: true,
		Dongle:  func(n int) (recovery.Dongle, bool) { return b.dongle(n), true },
		OffTime: offTime, HubWait: hubWait, BackLimit: backLimit, OnLimit: onLimit, Poll: poll, Budget: 1, BudgetTime: 30 * time.Minute,
	}
	for _, c := range change {
		c(&opt)
	}
	b.recovery = recovery.New(opt)
}

func (b *bench) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.journal = append(b.journal, fmt.Sprintf(format, args...))
}

// did is the journal, and empties it.
func (b *bench) did() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := strings.Join(b.journal, ", ")
	b.journal = nil
	return all
}

// wait is a recovery.Note.
func (b *bench) wait(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waits = append(b.waits, name)
}

func (b *bench) dongle(n int) recovery.Dongle {
	works := func(ctx context.Context) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.devices[hangs[n]].Interfaces) == 0 {
			return errors.New("no route to host")
		}
		return ctx.Err()
	}
	return recovery.Dongle{
		Subnet: n,
		Address: func(ctx context.Context, iface string) error {
			if b.AddressFn != nil {
				if err := b.AddressFn(n, iface); err != nil {
					return err
				}
			}
			b.note("address %d %s", n, iface)
			return works(ctx)
		},
		Answers: func(ctx context.Context) error {
			if b.AnswersFn != nil {
				if err := b.AnswersFn(n); err != nil {
					return err
				}
			}
			return works(ctx)
		},
		Route: func(ctx context.Context) error {
			b.note("route %d", n)
			return works(ctx)
		},
		Connected: func(ctx context.Context) error {
			b.mu.Lock()
			ok := b.connected[n]
			b.mu.Unlock()
			if !ok {
				return errors.New("no answer")
			}
			return works(ctx)
		},
	}
}

func (b *bench) Tree() (*usb.Tree, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return usb.NewTree(slices.Collect(maps.Values(b.devices))...), nil
}

func (b *bench) Watch(ctx context.Context) (<-chan usb.Event, error) {
	if b.WatchFn != nil {
		if err := b.WatchFn(); err != nil {
			return nil, err
		}
	}
	c := make(chan usb.Event, 1000)
	b.mu.Lock()
	b.watchers[c] = true
	b.mu.Unlock()
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, c)
		close(c)
	})
	return c, nil
}

// plug changes what is at a path, and tells of it.
func (b *bench) plug(d usb.Device) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.devices[d.Path] = d
	b.tell(usb.Event{Action: "add", Subsystem: "usb", Path: d.Path})
}

func (b *bench) unplug(p usb.Path) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.devices, p)
	b.tell(usb.Event{Action: "remove", Subsystem: "usb", Path: p})
}

// tell is called with mu held.
func (b *bench) tell(e usb.Event) {
	for c := range b.watchers {
		c <- e
	}
}

// comes has a dongle come back after a while.
func (b *bench) comes(n int, power bool) {
	if b.Back != nil {
		b.Back(n, power)
		return
	}
	time.AfterFunc(reboots, func() { b.plug(stick(hangs[n], usb.Modem)) })
	time.AfterFunc(2*reboots, func() { b.plug(stick(hangs[n], usb.Modem, b.fresh(n))) })
}

// fresh is a name that no interface of a dongle had before.
func (b *bench) fresh(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.named[n]++
	return fmt.Sprintf("eth%d-%d", n, b.named[n])
}

func at(p usb.Path) int {
	for n, q := range hangs {
		if q == p {
			return n
		}
	}
	return 0
}

func (b *bench) Rebind(_ context.Context, p usb.Path) error {
	b.note("rebind %s", p)
	if b.RebindFn != nil {
		if err := b.RebindFn(p); err != nil {
			return err
		}
	}
	b.mu.Lock()
	d := b.devices[p]
	b.mu.Unlock()
	b.plug(stick(p, d.Mode))
	b.comes(at(p), false)
	return nil
}

func (b *bench) Stuck(p usb.Path) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stuck[p]
}

func (b *bench) SwitchMode(_ context.Context, p usb.Path) error {
	b.note("switch mode %s", p)
	if b.SwitchModeFn != nil {
		return b.SwitchModeFn(p)
	}
	b.unplug(p)
	time.AfterFunc(reboots, func() { b.plug(stick(p, usb.Modem, b.fresh(at(p)))) })
	return nil
}

func (b *bench) Switchable(_ context.Context, p usb.Path) (bool, error) {
	if b.SwitchableFn != nil {
		return b.SwitchableFn(p)
	}
	return true, nil
}

func (b *bench) SetPower(_ context.Context, h usb.Path, port int, on bool) error {
	p := h.At(port)
	word := map[bool]string{true: "on", false: "off"}[on]
	b.note("%s %s", word, p)
	if b.SetPowerFn != nil {
		if err := b.SetPowerFn(h, port, on); err != nil {
			return err
		}
	}
	b.mu.Lock()
	was := b.off[p]
	b.off[p] = !on
	if d, ok := b.devices[p]; ok && !on && d.IsHub() {
		b.t.Errorf("the port of hub %s was switched off", p)
	}
	b.mu.Unlock()
	switch {
	case !on:
		b.unplug(p)
	case was:
		b.comes(at(p), true)
	}
	return nil
}

// allOn fails the test where a port is without power, or said to be.
func (b *bench) allOn() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, off := range b.off {
		if off {
			b.t.Errorf("%s is left without power; %q", p, b.journal)
		}
	}
	if left := b.left(); len(left) > 0 {
		b.t.Errorf("ports are still noted as off: %v", left)
	}
}

// left are the files that note ports as off.
func (b *bench) left() []string {
	all, err := filepath.Glob(filepath.Join(b.dir, "*.off"))
	if err != nil {
		b.t.Error(err)
	}
	return all
}

// toggle has a step done as a toggle does, which holds the hub until its end.
func (b *bench) toggle(step func(context.Context, recovery.Dongle, recovery.Note) error, n int) error {
	b.t.Helper()
	release, err := b.recovery.Share(b.t.Context(), n)
	if err != nil {
		b.t.Fatal(err)
	}
	defer release()
	return step(b.t.Context(), b.dongle(n), b.wait)
}

// copyState copies the files of a host to another directory: what a process that
// dies now leaves behind.
func (b *bench) copyState() string {
	to := b.t.TempDir()
	if err := os.CopyFS(filepath.Join(to, "state"), os.DirFS(b.dir)); err != nil {
		b.t.Error(err)
	}
	return filepath.Join(to, "state")
}
