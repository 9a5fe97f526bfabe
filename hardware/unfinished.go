package hardware

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"switchyard/hardware/hilink"
)

// unfinished is what has been changed on a modem and must be put back. It is
// written to a file before the change, so that it outlives the process: the
// next one puts back what a killed one could not.
type unfinished struct {
	// NetMode is the one that was set before.
	NetMode *hilink.NetMode `json:"net_mode,omitempty"`
	// DataOff: mobile data was switched off.
	DataOff bool `json:"data_off,omitempty"`
}

func (u unfinished) nothing() bool { return u.NetMode == nil && !u.DataOff }

func (d *Dongle) unfinishedPath() string {
	return strings.TrimSuffix(d.LockPath, ".lock") + ".unfinished"
}

// unfinished reads what is left to put back. Call it with the dongle's lock.
func (d *Dongle) unfinished() (unfinished, error) {
	var u unfinished
	b, err := os.ReadFile(d.unfinishedPath())
	if errors.Is(err, fs.ErrNotExist) {
		return u, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &u)
	}
	if err != nil {
		return u, fmt.Errorf("reading what is left to put back: %w", err)
	}
	return u, nil
}

// leave writes down what is left to put back; nothing removes the file.
func (d *Dongle) leave(change func(*unfinished)) error {
	u, err := d.unfinished()
	if err != nil {
		u = unfinished{} // unreadable, so no use to anybody
	}
	change(&u)
	if u.nothing() {
		if err := os.Remove(d.unfinishedPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forgetting what was put back: %w", err)
		}
		return nil
	}
	b, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("writing down what is left to put back: %w", err)
	}
	tmp := d.unfinishedPath() + ".new"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("writing down what is left to put back (host.state_dir): %w", err)
	}
	if err := os.Rename(tmp, d.unfinishedPath()); err != nil {
		return fmt.Errorf("writing down what is left to put back (host.state_dir): %w", err)
	}
	return nil
}

// putBack undoes what an earlier process left changed. When ctx ends it stops,
// and leaves it to the next one.
func (t *toggle) putBack(ctx context.Context) error {
	u, err := t.d.unfinished()
	if err != nil || u.nothing() {
		return err
	}
	if u.DataOff {
		if err := t.bring(ctx, func(ctx context.Context) error { return t.d.Modem.SetDataSwitch(ctx, true) }); err != nil {
			return fmt.Errorf("switching mobile data on again: %w", err)
		}
		if err := t.d.leave(func(u *unfinished) { u.DataOff = false }); err != nil {
			return err
		}
	}
	if u.NetMode != nil {
		if err := t.bring(ctx, func(ctx context.Context) error { return t.d.Modem.SetNetMode(ctx, *u.NetMode) }); err != nil {
			return fmt.Errorf("putting back net mode %s: %w", u.NetMode.Mode, err)
		}
		return t.d.leave(func(u *unfinished) { u.NetMode = nil })
	}
	return nil
}

// PutBack undoes what killed toggles left changed on the host's modems, one
// dongle after the other, unless a toggle does so first.
func (h *Host) PutBack(ctx context.Context) error {
	var errs []error
	for _, d := range h.all() {
		if u, err := d.unfinished(); err == nil && u.nothing() {
			continue
		}
		lock, err := WaitLock(ctx, d.LockPath, nil)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("dongle %d: %w", d.Subnet, err))...)
		}
		if err := (&toggle{Ladder: h.Ladder, d: d}).putBack(ctx); err != nil {
			errs = append(errs, fmt.Errorf("dongle %d: %w", d.Subnet, err))
		}
		errs = append(errs, lock.Unlock())
	}
	return errors.Join(errs...)
}
