// Package netaddr brings the interface of a dongle to the host's address in the
// dongle's network, 192.168.N.100: a modem that has just come, or has come back
// after a reset, gives it by DHCP, if somebody asks.
//
// Who asks is configured. A network manager that looks after the interface does
// so by itself, and is waited for; a command of the owner's is run. No DHCP
// client is started unasked: their scripts give the host a default route
// through the dongle and the dongle's name server. Where the address doesn't
// come it is set, since it is known beforehand: what remains of DHCP is the
// modem's own subnet, and an interface that gets an address of another one is
// told of (ErrSubnet), and left as it is.
//
// # Concurrency
//
// An Assigner holds nothing and may be used by many at once, for different
// interfaces; the dongle's lock forbids two at one. Every wait is for an event
// of the kernel and ends with its context.
package netaddr
