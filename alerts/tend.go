package alerts

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/events"
)

// Watched is a subject that was seen to be bad.
type Watched struct {
	Kind    Kind
	Subject string
	Watch   Watch
}

// Watched are all of them. Error: ErrUnavailable.
func (b *Book) Watched(ctx context.Context) ([]Watched, error) {
	all, err := b.rdb.HGetAll(ctx, watchKey).Result()
	if err != nil {
		return nil, unavailable("reading what is watched", err)
	}
	var out []Watched
	for f, text := range all {
		if kind, subject, ok := strings.Cut(f, "|"); ok {
			out = append(out, Watched{Kind(kind), subject, parseWatch(text)})
		}
	}
	return out, nil
}

// News is what somebody is to be told: that an alert was raised, or is over.
type News struct {
	Alert *Alert
	// State that it is told in: Open or Over.
	State State
	At    time.Time

	member string
}

// newsBatch is how much is told in one go.
const newsBatch = 100

// Untold is what nobody has been told yet, oldest first. Error: ErrUnavailable.
func (b *Book) Untold(ctx context.Context) ([]News, error) {
	all, err := b.rdb.ZRangeWithScores(ctx, untoldKey, 0, newsBatch-1).Result()
	if err != nil {
		return nil, unavailable("reading who is to be told", err)
	}
	var out []News
	for _, z := range all {
		member, _ := z.Member.(string)
		id, state, _ := strings.Cut(member, " ")
		n := News{State: State(state), At: time.UnixMilli(int64(z.Score)).UTC(), member: member}
		n.Alert, err = b.Get(ctx, id)
		switch {
		case errors.Is(err, ErrUnavailable):
			return nil, err
		case err != nil: // forgotten, or unreadable
			if err := b.Told(ctx, n); err != nil {
				return nil, err
			}
			continue
		}
		n.Alert.State = n.State
		out = append(out, n)
	}
	return out, nil
}

// Told notes that it has been told. Error: ErrUnavailable.
func (b *Book) Told(ctx context.Context, n News) error {
	if err := b.rdb.ZRem(ctx, untoldKey, n.member).Err(); err != nil {
		return unavailable("noting who was told", err)
	}
	return nil
}

// Forget removes alerts that have been over for a week, and of those that are over the
// oldest beyond the newest thousand alerts. Error: ErrUnavailable.
func (b *Book) Forget(ctx context.Context) error {
	before := strconv.FormatInt(b.now().Add(-keep).UnixMilli(), 10)
	old, err := b.rdb.ZRangeByScore(ctx, indexKey, &redis.ZRangeBy{Min: "-inf", Max: before}).Result()
	if err != nil {
		return unavailable("looking for old alerts", err)
	}
	many, err := b.rdb.ZRange(ctx, indexKey, 0, -1-kept).Result()
	if err != nil {
		return unavailable("looking for old alerts", err)
	}
	for i, id := range append(many, old...) {
		a, err := b.Get(ctx, id)
		switch {
		case errors.Is(err, ErrUnavailable):
			return err
		case err == nil && (a.State != Over || i >= len(many) && a.Ended.After(b.now().Add(-keep))):
			continue
		}
		_, err = b.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.HDel(ctx, recordsKey, id)
			p.ZRem(ctx, indexKey, id)
			return nil
		})
		if err != nil {
			return unavailable("forgetting an alert", err)
		}
	}
	return nil
}

// followed is how many events are taken in one go.
const followed = 500

// Follow has take see the events of a class that came since the last call, by whichever
// process. The first call ever sees none. An event may be seen twice: where take fails,
// or by two processes at once. Errors: ErrUnavailable, those of take.
func (b *Book) Follow(ctx context.Context, c events.Class, take func(events.Event) error) error {
	key := cursorKey + string(c)
	at, err := b.rdb.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		if at, err = events.Last(ctx, b.rdb, c); err == nil {
			err = b.rdb.SetNX(ctx, key, at, 0).Err()
		}
	}
	if err != nil {
		return unavailable("reading how far events were seen", err)
	}
	for {
		news, err := events.After(ctx, b.rdb, c, at, followed)
		if err != nil {
			return unavailable("reading events", err)
		}
		if len(news) == 0 {
			return nil
		}
		for _, e := range news {
			if err := take(e); err != nil {
				return err
			}
			at = e.ID
		}
		if err := b.rdb.Set(ctx, key, at, 0).Err(); err != nil {
			return unavailable("noting how far events were seen", err)
		}
	}
}
