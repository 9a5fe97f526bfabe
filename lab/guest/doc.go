// Package guest is the inside of the lab's machine: what runs there as its first
// process, and the client by which the lab on the outside directs it.
//
// # What is in the machine
//
// A proxy host. In the network namespace of the machine itself are its uplink
// (eno1, with the default route), a network of its own to the central machine
// (eno2, where Redis is), and the dongles' interfaces, which come and go with the
// USB. The first process does there what a distribution would: it sets up the
// interfaces that are there at the start, and starts and ends the worker under
// test when told.
//
// Around it, in a namespace each, is the world. A dongle's USB network device is
// joined by QEMU to a second network card of the machine; that one is in the
// namespace of the dongle's simulated modem (sim/hilink), which has 192.168.N.1,
// a DHCP server and, behind it, the internet with the echo service. Another
// namespace is the internet behind the uplink: its echo service answers with the
// host's own address, so whatever leaks there is seen and counted.
//
// A modem has no power while its hub's port has none, and boots when that is
// switched on again. Nothing of it leaves the machine: the one card that is joined
// to the outside (eno2) has a route to the outside's loopback and no other.
package guest
