package usb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// Switchable tells whether a hub says that it switches the power of each port by itself
// (wHubCharacteristics). Some say so and cut the data lines only.
// Errors: it is not known, because of ErrGone, ErrNotPermitted, ErrStuck or
// errors.ErrUnsupported.
func (b *Bus) Switchable(ctx context.Context, hub Path) (bool, error) {
	tree, err := b.Tree()
	if err != nil {
		return false, err
	}
	d, ok := tree.Device(hub)
	if !ok || !d.IsHub() {
		return false, fmt.Errorf("hub %s: %w", hub, ErrGone)
	}
	return b.switchable(ctx, d)
}

func (b *Bus) switchable(ctx context.Context, hub Device) (bool, error) {
	var says hubDescriptor
	err := b.do(ctx, []Path{hub.Path}, func(*call) (err error) {
		says, err = b.wire.describe(hub)
		return err
	})
	if err != nil {
		return false, err
	}
	return says.perPort, nil
}

// Powered tells whether a port has power: it, or its twin.
// Errors: as for Switchable.
func (b *Bus) Powered(ctx context.Context, hub Path, port int) (bool, error) {
	tree, err := b.Tree()
	if err != nil {
		return false, err
	}
	ports, err := b.ports(tree, hub, port)
	if err != nil {
		return false, err
	}
	powered := false
	err = b.do(ctx, about(ports), func(c *call) error {
		var faults []error
		for _, p := range ports {
			c.allow(b.opts.WriteLimit)
			on, _, err := b.powered(p)
			if on {
				powered = true
				return nil
			}
			faults = append(faults, err)
		}
		return errors.Join(faults...)
	})
	if err != nil {
		return false, err // and powered may still be written to
	}
	return powered, nil
}

// SetPower switches a port of a hub, and its twin where the hub is one of USB 3, and
// looks whether it is switched. Nothing happens to a port that is so already. Where the
// port can't be switched off wholly, what was is switched on again. Switching on is done
// also when ctx has ended, so that nothing stays without power.
//
// After switching off by class requests the device remains in the Tree, not
// authorized and without network interfaces, until the port is switched on. After
// switching on, the device comes back by event.
// Errors: ErrRefused (off only), ErrGone, ErrNotPermitted, ErrNotSwitched, ErrStuck,
// errors.ErrUnsupported.
func (b *Bus) SetPower(ctx context.Context, hub Path, port int, on bool) error {
	if on {
		ctx = context.WithoutCancel(ctx)
	}
	tree, err := b.Tree()
	if err != nil {
		return err
	}
	ports, err := b.ports(tree, hub, port)
	if err != nil {
		return err
	}
	if on {
		return b.do(ctx, about(ports), func(c *call) error { return b.switchOn(c, ports, false) })
	}
	if err := b.maySwitchOff(ctx, tree, ports); err != nil {
		return err
	}
	return b.do(ctx, about(ports), func(c *call) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return b.switchOff(c, ports)
	})
}

// about are the devices that a call about ports is about.
func about(ports []port) (out []Path) {
	for _, p := range ports {
		out = append(out, p.at())
	}
	return out
}

// maySwitchOff refuses what would take down more than the port.
func (b *Bus) maySwitchOff(ctx context.Context, tree *Tree, ports []port) error {
	if err := b.refusal(tree, ports); err != nil {
		return err
	}
	for _, p := range ports {
		able, err := b.switchable(ctx, p.hub)
		switch {
		case err == nil && !able:
			return &RefusedError{Hub: ports[0].hub.Path, Port: ports[0].number, Reason: fmt.Sprintf("hub %s switches all its ports at once, or none; use a hub with per-port power switching", p.hub.Path)}
		case errors.Is(err, ErrStuck):
			return err
		case err != nil && !b.allowed(ports):
			return fmt.Errorf("whether hub %s can switch ports can't be read; name it among the hubs allowed if it can: %w", p.hub.Path, err)
		}
	}
	return nil
}

// switchOff switches ports off that belong together, all or none.
func (b *Bus) switchOff(c *call, ports []port) error {
	for i, p := range ports {
		begun, err := b.off(c, p)
		if err == nil {
			continue
		}
		if begun {
			i++
		}
		return errors.Join(err, b.switchOn(c, ports[:i], true))
	}
	return nil
}

// switchOn switches each on, whatever becomes of the others, and sees that what is in
// them is used. again: they are told so also if they say that they are.
func (b *Bus) switchOn(c *call, ports []port, again bool) error {
	var faults []error
	for _, p := range ports {
		faults = append(faults, b.on(c, p, again))
	}
	for _, p := range ports {
		faults = append(faults, b.revive(c, p))
	}
	return errors.Join(faults...)
}

// way is how a port is switched.
type way int

const (
	byFile way = iota
	byRequest
)

// powered reads a port's power: from the kernel, else from the hub.
func (b *Bus) powered(p port) (on bool, by way, err error) {
	on, fileErr := b.fileSays(p)
	if fileErr == nil {
		return on, byFile, nil
	}
	on, err = b.wire.powered(p)
	return on, byRequest, join(fileErr, err)
}

