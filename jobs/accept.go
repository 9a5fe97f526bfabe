package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/tasks"
)

// Request is a draft with what belongs to the request that brought it.
type Request struct {
	tasks.Draft
	// ID, if set, is the job's id; accepting it twice makes one job.
	ID string
	// Fresh: the ID was made for this request alone. A job of which nobody could tell
	// whether it was taken is withdrawn then, since nobody will bring it again.
	Fresh bool
	// IdempotencyScope tells apart the same Idempotency-Key of different
	// clients and endpoints. Empty: the request has no such key.
	IdempotencyScope string
	// Fingerprint is the request's content, to be compared under that key.
	Fingerprint []byte
}

// Accepted says what became of a request.
type Accepted struct {
	ID    string
	State State
	// Joined: the job is that of an earlier request.
	Joined bool
	// Replayed: the Idempotency-Key was seen before; this is its first answer.
	Replayed bool
}

// acceptTries bounds how often a job to join may slip away by ending.
const acceptTries = 5

// Accept commits a request as a job, or joins it to one. It returns only after
// Redis has taken it. Errors: ErrIdempotencyConflict, and ErrUnavailable, after
// which nothing was accepted unless Redis died between taking it and saying so.
func (s *Store) Accept(ctx context.Context, r Request) (Accepted, error) {
	now := s.Now()
	j := &Job{
		ID: r.ID, Type: r.Type, State: Queued, Attempt: 1, Run: 1, ChatID: r.ChatID, Host: r.Host, Subnet: r.Subnet,
		Queue: r.Queue, Payload: r.Payload, Parent: r.Parent, CallbackURL: r.CallbackURL, JoinKey: r.JoinKey, OrderKey: r.OrderKey,
		Limit: r.Limit, MaxTries: r.MaxTries, Once: r.Once || r.Type.Spec().Once, Created: now, Expires: r.Expires,
	}
	if j.Host != "" && !j.Type.Spec().OnHost {
		return Accepted{}, fmt.Errorf("a job of type %s can't be of a host, and this one is of %s", j.Type, j.Host)
	}
	if j.ID == "" {
		j.ID = NewID(now)
	}
	t, err := s.tasks.make(j, 1, time.Time{})
	if err != nil {
		return Accepted{}, err
	}
	h := j.home()
	rec := h.record(j.ID)
	or := func(use bool, key string) string {
		if use {
			return key
		}
		return rec
	}
	fingerprint := ""
	if r.IdempotencyScope != "" {
		sum := sha256.Sum256(r.Fingerprint)
		fingerprint = hex.EncodeToString(sum[:])
	}
	spec, err := j.spec()
	if err != nil {
		return Accepted{}, err
	}
	chat, keep := chatIndex(j.ChatID), ""
	if j.ChatID != "" && !s.told.done(chat) {
		keep = strconv.FormatInt(s.indexKeep(), 10)
	}
	task := t.args()
	if s.told.done(t.queue) {
		task[0] = ""
	}
	keys := []string{
		rec, or(fingerprint != "", idemKey(r.IdempotencyScope)), or(j.JoinKey != "", h.join(j.JoinKey)), or(j.OrderKey != "", h.order(j.OrderKey)),
		h.open(), streamKey, typeIndex(j.Type), or(j.ChatID != "", chat), or(j.Host != "", hostIndex(j.Host)), queuesKey, t.key, t.target,
	}
	for _, key := range r.Outdates {
		keys = append(keys, h.join(key))
	}
	more := j.moreFields()
	args := append(make([]any, 0, 17+len(more)),
		j.ID, now.UnixMilli(), fingerprint, s.opt.IdempotencyWindow.Milliseconds(), h.member(j.ID), s.opt.EventStream, keep)
	args = append(args, task...)
	args = append(args, s.givesUp(ctx), j.about().String(), spec, string(j.Payload))
	args = append(args, more...)

	for range acceptTries {
		res, err := acceptScript.Run(ctx, s.rdb, keys, args...).StringSlice()
		if err != nil {
			return s.afterLostReply(ctx, j, r, err)
		}
		switch res[0] {
		case "accepted":
			s.told.note(t.queue)
			if keep != "" {
				s.told.note(chat)
			}
			return Accepted{ID: j.ID, State: Queued}, nil
		case "exists":
			return Accepted{ID: j.ID, State: Queued}, nil
		case "late":
			return Accepted{}, fmt.Errorf("accepting job %s: redis answered too late: %w", j.ID, ErrUnavailable)
		case "replay":
			return Accepted{ID: res[1], State: Queued, Joined: res[2] == "1", Replayed: true}, nil
		case "conflict":
			return Accepted{}, ErrIdempotencyConflict
		case "join":
			a, ok, err := s.join(ctx, res[1], j, r, fingerprint)
			if err != nil || ok {
				return a, err
			}
		default:
			return Accepted{}, fmt.Errorf("accepting job %s: unexpected answer %q", j.ID, res[0])
		}
	}
	return Accepted{}, fmt.Errorf("accepting job %s: the job to join ended %d times in between: %w", j.ID, acceptTries, ErrUnavailable)
}

