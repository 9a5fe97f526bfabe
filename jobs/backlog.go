package jobs

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Backlog is how much waits in one queue.
type Backlog struct {
	Pending, Active, Scheduled, Retry int64
	// Oldest is since when the oldest pending task waits; zero: there is none.
	Oldest time.Time
}

// Backlogs counts the tasks of the queues, in a few commands whatever their
// length. A task that moves meanwhile may be counted twice or not at all.
// Error: ErrUnavailable.
func (s *Store) Backlogs(ctx context.Context, queues []string) (map[string]Backlog, error) {
	type look struct {
		pending, active, scheduled, retry *redis.IntCmd
		oldest                            *redis.StringCmd
	}
	looks := make([]look, len(queues))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, q := range queues {
			key := asynqQueue(q)
			looks[i] = look{
				pending: p.LLen(ctx, key+"pending"), active: p.LLen(ctx, key+"active"),
				scheduled: p.ZCard(ctx, key+"scheduled"), retry: p.ZCard(ctx, key+"retry"),
				oldest: p.LIndex(ctx, key+"pending", -1),
			}
		}
		return nil
	})
	// What a host made of its own queues keeps nobody from counting the others.
	if err != nil && !errors.Is(err, redis.Nil) && !wrongKind(err) {
		return nil, unavailable("counting the tasks of the queues", err)
	}
	since := map[string]*redis.StringCmd{}
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, q := range queues {
			if id := looks[i].oldest.Val(); id != "" {
				since[q] = p.HGet(ctx, asynqQueue(q)+"t:"+id, "pending_since")
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) && !wrongKind(err) {
		return nil, unavailable("looking for the oldest tasks of the queues", err)
	}
	out := make(map[string]Backlog, len(queues))
	for i, q := range queues {
		l := looks[i]
		b := Backlog{Pending: l.pending.Val(), Active: l.active.Val(), Scheduled: l.scheduled.Val(), Retry: l.retry.Val()}
		if c := since[q]; c != nil {
			if ns, err := strconv.ParseInt(c.Val(), 10, 64); err == nil { // it may have been fetched meanwhile
				b.Oldest = time.Unix(0, ns)
			}
		}
		out[q] = b
	}
	return out, nil
}

// OwedSince tells how many debts there are, and since when the oldest has been
// owed; zero: there is none. Error: ErrUnavailable.
func (s *Store) OwedSince(ctx context.Context) (n int64, oldest time.Time, err error) {
	var count *redis.IntCmd
	var first *redis.ZSliceCmd
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		count = p.ZCard(ctx, owedKey)
		first = p.ZRangeWithScores(ctx, owedKey, 0, 0)
		return nil
	})
	if err != nil {
		return 0, time.Time{}, unavailable("counting what is owed", err)
	}
	if z := first.Val(); len(z) > 0 {
		oldest = time.UnixMilli(int64(z[0].Score))
	}
	return count.Val(), oldest, nil
}
