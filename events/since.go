package events

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Entry is an event and how far all streams had been read with it.
type Entry struct {
	Event  Event
	Cursor Cursor
}

// Since returns the events after one cursor up to another, the newest most of them,
// oldest first. Of each class the order is that of its stream; between classes it is
// that of Redis' clock. Error: Redis is out of reach.
func Since(ctx context.Context, rdb redis.Cmdable, after, upTo Cursor, most int) ([]Entry, error) {
	type read struct {
		class Class
		cmd   *redis.XMessageSliceCmd
	}
	var reads []read
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range Classes() {
			if from := after.at[i]; from.before(upTo.at[i]) {
				reads = append(reads, read{c, p.XRevRangeN(ctx, c.Stream(), upTo.at[i].String(), "("+from.String(), int64(most))})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading past events: %w", err)
	}
	type found struct {
		position
		event Event
	}
	var all []found
	for _, r := range reads {
		for _, m := range r.cmd.Val() {
			p, err := parsePosition(m.ID, 10)
			if err != nil {
				continue // not one of ours
			}
			all = append(all, found{p, eventOf(r.class, m)})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int {
		switch {
		case a.before(b.position):
			return -1
		case b.before(a.position):
			return 1
		}
		return a.event.Class.place() - b.event.Class.place()
	})
	all = all[max(0, len(all)-most):]
	out := make([]Entry, len(all))
	at := after
	for i, f := range all {
		at = at.with(f.event.Class, f.position)
		out[i] = Entry{f.event, at}
	}
	return out, nil
}
