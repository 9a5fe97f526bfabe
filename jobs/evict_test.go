package jobs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
	"switchyard/tasks"
)

// collect drafts the collection of host h1.
func collect() jobs.Request {
	return jobs.Request{Draft: tasks.NewCollect("h1", time.Minute, time.Time{})}
}

// leftOf are the keys that hold something of host h1 beyond its jobs' records.
func (b *bundle) leftOf(t *testing.T) (left []string) {
	t.Helper()
	// Not h1 alone: an id may have that in it.
	all, err := b.rdb.Keys(b.ctx, "*:h1[:}]*").Result()
	must(t, err)
	for _, k := range all {
		if !strings.Contains(k, ":job:") && !strings.Contains(k, ":audience:") && !strings.Contains(k, ":index:") {
			left = append(left, k)
		}
	}
	return left
}

// Every unfinished job of a removed host has failed, whatever state it was in and
// whoever had it, with the result that others are owed; nothing but the records
// is left, not even of tasks that asynq holds for active; and it may be repeated.
func TestEvict(t *testing.T) {
	t.Parallel()
	b := setup(t)
	done := b.accept(t, toggle(15))
	must(t, b.claim(t, done).Finish(b.ctx, jobs.End{State: jobs.Completed}))
	running, fetched, queued := b.accept(t, toggle(16)), b.accept(t, toggle(17)), b.accept(t, toggle(18))
	b.fetch(t, running, time.Minute)
	c := b.claim(t, running)
	b.fetch(t, fetched, time.Minute)
	retrying := b.accept(t, collect())
	must(t, b.claim(t, retrying).Again(b.ctx, time.Minute, errors.New("no luck"), []byte(`{"half":1}`)))
	ahead := toggle(19)
	ahead.JoinKey = ""
	first, behind := b.accept(t, ahead), b.accept(t, ahead)
	elsewhere := b.accept(t, ordered("", 0))
	for _, d := range mustDebts(t, b) {
		must(t, b.store.Settle(b.ctx, d))
	}

	n, more, err := b.store.Evict(b.ctx, "h1", b.store.Now())
	must(t, err)
	if n != 6 || more {
		t.Errorf("ended %d, more %v; want 6", n, more)
	}
	for _, id := range []string{running, fetched, queued, retrying, first, behind} {
		j := b.get(t, id)
		if j.State != jobs.Failed || j.Error != "its host was removed" || j.Completed.IsZero() {
			t.Errorf("the job is %+v", j)
		}
		if want := `{"half":1}`; id == retrying && string(j.Result) != want {
			t.Errorf("its result is %s, want %s", j.Result, want)
		}
		if id != retrying && !strings.Contains(string(j.Result), `"success":false`) {
			t.Errorf("its result is %s", j.Result)
		}
	}
	if d := mustDebts(t, b); len(d) != 5 {
		t.Errorf("owed: %v, want the results of 5 toggles", d)
	}
	// Its worker, should it live, changes nothing any more.
	if err := c.Check(b.ctx); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("its worker is told %v", err)
	}
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
	if j := b.get(t, running); j.State != jobs.Failed {
		t.Errorf("its worker ended it as %s", j.State)
	}
	if left := b.leftOf(t); !slices.Equal(left, []string{"sw:v1:h:h1:processes"}) { // one lives
		t.Errorf("left %q", left)
	}
	if q := b.rdb.SMembers(b.ctx, "asynq:queues").Val(); len(q) != 1 || strings.Contains(q[0], "h1") {
		t.Errorf("queues %q", q)
	}
	if j := b.get(t, elsewhere); j.State != jobs.Queued {
		t.Errorf("a job of no host is %s", j.State)
	}
	if j := b.get(t, done); j.State != jobs.Completed {
		t.Errorf("a job that had ended is %s", j.State)
	}
	if n, more, err := b.store.Evict(b.ctx, "h1", b.store.Now()); n != 0 || more || err != nil {
		t.Errorf("repeated: %d, %v, %v", n, more, err)
	}
}

