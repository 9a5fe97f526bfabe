package ws

import (
	"context"
	"strings"
	"time"

	"switchyard/events"
)

const (
	// mostMissed is how many events a client gets that it missed.
	mostMissed = 10_000
	// missedTimeout bounds the reading of them.
	missedTimeout = 10 * time.Second
)

// parseID reads the cursor of a broadcast_id.
func parseID(id string) (events.Cursor, bool) {
	text, _, _ := strings.Cut(id, "~")
	c, err := events.ParseCursor(text)
	return c, err == nil
}

// resume sends what happened after a client had left until it was back, by its
// subscription. An event may come twice, none is left out that Redis still has.
func (s *Server) resume(ctx context.Context, c *conn, after events.Cursor) error {
	ctx, cancel := context.WithTimeout(ctx, missedTimeout)
	defer cancel()
	upTo := c.from
	if !c.placed {
		var err error
		if upTo, err = events.Ends(ctx, s.opt.Redis); err != nil {
			return err
		}
	}
	missed, err := events.Since(ctx, s.opt.Redis, after, upTo, mostMissed)
	if err != nil || len(missed) == 0 {
		return err
	}
	entries := make([]entry, len(missed))
	for i, m := range missed {
		entries[i] = entry{m.Event, m.Cursor}
	}
	f := newFlush(entries, after)
	c.sub.mu.Lock()
	var wanted []*message
	for _, m := range f.messages(c.sub.levels(), s.now()) {
		if c.sub.wants(m) {
			wanted = append(wanted, m)
		}
	}
	c.sub.mu.Unlock()
	for _, m := range wanted {
		if !c.wait(ctx, m) {
			return context.Cause(ctx)
		}
	}
	return nil
}
