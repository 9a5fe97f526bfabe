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

// Run follows the stream until ctx ends. ready is closed once every event
// written from then on will be seen; until then watchers must not rely on it.
// A read under way outlasts ctx by up to readBlock; closing the client after
// ctx has ended makes Run return at once.
func (r *Reader) Run(ctx context.Context, ready chan<- struct{}) {
	last, away := "", false
	for ctx.Err() == nil {
		if last == "" {
			id, err := r.tail(ctx)
			if err != nil {
				r.failed(ctx, err, away)
				away = true
				continue
			}
			if last = id; away {
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
		res, err := r.Client.XRead(ctx, &redis.XReadArgs{
			Streams: []string{JobStream, last}, Count: readCount, Block: readBlock,
		}).Result()
		switch {
		case errors.Is(err, redis.Nil):
			continue
		case err != nil:
			// Whatever Redis comes back with may have lost its end, so start
			// from its tail and have every record read again.
			r.failed(ctx, err, away)
			last, away = "", true
			continue
		}
		for _, s := range res {
			if len(s.Messages) == readCount && r.trimmed(ctx, last) {
				r.Hub.Resync()
			}
			for _, m := range s.Messages {
				last = m.ID
				r.Hub.Publish(parseJob(m.Values))
			}
		}
	}
}

// tail is the id of the newest entry: reading after it misses nothing, which
// "$" would between two reads.
func (r *Reader) tail(ctx context.Context) (string, error) {
	res, err := r.Client.XRevRangeN(ctx, JobStream, "+", "-", 1).Result()
	if err != nil {
		return "", fmt.Errorf("reading the end of %s: %w", JobStream, err)
	}
	if len(res) == 0 {
		return "0-0", nil
	}
	return res[0].ID, nil
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
