package jobs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/events"
	"switchyard/jobs"
	"switchyard/tasks"
)

// minute is the one that it is.
func (b *bundle) minute() time.Time { return b.store.Now().Truncate(time.Minute) }

// push drafts the push of a host that is due now, whatever the minute.
func (b *bundle) push(host string) tasks.Draft {
	return tasks.NewPush(host, b.store.Now(), 55*time.Second, 10*time.Second)
}

// pushed has the push of host h1 made, and returns its id.
func (b *bundle) pushed(t *testing.T, d tasks.Draft) string {
	t.Helper()
	n, err := b.store.AcceptDue(b.ctx, b.minute(), []tasks.Draft{d})
	must(t, err)
	if n != 1 {
		t.Fatalf("%d made", n)
	}
	ids, err := b.rdb.ZRange(b.ctx, "sw:v1:h:h1:open", -1, -1).Result()
	must(t, err)
	return ids[0]
}

// claimDue takes up an attempt of a fleeting job, which no index leads to.
func (b *bundle) claimDue(t *testing.T, id string, attempt int) (*jobs.Claim, jobs.Verdict) {
	t.Helper()
	c, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: attempt, Host: "h1"}, b.proc.NewOwner())
	must(t, err)
	return c, v
}

// wantNothing holds that there is no trace of any fleeting job but the guard of
// its minute, and perhaps that its queue and its worker exist.
func (b *bundle) wantNothing(t *testing.T) {
	t.Helper()
	keys := b.rdb.Keys(b.ctx, "*").Val()
	keys = slices.DeleteFunc(keys, func(k string) bool {
		return k == "asynq:queues" || strings.HasSuffix(k, ":processes") || k == "sw:v1:h:h1:due:push"
	})
	if len(keys) > 0 {
		t.Errorf("left behind: %v", keys)
	}
}

// Ensure however many look, one job is made on each host in a period, and those
// that look later see which are missing.
func TestDueIsMadeOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hosts := []string{"h1", "h2", "h3"}
	minute := b.minute()
	var mu sync.Mutex
	made := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var drafts []tasks.Draft
			for _, h := range hosts[:2] {
				drafts = append(drafts, b.push(h))
			}
			n, err := b.store.AcceptDue(b.ctx, minute, drafts)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			made += n
		})
	}
	all.Wait()
	if made != 2 {
		t.Errorf("%d made", made)
	}
	due, err := b.store.Due(b.ctx, tasks.Push, minute, hosts)
	must(t, err)
	if !slices.Equal(due, []string{"h3"}) {
		t.Errorf("due are %v", due)
	}
	for _, h := range hosts[:2] {
		if n := len(b.pending(t, tasks.HostStatusQueue(h))); n != 1 {
			t.Errorf("%d tasks wait on %s", n, h)
		}
	}
	// One that is a moment behind makes none; in the next minute each is due.
	n, err := b.store.AcceptDue(b.ctx, minute.Add(-time.Minute), []tasks.Draft{b.push("h1")})
	if must(t, err); n != 0 {
		t.Error("one that is behind made another")
	}
	due, err = b.store.Due(b.ctx, tasks.Push, minute.Add(time.Minute), hosts)
	if must(t, err); len(due) != 3 {
		t.Errorf("due in the next minute are %v", due)
	}
}

// Ensure a fleeting job stands in no index and makes no event, runs like any
// other, and leaves nothing behind, even if its end is told twice.
func TestDueLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.pushed(t, b.push("h1"))
	if _, err := b.store.Get(b.ctx, id); !errors.Is(err, jobs.ErrUnknown) {
		t.Errorf("it can be looked up: %v", err)
	}
	if ttl := b.rdb.TTL(b.ctx, "sw:v1:h:h1:job:"+id).Val(); ttl <= 0 {
		t.Errorf("forgotten by everybody, it would be kept for good: %v", ttl)
	}
	c, v := b.claimDue(t, id, 1)
	if v != jobs.Run || c.Type != tasks.Push || !c.Fleeting || !c.Once || c.Host != "h1" {
		t.Fatalf("verdict %v, %+v", v, c)
	}
	if _, v := b.claimDue(t, id, 1); v != jobs.Held {
		t.Errorf("another handler's verdict: %v", v)
	}
	must(t, c.Check(b.ctx))
	for range 2 {
		must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(`{}`)}))
	}
	if _, v := b.claimDue(t, id, 1); v != jobs.Stale {
		t.Errorf("after its end: %v", v)
	}
	// asynq strikes its task off when the handler is through.
	must(t, b.rdb.Del(b.ctx, "asynq:{host:h1:status}:t:"+id+":1", "asynq:{host:h1:status}:pending").Err())
	b.wantNothing(t)
}

