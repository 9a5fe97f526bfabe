// Package netroute looks at how connections from the host's address in a
// dongle's network are routed, and repairs it: step 1 of the ladder.
//
// Dongle N is right when the kernel, asked for a way from 192.168.N.100,
// comes to its gateway:
//
//	ip rule add from 192.168.N.100 table T priority 10000+N protocol 83
//	ip route add default via 192.168.N.1 dev IF table T protocol 83 onlink
//
// T is N, unless somebody else's rule for the address names another table:
// that rule is kept, and its table used.
//
// # The fence
//
//	ip route add unreachable default table T metric 1073741824 protocol 83
//
// The kernel drops the default route with the interface, and keeps the rule.
// What binds to the address alone would then come to the main table, and leave
// by the host's uplink: the fence stops it. It needs no dongle, so Fence puts it
// up before there is one.
//
// # What it leaves alone
//
// Protocol 83 marks what was added here. Rules without that mark are never
// removed, and no table is written to that others depend on: not main, local
// and default, not another dongle's, none that a rule for other addresses
// names. Repair says so instead, and what to do.
//
// # Concurrency
//
// A Router holds nothing and may be used by many at once; each call opens a
// socket of its own, in the network namespace of the thread that calls. Two
// repairs of one dongle at a time are harmless, but one of them may fail: the
// ladder's lock forbids them.
package netroute