// A job accepted after the host was known to be gone is not touched: the host has
// come back.
func TestEvictSparesLaterJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.accept(t, toggle(16))
	before := b.get(t, old).Created
	b.eventually(t, "time has passed", func() bool { return b.store.Now().Sub(before) > 2*time.Millisecond })
	young := b.accept(t, toggle(17))
	if n, _, err := b.store.Evict(b.ctx, "h1", before); n != 1 || err != nil {
		t.Errorf("ended %d, %v; want 1", n, err)
	}
	if j := b.get(t, young); j.State != jobs.Queued {
		t.Errorf("the later job is %s", j.State)
	}
	p := b.pending(t, "host:h1")
	if !slices.Contains(p, young+":1") {
		t.Errorf("pending are %v, without %s", p, young)
	}
	for _, task := range p {
		if n := b.rdb.HExists(b.ctx, "asynq:{host:h1}:t:"+task, "msg").Val(); !n {
			t.Errorf("task %s is pending and has no message", task)
		}
	}
}

// Nor is one that is accepted while the queues are dropped: its task stays whole.
func TestEvictRacesWithAccept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(t, toggle(16))
	var id string
	b.rdb.AddHook(hook{After: func(c redis.Cmder) {
		if c.Name() == "lrange" && id == "" {
			id = "being accepted"
			id = b.accept(t, toggle(17))
		}
	}})
	_, _, err := b.store.Evict(b.ctx, "h1", b.store.Now())
	must(t, err)
	if p := b.pending(t, "host:h1"); !slices.Contains(p, id+":1") || b.taskState(t, id, 1) != "pending" {
		t.Errorf("pending are %v, and the task of %s is %q", p, id, b.taskState(t, id, 1))
	}
	// The next round has them all.
	_, _, err = b.store.Evict(b.ctx, "h1", b.store.Now().Add(time.Second))
	must(t, err)
	if j := b.get(t, id); j.State != jobs.Failed {
		t.Errorf("the job is %s", j.State)
	}
	if left := b.leftOf(t); !slices.Equal(left, []string{"sw:v1:h:h1:processes"}) {
		t.Errorf("left %q", left)
	}
}

// Whatever stands under the prefix of a removed host, its other jobs are failed
// and nothing but records is left.
func TestEvictGetsPastJunk(t *testing.T) {
	t.Parallel()
	for name, junk := range map[string]func(b *bundle, id string) error{
		"a record that can't be read": func(b *bundle, id string) error {
			return b.rdb.HSet(b.ctx, "sw:v1:h:h1:job:"+id, "attempt", "many").Err()
		},
		"a record of another kind": func(b *bundle, id string) error {
			return errors.Join(b.rdb.Del(b.ctx, "sw:v1:h:h1:job:"+id).Err(), b.rdb.Set(b.ctx, "sw:v1:h:h1:job:"+id, "x", 0).Err())
		},
		"a queue of another kind": func(b *bundle, _ string) error {
			return b.rdb.Set(b.ctx, "asynq:{host:h1}:retry", "x", 0).Err()
		},
		"processes of another kind": func(b *bundle, _ string) error {
			return errors.Join(b.rdb.Del(b.ctx, "sw:v1:h:h1:processes").Err(), b.rdb.Set(b.ctx, "sw:v1:h:h1:processes", "x", 0).Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			before, broken, behind := b.accept(t, toggle(15)), b.accept(t, toggle(16)), b.accept(t, toggle(17))
			must(t, junk(b, broken))
			if n, more, err := b.store.Evict(b.ctx, "h1", b.store.Now()); n != 3 || more || err != nil {
				t.Fatalf("ended %d, more %v, %v; want 3", n, more, err)
			}
			for _, id := range []string{before, behind} {
				if j := b.get(t, id); j.State != jobs.Failed {
					t.Errorf("job %s is %s", id, j.State)
				}
			}
			for _, k := range b.leftOf(t) {
				if !strings.HasSuffix(k, ":processes") && !strings.Contains(k, ":join:") {
					t.Errorf("left: %s", k)
				}
			}
			if s := b.rdb.HGet(b.ctx, "sw:v1:h:h1:job:"+broken, "state").Val(); s == string(jobs.Queued) {
				t.Error("what can't be read is still queued")
			}
		})
	}
	b := setup(t)
	must(t, b.rdb.Set(b.ctx, "sw:v1:h:h1:open", "x", 0).Err())
	if n, more, err := b.store.Evict(b.ctx, "h1", b.store.Now()); n != 0 || more || err != nil {
		t.Errorf("ended %d, more %v, %v", n, more, err)
	}
}

// Without Redis, ending a host's jobs is an error that says so.
func TestEvictWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.srv.Kill()
	if _, _, err := b.store.Evict(b.ctx, "h1", b.store.Now()); !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}
