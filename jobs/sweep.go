package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/tasks"
)

// Sweeper goes over all unfinished jobs and the oldest ended ones. Any number
// of sweepers may run: whatever one of them does is a script that does it once.
type Sweeper struct {
	store *Store
	log   *slog.Logger
	runID string
	quiet time.Time // until then nobody is taken for dead
	turns map[home]int64
	// unreadable is how many records could not be read in the last round.
	unreadable int
}

// Swept is what one round did.
type Swept struct {
	Open, Rescued, Expired, Lost, Dropped int
	// Unreadable are records that were passed over: a version that knows them
	// may come, and this one would do them harm.
	Unreadable int
	// Fault is what is wrong with one of those.
	Fault error
	// Quiet: Redis was away a moment ago, so nobody was taken for dead.
	Quiet bool
}

// NewSweeper returns a sweeper that has just connected, as far as it knows.
func (s *Store) NewSweeper(log *slog.Logger) *Sweeper {
	return &Sweeper{store: s, log: log, turns: map[home]int64{}, quiet: time.Now().Add(s.opt.ProcessTTL)}
}

// Outage tells the sweeper that Redis could not be reached: for one process
// TTL from now, nobody is taken for dead, since nobody could say they live.
func (w *Sweeper) Outage() { w.quiet = time.Now().Add(w.store.opt.ProcessTTL) }

// Sweep looks at every unfinished job of the hosts named and of no host. Error:
// ErrUnavailable, which counts as an outage.
func (w *Sweeper) Sweep(ctx context.Context, hosts []string) (Swept, error) {
	n, err := w.sweep(ctx, hosts)
	if errors.Is(err, ErrUnavailable) {
		w.Outage()
	}
	return n, err
}

func (w *Sweeper) sweep(ctx context.Context, hosts []string) (Swept, error) {
	var n Swept
	asked := time.Now()
	id, err := w.store.redisRunID(ctx)
	if err != nil {
		return n, err
	}
	if w.runID != "" && id != w.runID || w.store.hung(asked) != nil {
		w.Outage()
	}
	w.runID = id
	n.Quiet = time.Now().Before(w.quiet)
	homes := []home{""}
	for _, h := range hosts {
		homes = append(homes, home(h))
	}
	for _, h := range homes {
		err := w.goOver(ctx, h, &n)
		switch {
		case errors.Is(err, ErrUnavailable):
			return n, err
		case err != nil: // what one host has spoilt is no reason to leave the others
			n.Unreadable++
			n.Fault = err
		}
	}
	for _, t := range tasks.Types() {
		d, err := w.store.dropOld(ctx, t)
		n.Dropped += d
		if err != nil {
			return n, err
		}
	}
	if n.Unreadable != w.unreadable {
		w.unreadable = n.Unreadable
		w.log.Error("there are unfinished jobs whose records can't be read; they are passed over", "count", n.Unreadable, "one", n.Fault)
	}
	if n.Rescued+n.Expired+n.Lost > 0 {
		w.log.Info("sweep took over jobs", "rescued", n.Rescued, "expired", n.Expired, "lost", n.Lost)
	}
	return n, nil
}

// goOver sweeps one home.
func (w *Sweeper) goOver(ctx context.Context, h home, n *Swept) (err error) {
	if w.turns[h], err = w.store.sweepHome(ctx, h, w.turns[h], rescueRules{spare: n.Quiet}, n); err != nil {
		return err
	}
	asked := time.Now()
	if err := w.store.buryDead(ctx, h); err != nil {
		return err
	}
	return w.store.hung(asked)
}

// Reclaim takes over everything that an earlier process of the host left. Only
// for a caller that holds the host's lock and has buried its predecessors.
// Error: ErrUnavailable.
func (s *Store) Reclaim(ctx context.Context, host string) (Swept, error) {
	var n Swept
	_, err := s.sweepRange(ctx, home(host), 0, math.MaxInt64-sweepBatch, rescueRules{fetchersGone: true}, &n)
	return n, err
}