// Ensure a stopping worker hands a fleeting job back, for its next attempt and
// with no event, and that one that was taken from it can't end it.
func TestDueIsReleased(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.pushed(t, b.push("h1"))
	c, _ := b.claimDue(t, id, 1)
	must(t, c.Again(b.ctx, 0, nil, nil))
	if err := c.Finish(b.ctx, jobs.End{State: jobs.Completed}); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("it ended what it had handed back: %v", err)
	}
	second, v := b.claimDue(t, id, 2)
	if v != jobs.Run || second.Expires.Sub(c.Expires) != 0 {
		t.Errorf("verdict %v; it expires at %v, and did at %v", v, second.Expires, c.Expires)
	}
	if n := b.rdb.XLen(b.ctx, events.JobStream).Val(); n != 0 {
		t.Errorf("%d events", n)
	}
}

// Ensure a fleeting job that no worker takes up ends when its time is over, and
// its task with it: a host that only says it is alive gathers none.
func TestDueExpires(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.push("h1")
	d.Expires = b.store.Now().Add(-time.Millisecond)
	id := b.pushed(t, d)
	if _, v := b.claimDue(t, id, 1); v != jobs.Expired {
		t.Errorf("verdict %v", v)
	}
	n, err := b.store.NewSweeper(discard).Sweep(b.ctx, []string{"h1"})
	must(t, err)
	if n.Expired != 1 {
		t.Errorf("swept: %+v", n)
	}
	b.wantNothing(t)
}

// Ensure a fleeting job whose worker died in the middle of it is not run again:
// it may have been done. One whose task was lost on the way to a worker is.
func TestDueAndDeadWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	b.alive(t, b.proc)
	id := b.pushed(t, b.push("h1"))
	must(t, b.rdb.Del(b.ctx, "asynq:{host:h1:status}:t:"+id+":1", "asynq:{host:h1:status}:pending").Err())
	if n := b.sweep(t); n.Rescued != 1 {
		t.Errorf("its task was lost: swept %+v", n)
	}
	if _, v := b.claimDue(t, id, 2); v != jobs.Run {
		t.Fatalf("verdict %v", v)
	}
	b.silent(t, b.proc)
	if n := b.sweep(t); n.Lost != 1 {
		t.Errorf("its worker died: swept %+v", n)
	}
	if _, v := b.claimDue(t, id, 3); v != jobs.Stale {
		t.Errorf("verdict %v", v)
	}
	must(t, b.rdb.Del(b.ctx, "asynq:{host:h1:status}:t:"+id+":2", "asynq:{host:h1:status}:pending").Err())
	b.wantNothing(t)
}

// Ensure nothing of a removed host's fleeting jobs stays.
func TestDueOfARemovedHost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pushed(t, b.push("h1"))
	must(t, b.proc.Leave(b.ctx))
	n, more, err := b.store.Evict(b.ctx, "h1", b.store.Now().Add(time.Second))
	must(t, err)
	if n != 1 || more {
		t.Errorf("%d ended, more %v", n, more)
	}
	if keys := b.rdb.Keys(b.ctx, "*h1*").Val(); len(keys) > 0 {
		t.Errorf("left behind: %v", keys)
	}
}

