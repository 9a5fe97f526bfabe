package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/tasks"
)

// Errors that callers tell apart.
var (
	// ErrUnknown: there is no job with this id.
	ErrUnknown = errors.New("no such job")
	// ErrUnavailable: Redis could not be reached, and nothing was changed as
	// far as can be known.
	ErrUnavailable = errors.New("redis is out of reach")
	// ErrIdempotencyConflict: the Idempotency-Key was used with another body.
	ErrIdempotencyConflict = errors.New("idempotency key was used with another request")
	// ErrInProgress: the first request under the Idempotency-Key has not been
	// answered yet.
	ErrInProgress = errors.New("the first request under this idempotency key is under way")
	// ErrFinal: the job has ended already.
	ErrFinal = errors.New("job has ended")
	// ErrNotRetryable: the job has not failed, or its type is never run again.
	ErrNotRetryable = errors.New("job can't be run again")
	// ErrBusy: a job for the same thing is under way.
	ErrBusy = errors.New("another job for the same thing is under way")
	// ErrLost: another handler has the job now, or it has ended.
	ErrLost = errors.New("the job is no longer this handler's")
	// ErrCancelAsked is the cause with which a handler's context ends when its
	// job was cancelled.
	ErrCancelAsked = errors.New("the job was cancelled")
)

// Options of a Store.
type Options struct {
	// Client for commands. Its owner closes it.
	Client redis.UniversalClient
	// Hub wakes those who wait for a job; events.Reader feeds it.
	Hub *events.Hub
	// Retention is how long an ended job stays readable.
	Retention time.Duration
	// MaxPerType is the number of records kept of one type.
	MaxPerType int
	// EventStream is the number of events kept.
	EventStream int
	// IdempotencyWindow is how long an Idempotency-Key is remembered.
	IdempotencyWindow time.Duration
	// MaxCrashes is how many workers a job may take down.
	MaxCrashes int
	// ProcessTTL is how long a process is believed alive after it said so.
	ProcessTTL time.Duration
	// Clock is this process' clock. nil: time.Now.
	Clock func() time.Time
}

// Store is the records of all jobs.
type Store struct {
	rdb    redis.UniversalClient
	hub    *events.Hub
	opt    Options
	tasks  *taskMaker
	told   recent
	offset atomic.Int64 // Redis' clock less ours, nanoseconds

	life        context.Context // until Close
	end         context.CancelFunc
	withdrawals sync.WaitGroup
}

// NewStore returns a store on the client. Close it when done.
func NewStore(opt Options) *Store {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	s := &Store{rdb: opt.Client, hub: opt.Hub, opt: opt, tasks: newTaskMaker()}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Close frees what the store holds itself; the client stays its owner's.
func (s *Store) Close() error {
	s.end()
	s.withdrawals.Wait()
	return s.tasks.close()
}

// Now is Redis' clock: this process' clock and the offset last measured, so
// that all processes agree on who is alive and what is due.
func (s *Store) Now() time.Time {
	return s.opt.Clock().Add(time.Duration(s.offset.Load()))
}

// SyncClock measures the offset to Redis' clock. Error: ErrUnavailable.
func (s *Store) SyncClock(ctx context.Context) error {
	before := s.opt.Clock()
	t, err := s.rdb.Time(ctx).Result()
	if err != nil {
		return unavailable("reading Redis' clock", err)
	}
	after := s.opt.Clock()
	s.offset.Store(int64(t.Sub(before.Add(after.Sub(before) / 2))))
	return nil
}

// keep is how long a record outlives its end at the most; the sweeper drops it
// sooner, this only collects what no sweeper saw.
func (s *Store) keep() int64 { return int64((s.opt.Retention + 24*time.Hour).Seconds()) }

// indexKeep is how long an index by chat outlives its last job.
func (s *Store) indexKeep() int64 { return s.keep() + int64((24 * time.Hour).Seconds()) }

// Get reads one job. Errors: ErrUnknown, ErrUnavailable.
func (s *Store) Get(ctx context.Context, id string) (*Job, error) {
	var m *redis.MapStringStringCmd
	var hosted []*redis.StringSliceCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		m = p.HGetAll(ctx, home("").record(id))
		// A job of a host stands in the index of its type as id@host.
		for _, t := range tasks.Types() {
			if t.Spec().OnHost {
				hosted = append(hosted, p.ZRangeByLex(ctx, typeIndex(t), &redis.ZRangeBy{Min: "[" + id + "@", Max: "(" + id + "A"}))
			}
		}
		return nil
	})
	if err != nil {
		return nil, unavailable("reading job "+id, err)
	}
	fields, at := m.Val(), home("")
	for _, members := range hosted {
		if len(members.Val()) == 0 {
			continue
		}
		_, at = parseMember(members.Val()[0])
		if fields, err = s.rdb.HGetAll(ctx, at.record(id)).Result(); err != nil {
			return nil, unavailable("reading job "+id, err)
		}
	}
	j, ok, err := parseJob(at, id, fields)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	return j, nil
}

// getAt reads a job whose home is known.
func (s *Store) getAt(ctx context.Context, h home, id string) (*Job, error) {
	fields, err := s.rdb.HGetAll(ctx, h.record(id)).Result()
	if err != nil {
		return nil, unavailable("reading job "+id, err)
	}
	j, ok, err := parseJob(h, id, fields)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	return j, nil
}

// Audience is who wants to know of the job's end: chats and callback URLs, each
// once, those of joined requests too.
func (s *Store) Audience(ctx context.Context, j *Job) (chats, urls []string, err error) {
	joined, err := s.rdb.SMembers(ctx, j.home().audience(j.ID)).Result()
	if err != nil {
		return nil, nil, unavailable("reading the audience of job "+j.ID, err)
	}
	add := func(list []string, who string) []string {
		if who == "" || slices.Contains(list, who) {
			return list
		}
		return append(list, who)
	}
	chats, urls = add(nil, j.ChatID), add(nil, j.CallbackURL)
	for _, x := range joined {
		if c, ok := strings.CutPrefix(x, chatMark); ok {
			chats = add(chats, c)
		} else if u, ok := strings.CutPrefix(x, urlMark); ok {
			urls = add(urls, u)
		}
	}
	return chats, urls, nil
}

// unavailable wraps an error of Redis itself so that callers see both. A key of
// another kind than expected is no outage: Redis did answer, and would again.
func unavailable(doing string, err error) error {
	if wrongKind(err) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

func wrongKind(err error) bool { return redis.HasErrorPrefix(err, "WRONGTYPE") }

func isLost(err error) bool { return errors.Is(err, ErrLost) }
