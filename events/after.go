package events

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// After returns the events of a class after the one with an id, oldest first, at most so
// many. Error: Redis is out of reach.
func After(ctx context.Context, rdb redis.Cmdable, c Class, id string, most int64) ([]Event, error) {
	entries, err := rdb.XRangeN(ctx, c.Stream(), "("+id, "+", most).Result()
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	out := make([]Event, len(entries))
	for i, m := range entries {
		out[i] = eventOf(c, m)
	}
	return out, nil
}

// Last is the id of a class' newest event, such that After it are those to come. Error:
// Redis is out of reach.
func Last(ctx context.Context, rdb redis.Cmdable, c Class) (string, error) {
	entries, err := rdb.XRevRangeN(ctx, c.Stream(), "+", "-", 1).Result()
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the newest event: %w", err)
	case len(entries) == 0:
		return "0-0", nil
	}
	return entries[0].ID, nil
}
