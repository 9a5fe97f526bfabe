package recovery

import (
	"context"
	"errors"
	"fmt"

	"switchyard/hardware/usb"
)

// Reset is step 3: the dongle's USB device is taken off its driver and put back,
// or, where it shows itself as a disk, brought into network mode. It returns when
// the dongle is back and routed. Error: ErrUnavailable.
func (r *Recovery) Reset(ctx context.Context, d Dongle, note Note) error {
	s, err := r.find(d.Subnet)
	if err != nil {
		return err
	}
	if !s.plugged {
		return unavailable("nothing is plugged in at %s, where dongle %d hangs", s.path, d.Subnet)
	}
	if r.opt.Bus.Stuck(s.path) {
		return unavailable("dongle %d at %s is still stuck: %w", d.Subnet, s.path, usb.ErrStuck)
	}
	// Ended with the step, and begun before it: no event is missed.
	watching, end := context.WithCancel(ctx)
	defer end()
	c := r.watch(watching, s.path)
	var disk error
	if s.device.Mode == usb.Storage {
		note(WaitMode)
		disk = r.switchMode(ctx, s.path)
	}
	if s.device.Mode != usb.Storage || disk != nil {
		note(WaitRebind)
		err := r.opt.Bus.Rebind(ctx, s.path)
		switch {
		case err == nil, errors.Is(err, usb.ErrGone): // it may come back
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, usb.ErrNotPermitted), errors.Is(err, errors.ErrUnsupported):
			return errors.Join(unavailable("binding the USB device at %s anew: %w", s.path, err), disk)
		default:
			return errors.Join(fmt.Errorf("binding the USB device at %s anew: %w", s.path, err), disk)
		}
	}
	if err := r.back(ctx, d, c, note); err != nil {
		return errors.Join(err, disk)
	}
	r.opt.Reread()
	return nil
}
