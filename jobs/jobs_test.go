package jobs_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hibiken/asynq"

	"switchyard/events"
	"switchyard/jobs"
	"switchyard/tasks"
)

// An accepted job is a record, an index entry, an event and a task that a stock
// asynq inspector reads.
func TestAcceptCommitsEverything(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := toggle(16)
	r.ChatID = "-12345678"
	r.CallbackURL = "http://hooks.example.com/x"
	id := b.accept(t, r)

	j := b.get(t, id)
	if j.State != jobs.Queued || j.Type != tasks.Toggle || j.Host != "h1" || j.Subnet != 16 || j.ChatID != "-12345678" || j.Attempt != 1 {
		t.Errorf("record is %+v", j)
	}
	ins := asynq.NewInspectorFromRedisClient(b.rdb)
	ti, err := ins.GetTaskInfo("host:h1", id+":1")
	must(t, err)
	if ti.State != asynq.TaskStatePending || ti.Type != "toggle" {
		t.Errorf("asynq has %v of type %q", ti.State, ti.Type)
	}
	var p jobs.TaskPayload
	must(t, json.Unmarshal(ti.Payload, &p))
	if want := (jobs.TaskPayload{Job: id, Attempt: 1, Host: "h1", ChatID: "-12345678"}); p != want {
		t.Errorf("asynq's payload is %+v, want %+v", p, want)
	}
	if ti.Timeout != 2*time.Minute || ti.MaxRetry < 1000 {
		t.Errorf("asynq would end it itself: timeout %v, retries %d", ti.Timeout, ti.MaxRetry)
	}
	page, err := b.store.List(b.ctx, jobs.Filter{ChatID: "-12345678"}, 10, "")
	must(t, err)
	if len(page.Jobs) != 1 || page.Jobs[0].ID != id || page.Next != "" {
		t.Errorf("index by chat has %+v", page)
	}
	if n := b.rdb.XLen(b.ctx, events.JobStream).Val(); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	chats, urls, err := b.store.Audience(b.ctx, j)
	must(t, err)
	if diff := cmp.Diff([][]string{{"-12345678"}, {"http://hooks.example.com/x"}}, [][]string{chats, urls}); diff != "" {
		t.Errorf("audience (-want +got):\n%s", diff)
	}
}

// The task that asynq's own client would have written is the task we write: the
// scripts whose effect enqueue of the prelude repeats are pinned by their hash.
func TestAsynqEnqueueIsTheOneWeRepeat(t *testing.T) {
	t.Parallel()
	now, later := jobs.EnqueueScripts(t)
	if want := "98d28b42650870a743450ffda9791e9e19c6991b"; now != want {
		t.Errorf("asynq's enqueue script is %s, not %s: read its source again, then enqueue in prelude.lua", now, want)
	}
	if want := "8ce6b38a99b73194585c251eb3c2a89559f37a87"; later != want {
		t.Errorf("asynq's schedule script is %s, not %s: read its source again, then enqueue in prelude.lua", later, want)
	}
}

// A hundred requests for one dongle at once make one job that all of them get.
func TestJoin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var mu sync.Mutex
	ids, joined := map[string]int{}, 0
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			a, err := b.store.Accept(b.ctx, toggle(16))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			ids[a.ID]++
			if a.Joined {
				joined++
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || joined != 99 {
		t.Fatalf("%d jobs and %d joined, want 1 and 99", len(ids), joined)
	}
	for id := range ids {
		c := b.claim(t, id)
		must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
		if next := b.accept(t, toggle(16)); next == id {
			t.Error("a request joined a job that had ended")
		}
	}
}