// Ensure a guard that was written before the clock was set back, or that is no
// guard at all, holds up nothing, and a host with spoilt keys holds up no other.
func TestDueOnASpoiltHost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	minute := b.minute()
	guard := "sw:v1:h:h1:due:push"
	made := func(want int) {
		t.Helper()
		due, err := b.store.Due(b.ctx, tasks.Push, minute, []string{"h1"})
		must(t, err)
		n, err := b.store.AcceptDue(b.ctx, minute, []tasks.Draft{b.push("h1")})
		must(t, err)
		if n != want || len(due) != want {
			t.Errorf("%d made, %v due; want %d", n, due, want)
		}
	}
	must(t, b.rdb.Set(b.ctx, guard, minute.Add(time.Hour).UnixMilli(), 0).Err())
	made(1)
	must(t, b.rdb.Set(b.ctx, guard, minute.Add(time.Minute).UnixMilli(), 0).Err())
	made(0)
	must(t, b.rdb.Set(b.ctx, guard, "soon", 0).Err())
	made(1)
	must(t, b.rdb.Del(b.ctx, guard).Err())
	must(t, b.rdb.RPush(b.ctx, guard, "a list").Err())
	made(1)

	must(t, b.rdb.Del(b.ctx, guard, "sw:v1:h:h1:open").Err())
	must(t, b.rdb.Set(b.ctx, "sw:v1:h:h1:open", "no index", 0).Err())
	n, err := b.store.AcceptDue(b.ctx, minute, []tasks.Draft{b.push("h1"), b.push("h2")})
	if n != 1 || err == nil || errors.Is(err, jobs.ErrUnavailable) || !strings.Contains(err.Error(), "h1") {
		t.Errorf("%d made, %v", n, err)
	}
	due, err := b.store.Due(b.ctx, tasks.Push, minute, []string{"h1"})
	if must(t, err); len(due) > 0 {
		t.Error("it is tried again in the same minute")
	}
}

// Ensure a Redis that was restarted, and knows no script, is no outage.
func TestDueAfterARestart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 2 {
		must(t, b.rdb.ScriptFlush(b.ctx).Err())
		n, err := b.store.AcceptDue(b.ctx, b.minute().Add(time.Duration(i)*time.Minute), []tasks.Draft{b.push("h1"), b.push("h2")})
		must(t, err)
		if n != 2 {
			t.Errorf("%d made", n)
		}
	}
}

// Ensure what a Redis that hung reads when it goes on makes nothing: whoever wanted
// it has given up, and looks again.
func TestDueWhileRedisHangs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, store := b.over(t, 0)
	_, err := store.AcceptDue(b.ctx, b.minute(), []tasks.Draft{b.push("h2")}) // connected, and the script is known
	must(t, err)
	calls := b.scriptCalls(t)

	must(t, b.srv.Hang())
	ctx, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
	defer cancel()
	n, err := store.AcceptDue(ctx, b.minute(), []tasks.Draft{b.push("h1")})
	end, _ := ctx.Deadline() // which Redis knows to the millisecond
	b.eventually(t, "that is past", func() bool { return time.Since(end) > 5*time.Millisecond })
	must(t, b.srv.Resume())
	if n != 0 || !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("%d made, %v, want ErrUnavailable", n, err)
	}
	b.eventually(t, "redis has read what it was sent while it hung", func() bool { return b.scriptCalls(t) > calls })
	if keys := b.rdb.Keys(b.ctx, "sw:v1:h:h1:[djo]*").Val(); len(keys) > 0 { // guard, record, list
		t.Errorf("it was made all the same: %v", keys)
	}
	b.pushed(t, b.push("h1")) // and nothing stands against it now
}

// Ensure a job that somebody asked for, or that others are told of, can't be made
// by the clock: nobody could find it.
func TestDueIsFleeting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, d := range map[string]tasks.Draft{
		"a manual push": tasks.NewManualPush("h1", b.store.Now(), time.Minute, time.Second),
		"a toggle":      toggle(16).Draft,
		"a callback":    ordered("k", 1).Draft,
	} {
		if n, err := b.store.AcceptDue(b.ctx, b.minute(), []tasks.Draft{d}); err == nil || n != 0 {
			t.Errorf("%s: %d made, %v", name, n, err)
		}
	}
	b.wantNothing(t)
}
