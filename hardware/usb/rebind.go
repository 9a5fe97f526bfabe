package usb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Rebind takes a device off its driver and puts it back, which is as near to
// unplugging it as one comes without power switching: all its interfaces go and come
// back under new numbers, and perhaps names. It returns when the device is bound, not
// when the network interface is there: that one comes by event.
//
// A device that was unbound is bound again, also when ctx ends meanwhile, and then it is
// no error. One that has no driver (as when a process died on the way) is only bound,
// one that isn't authorized is authorized. A hub is refused: everything behind it would
// go.
// Errors: ErrRefused, ErrGone, ErrNotPermitted, ErrStuck, errors.ErrUnsupported.
func (b *Bus) Rebind(ctx context.Context, p Path) error {
	tree, err := b.Tree()
	if err != nil {
		return err
	}
	d, ok := tree.Device(p)
	switch {
	case !ok:
		return fmt.Errorf("nothing is plugged in at %s: %w", p, ErrGone)
	case d.IsHub():
		return &RefusedError{Hub: p, Reason: "everything behind it would be taken down; name the device itself"}
	}
	return b.do(ctx, []Path{p}, func(c *call) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return b.rebind(ctx, c, p)
	})
}

// rebind runs in a goroutine of its own, and goes on however late the kernel is.
func (b *Bus) rebind(ctx context.Context, c *call, p Path) error {
	folder := b.devices(string(p))
	driver, err := b.driver(p)
	if err != nil {
		return err
	}
	if driver != "" {
		// ENODEV: the device or its driver has just gone, which is seen below.
		err := b.write(b.driverFile(driver, "unbind"), string(p))
		if err != nil && !errors.Is(err, syscall.ENODEV) {
			return told(fmt.Sprintf("taking %s off its driver", p), err)
		}
		c.allow(b.opts.Rest + b.opts.WriteLimit)
		b.pause(ctx, b.opts.Rest)
	} else {
		driver = "usb"
	}
	if _, err := os.Stat(folder); err != nil {
		return fmt.Errorf("%s left the bus while it was off its driver, and will be new when it comes back: %w", p, ErrGone)
	}
	c.allow(b.opts.WriteLimit)
	if err := b.authorize(p, true); err != nil {
		return err
	}
	c.allow(b.opts.WriteLimit)
	return b.bind(c, driver, p)
}

// driver is the one that a device has; "": none.
func (b *Bus) driver(p Path) (string, error) {
	link, err := os.Readlink(b.devices(string(p), "driver"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", told(fmt.Sprintf("reading the driver of %s", p), err)
	}
	return filepath.Base(link), nil
}

func (b *Bus) driverFile(driver, name string) string {
	return filepath.Join(b.opts.Sysfs, "bus", "usb", "drivers", driver, name)
}

// pause waits, but not for a context that has ended, nor for a Bus that is closed.
func (b *Bus) pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-b.ctx.Done():
	}
}

// bindTries: a device that is left without driver is worse than one that is slow.
const bindTries = 2

// bind puts a device back on its driver, and looks whether it is used.
func (b *Bus) bind(c *call, driver string, p Path) error {
	var err error
	for range bindTries {
		c.allow(b.opts.WriteLimit)
		err = b.write(b.driverFile(driver, "bind"), string(p))
		// EBUSY: it is bound, somebody was quicker.
		if err == nil || errors.Is(err, syscall.EBUSY) {
			err = nil
			break
		}
	}
	if err != nil {
		return told(fmt.Sprintf("putting %s back on its driver", p), err)
	}
	entries, err := os.ReadDir(b.devices())
	if err != nil {
		return told("listing USB devices", err)
	}
	for _, e := range entries {
		if of, ok := interfaceOf(e.Name()); ok && of == p {
			return nil
		}
	}
	return fmt.Errorf("%s is back on its driver but shows no interfaces, so it doesn't answer: switch its port off and on, or unplug it", p)
}

// authorize lets the kernel use a device, or not; nothing is written where it is so.
func (b *Bus) authorize(p Path, on bool) error {
	file, want := b.devices(string(p), "authorized"), "0"
	if on {
		want = "1"
	}
	now, err := readAttribute(file)
	if err == nil && strings.TrimSpace(now) == want || on && errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = b.write(file, want)
	}
	return told(fmt.Sprintf("writing %s to %s", want, file), err)
}
