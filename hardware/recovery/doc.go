// Package recovery gets a dongle back that is not to be had over its network any
// more: its USB device is bound anew (step 3 of the ladder), or its port of the
// hub loses power for a moment (step 4), then all ports of that hub that have
// dongles. Both then wait until the dongle is back, each wait for its effect: the
// device in network mode, its interface, the host's address on it, the modem's
// web API, its routing. The USB tells of changes by event; where it can't, it is
// looked at again and again.
//
// # Promises
//
//   - A port that was switched off is switched on again whatever happens, also
//     when the step is cancelled or out of time. Before the first port is switched
//     off, the ports stand in a file (hub-PATH.off in host.state_dir), so that
//     after the death of the process the next one does it: PowerOn.
//   - Only ports of the hubs that are named to it are switched off, and only those
//     that have a dongle, or had one when something was last there: never one
//     that feeds another hub.
//   - One power cycle at a time on a hub, and none while another toggle works on a
//     modem of it: a lock file that toggles share (Share) and a cycle has alone. It
//     is waited for so long, and then the step is passed over.
//   - A dongle loses power only so often in a time: as often as its budget says,
//     which is kept in a file. Dongles that lose it because of another on their hub
//     spend theirs too, so where one of them has none left the hub is not cycled.
//
// # Locks
//
// Who cycles has the dongle's lock, gives up his share of the hub's before he asks
// for all of it, and has one again afterwards: two that cycle wait for each other,
// never for ever. Budgets and the file of ports are written with the whole lock
// held.
//
// A Recovery is safe for concurrent use; one step at a time works on a dongle, as
// its caller sees to by the dongle's lock.
package recovery
