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

// What comes by the clock is made by whoever looks first, once in a period for
// each host: a guard under the host's prefix says for which period it was made
// last, and is written by the script that makes the job. So any number of
// processes may look as often as they like; what one of them has made, or could
// not make while Redis was away, the others see.
//
// Such a job is fleeting. It stands among the unfinished ones, so it is swept,
// expired and taken over like any other; but it has no index and no events, and
// when it ends, by whomever, its record goes (vanish.lua). Thousands of hosts
// would otherwise fill indexes and streams with what nobody asks for.

const (
	// dueBatch is how many jobs one trip to Redis makes.
	dueBatch = 100
	// dueAhead is by how much a guard may be ahead of one who looks: by more than
	// the clocks of processes differ, and less than anybody who set a clock back
	// would wait.
	dueAhead = 2 * time.Minute
	// dueGuard is how long a guard is kept: far longer than anybody looks back.
	dueGuard = time.Hour
)

// Due returns those of hosts for which no job of this type has been made in the
// period that begins at a time. Error: ErrUnavailable.
func (s *Store) Due(ctx context.Context, t tasks.Type, period time.Time, hosts []string) ([]string, error) {
	if len(hosts) == 0 {
		return nil, nil
	}
	keys := make([]string, len(hosts))
	for i, h := range hosts {
		keys[i] = home(h).due(t)
	}
	vals, err := s.rdb.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, unavailable("looking for what is due", err)
	}
	var out []string
	for i, v := range vals {
		text, _ := v.(string)
		last, err := strconv.ParseInt(text, 10, 64)
		ahead := time.UnixMilli(last).Sub(period)
		if err != nil || ahead < 0 || ahead > dueAhead {
			out = append(out, hosts[i])
		}
	}
	return out, nil
}

// AcceptDue makes the drafts, each the one of its type that is due on its host
// in the period, unless there has been one. made is how many were. A host whose
// keys are spoilt is passed over, and is the error's matter; ErrUnavailable: some
// may have been made, and Due tells which weren't.
func (s *Store) AcceptDue(ctx context.Context, period time.Time, drafts []tasks.Draft) (made int, err error) {
	var faults []error
	for len(drafts) > 0 {
		n := min(dueBatch, len(drafts))
		m, err := s.acceptDue(ctx, period, drafts[:n])
		made += m
		if errors.Is(err, ErrUnavailable) {
			return made, err
		}
		if err != nil {
			faults = append(faults, err)
		}
		drafts = drafts[n:]
	}
	return made, errors.Join(faults...)
}

func (s *Store) acceptDue(ctx context.Context, period time.Time, drafts []tasks.Draft) (made int, err error) {
	calls := make([]dueCall, len(drafts))
	for i, d := range drafts {
		if calls[i], err = s.dueCall(ctx, period, d); err != nil {
			return 0, err
		}
	}
	answers, err := s.sendDue(ctx, calls)
	if noScript(answers) {
		// Redis has been restarted. Those that it took all the same find their guard.
		if err := dueScript.Load(ctx, s.rdb).Err(); err != nil {
			return 0, unavailable("making what is due", err)
		}
		answers, err = s.sendDue(ctx, calls)
	}
	var answer redis.Error
	if err != nil && !errors.As(err, &answer) {
		return 0, unavailable("making what is due", err)
	}
	var faults []error
	for i, a := range answers {
		switch said, err := a.Text(); {
		case err != nil:
			faults = append(faults, fmt.Errorf("making what is due on host %s: %w", drafts[i].Host, err))
		case said == "made":
			made++
		case said == "late":
			return made, fmt.Errorf("making what is due: redis answered too late: %w", ErrUnavailable)
		}
	}
	return made, errors.Join(faults...)
}

// dueCall is one call of due.lua.
type dueCall struct {
	keys []string
	args []any
}

func (s *Store) dueCall(ctx context.Context, period time.Time, d tasks.Draft) (dueCall, error) {
	now := s.Now()
	j := &Job{
		ID: NewID(now), Type: d.Type, Attempt: 1, Host: d.Host, Subnet: d.Subnet, Queue: d.Queue, Payload: d.Payload,
		Limit: d.Limit, MaxTries: d.MaxTries, Once: d.Once || d.Type.Spec().Once, Created: now, Expires: d.Expires,
	}
	switch {
	case !d.Fleeting || d.Host == "" || !d.Type.Spec().OnHost || d.Type.Spec().Owes || d.Expires.IsZero():
		return dueCall{}, fmt.Errorf("a job of type %s on host %q can't come by the clock: it is fleeting, of a host, expires, and owes nothing", d.Type, d.Host)
	case d.JoinKey+d.OrderKey+d.ChatID+d.CallbackURL+d.Parent != "":
		return dueCall{}, fmt.Errorf("a job of type %s that nobody asked for has nobody to tell, to join or to wait for", d.Type)
	}
	t, err := s.tasks.make(j, 1, time.Time{})
	if err != nil {
		return dueCall{}, err
	}
	spec, err := j.spec()
	if err != nil {
		return dueCall{}, err
	}
	h := j.home()
	args := append([]any{
		period.UnixMilli(), dueAhead.Milliseconds(), dueGuard.Milliseconds(), j.ID, now.UnixMilli(), s.givesUp(ctx), s.keep(), j.about().String(), spec, string(j.Payload),
		j.Expires.UnixMilli(), flag(j.Once),
	}, t.args()...)
	return dueCall{[]string{h.due(j.Type), h.record(j.ID), h.open(), queuesKey, t.key, t.target}, args}, nil
}

func (s *Store) sendDue(ctx context.Context, calls []dueCall) ([]*redis.Cmd, error) {
	answers := make([]*redis.Cmd, len(calls))
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range calls {
			answers[i] = dueScript.EvalSha(ctx, p, c.keys, c.args...)
		}
		return nil
	})
	return answers, err
}

func noScript(answers []*redis.Cmd) bool {
	for _, a := range answers {
		if redis.HasErrorPrefix(a.Err(), "NOSCRIPT") {
			return true
		}
	}
	return false
}

// vanish ends fleeting job j held by owner, or by nobody ("").
func (s *Store) vanish(ctx context.Context, j *Job, owner string) error {
	t, err := s.tasks.make(j, j.Attempt, time.Time{})
	if err != nil {
		return err
	}
	h := j.home()
	res, err := vanishScript.Run(ctx, s.rdb, []string{h.record(j.ID), h.open(), t.key, t.target}, j.ID, owner, j.Attempt, t.id).Text()
	if err != nil {
		return unavailable("finishing job "+j.ID, err)
	}
	if res != "ok" {
		return fmt.Errorf("job %s: %w", j.ID, ErrLost)
	}
	return nil
}
