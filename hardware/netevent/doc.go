// Package netevent tells when the host's network has changed: its interfaces,
// their IPv4 addresses, IPv4 routes and rules. It does not tell what, since the
// kernel doesn't either: a default route goes with its interface without a word
// of its own. Whoever is told looks anew.
//
// # What is promised
//
// A change that comes after Watch has returned is told, however slowly the
// telling is read: changes come together to one that is still unread. A burst
// is told once it is over, or has gone on for a while (Options.Quiet). Where the
// kernel had more to say than the socket could hold, something has changed, so
// that is told as well, and the watching goes on.
//
// # Concurrency
//
// A Watcher is of the network namespace of the thread that called Watch, and
// stays of it. Close ends its goroutines and waits for them.
package netevent
