package jobs_test

import (
	"errors"
	"testing"
	"time"

	"switchyard/jobs"
)

// A job that was taken although its request was refused doesn't run: once Redis
// is back it is withdrawn, nobody is told of it, and the next request under the
// same Idempotency-Key begins anew.
func TestRefusedJobIsWithdrawn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r, refused := b.refused(t)
	refused.dead.Store(false) // Redis is back

	j := b.awaitState(t, r.ID, jobs.Cancelled)
	if j.Error == "" || j.Result != nil {
		t.Errorf("record is %+v", j)
	}
	if _, v := b.tryClaim(t, r.ID, 1); v != jobs.Stale {
		t.Errorf("claim: %v, want Stale", v)
	}
	if d := mustDebts(t, b); len(d) != 0 {
		t.Errorf("owed: %v, want nothing", d)
	}
	again := r
	again.ID = jobs.NewID(time.Now())
	a, err := b.store.Accept(b.ctx, again)
	if err != nil || a.ID != again.ID || a.Replayed || a.Joined {
		t.Errorf("the same request again: %+v, %v, want a job of its own", a, err)
	}
}

// From the moment that a job is withdrawn no handler gets it and no request joins
// it, also before its end is recorded.
func TestWithdrawnJobIsOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:h1:job:"+id, "withdrawn", "1").Err())
	if _, v := b.tryClaim(t, id, 1); v != jobs.Stale {
		t.Errorf("claim: %v, want Stale", v)
	}
	if a, err := b.store.Accept(b.ctx, toggle(16)); err != nil || a.Joined || a.ID == id {
		t.Errorf("the same request: %+v, %v, want a job of its own", a, err)
	}
}

// A job that somebody relies on meanwhile, by joining it or by running it, is
// not withdrawn.
func TestReliedUponJobIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	for name, rely := range map[string]func(*testing.T, *bundle, jobs.Request){
		"joined": func(t *testing.T, b *bundle, r jobs.Request) {
			r.ID, r.IdempotencyScope = "", ""
			if a, err := b.store.Accept(b.ctx, r); err != nil || !a.Joined {
				t.Fatalf("joining: %+v, %v", a, err)
			}
		},
		"promised again, under its Idempotency-Key": func(t *testing.T, b *bundle, r jobs.Request) {
			id := r.ID
			r.ID = ""
			if a, err := b.store.Accept(b.ctx, r); err != nil || !a.Replayed || a.ID != id {
				t.Fatalf("the same request again: %+v, %v", a, err)
			}
		},
		"running": func(t *testing.T, b *bundle, r jobs.Request) { b.claim(t, r.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r, refused := b.refused(t)
			rely(t, b, r)
			refused.dead.Store(false)
			must(t, refused.store.AwaitWithdrawals(b.ctx))
			if j := b.get(t, r.ID); j.State.Final() {
				t.Errorf("record is %+v", j)
			}
		})
	}
}

type refusal struct {
	*line
	store *jobs.Store
}

// refused has a request refused although Redis takes its job: the reply is lost,
// and then the line.
func (b *bundle) refused(t *testing.T) (jobs.Request, refusal) {
	t.Helper()
	b.warm(t)
	r := toggle(16)
	r.IdempotencyScope, r.Fingerprint = "k", []byte("a")
	l, store := b.over(t, 0)
	l.dead.Store(true)
	l.cut(1, replyLost)
	if _, err := store.Accept(b.ctx, r); !errors.Is(err, jobs.ErrUnavailable) {
		t.Fatalf("accepting on a line that is cut: %v", err)
	}
	id, err := b.rdb.Get(b.ctx, "sw:v1:h:h1:join:"+r.JoinKey).Result()
	must(t, err)
	if r.ID = id; b.get(t, id).State != jobs.Queued {
		t.Fatalf("record is %+v", b.get(t, id))
	}
	return r, refusal{l, store}
}

// awaitState reads the record again and again, until it is in the state.
func (b *bundle) awaitState(t *testing.T, id string, want jobs.State) *jobs.Job {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		j := b.get(t, id)
		if j.State == want {
			return j
		}
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			t.Fatalf("record is %+v, want %s", j, want)
		}
	}
}

// A job whose producer chose its id is not withdrawn: it will be brought again,
// and then is there.
func TestProducersOwnJobIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.warm(t)
	r := ordered("", 0)
	r.ID = jobs.DerivedID(time.Now(), "a fact")
	l, store := b.over(t, 0)
	l.dead.Store(true)
	l.cut(1, replyLost)
	if _, err := store.Accept(b.ctx, r); !errors.Is(err, jobs.ErrUnavailable) {
		t.Fatalf("accepting on a line that is cut: %v", err)
	}
	l.dead.Store(false)
	must(t, store.AwaitWithdrawals(b.ctx))
	if a, err := store.Accept(b.ctx, r); err != nil || a.ID != r.ID {
		t.Fatalf("brought again: %+v, %v", a, err)
	}
	if j := b.get(t, r.ID); j.State != jobs.Queued {
		t.Errorf("record is %+v", j)
	}
}

// A withdrawn job whose end was not recorded, since its process died, is ended by
// the sweep; and run again on demand.
func TestSweepEndsWithdrawnJobs(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	id := b.accept(t, toggle(16))
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:h1:job:"+id, "withdrawn", "1").Err())
	b.sweep(t)
	if j := b.get(t, id); j.State != jobs.Cancelled {
		t.Fatalf("record is %+v", j)
	}
	must(t, b.store.Reopen(b.ctx, id))
	must(t, b.claim(t, id).Finish(b.ctx, jobs.End{State: jobs.Completed}))
}

// A job whose predecessor in the order is gone, or over, is not blocked by it.
func TestSweepUnblocksOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	first, second := b.accept(t, ordered("k", 0)), b.accept(t, ordered("k", 1))
	must(t, b.rdb.Del(b.ctx, "sw:v1:job:"+first).Err())
	b.sweep(t)
	if j := b.get(t, second); j.Waiting {
		t.Errorf("record is %+v", j)
	}
	b.claim(t, second)
}
