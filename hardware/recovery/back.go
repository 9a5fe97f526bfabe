package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchyard/hardware/usb"
)

const (
	// relook is how often the USB is looked at that tells of changes by event:
	// an event may be of the moment before.
	relook = time.Second
	// switchAfter is how long a dongle may show itself as a disk before it is
	// switched from here: the system's own rules do it sooner, where it has them.
	switchAfter = 3 * time.Second
)

// changes tell when the USB is to be looked at again.
type changes struct {
	events <-chan usb.Event // nil: there are none
	poll   time.Duration
	about  usb.Path
}

// watch listens for changes at a path, from now on.
func (r *Recovery) watch(ctx context.Context, path usb.Path) *changes {
	events, err := r.opt.Bus.Watch(ctx)
	if err != nil {
		events = nil // looking has to do
	}
	return &changes{events: events, poll: r.opt.Poll, about: path}
}

// next returns when there may be something new to see, or ctx has ended.
func (c *changes) next(ctx context.Context) error {
	wait := c.poll
	if c.events != nil {
		wait = max(wait, relook)
	}
	again := time.NewTimer(wait)
	defer again.Stop()
	for {
		select {
		case e, open := <-c.events:
			if !open {
				c.events = nil
				return context.Cause(ctx)
			}
			if e.Lost || e.Path == c.about {
				return nil
			}
		case <-again.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// back waits until a dongle that is to come at c's path is there and routed. What
// was last in the way is in the error.
func (r *Recovery) back(ctx context.Context, d Dongle, c *changes, note Note) error {
	var why error
	for {
		iface, err := r.interfaceAt(ctx, d, c, note)
		if err != nil {
			return errors.Join(err, why)
		}
		if why = r.overNetwork(ctx, d, iface, c.about, note); why == nil {
			return nil
		}
		// It may have gone once more, and have another interface next.
		if err := c.next(ctx); err != nil {
			return fmt.Errorf("%w: %w", why, err)
		}
	}
}

// interfaceAt waits for the device, in network mode, and its interface.
func (r *Recovery) interfaceAt(ctx context.Context, d Dongle, c *changes, note Note) (string, error) {
	note(WaitDevice)
	var disk time.Time // since when it shows itself as one
	var why error
	missing := "the device"
	for {
		tree, err := r.opt.Bus.Tree()
		if err != nil {
			return "", fmt.Errorf("reading the USB: %w", err)
		}
		dev, plugged := tree.Device(c.about)
		switch {
		case plugged && dev.Mode == usb.Storage:
			if disk.IsZero() {
				disk = time.Now()
			}
			missing = "network mode: it shows itself as a disk"
			if why == nil && time.Since(disk) >= switchAfter {
				note(WaitMode)
				why = r.switchMode(ctx, c.about)
				continue
			}
		case plugged && r.opt.Map.Is(d.Subnet, dev) && len(dev.Interfaces) > 0:
			return dev.Interfaces[0], nil
		case plugged && r.opt.Map.Is(d.Subnet, dev):
			disk = time.Time{}
			if missing != "the network interface" {
				note(WaitInterface)
			}
			missing = "the network interface"
		default:
			disk, missing = time.Time{}, "the device"
		}
		if err := c.next(ctx); err != nil {
			return "", errors.Join(fmt.Errorf("waiting for dongle %d at %s: for %s: %w", d.Subnet, c.about, missing, err), why)
		}
	}
}

// switchMode has a disk become a modem. The error is why it may not become one.
func (r *Recovery) switchMode(ctx context.Context, path usb.Path) error {
	if err := r.opt.Bus.SwitchMode(ctx, path); err != nil && !errors.Is(err, usb.ErrGone) {
		return fmt.Errorf("switching the device at %s from storage to network mode: %w", path, err)
	}
	return nil
}

// overNetwork waits for what comes after the interface, as long as that is there.
func (r *Recovery) overNetwork(ctx context.Context, d Dongle, iface string, path usb.Path, note Note) error {
	note(WaitAddress)
	if err := d.Address(ctx, iface); err != nil {
		return fmt.Errorf("giving %s its address: %w", iface, err)
	}
	note(WaitModem)
	for {
		err := d.Answers(ctx)
		if err == nil {
			break
		}
		if err := pause(ctx, r.opt.Poll); err != nil {
			return fmt.Errorf("waiting for the modem's web API: %w", err)
		}
		if !r.has(path, iface) {
			return fmt.Errorf("%s is gone again: the modem did not answer: %w", iface, err)
		}
	}
	note(WaitRouting)
	if err := d.Route(ctx); err != nil {
		return fmt.Errorf("repairing the routing of dongle %d: %w", d.Subnet, err)
	}
	return nil
}

// has tells whether the device at path still has the interface.
func (r *Recovery) has(path usb.Path, iface string) bool {
	tree, err := r.opt.Bus.Tree()
	if err != nil {
		return true // no news
	}
	dev, ok := tree.ByInterface(iface)
	return ok && dev.Path == path
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
