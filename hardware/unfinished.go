package hardware

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

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
	return h.putBack(h.Ladder, func(d *Dongle) (*Lock, error) { return WaitLock(ctx, d.LockPath, nil) },
		func(t *toggle) error { return t.putBack(ctx) })
}

// putBackEvery is how often a modem is asked again that would not take back what
// a toggle had changed.
const putBackEvery = 15 * time.Second

// KeepInOrder is PutBack for as long as ctx lasts: a modem that hung for longer
// than a toggle may wait for it takes its settings back when it is itself again.
// It leaves a dongle alone that is being worked on.
func (h *Host) KeepInOrder(ctx context.Context, log *slog.Logger) {
	h.keepInOrder(ctx, putBackEvery, log)
}

func (h *Host) keepInOrder(ctx context.Context, every time.Duration, log *slog.Logger) {
	if err := h.PutBack(ctx); err != nil && ctx.Err() == nil {
		log.Error("could not put back what a killed toggle left changed; it is tried again", "every", every, "err", err)
	}
	brief := *h.Ladder // a toggle may be waiting for the dongle
	brief.RestoreLimit = h.config.ModemTimeout.Std()
	for pause(ctx, every) == nil {
		err := h.putBack(&brief, func(d *Dongle) (*Lock, error) { return TryLock(d.LockPath) }, func(t *toggle) error {
			err := t.putBack(ctx)
			if err == nil {
				log.Info("put back what a toggle had left changed", "subnet", t.d.Subnet)
			}
			return err
		})
		if err != nil && ctx.Err() == nil {
			log.Debug("could not put back yet what a toggle left changed", "err", err)
		}
	}
}

// putBack goes through the dongles that have something to put back.
func (h *Host) putBack(l *Ladder, take func(*Dongle) (*Lock, error), put func(*toggle) error) error {
	var errs []error
	for _, d := range h.all() {
		if u, err := d.unfinished(); err == nil && u.nothing() {
			continue
		}
		lock, err := take(d)
		if err != nil {
			errs = append(errs, fmt.Errorf("dongle %d: %w", d.Subnet, err))
			continue
		}
		if err := put(&toggle{Ladder: l, d: d}); err != nil {
			errs = append(errs, fmt.Errorf("dongle %d: %w", d.Subnet, err))
		}
		errs = append(errs, lock.Unlock())
	}
	return errors.Join(errs...)
}
