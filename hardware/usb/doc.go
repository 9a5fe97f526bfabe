// Package usb is the USB of this host as the kernel shows it in sysfs, and what
// can be done to it: a device taken off its driver and put back, a hub's port
// switched off and on, a stick brought from storage to modem mode, changes
// heard of as they happen. It knows devices by where they are plugged in: the
// path (1-3.4.2) stays through resets and power cycles, while device numbers,
// names of network interfaces and their order do not, and MAC addresses are the
// same for all sticks of a kind.
//
// # Power
//
// A port is switched by the file that the kernel has for it (Linux 6.0, `disable`):
// it then takes the device down itself. Where there is none, or it may not be
// written, hub class requests do it: by usbfs (/dev/bus/usb) in plain Go, or, in a
// program built with the tag libusb (which needs cgo), by google/gousb. The kernel
// does not notice those, so the device is taken down first (`authorized`). A hub
// of USB 3 is two hubs to the kernel, and a port has power until both have
// switched it off: the second is found by the `peer` of the port, and both are
// switched.
//
// Never switched off are ports that feed another hub, and ports of root hubs and
// of hubs that switch all ports at once or none, unless Options.Allow names them.
//
// # Calls that don't come back
//
// Where a driver hangs, an unbind may block for ever in the kernel, and so may any
// other call that wants the device or its hub. Each such call therefore runs in a
// goroutine of the Bus's own; after Options.WriteLimit the caller gets ErrStuck, and
// the device counts as stuck until the call comes back. A Rebind that comes back
// late goes on and binds the device. Close waits for calls under way, as
// long as WriteLimit, and then leaves them to the end of the process.
//
// # Concurrency
//
// A Bus is safe for concurrent use. What is done to one device (or the port that
// it is in) is done one after the other; different devices don't wait for each
// other. A Tree is one reading and never changes.
package usb
