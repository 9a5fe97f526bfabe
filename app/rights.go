package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"switchyard/hardware/usb"
)

// tellPassedOver warns, once and in one line, of the steps of a toggle that this
// process can't do on this host. They are passed over, and all else works.
func (a *App) tellPassedOver(ctx context.Context, log *slog.Logger) {
	if attrs := PassedOver(DoctorOptions{Config: a.cfg}); len(attrs) > 0 {
		log.LogAttrs(ctx, slog.LevelWarn, "steps of a toggle will be passed over on this host; switchyard doctor --role worker says what to do", attrs...)
	}
}

// PassedOver says which steps of a toggle this process can't do on a host, each
// with why: step_1, step_3, step_4. The user of the options isn't asked about.
func PassedOver(opt DoctorOptions) (attrs []slog.Attr) {
	if simulated(opt.Config.Host) {
		return nil
	}
	m := newMachine(opt.Config, opt.Root, opt.USB, actor{})
	if bus, ok := m.usb.(*usb.Bus); ok {
		defer bus.Close() //nolint:errcheck // it was only read
	}
	for _, s := range []struct {
		step int
		err  error
	}{{1, m.routes()}, {3, m.mayRebind()}, {4, m.mayCycle()}} {
		if s.err != nil {
			attrs = append(attrs, slog.String(fmt.Sprintf("step_%d", s.step), strings.ReplaceAll(s.err.Error(), "\n", "; ")))
		}
	}
	return attrs
}

// mayCycle tells what keeps step 4 from being done; nil where it can be done on one
// of the hubs.
func (m *machine) mayCycle() error {
	hubs := m.config.Host.USB.Hubs
	switch {
	case len(hubs) == 0:
		return errors.New("no hub is named in host.usb.hubs")
	case m.config.Toggle.Power.Budget == 0:
		return errors.New("toggle.power.budget is 0")
	}
	tree, err := m.usb.Tree()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range hubs {
		d, found := tree.Device(usb.Path(name))
		if !found {
			errs = append(errs, errors.New("no hub is at "+name))
			continue
		}
		err := m.maySwitch(d)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
