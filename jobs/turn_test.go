package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/jobs"
)

func (b *bundle) begin(t *testing.T, scope, content string) *jobs.Turn {
	t.Helper()
	turn, first, err := b.store.Begin(b.ctx, scope, []byte(content))
	must(t, err)
	if first != nil {
		t.Fatalf("it was answered with %+v before", first)
	}
	return turn
}

// One request at a time has the turn under an Idempotency-Key; afterwards all get
// its answer, byte for byte.
func TestTurn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn := b.begin(t, "k", "a")
	if _, _, err := b.store.Begin(b.ctx, "k", []byte("a")); !errors.Is(err, jobs.ErrInProgress) {
		t.Errorf("a repeat meanwhile: %v", err)
	}
	if _, _, err := b.store.Begin(b.ctx, "k", []byte("b")); !errors.Is(err, jobs.ErrIdempotencyConflict) {
		t.Errorf("another content meanwhile: %v", err)
	}
	other := b.begin(t, "l", "a")
	want := jobs.Answer{Status: 202, Header: map[string]string{"Location": "/x"}, Body: []byte("\x00\xff{}\n")}
	must(t, turn.Keep(b.ctx, want))
	for range 2 {
		_, got, err := b.store.Begin(b.ctx, "k", []byte("a"))
		must(t, err)
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("the answer (-want +got):\n%s", diff)
		}
	}
	if _, _, err := b.store.Begin(b.ctx, "k", []byte("b")); !errors.Is(err, jobs.ErrIdempotencyConflict) {
		t.Errorf("another content afterwards: %v", err)
	}
	must(t, other.Forget(b.ctx))
	must(t, other.Forget(b.ctx))
	must(t, b.begin(t, "l", "b").Forget(b.ctx))
}

// A turn lasts as long as its process lives, and a few seconds longer; who was
// taken for dead then can't answer for its successor.
func TestTurnOfTheDead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn := b.begin(t, "k", "a")
	until := func() int64 {
		t.Helper()
		n, err := b.rdb.HGet(b.ctx, "sw:v1:answer:k", "until").Int64()
		must(t, err)
		return n
	}
	if left := time.UnixMilli(until()).Sub(b.store.Now()); left < 5*time.Second || left > 10*time.Second {
		t.Errorf("it is believed for %s", left)
	}
	first := until()
	b.eventually(t, "it says that it lives", func() bool { return until() > first })

	must(t, b.rdb.HSet(b.ctx, "sw:v1:answer:k", "until", b.store.Now().UnixMilli()).Err())
	if _, _, err := b.store.Begin(b.ctx, "k", []byte("b")); !errors.Is(err, jobs.ErrIdempotencyConflict) {
		t.Errorf("another content: %v", err)
	}
	successor := b.begin(t, "k", "a")
	if err := turn.Keep(b.ctx, jobs.Answer{Status: 500}); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("the dead one answers: %v", err)
	}
	must(t, turn.Forget(b.ctx))
	must(t, successor.Keep(b.ctx, jobs.Answer{Status: 202}))
	if _, got, err := b.store.Begin(b.ctx, "k", []byte("a")); err != nil || got.Status != 202 {
		t.Errorf("answered with %+v, %v", got, err)
	}
}

// A turn that began or ended while the line to Redis was cut, so that its client
// was told to try again, is over as soon as Redis is back, not when it would be
// believed dead.
func TestTurnOverABadLine(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(*testing.T, *line, *jobs.Store){
		"began": func(t *testing.T, l *line, s *jobs.Store) {
			l.cut(1, replyLost)
			if _, _, err := s.Begin(t.Context(), "k", []byte("a")); !errors.Is(err, jobs.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
		},
		"ended": func(t *testing.T, l *line, s *jobs.Store) {
			turn, _, err := s.Begin(t.Context(), "k", []byte("a"))
			must(t, err)
			l.dead.Store(true)
			l.cut(1, replyLost)
			if err := turn.Forget(t.Context()); err != nil && !errors.Is(err, jobs.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			l, store := b.over(t, 0)
			b.warmTurns(t)
			refuse(t, l, store)
			l.dead.Store(false)
			b.eventually(t, "the turn is over", func() bool { return b.rdb.Exists(b.ctx, "sw:v1:answer:k").Val() == 0 })
			must(t, b.begin(t, "k", "a").Forget(b.ctx))
		})
	}
}

// warmTurns has Redis know the scripts, so that each call is one command.
func (b *bundle) warmTurns(t *testing.T) {
	t.Helper()
	must(t, b.begin(t, "warm", "").Forget(b.ctx))
}

// Nobody begins who has given up.
func TestTurnTooLate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.warmTurns(t)
	ctx, cancel := context.WithTimeout(b.ctx, time.Nanosecond)
	defer cancel()
	if _, _, err := b.store.Begin(ctx, "k", nil); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	b.eventually(t, "nothing is left", func() bool { return b.rdb.Exists(b.ctx, "sw:v1:answer:k").Val() == 0 })
}

// Whoever would refuse a repeat finds the job that the first request made, and
// relies on it: it is not withdrawn any more.
func TestSeen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := toggle(16)
	r.IdempotencyScope, r.Fingerprint = "k", []byte("a")
	if a, ok, err := b.store.Seen(b.ctx, "k", []byte("a")); ok || err != nil {
		t.Errorf("before: %+v, %v", a, err)
	}
	id := b.accept(t, r)
	a, ok, err := b.store.Seen(b.ctx, "k", []byte("a"))
	if want := (jobs.Accepted{ID: id, State: jobs.Queued, Replayed: true}); err != nil || !ok || a != want {
		t.Errorf("afterwards: %+v, %v, %v, want %+v", a, ok, err, want)
	}
	if b.rdb.HGet(b.ctx, "sw:v1:idempotency:k", "replayed").Val() != "1" {
		t.Error("the job may still be withdrawn")
	}
	if _, _, err := b.store.Seen(b.ctx, "k", []byte("b")); !errors.Is(err, jobs.ErrIdempotencyConflict) {
		t.Errorf("another content: %v", err)
	}
}