type rescueRules struct {
	// spare: nobody is taken for dead, only what expired is ended.
	spare bool
	// fetchersGone: nobody else fetches from these queues any more.
	fetchersGone bool
}

const (
	sweepBatch = 500
	// sweepHead is how many of the oldest unfinished jobs of a home are looked
	// at in every round: those that run are among them. Of the others, as many
	// follow in each round in turn, so that a long backlog costs no more than
	// a short one.
	sweepHead = 1000
	// slowAnswer is what an answer may take on any machine.
	slowAnswer = time.Second
)

// sweepHome looks at the unfinished jobs of a home: the oldest, and sweepHead
// more from offset turn on. It returns the turn of the next round.
func (s *Store) sweepHome(ctx context.Context, h home, turn int64, rules rescueRules, n *Swept) (int64, error) {
	if more, err := s.sweepRange(ctx, h, 0, sweepHead, rules, n); err != nil || !more {
		return 0, err
	}
	turn = max(turn, sweepHead)
	more, err := s.sweepRange(ctx, h, turn, turn+sweepHead, rules, n)
	if err != nil || !more {
		return 0, err
	}
	return turn + sweepHead, nil
}

// sweepRange looks at the unfinished jobs from offset from up to offset to;
// more tells that there are others behind them.
func (s *Store) sweepRange(ctx context.Context, h home, from, to int64, rules rescueRules, n *Swept) (more bool, err error) {
	now := s.Now()
	for ; from < to; from += sweepBatch {
		asked := time.Now()
		ids, err := s.rdb.ZRange(ctx, h.open(), from, from+sweepBatch-1).Result()
		if err != nil {
			return false, unavailable("reading unfinished jobs", err)
		}
		members := make([]string, len(ids))
		for i, id := range ids {
			members[i] = h.member(id)
		}
		found, err := s.read(ctx, members)
		if err != nil {
			return false, err
		}
		if err := s.hung(asked); err != nil {
			return false, err
		}
		for i, f := range found {
			asked = time.Now()
			left, err := s.sweepEntry(ctx, h, ids[i], f, now, rules, n)
			switch {
			case errors.Is(err, ErrUnavailable):
				return false, err
			case err != nil:
				n.Unreadable++
				n.Fault = err
			}
			if left {
				from-- // those behind it have moved up
			}
			if err := s.hung(asked); err != nil {
				return false, err
			}
		}
		if len(ids) < sweepBatch {
			return false, nil
		}
	}
	return true, nil
}

// sweepEntry looks at one job of a home's open ones; left tells that it is no
// longer one of them.
func (s *Store) sweepEntry(ctx context.Context, h home, id string, f found, now time.Time, rules rescueRules, n *Swept) (left bool, err error) {
	if f.err != nil {
		n.Unreadable, n.Fault = n.Unreadable+1, f.err
		return false, nil //nolint:nilerr // it is passed over, and told of in n
	}
	switch j := f.job; {
	case j == nil:
		if err := s.rdb.ZRem(ctx, h.open(), id).Err(); err != nil {
			return false, unavailable("forgetting job "+id, err)
		}
		return true, nil
	case j.State != Running && !j.Expires.IsZero() && j.Expires.Before(now):
		n.Open++
		err := s.expire(ctx, j)
		if isLost(err) {
			return false, nil
		}
		if err == nil {
			n.Expired++
		}
		return err == nil, err
	case rules.spare:
		n.Open++
		return false, nil
	default:
		n.Open++
		return s.rescue(ctx, j, rules, n)
	}
}

// hung is an error if what was asked has only now been answered after a long
// time: a Redis that hung answers as if nothing had been, and knows of no
// heartbeat since.
func (s *Store) hung(asked time.Time) error {
	if slow := time.Since(asked); slow > max(s.opt.ProcessTTL/4, slowAnswer) {
		return fmt.Errorf("redis took %s to answer: %w", slow.Round(time.Millisecond), ErrUnavailable)
	}
	return nil
}