// Nobody joins a job whose outcome a later one changes; those who ask for
// the later one join that.
func TestJoinPassesOverTheOutdated(t *testing.T) {
	t.Parallel()
	b := setup(t)
	x, err := tasks.ParseTarget("192.0.2.1")
	must(t, err)
	ask := func(typ tasks.Type, chat string) jobs.Accepted {
		t.Helper()
		a, err := b.store.Accept(b.ctx, jobs.Request{Draft: tasks.NewCF(typ, x, chat, 3)})
		must(t, err)
		return a
	}
	other := ask(tasks.CFBlock, "6")
	seen := map[string]bool{}
	for _, typ := range []tasks.Type{tasks.CFSearch, tasks.CFBlock, tasks.CFSearch, tasks.CFRelease, tasks.CFBlock, tasks.CFRelease, tasks.CFSearch} {
		a := ask(typ, "5")
		if a.Joined || seen[a.ID] {
			t.Errorf("%s joined one that was asked for before its outcome changed", typ)
		}
		seen[a.ID] = true
		if again := ask(typ, "5"); !again.Joined || again.ID != a.ID {
			t.Errorf("%s, asked for twice: %+v, then %+v", typ, a, again)
		}
	}
	if a := ask(tasks.CFBlock, "6"); !a.Joined || a.ID != other.ID {
		t.Errorf("another chat's: %+v, then %+v", other, a)
	}
}

// The same request under the same Idempotency-Key gets its first answer; another
// one under it is refused.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := toggle(16)
	r.IdempotencyScope, r.Fingerprint = "k", []byte("a")
	first := b.accept(t, r)
	c := b.claim(t, first)
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
	a, err := b.store.Accept(b.ctx, r)
	must(t, err)
	if a.ID != first || !a.Replayed || a.Joined {
		t.Errorf("got %+v, want a replay of %s", a, first)
	}
	r.Fingerprint = []byte("b")
	if _, err := b.store.Accept(b.ctx, r); !errors.Is(err, jobs.ErrIdempotencyConflict) {
		t.Errorf("another body: %v", err)
	}
	// A joined request is replayed as joined.
	open := b.accept(t, toggle(17))
	r = toggle(17)
	r.IdempotencyScope, r.Fingerprint = "k2", []byte("a")
	for i := range 2 {
		a, err := b.store.Accept(b.ctx, r)
		must(t, err)
		if a.ID != open || !a.Joined || a.Replayed != (i == 1) {
			t.Errorf("request %d got %+v", i, a)
		}
	}
}

// One attempt has one handler; what others are told keeps the task alive or
// drops it, as it must.
func TestClaim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	c := b.claim(t, id)
	if _, v := b.tryClaim(t, id, 1); v != jobs.Held {
		t.Errorf("second claim: %v, want Held", v)
	}
	if _, v := b.tryClaim(t, id, 2); v != jobs.Stale {
		t.Errorf("claim of an attempt that is not: %v, want Stale", v)
	}
	must(t, c.Check(b.ctx))
	must(t, c.Again(b.ctx, 0, errors.New("modem hung"), nil))
	must(t, c.Again(b.ctx, 0, errors.New("modem hung"), nil)) // repeated after a lost reply
	if err := c.Check(b.ctx); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("check after letting go: %v", err)
	}
	if _, v := b.tryClaim(t, id, 1); v != jobs.Stale {
		t.Errorf("claim of the old attempt: %v, want Stale", v)
	}
	j := b.get(t, id)
	if j.Attempt != 2 || j.Tries != 1 || j.State != jobs.Queued || j.Error != "modem hung" {
		t.Errorf("record is %+v", j)
	}
	c2 := b.claim(t, id)
	if err := c.Finish(b.ctx, jobs.End{State: jobs.Failed}); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("the first handler's outcome: %v, want ErrLost", err)
	}
	must(t, c2.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(`{"success":true}`)}))
	must(t, c2.Finish(b.ctx, jobs.End{State: jobs.Completed})) // repeated after a lost reply
	if err := c2.Again(b.ctx, 0, nil, nil); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("again after the end: %v, want ErrLost", err)
	}
	if j := b.get(t, id); j.State != jobs.Completed || string(j.Result) != `{"success":true}` {
		t.Errorf("record is %+v", j)
	}
}

