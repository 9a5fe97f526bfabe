package configs

import (
	"maps"
	"slices"
	"strings"
	"time"

	"switchyard/tasks"
)

// heartbeatsPerTTL: a worker whose heartbeat is late once or twice is not
// dead yet, and must not have its jobs taken.
const heartbeatsPerTTL = 3

// worker checks the sections worker and scheduler.
func (k *checker) worker() {
	w := k.c.Worker
	for i, name := range w.Queues {
		k.queue(item("worker.queues", i), name)
	}
	k.distinct("worker.queues", w.Queues)
	for _, name := range slices.Sorted(maps.Keys(w.Concurrency)) {
		key := child("worker.concurrency", name)
		if k.queue(key, name) {
			k.number(key, int64(w.Concurrency[name]), 1, 10_000)
		}
	}
	k.atLeast("worker.heartbeat", w.Heartbeat, shortest)
	k.atLeast("worker.ttl", w.TTL, shortest)
	// Divided, because three times a large one overflows.
	if k.sound("worker.ttl", "worker.heartbeat") && w.TTL/heartbeatsPerTTL < w.Heartbeat {
		k.fault(k.blame("worker.ttl", "worker.heartbeat"),
			"worker.ttl is %s and worker.heartbeat %s: the first must be at least three times the second, or a worker is taken for dead because of one late heartbeat",
			w.TTL, w.Heartbeat)
	}
	k.atLeast("worker.fetch_hold", w.FetchHold, shortest)
	k.atLeast("worker.fetch_poll", w.FetchPoll, shortest)
	k.atLeast("worker.delayed_check", w.DelayedCheck, shortest)
	k.atLeast("worker.held_delay", w.HeldDelay, time.Second) // asynq counts in those
	k.atLeast("worker.shutdown_timeout", w.ShutdownTimeout, shortest)
	k.atLeast("worker.leave_timeout", w.LeaveTimeout, shortest)
	k.atLeast("scheduler.sweep_interval", k.c.Scheduler.SweepInterval, shortest)
}

func (k *checker) queue(key, name string) bool {
	if strings.HasPrefix(name, tasks.HostQueue("")) {
		k.fault(key, "the queues of a host are taken by the process with its host.name and sized by toggle.concurrency: take this out")
		return false
	}
	return k.oneOf(key, "queue", name, tasks.SharedQueues()...)
}