// lostOnce is why a job that must not be done twice has failed.
const lostOnce = "its worker went away; it may have been done, so it is not done again"

// unblock takes the head off a waiting job's order list if that one has ended or
// is gone: nobody else would.
func (s *Store) unblock(ctx context.Context, j *Job) error {
	list := j.home().order(j.OrderKey)
	head, err := s.rdb.LIndex(ctx, list, 0).Result()
	if errors.Is(err, redis.Nil) || head == j.ID {
		return nil
	}
	if err != nil {
		return unavailable("looking at the order of job "+j.ID, err)
	}
	first, err := s.getAt(ctx, j.home(), head)
	if err == nil && !first.State.Final() {
		return nil
	}
	if err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	if err := s.rdb.LRem(ctx, list, 1, head).Err(); err != nil {
		return unavailable("unblocking job "+j.ID, err)
	}
	return nil
}

// rescue runs rescue.lua on one job; left tells that this has ended it.
func (s *Store) rescue(ctx context.Context, j *Job, rules rescueRules, n *Swept) (left bool, err error) {
	h := j.home()
	if j.Waiting {
		if err := s.unblock(ctx, j); err != nil {
			return false, err
		}
	}
	this, err := s.tasks.make(j, j.Attempt, time.Time{})
	if err != nil {
		return false, err
	}
	next, err := s.tasks.make(j, j.Attempt+1, time.Time{})
	if err != nil {
		return false, err
	}
	order := h.record(j.ID)
	if j.OrderKey != "" {
		order = h.order(j.OrderKey)
	}
	args := append([]any{
		j.ID, j.Attempt, s.Now().UnixMilli(), flag(rules.fetchersGone), s.opt.MaxCrashes, this.id, flag(j.OrderKey != ""), s.opt.EventStream,
	}, next.args()...)
	args = append(args, this.args()...)
	res, err := rescueScript.Run(ctx, s.rdb, []string{
		h.record(j.ID), streamKey, queuesKey, next.key, next.target, h.processes(), this.key, asynqLease(j.Queue), h.open(), order,
	}, args...).Text()
	if err != nil {
		return false, unavailable("looking after job "+j.ID, err)
	}
	owner, lost := strings.CutPrefix(res, "lost:")
	switch {
	case res == "rescued":
		n.Rescued++
	case res == "gone":
		return true, nil
	case res == "withdrawn":
		err := s.finish(ctx, j, "", withdrawnEnd)
		if isLost(err) {
			return false, nil
		}
		return err == nil, err
	case lost:
		why := fmt.Sprintf("its worker went away %d times", j.Crashes+1)
		if j.Once {
			why = lostOnce
		}
		err := s.finish(ctx, j, owner, unrunEnd(j, tasks.Lost(j.Type, j.Payload, why)))
		if isLost(err) {
			return false, nil
		}
		if err == nil {
			n.Lost++
		}
		return err == nil, err
	}
	return false, nil
}

// buryDead removes processes that have long stopped saying that they live.
func (s *Store) buryDead(ctx context.Context, h home) error {
	long := s.Now().Add(-time.Hour).UnixMilli()
	if err := s.rdb.ZRemRangeByScore(ctx, h.processes(), "-inf", strconv.FormatInt(long, 10)).Err(); err != nil {
		return unavailable("removing dead processes", err)
	}
	return nil
}

// redisRunID changes when Redis was restarted; "" where Redis doesn't say.
func (s *Store) redisRunID(ctx context.Context) (string, error) {
	info, err := s.rdb.Info(ctx, "server").Result()
	if err != nil {
		var answer redis.Error
		if errors.As(err, &answer) {
			return "", nil // an embedded Redis that doesn't know the section
		}
		return "", unavailable("asking Redis who it is", err)
	}
	for line := range strings.Lines(info) {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			return strings.TrimSpace(id), nil
		}
	}
	return "", nil
}
