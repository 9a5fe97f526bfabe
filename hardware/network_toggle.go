package hardware

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"switchyard/hardware/hilink"
)

// Net modes as HiLink spells them.
const (
	modeAuto = "00"
	modeLTE  = "03"
)

// netMode sets the mode to automatic, then to LTE, then back to what it was:
// leaving and joining the network is what brings a new address. The original
// mode comes back whatever happens.
func (t *toggle) netMode(ctx context.Context) (result, netip.Addr, error) {
	original, err := t.d.Modem.NetMode(ctx)
	if err != nil {
		return noAddress, netip.Addr{}, fmt.Errorf("reading the net mode: %w", err)
	}
	now := original.Mode
	if left, err := t.d.unfinished(); err == nil && left.NetMode != nil {
		original = *left.NetMode // what the modem has now is a killed toggle's
	}
	if err := t.d.leave(func(u *unfinished) { u.NetMode = &original }); err != nil {
		return noAddress, netip.Addr{}, err
	}
	dropped, away, err := t.switchModes(ctx, now, original)
	if away {
		restoreErr := t.restore(ctx, func(ctx context.Context) error { return t.d.Modem.SetNetMode(ctx, original) })
		if restoreErr != nil {
			return noAddress, netip.Addr{}, errors.Join(err, fmt.Errorf("putting back net mode %s: %w", original.Mode, restoreErr))
		}
	}
	err = errors.Join(err, t.d.leave(func(u *unfinished) { u.NetMode = nil }))
	if err != nil {
		return t.after(ctx, away, dropped, err)
	}
	return t.awaitNew(ctx, dropped)
}

// switchModes sets the modes one after the other, the original one last. away
// tells that the modem is in another than the original one, or perhaps so.
func (t *toggle) switchModes(ctx context.Context, now string, original hilink.NetMode) (dropped, away bool, err error) {
	away = now != original.Mode
	for i, m := range []string{modeAuto, modeLTE, original.Mode} {
		if i == 2 && now == m {
			break // LTE was the original mode
		}
		mode := original // with the bands that are set
		mode.Mode = m
		if err := t.setMode(ctx, mode); err != nil {
			return dropped, away || m != original.Mode && !untouched(err), fmt.Errorf("setting net mode %s: %w", m, err)
		}
		away = m != original.Mode
		was := now
		if now = m; was == m {
			continue // a modem does nothing when told what it does already
		}
		left, err := t.awaitDrop(ctx)
		if err != nil {
			return dropped, away, err
		}
		dropped = dropped || left
	}
	return dropped, away, nil
}

// after is what a way came to that broke off. Putting the modem in order takes
// it through its network, too, where it had got so far: that may have brought
// what was wanted.
func (t *toggle) after(ctx context.Context, moved, dropped bool, err error) (result, netip.Addr, error) {
	if !moved || ctx.Err() != nil {
		return noAddress, netip.Addr{}, err
	}
	if left, dropErr := t.awaitDrop(ctx); dropErr == nil {
		if r, ip, newErr := t.awaitNew(ctx, dropped || left); newErr == nil && r == changed {
			return r, ip, err
		}
	}
	return noAddress, netip.Addr{}, err
}

// setMode writes a mode, again and again while the modem is too busy or
// dialling to take it.
func (t *toggle) setMode(ctx context.Context, m hilink.NetMode) error {
	return t.insist(ctx, func() error { return t.d.Modem.SetNetMode(ctx, m) }, refusedForNow)
}

// restore puts a setting back when ctx may have ended. It asks through all that
// may pass (a modem that hangs, its network being away), since nobody will
// later: until the modem takes it or refuses it for good.
func (t *toggle) restore(ctx context.Context, set func(context.Context) error) error {
	return t.bring(context.WithoutCancel(ctx), set)
}

// bring is restore that ends with ctx.
func (t *toggle) bring(ctx context.Context, set func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, t.RestoreLimit, fmt.Errorf("not taken within %s", t.RestoreLimit))
	defer cancel()
	return t.insist(ctx, func() error { return set(ctx) }, func(err error) bool {
		if refused, ok := errors.AsType[*hilink.Error](err); ok {
			return !refused.Final()
		}
		return !errors.Is(err, hilink.ErrClosed)
	})
}

