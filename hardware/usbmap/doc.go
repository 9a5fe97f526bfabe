// Package usbmap knows where each dongle of a host hangs on the USB, so that its
// device can be bound anew, or its port switched, when nothing of it can be seen
// any more: a dongle without a network interface has no name of its own left.
//
// A place is read, never reckoned: the interface that has an address of the
// dongle's network, the USB device that has the interface, the path of the
// device. Names of interfaces change with every reset, MAC addresses are the same
// for all sticks of a kind, and ports are not in the order of the dongles. What
// was read stays, in memory and in a file, until another reading says otherwise.
// What is configured counts where nothing has been read since the start.
//
// No two dongles have one place. Where the knowledge contradicts itself, the
// place is not known, in words: cutting the power of the wrong dongle is worse
// than cutting none.
//
// A Map is safe for concurrent use.
package usbmap
