package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	// turnLease is how long a turn is believed under way after its process said
	// so; then a repeat gets the turn.
	turnLease = 10 * time.Second
	// turnBeat is how often it says so.
	turnBeat = 3 * time.Second
	// forgetWait bounds what a client that is refused waits for that.
	forgetWait = 100 * time.Millisecond
)

// Answer is what was answered to a request under an Idempotency-Key.
type Answer struct {
	Status int
	Header map[string]string
	Body   []byte
}

// Turn is one request under an Idempotency-Key, from its arrival to its answer.
// While it lasts, repeats of the request are refused; end it by Keep or Forget.
// It ends by itself a few seconds after its process has died.
//
// It is about answers, whatever the request does. That a repeat makes no second
// job, also where the first one's answer was never kept, is Accept's part (see
// Request).
type Turn struct {
	store      *Store
	key, owner string
	over       context.CancelFunc
}

// Begin begins a request's turn; where the request has been answered before, it
// returns that answer instead. scope tells apart the same Idempotency-Key of
// different clients and endpoints; content is what was asked. Errors:
// ErrIdempotencyConflict, ErrInProgress, ErrUnavailable.
func (s *Store) Begin(ctx context.Context, scope string, content []byte) (*Turn, *Answer, error) {
	now := s.Now()
	t := &Turn{store: s, key: answerKey(scope), owner: NewID(now)}
	res, err := beginScript.Run(ctx, s.rdb, []string{t.key}, fingerprint(content), t.owner, now.UnixMilli(),
		now.Add(turnLease).UnixMilli(), s.opt.IdempotencyWindow.Milliseconds(), s.givesUp(ctx)).StringSlice()
	if err != nil {
		t.forgetLater() // it may have begun
		return nil, nil, unavailable("looking for an earlier answer", err)
	}
	switch res[0] {
	case "begun":
		beating, over := context.WithCancel(s.life)
		t.over = over
		s.withdrawals.Go(func() { t.beat(beating) })
		return t, nil, nil
	case "answered":
		a, err := parseAnswer(res[1:])
		return nil, a, err
	case "conflict":
		return nil, nil, ErrIdempotencyConflict
	case "running":
		return nil, nil, ErrInProgress
	case "late":
		return nil, nil, fmt.Errorf("looking for an earlier answer: redis answered too late: %w", ErrUnavailable)
	}
	return nil, nil, fmt.Errorf("looking for an earlier answer: unexpected answer %q", res[0])
}

// Keep ends the turn with an answer, which repeats get for as long as an
// Idempotency-Key is remembered. Errors: ErrLost, when the turn was taken for
// dead and a repeat has it; ErrUnavailable.
func (t *Turn) Keep(ctx context.Context, a Answer) error {
	t.over()
	header, err := json.Marshal(a.Header)
	if err != nil {
		return fmt.Errorf("writing down an answer: %w", err)
	}
	return t.run(ctx, "keep", a.Status, string(header), a.Body, t.store.opt.IdempotencyWindow.Milliseconds())
}

// Forget ends the turn as if it had never been. Where Redis is away that is
// made good when it is back. Error: ErrUnavailable.
func (t *Turn) Forget(ctx context.Context) error {
	t.over()
	ctx, cancel := context.WithTimeout(ctx, forgetWait)
	defer cancel()
	err := t.run(ctx, "forget")
	if errors.Is(err, ErrLost) {
		return nil
	}
	if err != nil {
		t.forgetLater()
	}
	return err
}

// forgetLater ends the turn as soon as Redis is back, so that nobody who was
// told to try again is then told that the first try is under way.
func (t *Turn) forgetLater() {
	s := t.store
	s.withdrawals.Go(func() {
		ctx, cancel := context.WithTimeout(s.life, turnLease) // then it has ended by itself
		defer cancel()
		for errors.Is(t.run(ctx, "forget"), ErrUnavailable) && pause(ctx, withdrawPause) {
		}
	})
}

// beat says that the turn is under way, until ctx ends. A word that doesn't
// reach Redis is made good by the next.
func (t *Turn) beat(ctx context.Context) {
	for pause(ctx, turnBeat) {
		if errors.Is(t.run(ctx, "extend", t.store.Now().Add(turnLease).UnixMilli()), ErrLost) {
			return
		}
	}
}

func (t *Turn) run(ctx context.Context, what string, args ...any) error {
	res, err := turnScript.Run(ctx, t.store.rdb, []string{t.key}, append([]any{t.owner, what}, args...)...).Text()
	if err != nil {
		return unavailable("noting how a request goes", err)
	}
	if res != "ok" {
		return fmt.Errorf("the turn of a request: %w", ErrLost)
	}
	return nil
}

// Seen returns the job that the same request has had made before, for whoever
// would refuse the request otherwise; ok is false where there is none. Errors:
// ErrIdempotencyConflict, ErrUnavailable.
func (s *Store) Seen(ctx context.Context, scope string, content []byte) (a Accepted, ok bool, err error) {
	res, err := seenScript.Run(ctx, s.rdb, []string{idemKey(scope)}, fingerprint(content), s.givesUp(ctx)).StringSlice()
	if err != nil {
		return Accepted{}, false, unavailable("looking for an earlier request", err)
	}
	switch res[0] {
	case "new":
		return Accepted{}, false, nil
	case "replay":
		return Accepted{ID: res[1], State: Queued, Joined: res[2] == "1", Replayed: true}, true, nil
	case "conflict":
		return Accepted{}, false, ErrIdempotencyConflict
	case "late":
		return Accepted{}, false, fmt.Errorf("looking for an earlier request: redis answered too late: %w", ErrUnavailable)
	}
	return Accepted{}, false, fmt.Errorf("looking for an earlier request: unexpected answer %q", res[0])
}

// fingerprint is what is remembered of a request's content.
func fingerprint(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func parseAnswer(parts []string) (*Answer, error) {
	status, err := strconv.Atoi(parts[0])
	a := &Answer{Status: status, Body: []byte(parts[2])}
	if err = errors.Join(err, json.Unmarshal([]byte(parts[1]), &a.Header)); err != nil {
		return nil, fmt.Errorf("reading an earlier answer: %w", err)
	}
	return a, nil
}

// pause waits for d; false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