// untouched reports whether a write that ended with this error has certainly
// changed nothing: the modem refused it, or no modem was there.
func untouched(err error) bool {
	_, refused := errors.AsType[*hilink.Error](err)
	return refused || errors.Is(err, hilink.ErrNotHiLink)
}

// refusedForNow reports whether the modem may take it in a moment.
func refusedForNow(err error) bool {
	refused, ok := errors.AsType[*hilink.Error](err)
	return ok && (refused.Busy() || refused.Code == codeDialling)
}

// insist repeats a call for as long as its error may pass.
func (t *toggle) insist(ctx context.Context, call func() error, passes func(error) bool) error {
	for {
		err := call()
		if err == nil || !passes(err) {
			return err
		}
		if pauseErr := pause(ctx, t.Poll); pauseErr != nil {
			return fmt.Errorf("%w: %w", pauseErr, err)
		}
	}
}

// codeDialling is what a modem answers to a net mode while it dials.
const codeDialling = 112001

// dataswitch turns mobile data off, holds it off, and turns it on again. It is
// turned on whatever happens.
func (t *toggle) dataswitch(ctx context.Context, hold time.Duration) (result, netip.Addr, error) {
	left, _ := t.d.unfinished() // unreadable, so no use to anybody
	if err := t.d.leave(func(u *unfinished) { u.DataOff = true }); err != nil {
		return noAddress, netip.Addr{}, err
	}
	off, err := t.switchData(ctx, hold)
	if err != nil {
		off = off || left.DataOff // since a killed toggle
	}
	if off {
		onErr := t.restore(ctx, func(ctx context.Context) error { return t.d.Modem.SetDataSwitch(ctx, true) })
		if onErr != nil {
			return noAddress, netip.Addr{}, errors.Join(err, fmt.Errorf("switching mobile data on again: %w", onErr))
		}
	}
	err = errors.Join(err, t.d.leave(func(u *unfinished) { u.DataOff = false }))
	if err != nil {
		return t.after(ctx, off, false, err)
	}
	return t.awaitNew(ctx, true)
}

// switchData switches mobile data off and on. off tells that it is left off, or
// perhaps so.
func (t *toggle) switchData(ctx context.Context, hold time.Duration) (off bool, err error) {
	if err := t.insist(ctx, func() error { return t.d.Modem.SetDataSwitch(ctx, false) }, refusedForNow); err != nil {
		return !untouched(err), fmt.Errorf("switching mobile data off: %w", err)
	}
	if err := pause(ctx, hold); err != nil {
		return true, err
	}
	if err := t.insist(ctx, func() error { return t.d.Modem.SetDataSwitch(ctx, true) }, refusedForNow); err != nil {
		return true, fmt.Errorf("switching mobile data on: %w", err)
	}
	return false, nil
}

// awaitDrop waits until the modem is off the network; false if it stays on.
func (t *toggle) awaitDrop(ctx context.Context) (bool, error) {
	end := time.Now().Add(t.DropLimit)
	for time.Now().Before(end) {
		if s, err := t.d.Modem.Status(ctx); err == nil && !s.Connected() {
			return true, nil
		}
		if err := pause(ctx, t.Poll); err != nil {
			return false, err
		}
	}
	return false, nil
}

// awaitNew waits until the modem is back and shows an address. dropped tells
// that it has left the network, so the address it comes back with is final;
// else it is given SettleLimit to show another one.
func (t *toggle) awaitNew(ctx context.Context, dropped bool) (result, netip.Addr, error) {
	settled := time.Now().Add(t.SettleLimit)
	for {
		s, err := t.d.Modem.Status(ctx)
		if err == nil && !s.Connected() {
			dropped = true
		} else if ip, err := t.d.Prober.Look(ctx, t.d.Network); err == nil && (ip != t.old || dropped || time.Now().After(settled)) {
			// A modem that says nothing of itself may be back all the same.
			return t.compare(ip), ip, nil
		}
		if err := pause(ctx, t.Poll); err != nil {
			return noAddress, netip.Addr{}, err
		}
	}
}

// awaitAny waits until there is connectivity, with whatever address.
func (t *toggle) awaitAny(ctx context.Context) (result, netip.Addr, error) {
	for {
		if ip, err := t.d.Prober.Look(ctx, t.d.Network); err == nil {
			return t.compare(ip), ip, nil
		}
		if err := pause(ctx, t.Poll); err != nil {
			return noAddress, netip.Addr{}, err
		}
	}
}
