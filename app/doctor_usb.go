package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"switchyard/hardware/usb"
)

// dongles looks at what is plugged in.
func (m *machine) dongles(tree *usb.Tree, err error) Finding {
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return warn("this machine shows no USB, so steps 3 and 4 are passed over", "plug the dongles into this machine; a container needs its /sys")
	case err != nil:
		return warn("the USB can't be read: "+err.Error(), "let /sys be read")
	}
	var disks, off, all []string
	for _, d := range tree.Modems() {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s", d.Path, strings.Join(d.Interfaces, ","))))
		switch {
		case !d.Authorized, d.Driver == "":
			off = append(off, string(d.Path))
		case d.Mode == usb.Storage:
			disks = append(disks, string(d.Path))
		}
	}
	switch configured := len(m.config.Host.Dongles); {
	case len(disks) > 0:
		return warn(count(disks)+" in storage mode, as disks: "+strings.Join(disks, ", "), "install usb_modeswitch (Debian: usb-modeswitch), and plug it in again, or toggle it")
	case len(off) > 0:
		return warn(count(off)+" without its driver: "+strings.Join(off, ", "), "toggle it (step 3 puts it back), or plug it in again")
	case len(all) == 0:
		return warn("no dongle is plugged in", "plug them in; those of a kind that isn't known are named in host.usb.ids")
	case len(all) < configured:
		return warn(fmt.Sprintf("%s of %d that are configured: %s", count(all), configured, strings.Join(all, "; ")), "plug in what is missing; those of a kind that isn't known are named in host.usb.ids")
	}
	return ok(count(all) + ": " + strings.Join(all, "; "))
}

func count(dongles []string) string {
	if len(dongles) == 1 {
		return "1 dongle"
	}
	return fmt.Sprintf("%d dongles", len(dongles))
}

// driver is where devices are taken off their driver, and put back.
const driver = "sys/bus/usb/drivers/usb"

// mayRebind tells what keeps step 3 from being done.
func (m *machine) mayRebind() error {
	return errors.Join(m.who.mayWrite(m.path(driver, "unbind")), m.who.mayWrite(m.path(driver, "bind")))
}

// rebind looks whether step 3 can be done.
func (m *machine) rebind() Finding {
	err := m.mayRebind()
	switch {
	case err == nil:
		return ok(m.who.String() + " may take devices off their driver (step 3)")
	case forbidden(err):
		return warn(m.who.String()+" may not take devices off their driver, so step 3 is passed over: "+err.Error(), installRules)
	}
	return warn("there is no driver to take devices off, so step 3 is passed over: "+err.Error(), "run it on the machine that the dongles are plugged into, with its /sys")
}

// modeSwitch looks for the program that makes modems of disks.
func (m *machine) modeSwitch() Finding {
	if at := m.program("usb_modeswitch"); at != "" {
		return ok(at)
	}
	return warn("is not installed: a stick that shows itself as a disk can't be made a modem", "install it (Debian: apt-get install usb-modeswitch)")
}

// hubs looks at those whose ports step 4 may switch; where none is named, at which
// could be.
func (m *machine) hubs(ctx context.Context, tree *usb.Tree) (all []Finding) {
	named := m.config.Host.USB.Hubs
	for i, name := range named {
		c := check{fmt.Sprintf("host.usb.hubs[%d]", i), func(ctx context.Context) Finding { return m.hub(ctx, tree, usb.Path(name)) }}
		all = append(all, c.run(ctx))
	}
	if len(named) > 0 {
		return all
	}
	var able, unknown []string
	for _, d := range tree.Hubs() {
		if d.Path.Root() {
			continue
		}
		switch yes, err := m.usb.Switchable(ctx, d.Path); {
		case err != nil:
			unknown = append(unknown, string(d.Path))
		case yes:
			able = append(able, string(d.Path))
		}
	}
	var f Finding
	switch {
	case len(able) > 0:
		f = warn("none is named, so step 4 is passed over", "name those that the dongles are in, of "+strings.Join(able, ", ")+", which say that they switch each port by itself")
	case len(unknown) > 0:
		f = warn("none is named, so step 4 is passed over", "name those that switch each port by itself; run this as root to have "+strings.Join(unknown, ", ")+" asked")
	default:
		f = warn("none is named, so step 4 is passed over; none that is plugged in switches each port by itself", "use a hub with per-port power switching, and name it")
	}
	f.Check = "host.usb.hubs"
	return []Finding{f}
}

// hub looks whether step 4 can switch the ports of one.
func (m *machine) hub(ctx context.Context, tree *usb.Tree, path usb.Path) Finding {
	d, found := tree.Device(path)
	if !found || !d.IsHub() {
		return warn("no hub is at "+string(path)+", so step 4 is passed over for what hangs there", "correct the path ("+hubPaths(tree)+"), or plug it in")
	}
	if err := m.maySwitch(d); err != nil {
		return warn(fmt.Sprintf("%s may not switch the ports of %s, so step 4 is passed over: %v", m.who, path, err), installRules)
	}
	yes, err := m.usb.Switchable(ctx, path)
	switch {
	case errors.Is(err, usb.ErrNotPermitted):
		return warn(fmt.Sprintf("whether %s switches each port by itself can't be read: %v", path, err), "run this as root")
	case err != nil:
		return warn(fmt.Sprintf("whether %s switches each port by itself can't be read: %v", path, err), "try again; where it stays so, plug the hub in again")
	case !yes:
		return warn(string(path)+" switches all its ports at once, or none, so step 4 is passed over", "use a hub with per-port power switching")
	}
	return ok(fmt.Sprintf("%s switches each of its %d ports, and %s may have it do so (step 4)", cmp.Or(d.Name, string(path)), d.Ports, m.who))
}

func hubPaths(tree *usb.Tree) string {
	var all []string
	for _, d := range tree.Hubs() {
		if !d.Path.Root() {
			all = append(all, string(d.Path))
		}
	}
	if len(all) == 0 {
		return "none is plugged in"
	}
	return "there are " + strings.Join(all, ", ")
}

// maySwitch tells what keeps the ports of a hub, and of its other half, from being
// switched: by the kernel's files, or by requests to the hub.
func (m *machine) maySwitch(hub usb.Device) error {
	byFile := m.portFiles(hub.Path)
	if hub.Twin != "" {
		byFile = errors.Join(byFile, m.portFiles(hub.Twin))
	}
	if byFile == nil {
		return nil
	}
	err := m.who.mayWrite(m.path("dev/bus/usb", fmt.Sprintf("%03d", hub.Bus), fmt.Sprintf("%03d", hub.Number)))
	if err == nil {
		return nil
	}
	return errors.Join(byFile, err)
}

func (m *machine) portFiles(hub usb.Path) error {
	files, err := filepath.Glob(m.path("sys/bus/usb/devices", string(hub)+":*", string(hub)+"-port*", "disable"))
	if err != nil || len(files) == 0 {
		return errors.Join(fmt.Errorf("the kernel has no files for the ports of %s: %w", hub, fs.ErrNotExist), err)
	}
	slices.Sort(files)
	for _, f := range files {
		if err := m.who.mayWrite(f); err != nil {
			return err
		}
	}
	return nil
}
