package jobs_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"switchyard/jobs"
)

// The pause before another try is never shorter than asked for, and at most a
// second longer, though asynq counts in whole seconds.
func TestAgainKeepsTheDelay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, delay := range []time.Duration{time.Millisecond, 500 * time.Millisecond, time.Second, 1999 * time.Millisecond, time.Hour} {
		id := b.accept(t, ordered("", i))
		c := b.claim(t, id)
		before := time.Now()
		must(t, c.Again(b.ctx, delay, errors.New("x"), nil))
		after := time.Now()
		if j := b.get(t, id); j.State != jobs.Retrying || j.Attempt != 2 {
			t.Errorf("%v: record is %+v", delay, j)
		}
		score, err := b.rdb.ZScore(b.ctx, "asynq:{delivery}:scheduled", fmt.Sprintf("%s:2", id)).Result()
		must(t, err)
		if at := time.Unix(int64(score), 0); at.Before(before.Add(delay)) || at.After(after.Add(delay+time.Second)) {
			t.Errorf("%v: due after %v", delay, at.Sub(before))
		}
	}
}

// A result so far and the progress are kept over the attempts, and the last
// failure is shown until the next attempt begins.
func TestAgainKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	c := b.claim(t, id)
	must(t, c.Progress(b.ctx, map[string]int{"step": 2}))
	must(t, c.Again(b.ctx, 0, errors.New("modem hung"), []byte(`{"attempts":[1]}`)))
	j := b.get(t, id)
	if j.Error != "modem hung" || string(j.Result) != `{"attempts":[1]}` || string(j.Progress) != `{"step":2}` {
		t.Errorf("record is %+v", j)
	}
	c = b.claim(t, id)
	if string(c.Result) != `{"attempts":[1]}` || c.Error != "" || c.Tries != 1 || !c.Started.Equal(j.Started) {
		t.Errorf("the next attempt is given %+v", c.Job)
	}
	must(t, c.Again(b.ctx, 0, nil, nil)) // released: nothing failed
	if j := b.get(t, id); j.Tries != 1 || j.Crashes != 0 || string(j.Result) != `{"attempts":[1]}` {
		t.Errorf("after a release the record is %+v", j)
	}
	c = b.claim(t, id)
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(`1`), Progress: []byte(`2`)}))
	if j := b.get(t, id); string(j.Result) != `1` || string(j.Progress) != `2` || j.State != jobs.Completed {
		t.Errorf("at the end the record is %+v", j)
	}
}

// The same handler that asks again, because the first answer was lost, has the
// job; another one of the same process hasn't.
func TestClaimAskedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	p := jobs.TaskPayload{Job: id, Attempt: 1, Host: "h1"}
	owner := b.proc.NewOwner()
	for range 2 {
		if c, v, err := b.store.Claim(b.ctx, p, owner); err != nil || v != jobs.Run || c.ID != id {
			t.Errorf("its owner got %v, %v", v, err)
		}
	}
	if c, v, err := b.store.Claim(b.ctx, p, b.proc.NewOwner()); err != nil || v != jobs.Held || c != nil {
		t.Errorf("another got %v, %v, %v", c, v, err)
	}
	if c, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: jobs.NewID(time.Now()), Attempt: 1}, owner); err != nil || v != jobs.Stale || c != nil {
		t.Errorf("of no job: %v, %v, %v", c, v, err)
	}
}

// A job that is tried again later doesn't expire before that: its patience
// begins when it may run.
func TestPatienceBeginsWithTheNextTry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, expiring(toggle(16), time.Minute))
	patience, err := b.rdb.HGet(b.ctx, "sw:v1:h:h1:job:"+id, "patience").Int64()
	must(t, err)
	must(t, b.claim(t, id).Again(b.ctx, time.Hour, errors.New("x"), nil))
	due, err := b.rdb.ZScore(b.ctx, "asynq:{host:h1}:scheduled", id+":2").Result()
	must(t, err)
	want := time.Unix(int64(due), 0).Add(time.Duration(patience) * time.Millisecond)
	if got := b.get(t, id).Expires; !got.Equal(want) {
		t.Errorf("it expires at %v, want %v", got, want)
	}
}
