package hardware

import (
	"context"
	"errors"
	"fmt"

	"switchyard/hardware/netaddr"
	"switchyard/hardware/recovery"
)

// resetUSB is step 3.
func (h *Host) resetUSB(ctx context.Context, d *Dongle) error {
	return h.recover(ctx, d, h.recovery.Reset)
}

// powerCycle is step 4.
func (h *Host) powerCycle(ctx context.Context, d *Dongle) error {
	return h.recover(ctx, d, h.recovery.PowerCycle)
}

func (h *Host) recover(ctx context.Context, d *Dongle, step func(context.Context, recovery.Dongle, recovery.Note) error) error {
	if d.simulated() {
		return ErrUnavailable
	}
	err := step(ctx, h.recoverable(d), func(wait string) { noteWait(ctx, wait) })
	if errors.Is(err, recovery.ErrUnavailable) {
		return fmt.Errorf("%w: %w", err, ErrUnavailable)
	}
	return err
}

// simulated tells whether the dongle is no device of this machine.
func (d *Dongle) simulated() bool {
	_, bound := d.Network.(BoundNetwork)
	return !bound
}

// recoverable is the dongle as steps 3 and 4 see it.
func (h *Host) recoverable(d *Dongle) recovery.Dongle {
	return recovery.Dongle{
		Subnet:  d.Subnet,
		Address: func(ctx context.Context, iface string) error { return h.address(ctx, d, iface) },
		Answers: func(ctx context.Context) error {
			_, err := d.Modem.Status(ctx)
			return err
		},
		Route: func(ctx context.Context) error {
			// Where routing isn't ours to repair, it may be right all the same.
			if err := RepairRouting(ctx, d); !errors.Is(err, ErrUnavailable) {
				return err
			}
			return nil
		},
		Connected: func(ctx context.Context) error {
			_, err := d.Prober.Look(ctx, d.Network)
			return err
		},
	}
}

// address has the interface get its address. Where this process may not give it
// one it may come from elsewhere, and is waited for.
func (h *Host) address(ctx context.Context, d *Dongle, iface string) error {
	d.Modem.CloseIdle() // connections of the interface before
	why := netaddr.ErrNotPermitted
	if h.Assigner != nil {
		why = h.Assigner.Ensure(ctx, iface, d.Subnet)
	}
	if !errors.Is(why, netaddr.ErrNotPermitted) && !errors.Is(why, errors.ErrUnsupported) {
		return why
	}
	for {
		name, err := d.Network.Interface()
		if err == nil && name == iface {
			return nil
		}
		if pauseErr := pause(ctx, h.Ladder.Poll); pauseErr != nil {
			return errors.Join(fmt.Errorf("none came: %w", pauseErr), why, err)
		}
	}
}
