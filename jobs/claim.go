package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"switchyard/tasks"
)

// Verdict is the answer to a claim.
type Verdict int

// The answers.
const (
	// Run: the handler owns the attempt.
	Run Verdict = iota
	// Stale: the job has moved on; there is nothing to do.
	Stale
	// Held: somebody else has it. Ask again later, never drop the task: the
	// holder may be gone without having said so.
	Held
	// Expired: it waited too long; finish it with the claim's Expire.
	Expired
)

// Claim is one handler's hold on one attempt of a job.
type Claim struct {
	*Job
	store *Store
	owner string
}

// Claim takes up an attempt. owner must be unique to the calling handler and
// start with the process' id and "#" (see Process.NewOwner). The claim is nil
// unless the verdict is Run or Expired.
func (s *Store) Claim(ctx context.Context, p TaskPayload, owner string) (*Claim, Verdict, error) {
	h := home(p.Host)
	// Whether the start is owed to anybody is the record's to say.
	entry := debtPrefix(p.Job, p.Host, PhaseStart)
	res, err := claimScript.Run(ctx, s.rdb, []string{h.record(p.Job), streamKey, owedKey},
		p.Attempt, owner, s.Now().UnixMilli(), s.opt.EventStream, entry, owedBell).StringSlice()
	if err != nil {
		return nil, Held, unavailable(fmt.Sprintf("claiming job %s attempt %d", p.Job, p.Attempt), err)
	}
	verdict := Run
	switch res[0] {
	case "run":
	case "expired":
		verdict = Expired
	case "stale":
		return nil, Stale, nil
	default:
		return nil, Held, nil
	}
	m := make(map[string]string, len(res)/2)
	for i := 1; i+1 < len(res); i += 2 {
		m[res[i]] = res[i+1]
	}
	j, ok, err := parseJob(h, p.Job, m)
	if err != nil {
		return nil, Held, err
	}
	if !ok {
		return nil, Stale, nil
	}
	if verdict == Expired {
		owner = ""
	}
	return &Claim{Job: j, store: s, owner: owner}, verdict, nil
}

// Check reports whether the job is still the handler's, and is called directly
// before each effect on the outside world. Errors: ErrLost, ErrCancelAsked,
// ErrUnavailable.
func (c *Claim) Check(ctx context.Context) error {
	v, err := c.store.rdb.HMGet(ctx, c.home().record(c.ID), "state", "owner", "cancel").Result()
	if err != nil {
		return unavailable("checking the claim of job "+c.ID, err)
	}
	state, _ := v[0].(string)
	owner, _ := v[1].(string)
	switch {
	case State(state) != Running || owner != c.owner:
		return fmt.Errorf("job %s: %w", c.ID, ErrLost)
	case v[2] != nil:
		return fmt.Errorf("job %s: %w", c.ID, ErrCancelAsked)
	}
	return nil
}

// Progress notes how far the job is, for those who watch. Errors: ErrLost,
// ErrUnavailable; both leave the job as it is.
func (c *Claim) Progress(ctx context.Context, progress any) error {
	b, err := json.Marshal(progress)
	if err != nil {
		return fmt.Errorf("marshalling the progress of job %s: %w", c.ID, err)
	}
	res, err := progressScript.Run(ctx, c.store.rdb, []string{c.home().record(c.ID), streamKey},
		c.owner, string(b), c.store.opt.EventStream).Text()
	if err != nil {
		return unavailable("noting the progress of job "+c.ID, err)
	}
	if res != "ok" {
		return fmt.Errorf("job %s: %w", c.ID, ErrLost)
	}
	return nil
}

// End is how a job ends.
type End struct {
	State    State
	Result   json.RawMessage // nil: none
	Error    string
	Progress json.RawMessage // nil: as it was
}

// Finish ends the job. Errors: ErrLost, ErrUnavailable (call again).
func (c *Claim) Finish(ctx context.Context, e End) error {
	return c.store.finish(ctx, c.Job, c.owner, e)
}

