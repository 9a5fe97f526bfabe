// Package events carries what happens from the process where it happens to
// every process that has somebody waiting for it.
//
// A transition of a job writes a job event to a Redis stream, in the very
// script that changes the record (package jobs), so no event tells of a change
// that was not made and none is missing. Each process reads the stream with
// one connection (Reader) and hands every event to its Hub, which wakes those
// who watch that job.
//
// What the Hub promises is a wake-up, not a history: a watcher that falls
// behind loses the newest of those that are not a job's last, and never that
// one. After anything that may have cost events (a lost connection, a trimmed
// stream) every watcher gets a Resync and has to read the record again.
//
// Hub and Reader are safe for concurrent use.
package events
