package hardware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"time"

	"switchyard/configs"
	"switchyard/hardware/recovery"
	"switchyard/hardware/usb"
	"switchyard/hardware/usbmap"
	"switchyard/hosts"
	"switchyard/tasks"
)

// newBus is the machine's USB, as configured.
func newBus(c configs.Host) (*usb.Bus, error) {
	opt := usb.Options{WriteLimit: c.USB.CallLimit.Std(), Rest: c.USB.Rest.Std(), Allow: paths(c.USB.Hubs)}
	for _, text := range c.USB.IDs {
		id, err := usb.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("host.usb.ids: %w", err)
		}
		opt.Modems = append(opt.Modems, id)
	}
	return usb.New(opt), nil
}

func paths(all []string) []usb.Path {
	out := make([]usb.Path, len(all))
	for i, p := range all {
		out[i] = usb.Path(p)
	}
	return out
}

// setUpUSB has the host know its USB, and the ladder steps 3 and 4.
func (h *Host) setUpUSB(c *configs.Config, bus recovery.Bus) {
	configured := map[int]usb.Path{}
	for _, d := range c.Host.Dongles {
		if d.USB != "" {
			configured[d.Subnet] = usb.Path(d.USB)
		}
	}
	p := c.Toggle.Power
	h.bus = bus
	h.places = usbmap.Open(usbmap.Options{File: filepath.Join(h.stateDir, "usb.json"), Configured: configured})
	h.recovery = recovery.New(recovery.Options{
		Bus: bus, Map: h.places, Dir: h.stateDir, Hubs: paths(c.Host.USB.Hubs), WholeHub: p.WholeHub,
		OffTime: p.OffTime.Std(), HubWait: p.HubWait.Std(), BackLimit: p.BackLimit.Std(), OnLimit: c.Toggle.RestoreLimit.Std(),
		Poll: c.Toggle.PollInterval.Std(), Budget: p.Budget, BudgetTime: p.BudgetTime.Std(),
		Reread: func() { _ = h.readUSB() }, // the next look tells what was wrong
		Dongle: func(n int) (recovery.Dongle, bool) {
			d, err := h.Dongle(n)
			if err != nil {
				return recovery.Dongle{}, false
			}
			return h.recoverable(d), true
		},
	})
	if !h.onUSB() {
		return
	}
	h.Locate = h.locate
	h.Ladder.Repairs[3], h.Ladder.Repairs[4] = h.resetUSB, h.powerCycle
	// Both tries, each with its wait for the hub; no more than the toggle has.
	once := p.HubWait.Std() + p.OffTime.Std() + c.Toggle.RestoreLimit.Std() + p.BackLimit.Std()
	h.Ladder.Limits = map[int]time.Duration{4: 2 * once}
	if len(c.Host.USB.Hubs) == 0 {
		// No hub may be switched: it only says so, after a last look.
		h.Ladder.Limits[4] = c.Host.ProbeTimeout.Std() + time.Second
	}
}

// locate finds the network interface of a dongle by where it hangs.
func (h *Host) locate(n int) (iface string, found bool) {
	path, err := h.places.Place(n)
	if err != nil {
		return "", false
	}
	tree, err := h.bus.Tree()
	if err != nil {
		return "", false
	}
	d, plugged := tree.Device(path)
	if !plugged || len(d.Interfaces) == 0 || !h.places.Is(n, d) {
		return "", false
	}
	return d.Interfaces[0], true
}

// LeaveUSB ends what the host listens to there. The error says which devices the
// kernel doesn't come back from a call about.
func (h *Host) LeaveUSB() error {
	if c, ok := h.bus.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// readUSB has the map take in what is plugged in now. Of several readings at once
// the one that began last counts.
func (h *Host) readUSB() error {
	began := h.readings.Add(1)
	before, err := networksHeld()
	if err != nil {
		return err
	}
	tree, err := h.bus.Tree()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // nothing to know
	}
	if err != nil {
		return fmt.Errorf("reading the USB: %w", err)
	}
	after, err := networksHeld()
	if err != nil {
		return err
	}
	h.reading.Lock()
	defer h.reading.Unlock()
	if began < h.taken {
		return nil
	}
	h.taken = began
	return errors.Join(errors.Join(tree.Faults...), h.places.Read(tree, inBoth(before, after)))
}

// onUSB tells whether the host has dongles on its USB, or may come to.
func (h *Host) onUSB() bool {
	return len(h.config.Dongles) == 0 || slices.ContainsFunc(h.config.Dongles, func(d configs.Dongle) bool { return d.Gateway == "" })
}

// holder is an interface that has an address of a dongle's network.
type holder struct {
	index int
	name  string
}

// inBoth are the names of those interfaces that were there, as they are, before
// and after the USB was read: where modems come back together a name may have
// become another one's meanwhile, and its place would be taken for that one's.
func inBoth(before, after map[int][]holder) map[int][]string {
	held := map[int][]string{}
	for n, all := range after {
		for _, i := range all {
			if slices.Contains(before[n], i) {
				held[n] = append(held[n], i.name)
			}
		}
	}
	return held
}

