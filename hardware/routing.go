package hardware

import (
	"context"
	"errors"
	"fmt"

	"switchyard/hardware/netroute"
)

// Router is what the ladder needs of the host's routing.
type Router interface {
	// Find tells how the connections of a dongle are routed.
	Find(subnet int) (netroute.State, error)
	// Repair makes that right.
	Repair(ctx context.Context, subnet int) error
	// Fence keeps the dongle's address from the uplink, also before it is there.
	Fence(ctx context.Context, subnet int) error
}

var _ Router = (*netroute.Router)(nil)

// routed tells whether rule and routes are right. A simulated dongle needs
// none, and a system that can't be asked leaves it to the probe.
func (d *Dongle) routed() (bool, error) {
	if d.Router == nil {
		return true, nil
	}
	s, err := d.Router.Find(d.Subnet)
	if errors.Is(err, errors.ErrUnsupported) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking how dongle %d is routed: %w", d.Subnet, err)
	}
	return s.Routed, nil
}

// RepairRouting is step 1: rule and default route of the dongle.
func RepairRouting(ctx context.Context, d *Dongle) error {
	if d.Router == nil {
		return ErrUnavailable // simulated
	}
	err := d.Router.Repair(ctx, d.Subnet)
	if errors.Is(err, netroute.ErrNotPermitted) || errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%w: %w", err, ErrUnavailable)
	}
	return err
}

var _ Repair = RepairRouting
