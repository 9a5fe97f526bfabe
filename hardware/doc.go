// Package hardware is a proxy host: its dongles, what is wrong with one of
// them, and the ladder of steps that gives it a new address.
//
// A Dongle is a modem (hardware/hilink), the network behind it, and how that is
// routed (hardware/netroute). Toggle diagnoses it, begins at the step that the
// diagnosis asks for and climbs until a step has brought what it has to:
//
//	diagnosis          first step
//	no interface       3  USB reset
//	no routing         1  routing repaired
//	no connectivity    2  network toggled
//	healthy            2  (reported as step 0)
//
// Steps 1, 3 and 4 have done their part when there is connectivity; step 2 when
// the address differs. A step for which the host has no Repair is passed over,
// and the progress says so.
//
// Steps 3 and 4 work on the USB (hardware/usb, hardware/recovery), by what is known
// of where the dongle hangs there (hardware/usbmap).
//
// Between toggles, KeepRouted repairs routing (hardware/netroute) and addresses
// (hardware/netaddr) as soon as the network changes (hardware/netevent).
//
// # Promises
//
//   - The net mode is put back and mobile data switched on again whatever
//     happens: also when the toggle is cancelled or out of time. What was set
//     before stands in a file (host.state_dir) until then, so that after the
//     death of the process the next one does it: Host.KeepInOrder, or the next
//     toggle before it diagnoses.
//   - A port that lost power for a dongle has it again, likewise: Host.PowerOn.
//   - One toggle at a time works on a dongle, whatever the rest of the system
//     believes: a lock file that the kernel frees when the process dies.
//   - A real dongle's connections are bound to the host's address in its network
//     and to the interface: whatever rule or route is missing, none leaves by the
//     host's uplink.
//   - Every wait is for an effect (the modem is off the network, is back,
//     shows an address), with a limit of its own, and ends with its context.
//
// Host and Dongle are safe for concurrent use.
package hardware
