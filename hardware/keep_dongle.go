package hardware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"switchyard/hardware/netaddr"
	"switchyard/hardware/netroute"
	"switchyard/metrics"
)

const (
	// busyAgain is when a dongle that somebody works on is looked at again.
	busyAgain = time.Second
	// inVain is how many repairs in a row may not last before there is a pause
	// between them, and that is told.
	inVain = 3
	// firstAgain and longestAgain are the first and the longest such pause.
	firstAgain   = time.Second
	longestAgain = 10 * time.Second
)

// kept is a dongle that is kept routed, by a goroutine of its own: one that waits
// for its address delays no other.
type kept struct {
	*keeper

	d    *Dongle
	wake chan struct{}
	log  *slog.Logger
	// held is the interface that had the dongle's address when last seen.
	held *net.Interface
	// said is what was last found wrong, "" if nothing is.
	said string
	// tried is when it was last repaired, again the least time from then to the
	// next time, and row how many repairs didn't last.
	tried time.Time
	again time.Duration
	row   int
}

func (k *kept) run(ctx context.Context) {
	for ctx.Err() == nil {
		k.wait(ctx, k.look(ctx))
	}
}

// wait returns when there is a reason to look again; pause 0: not by the clock.
func (k *kept) wait(ctx context.Context, pause time.Duration) {
	var over <-chan time.Time
	if pause > 0 {
		t := time.NewTimer(pause)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-ctx.Done():
	case <-k.wake:
	case <-over:
	}
}

// look looks at the dongle and repairs what is wrong. It returns when to look
// again, 0: when something changes.
func (k *kept) look(ctx context.Context) time.Duration {
	if k.idle.Load() {
		return 0
	}
	s, err := k.find()
	if err != nil {
		k.wrong(err)
		return 0
	}
	if s.Routed {
		k.right()
		return 0
	}
	if pause := time.Until(k.tried.Add(k.again)); pause > 0 {
		return pause
	}
	lock, err := TryLock(k.d.LockPath)
	if errors.Is(err, ErrLocked) {
		return busyAgain
	}
	if err != nil {
		k.wrong(err)
		return 0
	}
	repaired, err := k.repair(ctx)
	switch err = errors.Join(err, lock.Unlock()); {
	case ctx.Err() != nil:
	case errors.Is(err, netroute.ErrNotPermitted), errors.Is(err, netaddr.ErrNotPermitted):
		k.forbid(k.d.Subnet, err)
	case err != nil:
		k.tries()
		k.Meter.DongleRepaired(k.d.Subnet, metrics.RepairFailed)
		k.wrong(err)
	case repaired:
		k.tries()
		k.Meter.DongleRepaired(k.d.Subnet, metrics.Repaired)
		k.said = ""
		k.log.Info("repaired the routing of a dongle", "interface", k.held.Name, "was", s.Way)
		if k.row == inVain {
			k.log.Warn("the routing of a dongle doesn't stay repaired: see what takes it away (ip monitor)", "pause", k.again)
		}
	default:
		k.said = "" // it is away, or a toggle was faster
	}
	return 0
}

// repair does what is missing, with the dongle's lock. It tells whether the
// dongle is routed by that.
func (k *kept) repair(ctx context.Context) (repaired bool, err error) {
	// Whoever had the lock before may have done it.
	s, err := k.find()
	if err != nil || s.Routed {
		return false, err
	}
	// First of all: what has the address now, or gets it, must not leave by the
	// uplink meanwhile.
	if err := k.d.Router.Fence(ctx, k.d.Subnet); err != nil {
		return false, err
	}
	if s.Interface == "" {
		if given, err := k.address(ctx); err != nil || !given {
			return false, err
		}
		if s, err = k.find(); err != nil || s.Interface == "" {
			return false, err
		}
	}
	if err := k.d.Router.Repair(ctx, k.d.Subnet); err != nil {
		return false, err
	}
	return true, nil
}

// find looks how the dongle is routed.
func (k *kept) find() (netroute.State, error) {
	s, err := k.d.Router.Find(k.d.Subnet)
	if err != nil {
		return s, fmt.Errorf("looking how it is routed: %w", err)
	}
	if s.Interface != "" {
		i, err := net.InterfaceByName(s.Interface)
		if err != nil {
			i = &net.Interface{Name: s.Interface} // it has just gone
		}
		k.held = i
	}
	return s, nil
}

// address gives the dongle's interface its address, if there is one: where it
// hangs on the USB, or else the very one that had it before. Nobody else's is
// taken for it: names change hands whenever modems come back.
func (k *kept) address(ctx context.Context) (given bool, err error) {
	name, found := "", false
	if k.Locate != nil {
		name, found = k.Locate(k.d.Subnet)
	}
	if !found && k.held != nil && k.held.Index > 0 {
		// One that is down was brought down on purpose.
		if i, err := net.InterfaceByIndex(k.held.Index); err == nil && i.Flags&net.FlagUp != 0 {
			name, found = i.Name, true
		}
	}
	if !found || k.Assigner == nil {
		return false, nil
	}
	switch err := k.Assigner.Ensure(ctx, name, k.d.Subnet); {
	case errors.Is(err, netaddr.ErrNoInterface), errors.Is(err, errors.ErrUnsupported):
		return false, nil // gone meanwhile
	case err != nil:
		return false, err
	}
	k.log.Info("gave the interface of a dongle its address", "interface", name)
	return true, nil
}

// tries notes a repair, or one that failed. After some that didn't last it is the
// last for a while.
func (k *kept) tries() {
	if time.Since(k.tried) > keepInterval {
		k.row, k.again = 0, 0
	} else if k.row++; k.row >= inVain {
		k.again = min(max(2*k.again, firstAgain), k.longestAgain)
	}
	k.tried = time.Now()
}

// right notes that nothing is wrong.
func (k *kept) right() {
	if k.said != "" {
		k.log.Info("the routing of a dongle is right again")
	}
	k.said = ""
}

// wrong says what is, once.
func (k *kept) wrong(err error) {
	if text := words(err); text != k.said {
		k.said = text
		k.log.Warn("the routing of a dongle is wrong, and was not repaired", "err", err)
	}
}
