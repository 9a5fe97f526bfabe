package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/tasks"
)

const (
	// evictBatch is how many jobs one call of Evict ends.
	evictBatch = 100
	// evictTries bounds how often a job may change while it is ended.
	evictTries = 5
)

// Evict ends the unfinished jobs of a host that is no more, as failed, newest
// first, some at a time: more tells that others are left. Jobs accepted after
// before are not touched: they are of a host that has come back under the name.
// The jobs' records stay; others are told of their ends as of any other, but not
// of one whose record can't be read: that one just has failed. At last, where no
// job is left, what asynq knows of the host's queues goes. Error: ErrUnavailable.
// It may be repeated.
func (s *Store) Evict(ctx context.Context, host string, before time.Time) (ended int, more bool, err error) {
	h := home(host)
	ids, err := s.rdb.ZRevRangeByScore(ctx, h.open(), &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(before.UnixMilli(), 10), Count: evictBatch,
	}).Result()
	if wrongKind(err) {
		err = s.rdb.Del(ctx, h.open()).Err() // it holds no jobs
	}
	if err != nil {
		return 0, false, unavailable("reading the unfinished jobs of host "+host, err)
	}
	for _, id := range ids {
		err := s.evict(ctx, h, id)
		if err != nil && !errors.Is(err, ErrUnavailable) {
			err = s.evictUnreadable(ctx, h, id)
		}
		if err != nil {
			return ended, false, err
		}
		ended++
	}
	if len(ids) == evictBatch {
		return ended, true, nil
	}
	return ended, false, s.dropQueues(ctx, host)
}

// evict ends one job, whoever has it. Its task is stale then, and goes with its
// queue, or when a worker of a host that has come back fetches it: without its
// message asynq would take the queue for empty there.
func (s *Store) evict(ctx context.Context, h home, id string) error {
	for range evictTries {
		j, err := s.getAt(ctx, h, id)
		if errors.Is(err, ErrUnknown) || err == nil && j.State.Final() {
			if err := s.rdb.ZRem(ctx, h.open(), id).Err(); err != nil {
				return unavailable("forgetting job "+id, err)
			}
			return nil
		}
		if err != nil {
			return err
		}
		err = s.finish(ctx, j, j.Holder, unrunEnd(j, tasks.Removed(j.Type, j.Payload)))
		if isLost(err) {
			continue
		}
		return err
	}
	return fmt.Errorf("ending job %s: it changed %d times in between: %w", id, evictTries, ErrUnavailable)
}

// evictUnreadable has a job failed whose record can't be read, so that it is
// forgotten when its time has come.
func (s *Store) evictUnreadable(ctx context.Context, h home, id string) error {
	rec := h.record(id)
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, rec, "state", string(Failed), "error", "its host was removed, and its record can't be read")
		p.Expire(ctx, rec, time.Duration(s.keep())*time.Second)
		p.ZRem(ctx, h.open(), id)
		return nil
	})
	if wrongKind(err) {
		err = s.rdb.Del(ctx, rec).Err() // it is no record
	}
	if err != nil {
		return unavailable("ending job "+id, err)
	}
	return nil
}

// dropQueues drops a host's queues from asynq, with the tasks in them, and the
// dead who took tasks from them, unless there are unfinished jobs: those were
// accepted just now, and their tasks are in the queues. asynq itself would refuse
// while a task is active, as those of a worker that died are for good.
func (s *Store) dropQueues(ctx context.Context, host string) error {
	open := home(host).open()
	err := s.rdb.Watch(ctx, func(tx *redis.Tx) error {
		n, err := tx.ZCard(ctx, open).Result()
		if err != nil || n > 0 {
			return err
		}
		return s.dropTasks(ctx, tx, host)
	}, open)
	switch {
	case errors.Is(err, redis.TxFailedErr):
		return nil // there are, since a moment ago
	case err != nil:
		return unavailable("dropping the queues of host "+host, err)
	}
	now := strconv.FormatInt(s.Now().UnixMilli(), 10)
	err = s.rdb.ZRemRangeByScore(ctx, home(host).processes(), "-inf", now).Err()
	if wrongKind(err) {
		err = s.rdb.Del(ctx, home(host).processes()).Err()
	}
	if err != nil {
		return unavailable("forgetting the processes of host "+host, err)
	}
	return nil
}

// dropTasks drops a host's queues, unless what tx watches changes meanwhile.
func (s *Store) dropTasks(ctx context.Context, tx *redis.Tx, host string) error {
	var drop []string
	for _, queue := range []string{tasks.HostQueue(host), tasks.HostStatusQueue(host)} {
		prefix := asynqQueue(queue)
		var lists []*redis.StringSliceCmd
		_, err := tx.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, l := range []string{"pending", "active"} {
				lists = append(lists, p.LRange(ctx, prefix+l, 0, -1))
			}
			for _, z := range []string{"scheduled", "retry", "archived", "completed"} {
				lists = append(lists, p.ZRange(ctx, prefix+z, 0, -1))
			}
			return nil
		})
		if err != nil && !wrongKind(err) {
			return err
		}
		for _, l := range lists {
			for _, id := range l.Val() {
				drop = append(drop, prefix+"t:"+id)
			}
		}
		for _, k := range []string{"pending", "active", "scheduled", "retry", "archived", "completed", "lease", "paused", "processed", "failed"} {
			drop = append(drop, prefix+k)
		}
	}
	drop = append(drop, home(host).due(tasks.Push))
	_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.SRem(ctx, queuesKey, tasks.HostQueue(host), tasks.HostStatusQueue(host))
		p.Del(ctx, drop...)
		return nil
	})
	return err
}