// join adds the request to job id; ok is false when that one has just ended.
func (s *Store) join(ctx context.Context, id string, j *Job, r Request, fingerprint string) (Accepted, bool, error) {
	h := j.home()
	rec := h.record(id)
	chat, idem := rec, rec
	if j.ChatID != "" {
		chat = chatIndex(j.ChatID)
	}
	if fingerprint != "" {
		idem = idemKey(r.IdempotencyScope)
	}
	res, err := joinScript.Run(ctx, s.rdb, []string{rec, h.audience(id), h.join(j.JoinKey), chat, idem},
		id, j.ChatID, r.CallbackURL, h.member(id), s.indexKeep(), fingerprint, s.opt.IdempotencyWindow.Milliseconds(), s.givesUp(ctx)).StringSlice()
	if err != nil {
		return s.afterLostJoin(ctx, id, j, r.CallbackURL, err)
	}
	switch res[0] {
	case "joined":
		return Accepted{ID: id, State: State(res[1]), Joined: true}, true, nil
	case "late":
		return Accepted{}, false, fmt.Errorf("joining job %s: redis answered too late: %w", id, ErrUnavailable)
	case "gone":
		return Accepted{}, false, nil
	case "replay":
		return Accepted{ID: res[1], State: Queued, Joined: res[2] == "1", Replayed: true}, true, nil
	case "conflict":
		return Accepted{}, false, ErrIdempotencyConflict
	}
	return Accepted{}, false, fmt.Errorf("joining job %s: unexpected answer %q", id, res[0])
}

// afterLostJoin finds out whether a request that meant to join job id did so
// although that brought an error: then the job has it in its audience.
func (s *Store) afterLostJoin(ctx context.Context, id string, j *Job, callbackURL string, cause error) (Accepted, bool, error) {
	var answer redis.Error
	if errors.As(cause, &answer) {
		// Redis did answer, and said no.
		return Accepted{}, false, unavailable("joining job "+id, cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lostReplyWait)
	defer cancel()
	var want []any
	if j.ChatID != "" {
		want = append(want, chatMember(j.ChatID))
	}
	if callbackURL != "" {
		want = append(want, urlMember(callbackURL))
	}
	h := j.home()
	var state *redis.StringCmd
	var has *redis.BoolSliceCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		state = p.HGet(ctx, h.record(id), "state")
		if len(want) > 0 {
			has = p.SMIsMember(ctx, h.audience(id), want...)
		}
		return nil
	})
	if err != nil {
		return Accepted{}, false, unavailable("joining job "+id, cause)
	}
	in := !State(state.Val()).Final()
	if has != nil {
		in = !slices.Contains(has.Val(), false)
	}
	if !in {
		return Accepted{}, false, unavailable("joining job "+id, cause)
	}
	return Accepted{ID: id, State: State(state.Val()), Joined: true}, true, nil
}

// lostReplyWait bounds the look for a record whose acceptance was not
// confirmed, beyond the request's own deadline.
const lostReplyWait = 400 * time.Millisecond

// afterLostReply finds out whether a job whose acceptance brought an error was
// taken all the same: the record is the proof. Where that can't be read either,
// the request is refused, and the job withdrawn once Redis is back; but not one
// whose id its producer chose, who will bring it again.
func (s *Store) afterLostReply(ctx context.Context, j *Job, r Request, cause error) (Accepted, error) {
	var answer redis.Error
	if errors.As(cause, &answer) {
		// Redis did answer, and said no.
		return Accepted{}, unavailable("accepting job "+j.ID, cause)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lostReplyWait)
	defer cancel()
	n, err := s.rdb.Exists(ctx, j.home().record(j.ID)).Result()
	switch {
	case err != nil && (r.ID == "" || r.Fresh):
		s.withdrawLater(j, r.IdempotencyScope)
	case err == nil && n == 1:
		return Accepted{ID: j.ID, State: Queued}, nil
	}
	return Accepted{}, unavailable("accepting job "+j.ID, cause)
}

// givesUp is when the caller stops waiting, on Redis' clock in milliseconds;
// empty if it doesn't.
func (s *Store) givesUp(ctx context.Context) string {
	d, ok := ctx.Deadline()
	if !ok {
		return ""
	}
	return millis(d.Add(time.Duration(s.offset.Load())))
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}