// fileSays reads a port's file. It has the port's real power, not what was last written.
func (b *Bus) fileSays(p port) (on bool, err error) {
	if p.folder == "" {
		return false, errNoFile
	}
	off, err := readNumber(filepath.Join(p.folder, "disable"), 10, 8)
	return off == 0, told("reading the power of "+p.String(), err)
}

// errNoFile: the kernel is older than 6.0.
var errNoFile = errors.New("the kernel has no file to switch the port by (Linux 6.0)")

// join is the second error, with the first to explain it.
func join(first, second error) error {
	if second == nil {
		return nil
	}
	if absent(first) || errors.Is(first, errNoFile) {
		return second
	}
	return errors.Join(second, first)
}

// writePower switches a port by its file.
func (b *Bus) writePower(p port, on bool) error {
	if p.folder == "" {
		return errNoFile
	}
	text := "1"
	if on {
		text = "0"
	}
	return told("switching "+p.String(), b.write(filepath.Join(p.folder, "disable"), text))
}

// off switches a port off. begun: something may have been changed, also where that
// failed.
func (b *Bus) off(c *call, p port) (begun bool, err error) {
	c.allow(b.opts.WriteLimit)
	on, by, err := b.powered(p)
	if err != nil || !on {
		return false, err
	}
	c.allow(b.opts.WriteLimit)
	var fileErr error
	if by == byFile {
		if fileErr = b.writePower(p, false); fileErr == nil {
			return true, b.settle(c, p, byFile, false, 0)
		}
		c.allow(b.opts.WriteLimit)
		if _, err := b.wire.powered(p); err != nil {
			return false, join(fileErr, err) // before anything is taken down
		}
	}
	// The kernel doesn't notice what a hub is told directly: it would go on talking to
	// the device, and might switch its power on.
	c.allow(b.opts.WriteLimit)
	if err := b.authorize(p.at(), false); err != nil && !errors.Is(err, ErrGone) {
		return false, join(fileErr, err)
	}
	c.allow(b.opts.WriteLimit)
	if err := b.wire.power(p, false); err != nil {
		return true, join(fileErr, err)
	}
	return true, b.settle(c, p, byRequest, false, 0)
}

func (b *Bus) on(c *call, p port, again bool) error {
	c.allow(b.opts.WriteLimit)
	on, by, err := b.powered(p)
	if err == nil && on && !again {
		return nil
	}
	c.allow(b.opts.WriteLimit)
	var fileErr error
	if err == nil && by == byFile {
		if fileErr = b.writePower(p, true); fileErr == nil {
			return b.settle(c, p, byFile, true, 0)
		}
		c.allow(b.opts.WriteLimit)
	}
	if err := b.wire.power(p, true); err != nil {
		return join(fileErr, err)
	}
	c.allow(b.opts.WriteLimit)
	var good time.Duration
	if says, err := b.wire.describe(p.hub); err == nil {
		good = says.powerGood
	}
	return b.settle(c, p, byRequest, true, good)
}

const (
	// settleLimit is how long a port may take to show what it was told.
	settleLimit = 2 * time.Second
	// reviveLimit is how long the kernel may take to notice a device that was taken
	// down and has power again.
	reviveLimit = 3 * time.Second
	// look is how often it is looked: there is no event for either.
	look = 20 * time.Millisecond
)

// settle waits until the port shows what it was told, and not less than least.
func (b *Bus) settle(c *call, p port, by way, want bool, least time.Duration) error {
	c.allow(least + b.settleLimit + b.opts.WriteLimit)
	b.pause(context.Background(), least)
	var now bool
	var err error
	ok := b.until(b.settleLimit, func() bool {
		if by == byFile {
			now, err = b.fileSays(p)
		} else {
			now, err = b.wire.powered(p)
		}
		return err != nil || now == want
	})
	switch {
	case err != nil:
		return fmt.Errorf("looking whether %s is switched: %w", p, err)
	case !ok && want:
		return fmt.Errorf("%s stays off: %w; unplug the hub from its own power", p, ErrNotSwitched)
	case !ok:
		return fmt.Errorf("%s keeps its power: %w; use a hub with per-port power switching", p, ErrNotSwitched)
	}
	return nil
}

// revive has the kernel use a device again that was taken down before its port was
// switched off. Mostly it finds a new one in its place by itself.
func (b *Bus) revive(c *call, p port) error {
	c.allow(b.reviveLimit + b.opts.WriteLimit)
	file := b.devices(string(p.at()), "authorized")
	down := func() bool {
		n, err := readNumber(file, 10, 8)
		return err == nil && n == 0
	}
	if !down() || b.until(b.reviveLimit, func() bool { return !down() }) {
		return nil
	}
	c.allow(b.opts.WriteLimit)
	if err := b.authorize(p.at(), true); err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	return nil
}

// until looks again and again, within limit. A Bus that is closed looks once more.
func (b *Bus) until(limit time.Duration, done func() bool) bool {
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end.C:
			return done()
		case <-b.ctx.Done():
			return done()
		}
	}
	return true
}
