package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"switchyard/hardware/usb"
)

// PowerCycle is step 4: the dongle's port is without power for a while, then, if
// that doesn't help, all ports of its hub that have dongles. It returns when the
// dongle is connected, or has not come to be. Error: ErrUnavailable, where nothing
// lost power.
func (r *Recovery) PowerCycle(ctx context.Context, d Dongle, note Note) error {
	s, err := r.find(d.Subnet)
	if err != nil {
		return err
	}
	hub := s.path.Hub()
	if err := r.switchable(ctx, hub); err != nil {
		return err
	}
	watching, end := context.WithCancel(ctx)
	defer end()
	// Given up for the cycles. Nothing is left to do for it when the step is over
	// before it can be had again.
	defer func() { _ = r.share(ctx, d.Subnet, hub) }()
	switch err := r.cycleOne(ctx, d, s.path, note); {
	case errors.Is(err, errWorks):
		return nil
	case err != nil:
		return err
	}
	// Without the share: nothing is done to the modem while it starts, and another
	// dead dongle of the hub can't wait that long for its own cycle.
	err = r.connected(ctx, d, r.watch(watching, s.path), note)
	if err != nil && ctx.Err() == nil && r.opt.WholeHub {
		allErr := r.cycleAll(ctx, d, s.path, note)
		switch {
		case allErr == nil || ctx.Err() != nil:
			err = allErr
		default:
			// Whatever it was: this step has been done, and is not passed over.
			err = fmt.Errorf("%w; with all dongles of hub %s: %v", err, hub, allErr)
		}
	}
	r.opt.Reread()
	return err
}

// switchable tells whether a hub is one to be power cycled. Error: ErrUnavailable.
func (r *Recovery) switchable(ctx context.Context, hub usb.Path) error {
	if !slices.Contains(r.opt.Hubs, hub) {
		return unavailable("hub %s is not among those to be power cycled (host.usb.hubs)", hub)
	}
	ok, err := r.opt.Bus.Switchable(ctx, hub)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, usb.ErrGone), errors.Is(err, usb.ErrStuck), errors.Is(err, errors.ErrUnsupported):
		return unavailable("asking hub %s whether it switches single ports: %w", hub, err)
	case err == nil && !ok:
		return unavailable("hub %s can't switch the power of single ports", hub)
	}
	return nil // where it can't be asked, it was named because it can
}

// errWorks: a dongle needs no cycle any more.
var errWorks = errors.New("it is connected again")

// cycleOne takes the power from one dongle's port for a while. Error: errWorks,
// where the dongle came back while it waited for its hub, as by a cycle of that for
// another one.
func (r *Recovery) cycleOne(ctx context.Context, d Dongle, path usb.Path, note Note) error {
	n := d.Subnet
	if err := r.affordable(n); err != nil {
		return err // and nobody waits for the hub
	}
	note(WaitHub)
	lock, waited, err := r.alone(ctx, n, path.Hub())
	if err == nil {
		defer lock.Unlock() //nolint:errcheck // closing a file that was only locked
	}
	if waited && d.Connected(ctx) == nil {
		return errWorks
	}
	if err != nil {
		return err
	}
	if err := r.affordable(n); err != nil {
		return err // another one's cycle of the hub has used it up
	}
	refund, err := r.spend(n)
	if err != nil {
		return err
	}
	note(WaitPort)
	err = cutError(r.cut(ctx, path.Hub(), []int{path.Port()}))
	if errors.Is(err, ErrUnavailable) {
		refund() // nothing lost power
	}
	return err
}

// cutError says what kind of failure one to switch a port off is.
func cutError(err error) error {
	for _, reason := range []error{usb.ErrNotPermitted, usb.ErrRefused, usb.ErrNotSwitched, errors.ErrUnsupported} {
		if errors.Is(err, reason) {
			return fmt.Errorf("%w: %w", err, ErrUnavailable)
		}
	}
	return err
}

