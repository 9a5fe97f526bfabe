package worker

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// asynq fetches one task at a time and waits for each, so it works through a
// backlog at the pace of the way to Redis. While there is a backlog, the
// doorbell asks for several at once and hands them out one by one: for twice
// as many each time, up to maxFetch, but never for more than have a free
// handler, so that none lies about here while it could run elsewhere.
const maxFetch = 16

// drainLimit bounds how long a stopping worker has asynq take what was fetched.
const drainLimit = time.Second

// fetch answers asynq's call for the next task of a queue.
func (d *doorbell) fetch(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook, pending string) error {
	b := d.bell(pending)
	if d.handOut(b, cmd) {
		return nil
	}
	d.mu.Lock()
	d.seen = true
	wait := b.wait
	d.mu.Unlock()
	if wait > 0 {
		t := time.NewTimer(wait)
		select {
		case <-b.ring:
		case <-t.C:
			if d.nonePending(ctx, pending) {
				d.note(b, redis.Nil)
				cmd.SetErr(redis.Nil)
				return redis.Nil
			}
		case <-d.stop:
		}
		t.Stop()
	}
	n := d.begin(b)
	defer d.end(b)
	switch {
	case n == 0:
		cmd.SetErr(redis.Nil)
		return redis.Nil
	case n > 1:
		return d.fetchMany(ctx, cmd, b, n)
	}
	err := next(ctx, cmd)
	d.note(b, err)
	return err
}

// begin says that something is going to be fetched, and returns how many tasks
// to ask for: none once the doorbell has stopped.
func (d *doorbell) begin(b *bell) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	b.fetching = true
	select {
	case <-d.stop:
		return 0
	default:
	}
	if d.client == nil {
		return 1
	}
	return max(1, min(b.width, b.slots-b.taken))
}

func (d *doorbell) end(b *bell) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b.fetching = false
}

// note draws the conclusions from the answer to a fetch.
func (d *doorbell) note(b *bell, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		b.more()
		b.taken++
	case redis.HasErrorPrefix(err, "NOSCRIPT"): // it calls again, with the script
		b.wait = 0
	case errors.Is(err, redis.Nil):
		b.wait, b.width = d.hold, 1
	default:
		b.wait, b.width, b.empty = fetchErrorPause, 1, false
	}
}

// more notes that there was something to fetch; the second time in a row it is
// taken for a backlog.
func (b *bell) more() {
	if b.wait == 0 {
		b.width = min(2*b.width, maxFetch)
	}
	b.wait = 0
}

// fetchMany asks for n tasks, answers with the first and keeps the others.
func (d *doorbell) fetchMany(ctx context.Context, cmd redis.Cmder, b *bell, n int) error {
	answers := make([]*redis.Cmd, n)
	// The error of all is that of the first one that has any.
	_, _ = d.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range answers {
			answers[i] = p.Do(ctx, cmd.Args()...)
		}
		return nil
	})
	var fetched []any
	var err error = redis.Nil
	for _, a := range answers {
		switch {
		case a.Err() == nil:
			fetched = append(fetched, a.Val())
		case !errors.Is(a.Err(), redis.Nil):
			err = a.Err()
		}
	}
	if len(fetched) == 0 {
		cmd.SetErr(err)
		d.note(b, err)
		return err
	}
	d.mu.Lock()
	b.fetched = fetched
	if b.more(); len(fetched) < n {
		b.wait, b.width = d.hold, 1
	}
	d.mu.Unlock()
	d.handOut(b, cmd)
	return nil
}

// handOut answers with a task that is here already, if there is one.
func (d *doorbell) handOut(b *bell, cmd redis.Cmder) bool {
	c, ok := cmd.(*redis.Cmd)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !ok || len(b.fetched) == 0 {
		return false
	}
	c.SetVal(b.fetched[0])
	b.fetched = b.fetched[1:]
	b.taken++
	return true
}

// Expect says how many handlers a queue has.
func (d *doorbell) Expect(queue string, handlers int) {
	b := d.bell(pendingKey(queue))
	d.mu.Lock()
	defer d.mu.Unlock()
	b.slots = handlers
}

// Ended says that a handler of the queue has ended.
func (d *doorbell) Ended(queue string) {
	b := d.bell(pendingKey(queue))
	d.mu.Lock()
	defer d.mu.Unlock()
	b.taken--
}

// Drain waits until asynq has taken what was fetched for it. While the worker
// stops it sends all of that back; left here it would count as running until its
// lease ends.
func (d *doorbell) Drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for d.left() {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (d *doorbell) left() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.queues {
		if b.fetching || len(b.fetched) > 0 {
			return true
		}
	}
	return false
}
