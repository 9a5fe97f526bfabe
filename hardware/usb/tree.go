package usb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Device is one device, hubs included.
type Device struct {
	Path Path
	// Bus and Number are its address for now, as in /dev/bus/usb/001/002.
	Bus, Number int
	// Vendor and Product are its ID.
	Vendor, Product uint16
	// Name and Maker are what it calls itself; "": nothing, or it doesn't answer.
	Name, Maker string
	// Class is 9 for a hub, 0 where each interface has one.
	Class uint8
	// Version of USB, in its own way of writing: 0x0210 is 2.1.
	Version uint16
	// Ports are the number that a hub has.
	Ports int
	// Speed in Mbit/s, as the kernel writes it: "1.5", "480", "5000"; "": unknown.
	Speed string
	// Driver is the device's own, "usb" for nearly all; "": it is unbound.
	Driver string
	// Authorized: the kernel may use it.
	Authorized bool
	// Interfaces are those of the network, sorted.
	Interfaces []string
	// Mode is what it is, by its ID and its interfaces.
	Mode Mode
	// Ethernet tells whether it has the interfaces of a network device (ECM, NCM,
	// RNDIS). One that has, and isn't known as a modem, may have to be added to
	// Options.Modems; or it is a network adapter.
	Ethernet bool
	// Twin is the other half of a hub of USB 3; "": none.
	Twin Path
}

// ID is the device's.
func (d Device) ID() ID { return ID{Vendor: d.Vendor, Product: d.Product} }

// IsHub tells whether it is a hub.
func (d Device) IsHub() bool { return d.Class == classHub }

// String describes the device on one line.
func (d Device) String() string {
	s := fmt.Sprintf("%s %s", d.Path, d.ID())
	if d.Speed != "" {
		s += " " + d.Speed + "M"
	}
	if d.IsHub() {
		s += fmt.Sprintf(" hub of %d ports", d.Ports)
	}
	if d.Twin != "" {
		s += " twin " + string(d.Twin)
	}
	if d.Mode != Other {
		s += " " + d.Mode.String()
	} else if d.Ethernet {
		s += " ethernet"
	}
	if len(d.Interfaces) > 0 {
		s += " " + strings.Join(d.Interfaces, ",")
	}
	if d.Driver == "" {
		s += " unbound"
	}
	if !d.Authorized {
		s += " not authorized"
	}
	if name := strings.TrimSpace(d.Maker + " " + d.Name); name != "" {
		s += fmt.Sprintf(" %q", name)
	}
	return s
}

// Tree is what was plugged in at one time.
type Tree struct {
	// Faults are what could not be read though it was there, for a log: the devices
	// concerned are in the Tree with what is known.
	Faults []error

	devices     []Device // by path
	byInterface map[string]Path
}

// All are the devices in the order of their paths.
func (t *Tree) All() []Device { return t.filter(func(Device) bool { return true }) }

// Device is the one at a path.
func (t *Tree) Device(p Path) (Device, bool) {
	at, ok := slices.BinarySearchFunc(t.devices, p, func(d Device, p Path) int { return compare(d.Path, p) })
	if !ok {
		return Device{}, false
	}
	return t.devices[at], true
}

// ByInterface is the device of a network interface.
func (t *Tree) ByInterface(name string) (Device, bool) { return t.Device(t.byInterface[name]) }

// Modems are those devices that are in Modem or Storage mode.
func (t *Tree) Modems() []Device { return t.filter(func(d Device) bool { return d.Mode != Other }) }

// Hubs are the hubs, root hubs included. The halves of a hub of USB 3 are two.
func (t *Tree) Hubs() []Device { return t.filter(Device.IsHub) }

func (t *Tree) filter(keep func(Device) bool) (out []Device) {
	for _, d := range t.devices {
		if keep(d) {
			d.Interfaces = slices.Clone(d.Interfaces)
			out = append(out, d)
		}
	}
	return out
}

// String writes the tree down, a line for each device, indented by where it hangs.
func (t *Tree) String() string {
	var b strings.Builder
	for _, d := range t.devices {
		depth := 0
		for h := d.Path.Hub(); h != ""; h = h.Hub() {
			depth++
		}
		fmt.Fprintf(&b, "%s%s\n", strings.Repeat("  ", depth), d)
	}
	return b.String()
}

// compare orders paths by bus, then port by port: 1-3.10 after 1-3.9.
func compare(a, b Path) int {
	split := func(p Path) (out []int) {
		for _, s := range strings.FieldsFunc(strings.TrimPrefix(string(p), "usb"), func(r rune) bool { return r == '-' || r == '.' }) {
			out = append(out, number(s, 1<<16))
		}
		return out
	}
	return cmp.Or(slices.Compare(split(a), split(b)), cmp.Compare(a, b))
}