// connected waits until the dongle at c's path is back and connected.
func (r *Recovery) connected(ctx context.Context, d Dongle, c *changes, note Note) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.opt.BackLimit, fmt.Errorf("not within %s", r.opt.BackLimit))
	defer cancel()
	if err := r.back(ctx, d, c, note); err != nil {
		return err
	}
	note(WaitConnected)
	for {
		err := d.Connected(ctx)
		if err == nil {
			return nil
		}
		if pauseErr := pause(ctx, r.opt.Poll); pauseErr != nil {
			return fmt.Errorf("waiting for the connectivity of dongle %d: %w", d.Subnet, pauseErr)
		}
	}
}

// cycleAll takes the power from all dongles of a hub for a while, and waits for
// them. The whole lock is kept until they are back, so that no toggle finds one of
// them missing.
func (r *Recovery) cycleAll(ctx context.Context, d Dongle, path usb.Path, note Note) error {
	hub := path.Hub()
	note(WaitHub)
	lock, _, err := r.alone(ctx, d.Subnet, hub)
	if err != nil {
		return err
	}
	defer lock.Unlock() //nolint:errcheck // closing a file that was only locked
	ports, err := r.donglePorts(hub)
	if err != nil {
		return err
	}
	if len(ports) < 2 {
		return errors.New("there are no others")
	}
	// The others don't lose power for a toggle that would be over before it helps.
	if end, ends := ctx.Deadline(); ends && time.Until(end) < r.opt.OffTime+r.opt.BackLimit/2 {
		return fmt.Errorf("not begun with %s left (toggle.timeout)", time.Until(end).Round(time.Second))
	}
	var siblings []int
	for port, n := range ports {
		if n == d.Subnet || n == 0 {
			continue
		}
		if err := r.affordable(n); err != nil && r.works(ctx, n) {
			return fmt.Errorf("the other dongles of hub %s keep their power: %w", hub, err)
		}
		siblings = append(siblings, port)
	}
	for _, port := range siblings {
		if _, err := r.spend(ports[port]); err != nil {
			return err
		}
	}
	watching, end := context.WithCancel(ctx)
	defer end()
	note(WaitHubOff)
	if err := r.cut(ctx, hub, slices.Sorted(maps.Keys(ports))); err != nil {
		return err
	}
	var wg sync.WaitGroup
	failed := make([]error, len(siblings))
	for i, port := range siblings {
		other, ok := r.opt.Dongle(ports[port])
		if !ok {
			continue
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeoutCause(ctx, r.opt.BackLimit, fmt.Errorf("not within %s", r.opt.BackLimit))
			defer cancel()
			if err := r.back(ctx, other, r.watch(watching, hub.At(port)), func(string) {}); err != nil {
				failed[i] = fmt.Errorf("dongle %d, which lost power with it, is not back: %w", other.Subnet, err)
			}
		})
	}
	err = r.connected(ctx, d, r.watch(watching, path), note)
	wg.Wait()
	return errors.Join(err, errors.Join(failed...))
}

// works tells whether a dongle is connected: one that isn't has nothing to lose
// with its power.
func (r *Recovery) works(ctx context.Context, n int) bool {
	d, ok := r.opt.Dongle(n)
	return !ok || d.Connected(ctx) == nil || ctx.Err() != nil
}

// donglePorts are the ports of a hub that dongles hang on, each with its subnet: 0
// where that isn't known, and for one that isn't there now.
func (r *Recovery) donglePorts(hub usb.Path) (map[int]int, error) {
	tree, err := r.opt.Bus.Tree()
	if err != nil {
		return nil, fmt.Errorf("reading the USB: %w", err)
	}
	ports := map[int]int{}
	for _, d := range tree.Modems() {
		if d.Path.Hub() == hub {
			ports[d.Path.Port()] = 0
		}
	}
	for port, n := range r.opt.Map.On(hub) {
		d, plugged := tree.Device(hub.At(port))
		switch {
		case !plugged:
			ports[port] = 0
		case r.opt.Map.Is(n, d):
			ports[port] = n
		default:
			delete(ports, port)
		}
	}
	return ports, nil
}