// networksHeld are the interfaces that have an address of a dongle's network, by
// subnet.
func networksHeld() (map[int][]holder, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	held := map[int][]holder{}
	for _, i := range ifs {
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has just gone
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok || n.IP.To4() == nil {
				continue
			}
			if ip := n.IP.To4(); ip[0] == 192 && ip[1] == 168 && tasks.ValidSubnet(int(ip[2])) {
				held[int(ip[2])] = append(held[int(ip[2])], holder{i.Index, i.Name})
			}
		}
	}
	return held, nil
}

// LookAtUSB reads where the dongles hang, and switches on what a killed toggle
// left without power. It logs what is new.
func (h *Host) LookAtUSB(ctx context.Context, log *slog.Logger) {
	if !h.onUSB() {
		return
	}
	if err := h.PowerOn(ctx, log); err != nil && ctx.Err() == nil {
		h.tell(log, "power", fmt.Sprint(err), "could not switch on what a killed toggle left without power; it is tried again")
	} else {
		h.tell(log, "power", "", "")
	}
	if err := h.readUSB(); err != nil {
		h.tell(log, "usb", fmt.Sprint(err), "could not tell for certain where all dongles hang on the USB")
	} else {
		h.tell(log, "usb", "", "")
	}
	if disks := h.places.Storage(); len(disks) > 0 {
		h.tell(log, "storage", fmt.Sprint(disks), "dongles show themselves as disks (usb_modeswitch has not switched them); a toggle's step 3 tries to")
	} else {
		h.tell(log, "storage", "", "")
	}
}

// tell logs a state of affairs when it is another than before. "": all is well.
func (h *Host) tell(log *slog.Logger, about, state, text string) {
	h.mu.Lock()
	before := h.told[about]
	h.told[about] = state
	h.mu.Unlock()
	if state != "" && state != before {
		log.Warn(text, "what", state)
	}
}

// PowerOn switches on the ports that a killed toggle left without power. It needs
// nothing but the USB, so it comes before all else when a worker starts.
func (h *Host) PowerOn(ctx context.Context, log *slog.Logger) error {
	on, err := h.recovery.PowerOn(ctx)
	if len(on) > 0 {
		log.Warn("switched on what a killed toggle left without power", "ports", on)
	}
	return err
}

const (
	// usbQuiet is how long the USB is left to settle after a change, for a hub with
	// all its dongles comes as a hundred.
	usbQuiet = 200 * time.Millisecond
	// usbUnquiet is how long it may go on changing before it is looked at all the
	// same: a dongle with a loose contact never settles.
	usbUnquiet = 2 * time.Second
)

// FollowUSB looks at the USB whenever something changes on it, until ctx ends.
// Where changes can't be heard of it returns; LookAtUSB by the clock has to do.
func (h *Host) FollowUSB(ctx context.Context, log *slog.Logger) {
	if !h.onUSB() {
		return
	}
	events, err := h.bus.Watch(ctx)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, errors.ErrUnsupported) {
			log.Warn("changes on the USB are not heard of; it is looked at by the clock", "err", err)
		}
		return
	}
	look := time.NewTimer(usbQuiet)
	defer look.Stop()
	first := time.Now() // of the changes that it has not been looked at since
	for {
		select {
		case _, open := <-events:
			if !open {
				return
			}
			if first.IsZero() {
				first = time.Now()
			}
			look.Reset(min(usbQuiet, max(0, time.Until(first.Add(usbUnquiet)))))
		case <-look.C:
			first = time.Time{}
			h.LookAtUSB(ctx, log)
		}
	}
}

// Physical is the number of dongles on the USB, or of the host's where that can't
// be read.
func (h *Host) Physical() int {
	if n, ok := h.places.Physical(); ok {
		return n
	}
	return len(h.all())
}

// Hubs tells how the dongles hang on the host's hubs; nil where that is unknown.
func (h *Host) Hubs() *tasks.HubInfo { return h.places.Hubs() }

// USB tells where the dongles hang, by subnet, as far as that is known.
func (h *Host) USB() map[int]hosts.USBPlace {
	out := map[int]hosts.USBPlace{}
	for n, p := range h.places.Places() {
		if d, err := h.Dongle(n); err != nil || d.simulated() {
			continue
		}
		state := hosts.USBOther
		switch {
		case h.bus.Stuck(p.Path):
			state = hosts.USBStuck
		case !p.Plugged:
			state = hosts.USBAbsent
		case p.Mode == usb.Modem:
			state = hosts.USBModem
		case p.Mode == usb.Storage:
			state = hosts.USBStorage
		}
		out[n] = hosts.USBPlace{Path: string(p.Path), Hub: string(p.Path.Hub()), Port: p.Path.Port(), State: state}
	}
	return out
}
