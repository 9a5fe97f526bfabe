package guest

import (
	"fmt"
	"time"
)

// Setup is what the machine is to be.
type Setup struct {
	// Uplink is the address of eno1, UplinkGateway the one behind it.
	Uplink, UplinkGateway string
	// Echo is the echo service's address, in every modem's internet and behind
	// the uplink.
	Echo    string
	Dongles []Dongle
	// Reattach and Boot are the modems' (sim/hilink).
	Reattach, Boot time.Duration
}

// Dongle is one of the machine's dongles.
type Dongle struct {
	// Subnet is N of 192.168.N.0/24.
	Subnet int
	// Hub and Port are where it is plugged in, as the kernel names them: 1-1, 2.
	Hub  string
	Port int
}

// File is written by Client.Put.
type File struct {
	Path     string
	Perm     uint32
	Contents []byte
}

// Program is started by Client.Start.
type Program struct {
	// Args are its path and arguments.
	Args []string
	// Env are variables beside those of the machine.
	Env []string
	// Hidden are files that it doesn't find what it expects in: for it alone they
	// are empty.
	Hidden []string
}

// ModemState is what a simulated modem knows of itself.
type ModemState struct {
	Attached  bool
	Address   string // empty while detached
	Mode      string
	Rebooting bool
}

// Event is something that happened in the machine, by the machine's clock.
type Event struct {
	// N counts from 1.
	N  int
	At time.Time
	// Subnet of the dongle that it is about; 0: none.
	Subnet int
	// What is one of
	//
	//	port off           the hub's port has no power
	//	port on            it has again
	//	link eth1          the dongle's interface is there
	//	link gone          it is no more
	//	address            the interface has 192.168.N.100
	//	modem …            an entry of the modem's ledger
	//	leak               the echo service behind the uplink was asked
	//	ended …            the worker ended, and how
	What string
}

// EventsQuery asks for the events after the Nth; where there are none it waits.
type EventsQuery struct {
	After int
	Wait  time.Duration
}

// Where the archive has what the first process needs.
const (
	// ModulesDir has the kernel's modules, numbered in the order of loading.
	ModulesDir = "/lab/modules"
	// Busybox is the shell and all its commands.
	Busybox = "/bin/busybox"
	// LeaseScript is what udhcpc calls.
	LeaseScript = "/lab/lease"
)

// RunnerKey stands in the kernel's command line before the address, host:port,
// at which the lab waits for the machine.
const RunnerKey = "LAB_RUNNER="

// The card to the outside, and the machine's address there; the outside's
// loopback is behind OutsideHost.
const (
	OutsideMAC  = "52:54:00:00:00:01"
	OutsideIP   = "10.0.2.15"
	OutsideHost = "10.0.2.2"
)

// ModemMAC is the card on the modem's side of a dongle.
func ModemMAC(subnet int) string { return fmt.Sprintf("52:54:00:00:01:%02x", subnet) }

// LeaseText is the script at LeaseScript: the address and nothing else, as for a network
// manager that was told to leave routes alone.
const LeaseText = `#!/bin/sh
case "$1" in
deconfig) ip link set "$interface" up ;;
bound) ip addr add "$ip/24" dev "$interface" ;;
esac
`