// Start and result of a job that others are told of are owed once each, until
// they are settled.
func TestOwed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	c := b.claim(t, id)
	must(t, c.Again(b.ctx, 0, nil, nil))
	c = b.claim(t, id)
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
	got, err := b.store.Debts(b.ctx, 0, 10)
	must(t, err)
	want := []jobs.Debt{{JobID: id, Host: "h1", Phase: jobs.PhaseStart, Run: 1}, {JobID: id, Host: "h1", Phase: jobs.PhaseResult, Run: 1}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(jobs.Debt{})); diff != "" {
		t.Errorf("debts (-want +got):\n%s", diff)
	}
	must(t, b.store.Settle(b.ctx, got[0]))
	must(t, b.store.Settle(b.ctx, got[0]))
	if got, err = b.store.Debts(b.ctx, 0, 10); err != nil || len(got) != 1 {
		t.Errorf("after settling one: %v, %v", got, err)
	}
}

// Jobs of one order key run one after the other as accepted, whether one is
// finished, tried again, or cancelled out of the middle.
func TestOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := make([]string, 4)
	for i := range ids {
		ids[i] = b.accept(t, ordered("k", i))
	}
	other := b.accept(t, ordered("other", 0))
	if diff := cmp.Diff([]string{ids[0] + ":1", other + ":1"}, b.pending(t, "delivery")); diff != "" {
		t.Fatalf("handed to asynq (-want +got):\n%s", diff)
	}
	st, err := b.store.Cancel(b.ctx, ids[1])
	if err != nil || st != jobs.Cancelled {
		t.Fatalf("cancelling a waiting job: %v, %v", st, err)
	}
	c := b.claim(t, ids[0])
	must(t, c.Again(b.ctx, 0, errors.New("503"), nil))
	if j := b.get(t, ids[2]); !j.Waiting {
		t.Error("a job overtook one that is tried again")
	}
	c = b.claim(t, ids[0])
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
	if j := b.get(t, ids[2]); j.Waiting {
		t.Error("the next one was not handed out")
	}
	c = b.claim(t, ids[2])
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
	c = b.claim(t, ids[3])
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
	last := b.accept(t, ordered("k", 4))
	if j := b.get(t, last); j.Waiting {
		t.Error("a job waits behind jobs that have ended")
	}
}

// A queued job is cancelled at once, a running one is asked, an ended one stays
// as it is.
func TestCancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	if st, err := b.store.Cancel(b.ctx, id); err != nil || st != jobs.Cancelled {
		t.Fatalf("queued: %v, %v", st, err)
	}
	var res tasks.ToggleResult
	must(t, json.Unmarshal(b.get(t, id).Result, &res))
	if res.Success || res.Port != 10016 || res.ServerIP != "198.51.100.7" {
		t.Errorf("result of a cancelled toggle is %+v", res)
	}
	if _, v := b.tryClaim(t, id, 1); v != jobs.Stale {
		t.Errorf("claim of a cancelled job: %v, want Stale", v)
	}
	if _, err := b.store.Cancel(b.ctx, id); !errors.Is(err, jobs.ErrFinal) {
		t.Errorf("ended: %v", err)
	}
	id = b.accept(t, toggle(16))
	c := b.claim(t, id)
	if st, err := b.store.Cancel(b.ctx, id); err != nil || st != jobs.Running {
		t.Fatalf("running: %v, %v", st, err)
	}
	if err := c.Check(b.ctx); !errors.Is(err, jobs.ErrCancelAsked) {
		t.Errorf("check: %v", err)
	}
	asked, err := b.store.CancelsAsked(b.ctx, []*jobs.Job{c.Job})
	if err != nil || len(asked) != 1 {
		t.Errorf("asked: %v, %v", asked, err)
	}
	if _, err := b.store.Cancel(b.ctx, jobs.NewID(time.Now())); !errors.Is(err, jobs.ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
}