// finish ends job j held by owner, or by nobody ("").
func (s *Store) finish(ctx context.Context, j *Job, owner string, e End) error {
	if j.Fleeting {
		return s.vanish(ctx, j, owner)
	}
	h := j.home()
	rec := h.record(j.ID)
	join, order, owed, entry := rec, rec, rec, ""
	audience, chat := rec, ""
	if j.ChatID != "" {
		audience, chat = h.audience(j.ID), chatMember(j.ChatID)
	}
	if j.JoinKey != "" {
		join = h.join(j.JoinKey)
	}
	if j.OrderKey != "" {
		order = h.order(j.OrderKey)
	}
	if j.Type.Spec().Owes {
		owed = owedKey
		entry = debtEntry(j, PhaseResult)
	}
	next, nextTask := "", preparedTask{}
	for {
		nextRec, nextKey, nextTarget, nextArgs, gone := rec, rec, rec, noTask, ""
		if next != "" {
			nj, err := s.getAt(ctx, h, next)
			switch {
			case errors.Is(err, ErrUnknown):
				gone = "1"
			case err != nil:
				return err
			default:
				if nextTask, err = s.tasks.make(nj, nj.Attempt, time.Time{}); err != nil {
					return err
				}
				nextRec, nextKey, nextTarget, nextArgs = h.record(next), nextTask.key, nextTask.target, nextTask.args()
			}
		}
		args := append([]any{
			j.ID, owner, j.Attempt, string(e.State), s.Now().UnixMilli(), string(e.Result), e.Error, string(e.Progress),
			s.opt.EventStream, s.keep(), flag(j.JoinKey != ""), flag(j.OrderKey != ""), entry, owedBell, next, gone,
		}, nextArgs...)
		args = append(args, chat)
		res, err := finishScript.Run(ctx, s.rdb,
			[]string{rec, h.open(), streamKey, join, order, owed, nextRec, queuesKey, nextKey, nextTarget, audience}, args...).Text()
		if err != nil {
			return unavailable("finishing job "+j.ID, err)
		}
		switch {
		case res == "ok":
			return nil
		case res == "lost":
			return fmt.Errorf("job %s: %w", j.ID, ErrLost)
		default:
			next = res[len("next:"):]
		}
	}
}

// Again makes the job's next attempt, after a pause of at least delay and up to
// a second more: asynq counts in whole ones. failure is what went wrong, nil
// when a stopping worker lets go of it; result is what is known so far, nil for
// nothing. Errors: ErrLost, ErrUnavailable (call again).
func (c *Claim) Again(ctx context.Context, delay time.Duration, failure error, result json.RawMessage) error {
	s, h := c.store, c.home()
	state, counter, words, at := Queued, "", "", time.Time{}
	if failure != nil {
		counter, words = "tries", failure.Error()
	}
	if delay > 0 {
		at = time.Now().Add(delay + time.Second - 1) // asynq cuts off the fraction
		state = Retrying
	}
	t, err := s.tasks.make(c.Job, c.Attempt+1, at)
	if err != nil {
		return err
	}
	args := append([]any{c.owner, c.Attempt, string(state), words, counter, string(result), s.opt.EventStream}, t.args()...)
	args = append(args, s.Now().UnixMilli())
	res, err := againScript.Run(ctx, s.rdb, []string{h.record(c.ID), streamKey, queuesKey, t.key, t.target}, args...).Text()
	if err != nil {
		return unavailable("making the next attempt of job "+c.ID, err)
	}
	if res != "ok" {
		return fmt.Errorf("job %s: %w", c.ID, ErrLost)
	}
	return nil
}

// Abandon lets go of a job whose handler doesn't end: it gets its next attempt,
// or has failed if it must not be done twice. Errors: ErrLost, ErrUnavailable
// (call again).
func (c *Claim) Abandon(ctx context.Context) error {
	if !c.Once {
		return c.Again(ctx, 0, nil, nil)
	}
	return c.Finish(ctx, unrunEnd(c.Job, tasks.Lost(c.Type, c.Payload, lostOnce)))
}
