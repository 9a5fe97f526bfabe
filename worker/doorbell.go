package worker

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// doorbell is the hook on the asynq servers' client that holds an idle fetch
// until its queue's bell rings. It recognises asynq's scripts by their keys:
//
//	fetch    asynq:{q}:pending, asynq:{q}:paused, …
//	forward  asynq:{q}:scheduled or :retry, asynq:{q}:pending
//
// See fetch.go and forward.go for what it does with them.
type doorbell struct {
	hold time.Duration // the longest an idle fetch is held
	stop chan struct{} // closed: no more fetches

	// client is what the hook is on, for commands of the doorbell's own; nil: it
	// makes none, and so fetches task by task.
	client redis.UniversalClient

	mu     sync.Mutex
	queues map[string]*bell // by pending key
	seen   bool             // a fetch was recognised
}

type bell struct {
	ring chan struct{} // capacity 1: rung while nobody waited

	// Guarded by doorbell.mu.
	wait     time.Duration // before the next fetch; 0 at once
	fetching bool          // one is under way
	fetched  []any         // tasks that are here already, in order
	width    int           // tasks to ask for at once, at the most
	slots    int           // handlers of the queue; 0: one task at a time
	taken    int           // handlers that have a task, or are about to

	looked time.Time // last time
	empty  bool      // there was nothing then, pending or delayed
}

// fetchErrorPause is what a failed fetch waits: asynq itself would try again
// without a pause.
const fetchErrorPause = 250 * time.Millisecond

func newDoorbell(hold time.Duration) *doorbell {
	return &doorbell{hold: hold, stop: make(chan struct{}), queues: map[string]*bell{}}
}

func (d *doorbell) bell(pending string) *bell {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.queues[pending]
	if b == nil {
		b = &bell{ring: make(chan struct{}, 1), width: 1}
		d.queues[pending] = b
	}
	return b
}

func pendingKey(queue string) string { return "asynq:{" + queue + "}:pending" }

// Ring wakes the fetch of a queue.
func (d *doorbell) Ring(queue string) { d.bell(pendingKey(queue)).wake() }

// RingAll wakes all: a ring may have been missed.
func (d *doorbell) RingAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.queues {
		b.wake()
	}
}

func (b *bell) wake() {
	select {
	case b.ring <- struct{}{}:
	default:
	}
}

// Stop lets go of every fetch and lets none through any more.
func (d *doorbell) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.stop:
	default:
		close(d.stop)
	}
}

// Recognised reports whether any fetch has come by.
func (d *doorbell) Recognised() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen
}

func (d *doorbell) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *doorbell) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (d *doorbell) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		first, second, ok := scriptKeys(cmd)
		switch {
		case ok && strings.HasSuffix(first, ":pending") && strings.HasSuffix(second, ":paused"):
			return d.fetch(ctx, cmd, next, first)
		case ok && isForward(first, second):
			return d.forward(ctx, cmd, next, second)
		}
		return next(ctx, cmd)
	}
}

// ends reports whether it is asynq's script that strikes off a task that was
// done.
func ends(cmd redis.Cmder) bool {
	first, second, ok := scriptKeys(cmd)
	return ok && strings.HasSuffix(first, ":active") && strings.HasSuffix(second, ":lease")
}

// scriptKeys returns the first two keys of a script call.
func scriptKeys(cmd redis.Cmder) (first, second string, ok bool) {
	a := cmd.Args()
	if len(a) < 5 || (cmd.Name() != "evalsha" && cmd.Name() != "eval") {
		return "", "", false
	}
	first, ok1 := a[3].(string)
	second, ok2 := a[4].(string)
	return first, second, ok1 && ok2
}
