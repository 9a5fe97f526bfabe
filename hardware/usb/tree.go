package usb

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
	// Mode is what it is by its ID.
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

const classHub = 9

// Tree is what was plugged in at one time.
type Tree struct {
	// Faults are what could not be read though it was there, for a log: the devices
	// concerned are in the Tree with what is known.
	Faults []error
}

// All are the devices in the order of their paths.
func (t *Tree) All() []Device { return nil }

// Device is the one at a path.
func (t *Tree) Device(p Path) (Device, bool) { return Device{}, false }

// ByInterface is the device of a network interface.
func (t *Tree) ByInterface(name string) (Device, bool) { return Device{}, false }

// Modems are those devices that are in Modem or Storage mode.
func (t *Tree) Modems() []Device { return nil }

// Hubs are the hubs, root hubs included. The halves of a hub of USB 3 are two.
func (t *Tree) Hubs() []Device { return nil }

// String writes the tree down, a line for each device.
func (t *Tree) String() string { return "" }
