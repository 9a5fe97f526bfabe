package events

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// publishBuffer is how many events may wait for Redis, which is seconds of the
	// busiest log; more are dropped and counted.
	publishBuffer = 4096
	// publishBatch is how many travel together.
	publishBatch = 128
	// publishTimeout bounds one batch, and what is left when the publisher ends.
	publishTimeout = 2 * time.Second
)

// Publisher writes events to their streams. Publishing never waits and never fails:
// what Redis doesn't take in time is dropped, and counted. It is for events that
// tell of something; what must not be missing is written by the script that does it.
type Publisher struct {
	rdb     redis.Cmdable
	log     *slog.Logger
	queue   chan Event
	dropped atomic.Int64
}

// NewPublisher returns one that writes nothing until Run is called. log is not
// published by it, or every failure would make more of them.
func NewPublisher(rdb redis.Cmdable, log *slog.Logger) *Publisher {
	return &Publisher{rdb: rdb, log: log, queue: make(chan Event, publishBuffer)}
}

// Publish has the event written soon. A nil Publisher drops it.
func (p *Publisher) Publish(e Event) {
	if p == nil {
		return
	}
	select {
	case p.queue <- e:
	default:
		p.dropped.Add(1)
	}
}

// Dropped is how many events were dropped so far.
func (p *Publisher) Dropped() int64 { return p.dropped.Load() }

// Run writes events until ctx ends, and then those that wait.
func (p *Publisher) Run(ctx context.Context) {
	lost := false
	for {
		select {
		case e := <-p.queue:
			lost = p.write(context.WithoutCancel(ctx), p.gather(e), lost)
		case <-ctx.Done():
			for len(p.queue) > 0 {
				if lost = p.write(context.WithoutCancel(ctx), p.gather(<-p.queue), lost); lost {
					return
				}
			}
			return
		}
	}
}

// gather takes what else waits.
func (p *Publisher) gather(first Event) []Event {
	batch := []Event{first}
	for len(batch) < publishBatch {
		select {
		case e := <-p.queue:
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// write reports whether the batch was lost. An outage is told once, and its end.
func (p *Publisher) write(ctx context.Context, batch []Event, before bool) (lost bool) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	_, err := p.rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, e := range batch {
			pipe.XAdd(ctx, &redis.XAddArgs{
				Stream: e.Class.Stream(), MaxLen: Kept, Approx: true,
				Values: []any{KindField, e.Kind, AtField, e.At.UnixMilli(), DataField, []byte(e.Data)},
			})
		}
		return nil
	})
	switch {
	case err != nil:
		p.dropped.Add(int64(len(batch)))
		if !before {
			p.log.Warn("events are dropped: redis doesn't take them", "err", err)
		}
	case before:
		p.log.Info("events are published again", "dropped", p.Dropped())
	}
	return err != nil
}
