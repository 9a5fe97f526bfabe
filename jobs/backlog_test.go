package jobs_test

import (
	"errors"
	"testing"
	"time"

	"switchyard/jobs"
)

// What waits in a queue is counted by its state, and the oldest says since when.
func TestBacklogs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := time.Now()
	first := b.accept(t, ordered("", 1))
	after := time.Now()
	b.accept(t, ordered("", 2))
	b.accept(t, toggle(16))

	c, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: b.accept(t, ordered("", 3)), Attempt: 1}, b.proc.NewOwner())
	must(t, err)
	if v != jobs.Run {
		t.Fatalf("verdict %v", v)
	}
	must(t, c.Again(b.ctx, time.Minute, errors.New("nobody there"), nil))

	got, err := b.store.Backlogs(b.ctx, []string{"delivery", "host:h1", "host:h1:status"})
	must(t, err)
	// The third's first task is still there: nobody has fetched it.
	if d := got["delivery"]; d.Pending != 3 || d.Scheduled != 1 || d.Active != 0 || d.Retry != 0 || d.Oldest.Before(before) || d.Oldest.After(after) {
		t.Errorf("delivery: %+v (first %s, accepted %s to %s)", d, first, before, after)
	}
	if h := got["host:h1"]; h.Pending != 1 || h.Oldest.Before(after) {
		t.Errorf("host's queue: %+v", h)
	}
	if s, ok := got["host:h1:status"]; !ok || s != (jobs.Backlog{}) {
		t.Errorf("an empty queue: %+v, %v", s, ok)
	}
	b.srv.Stop()
	if _, err := b.store.Backlogs(b.ctx, []string{"delivery"}); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("error %v without Redis", err)
	}
	if _, _, err := b.store.OwedSince(b.ctx); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("error %v without Redis", err)
	}
}

// What is owed counts from the oldest debt.
func TestOwedSince(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if n, oldest, err := b.store.OwedSince(b.ctx); n != 0 || !oldest.IsZero() || err != nil {
		t.Errorf("%d since %s, %v; want nothing", n, oldest, err)
	}
	before := b.store.Now().Add(-time.Millisecond)
	for _, subnet := range []int{16, 17} {
		_, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: b.accept(t, toggle(subnet)), Attempt: 1, Host: "h1"}, b.proc.NewOwner())
		must(t, err)
		if v != jobs.Run {
			t.Fatalf("verdict %v", v)
		}
	}
	if n, oldest, err := b.store.OwedSince(b.ctx); n != 2 || oldest.Before(before) || oldest.After(b.store.Now()) || err != nil {
		t.Errorf("%d since %s, %v; want 2 since %s", n, oldest, err, before)
	}
}
