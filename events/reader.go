package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// Reader follows the streams for one process and feeds its Hub. It needs a
// client of its own: a blocking read holds a connection.
type Reader struct {
	Client redis.UniversalClient
	Hub    *Hub
	Log    *slog.Logger
}

const (
	// readBlock is how long one read waits; a reader learns of a dead
	// connection at the latest then.
	readBlock = 5 * time.Second
	// readAgain is the pause after a failed read.
	readAgain = 250 * time.Millisecond
	readCount = 256
)

// Run follows the streams until ctx ends. ready is closed once every event
// written from then on will be seen; until then watchers must not rely on it.
// A read under way outlasts ctx by up to readBlock; closing the client after
// ctx has ended makes Run return at once.
func (r *Reader) Run(ctx context.Context, ready chan<- struct{}) {
	var at Cursor
	known, away := false, false
	for ctx.Err() == nil {
		if !known {
			next, err := r.resume(ctx, at, away)
			if err != nil {
				r.failed(ctx, err, away)
				away = true
				continue
			}
			if at, known = next, true; away {
				r.Log.Info("event stream is back")
				away = false
			}
			if ready != nil {
				close(ready)
				ready = nil
			}
			// Those who began to watch before this may have missed something.
			r.Hub.Resync()
		}
		res, err := r.Client.XRead(ctx, &redis.XReadArgs{Streams: at.streams(), Count: readCount, Block: readBlock}).Result()
		switch {
		case errors.Is(err, redis.Nil):
			continue
		case err != nil:
			// Whatever Redis comes back with may have lost its end, so every record
			// is read again.
			r.failed(ctx, err, away)
			known, away = false, true
			continue
		}
		for _, s := range res {
			at = r.deliver(ctx, s, at)
		}
	}
}

// deliver hands on what was read of a stream.
func (r *Reader) deliver(ctx context.Context, s redis.XStream, at Cursor) Cursor {
	c := classOf(s.Stream)
	if c == Jobs && len(s.Messages) == readCount && r.trimmed(ctx, at.at[c.place()].String()) {
		r.Hub.Resync()
	}
	for _, m := range s.Messages {
		p, err := parsePosition(m.ID, 10)
		if err != nil {
			r.Log.Error("an event has no id", "stream", s.Stream, "id", m.ID)
			continue
		}
		at = at.with(c, p)
		e := parse(c, m)
		if c == Jobs {
			j := parseJob(m.Values)
			r.Hub.Publish(j)
			e = jobEvent(e, j)
		}
		r.Hub.spread(e, at)
	}
	return at
}

// resume is where to read on: at the end, or after an outage where it was
// interrupted, as far as Redis still has that.
func (r *Reader) resume(ctx context.Context, at Cursor, away bool) (Cursor, error) {
	ends, err := Ends(ctx, r.Client)
	if err != nil {
		return Cursor{}, err
	}
	if !away {
		return ends, nil
	}
	for i, p := range at.at {
		if p == (position{}) || ends.at[i].before(p) {
			at.at[i] = ends.at[i]
		}
	}
	return at, nil
}

// Ends is how far the streams go now: reading after it misses nothing, which "$" would
// between two reads. Error: Redis is out of reach.
func Ends(ctx context.Context, rdb redis.Cmdable) (k Cursor, err error) {
	newest := make([]*redis.XMessageSliceCmd, 0, classCount)
	if _, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, c := range Classes() {
			newest = append(newest, p.XRevRangeN(ctx, c.Stream(), "+", "-", 1))
		}
		return nil
	}); err != nil {
		return k, fmt.Errorf("reading the ends of the event streams: %w", err)
	}
	for i, cmd := range newest {
		if m := cmd.Val(); len(m) > 0 {
			if k.at[i], err = parsePosition(m[0].ID, 10); err != nil {
				return k, fmt.Errorf("reading the end of %s: %w", Classes()[i].Stream(), err)
			}
		}
	}
	return k, nil
}

// streams are the arguments of an XREAD: the streams, then where each is read from.
func (k Cursor) streams() []string {
	out := make([]string, 0, 2*classCount)
	for _, c := range Classes() {
		out = append(out, c.Stream())
	}
	for _, p := range k.at {
		out = append(out, p.String())
	}
	return out
}

// trimmed reports whether entries after id may have gone before they were read:
// they go from the oldest on, so id itself has gone then. Only a reader that is
// behind by a whole read has to ask.
func (r *Reader) trimmed(ctx context.Context, id string) bool {
	res, err := r.Client.XRangeN(ctx, JobStream, "-", id, 1).Result()
	return err != nil || len(res) == 0
}

// failed waits a moment. An outage is told once, however long it is.
func (r *Reader) failed(ctx context.Context, err error, told bool) {
	if ctx.Err() != nil {
		return
	}
	if !told {
		r.Log.Warn("event stream interrupted; trying on", "err", err)
	}
	t := time.NewTimer(readAgain)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