// A failed or cancelled job runs again as its next attempt, unless something
// stands against it.
func TestReopen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, toggle(16))
	if err := b.store.Reopen(b.ctx, id); !errors.Is(err, jobs.ErrNotRetryable) {
		t.Errorf("unfinished: %v", err)
	}
	c := b.claim(t, id)
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
	if err := b.store.Reopen(b.ctx, id); !errors.Is(err, jobs.ErrBusy) {
		t.Errorf("with its outcome still owed: %v", err)
	}
	for _, d := range mustDebts(t, b) {
		must(t, b.store.Settle(b.ctx, d))
	}
	other := b.accept(t, toggle(16))
	if err := b.store.Reopen(b.ctx, id); !errors.Is(err, jobs.ErrBusy) {
		t.Errorf("with another under way: %v", err)
	}
	_, err := b.store.Cancel(b.ctx, other)
	must(t, err)
	must(t, b.store.Reopen(b.ctx, id))
	if j := b.get(t, id); j.State != jobs.Queued || j.Attempt != 2 || j.Run != 2 || j.Error != "" || !j.Completed.IsZero() {
		t.Errorf("record is %+v", j)
	}
	c = b.claim(t, id)
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
	if n := len(mustDebts(t, b)); n != 3 { // the cancelled one's result, and start and result of the second run
		t.Errorf("%d debts, want 3", n)
	}
	if err := b.store.Reopen(b.ctx, id); !errors.Is(err, jobs.ErrNotRetryable) {
		t.Errorf("completed: %v", err)
	}
}

func mustDebts(t *testing.T, b *bundle) []jobs.Debt {
	t.Helper()
	d, err := b.store.Debts(b.ctx, 0, 100)
	must(t, err)
	return d
}

// Each attempt may wait for its worker as long as the first: a job whose host
// went away in the middle and never comes back ends as well.
func TestPatience(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := toggle(16)
	r.Expires = b.store.Now().Add(time.Hour)
	id := b.accept(t, r)
	c := b.claim(t, id)
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:h1:job:"+id, "expires", 1).Err())
	must(t, c.Again(b.ctx, 0, nil, nil))
	if at := b.get(t, id).Expires; at.Before(r.Expires.Truncate(time.Millisecond)) {
		t.Errorf("the second attempt expires at %v, want no sooner than the first one would have, %v", at, r.Expires)
	}
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:h1:job:"+id, "expires", 1).Err())
	var v jobs.Verdict
	if c, v = b.tryClaim(t, id, 2); v != jobs.Expired {
		t.Fatalf("claim: %v, want Expired", v)
	}
	must(t, c.Expire(b.ctx))
	if j := b.get(t, id); j.State != jobs.Completed || j.Result == nil {
		t.Errorf("record is %+v", j)
	}
}

// Cancelling a job between two tries keeps what they have come to.
func TestCancelKeepsTheRecordOfTries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, ordered("", 0))
	must(t, b.claim(t, id).Again(b.ctx, time.Hour, errors.New("503"), []byte(`{"attempts":[1]}`)))
	if st, err := b.store.Cancel(b.ctx, id); err != nil || st != jobs.Cancelled {
		t.Fatalf("cancelling: %v, %v", st, err)
	}
	if j := b.get(t, id); string(j.Result) != `{"attempts":[1]}` {
		t.Errorf("record is %+v", j)
	}
}

// What isn't told Redis with every job is told it with the first: asynq knows
// the queue, and an index by chat goes by itself some day.
func TestFirstJobSaysWhatOthersNeedNot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for n := range 2 {
		r := toggle(16 + n)
		r.ChatID = "-100"
		b.accept(t, r)
		if !b.rdb.SIsMember(b.ctx, "asynq:queues", "host:h1").Val() {
			t.Errorf("after %d jobs asynq doesn't know their queue", n+1)
		}
		if ttl := b.rdb.TTL(b.ctx, "sw:v1:index:chat:-100").Val(); ttl < time.Hour {
			t.Errorf("after %d jobs the index by chat stays for %v", n+1, ttl)
		}
	}
}

// Every job rings for its worker, whatever was told before.
func TestEveryJobRings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.rdb.Subscribe(b.ctx, jobs.BellChannel("host:h1"))
	defer sub.Close()
	_, err := sub.Receive(b.ctx)
	must(t, err)
	for n := range 3 {
		b.accept(t, toggle(16+n))
		if _, err := sub.ReceiveMessage(b.ctx); err != nil {
			t.Fatalf("job %d rings for nobody: %v", n+1, err)
		}
	}
}

// Only a type whose jobs are looked for on hosts may have jobs there.
func TestTypeOfNoHostIsRefusedOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := ordered("", 1)
	r.Host = "h1"
	if a, err := b.store.Accept(b.ctx, r); err == nil {
		t.Errorf("job %s was accepted", a.ID)
	}
}
