package jobs_test

import (
	"testing"

	"switchyard/jobs"
)

// Of the jobs that stand as run by a process, those are let go that no handler
// runs any more: queued again, or ended without success if they must not be
// done twice. Others' are not touched.
func TestLetGoOfStrays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	owned := func(owner string, once bool) string {
		r := toggle(0)
		r.JoinKey, r.Once = "", once
		id := b.accept(t, r)
		_, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1, Host: r.Host}, owner)
		must(t, err)
		if v != jobs.Run {
			t.Fatalf("verdict %v", v)
		}
		return id
	}
	running, over, overOnce := b.proc.NewOwner(), b.proc.NewOwner(), b.proc.NewOwner()
	kept, stray, once := owned(running, false), owned(over, false), owned(overOnce, true)
	others := owned(b.store.NewProcess(true).NewOwner(), false)
	b.proc.Retire(over)
	b.proc.Retire(overOnce)
	n, err := b.proc.LetGoOfStrays(b.ctx)
	must(t, err)
	if n != 2 {
		t.Errorf("%d let go, want 2", n)
	}
	for id, want := range map[string]jobs.State{kept: jobs.Running, others: jobs.Running, stray: jobs.Queued, once: jobs.Completed} {
		if j := b.get(t, id); j.State != want || (j.Attempt == 2) != (want == jobs.Queued) {
			t.Errorf("job is %s at attempt %d, want %s", j.State, j.Attempt, want)
		}
	}
	if n, err = b.proc.LetGoOfStrays(b.ctx); err != nil || n != 0 {
		t.Errorf("again: %d let go, error %v", n, err)
	}
}

// However many there are, and though those that have failed leave the list, none
// is passed over.
func TestLetGoOfManyStrays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const many = 520 // more than are looked at at once
	r := ordered("", 0)
	r.Once = true
	over := b.proc.NewOwner()
	for _, id := range b.acceptMany(t, many, func(int) jobs.Request { return r }) {
		_, _, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1}, over)
		must(t, err)
	}
	b.proc.Retire(over)
	if n, err := b.proc.LetGoOfStrays(b.ctx); n != many || err != nil {
		t.Errorf("%d let go, want %d; error %v", n, many, err)
	}
}
