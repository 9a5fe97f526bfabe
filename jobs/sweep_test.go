package jobs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/jobs"
	"switchyard/tasks"
)

var discard = slog.New(slog.DiscardHandler)

// swiftly has processes forgotten, and sweepers begin, after a moment.
func swiftly(o *jobs.Options) { o.ProcessTTL = time.Millisecond }

// alive has others believe that the process lives for another hour.
func (b *bundle) alive(t *testing.T, p *jobs.Process) {
	t.Helper()
	until := float64(b.store.Now().Add(time.Hour).UnixMilli())
	for _, k := range []string{"sw:v1:processes", "sw:v1:h:h1:processes"} {
		must(t, b.rdb.ZAdd(b.ctx, k, redis.Z{Score: until, Member: p.ID}).Err())
	}
}

// silent has the process' last heartbeat run out, a moment ago.
func (b *bundle) silent(t *testing.T, p *jobs.Process) {
	t.Helper()
	until := float64(b.store.Now().UnixMilli() - 1)
	for _, k := range []string{"sw:v1:processes", "sw:v1:h:h1:processes"} {
		must(t, b.rdb.ZAdd(b.ctx, k, redis.Z{Score: until, Member: p.ID}).Err())
	}
}

// fetch does with the job's task what an asynq server does that takes it: its
// lease ends after the given time.
func (b *bundle) fetch(t *testing.T, id string, lease time.Duration) {
	t.Helper()
	j := b.get(t, id)
	q, task := "asynq:{"+j.Queue+"}:", fmt.Sprintf("%s:%d", id, j.Attempt)
	if n := b.rdb.LRem(b.ctx, q+"pending", 1, task).Val(); n != 1 {
		t.Fatalf("task %s is not pending", task)
	}
	must(t, b.rdb.LPush(b.ctx, q+"active", task).Err())
	must(t, b.rdb.HSet(b.ctx, q+"t:"+task, "state", "active").Err())
	must(t, b.rdb.ZAdd(b.ctx, q+"lease", redis.Z{Score: float64(time.Now().Add(lease).Unix()), Member: task}).Err())
}

// sweep sweeps h1 and what has no host, with a sweeper that has seen Redis for
// long enough to take somebody for dead.
func (b *bundle) sweep(t *testing.T) jobs.Swept {
	t.Helper()
	return b.awake(t, b.store.NewSweeper(discard))
}

// awake sweeps until the sweeper's quiet time is over, and once then.
func (b *bundle) awake(t *testing.T, w *jobs.Sweeper) (n jobs.Swept) {
	t.Helper()
	b.eventually(t, "the sweeper is no longer quiet", func() bool {
		var err error
		n, err = w.Sweep(b.ctx, []string{"h1"})
		must(t, err)
		return !n.Quiet
	})
	return n
}

// taskState is what asynq believes of the task of one attempt.
func (b *bundle) taskState(t *testing.T, id string, attempt int) string {
	t.Helper()
	j := b.get(t, id)
	return b.rdb.HGet(b.ctx, fmt.Sprintf("asynq:{%s}:t:%s:%d", j.Queue, id, attempt), "state").Val()
}

// A job that nobody would ever run again gets its next attempt, with a task and
// a ring for those who run it; the attempt before is void.
func TestSweepRescues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// arrange brings the job into the situation; the claim is that of the
		// attempt's handler, if it had one.
		arrange func(t *testing.T, b *bundle, id string) *jobs.Claim
	}{
		{"its worker fell silent", func(t *testing.T, b *bundle, id string) *jobs.Claim {
			b.fetch(t, id, time.Minute)
			c := b.claim(t, id)
			b.silent(t, b.proc)
			return c
		}},
		{"its worker is unknown", func(t *testing.T, b *bundle, id string) *jobs.Claim {
			b.fetch(t, id, time.Minute)
			c := b.claim(t, id)
			must(t, b.proc.Leave(b.ctx))
			return c
		}},
		{"its worker fell silent, another lives", func(t *testing.T, b *bundle, id string) *jobs.Claim {
			c := b.claim(t, id)
			b.silent(t, b.proc)
			b.alive(t, b.store.NewProcess(true, "h1"))
			return c
		}},
		{"fetched, and the lease ran out before it was claimed", func(t *testing.T, b *bundle, id string) *jobs.Claim {
			b.fetch(t, id, -time.Second)
			return nil
		}},
		{"fetched, and there is no lease", func(t *testing.T, b *bundle, id string) *jobs.Claim {
			b.fetch(t, id, time.Minute)
			must(t, b.rdb.Del(b.ctx, "asynq:{host:h1}:lease").Err())
			return nil
		}},
		{"unknown to asynq", func(t *testing.T, b *bundle, id string) *jobs.Claim {
			must(t, b.rdb.Del(b.ctx, "asynq:{host:h1}:t:"+id+":1", "asynq:{host:h1}:pending").Err())
			return nil
		}},
		{"given up by asynq", func(t *testing.T, b *bundle, id string) *jobs.Claim {
			must(t, b.rdb.Del(b.ctx, "asynq:{host:h1}:pending").Err())
			must(t, b.rdb.HSet(b.ctx, "asynq:{host:h1}:t:"+id+":1", "state", "archived").Err())
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, swiftly)
			bell := b.rdb.Subscribe(b.ctx, jobs.BellChannel("host:h1"))
			t.Cleanup(func() { _ = bell.Close() })
			_, err := bell.Receive(b.ctx) // subscribed
			must(t, err)
			id := b.accept(t, toggle(16))
			_, err = bell.ReceiveMessage(b.ctx) // the acceptance's
			must(t, err)
			old := tt.arrange(t, b, id)

			if n := b.sweep(t); n.Open != 1 || n.Rescued != 1 || n.Lost != 0 || n.Expired != 0 {
				t.Fatalf("swept %+v, want one rescued", n)
			}
			j := b.get(t, id)
			if j.State != jobs.Queued || j.Attempt != 2 || j.Crashes != 1 || j.Tries != 0 || j.Error != "its worker went away" {
				t.Errorf("record is %+v", j)
			}
			if diff := cmp.Diff([]string{id + ":2"}, without(b.pending(t, "host:h1"), id+":1")); diff != "" {
				t.Errorf("pending (-want +got):\n%s", diff)
			}
			if s := b.taskState(t, id, 2); s != "pending" {
				t.Errorf("asynq's task is %q, want pending", s)
			}
			_, err = bell.ReceiveMessage(b.ctx)
			must(t, err)
			if e := b.lastEvent(t); e["id"] != id || e["state"] != "queued" || e["attempt"] != "2" {
				t.Errorf("last event is %v", e)
			}
			if n := b.sweep(t); n.Rescued != 0 {
				t.Errorf("the next sweep took over %d once more", n.Rescued)
			}

			if _, v := b.tryClaim(t, id, 1); v != jobs.Stale {
				t.Errorf("claim of the old attempt: %v, want Stale", v)
			}
			c, v := b.tryClaim(t, id, 2)
			if v != jobs.Run {
				t.Fatalf("claim of the new attempt: %v, want Run", v)
			}
			if old != nil {
				for what, err := range map[string]error{
					"check":    old.Check(b.ctx),
					"progress": old.Progress(b.ctx, "x"),
					"finish":   old.Finish(b.ctx, jobs.End{State: jobs.Failed}),
				} {
					if !errors.Is(err, jobs.ErrLost) {
						t.Errorf("%s of the old attempt: %v, want ErrLost", what, err)
					}
				}
			}
			must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed}))
		})
	}
}

func without(list []string, x string) (out []string) {
	for _, s := range list {
		if s != x {
			out = append(out, s)
		}
	}
	return out
}

func (b *bundle) lastEvent(t *testing.T) map[string]any {
	t.Helper()
	res, err := b.rdb.XRevRangeN(b.ctx, events.JobStream, "+", "-", 1).Result()
	must(t, err)
	if len(res) != 1 {
		t.Fatal("no event was written")
	}
	return res[0].Values
}

// A job that somebody runs, or will, is left as it is.
func TestSweepLeavesAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		request jobs.Request
		arrange func(t *testing.T, b *bundle, id string)
	}{
		{"pending", toggle(16), func(*testing.T, *bundle, string) {}},
		{"pending with time to spare", expiring(toggle(16), time.Hour), func(*testing.T, *bundle, string) {}},
		{"fetched under a lease", toggle(16), func(t *testing.T, b *bundle, id string) { b.fetch(t, id, time.Minute) }},
		{"to be tried again later", toggle(16), func(t *testing.T, b *bundle, id string) {
			must(t, b.claim(t, id).Again(b.ctx, time.Hour, errors.New("x"), nil))
		}},
		{"put off by asynq", toggle(16), func(t *testing.T, b *bundle, id string) {
			must(t, b.rdb.HSet(b.ctx, "asynq:{host:h1}:t:"+id+":1", "state", "retry").Err())
		}},
		{"its worker is alive", toggle(16), func(t *testing.T, b *bundle, id string) {
			b.fetch(t, id, time.Minute)
			b.claim(t, id)
			b.alive(t, b.proc)
		}},
		{"its worker is alive, though asynq forgot the task", toggle(16), func(t *testing.T, b *bundle, id string) {
			b.fetch(t, id, -time.Second)
			b.claim(t, id)
			b.alive(t, b.proc)
			must(t, b.rdb.Del(b.ctx, "asynq:{host:h1}:t:"+id+":1").Err())
		}},
		{"its worker is alive, though it took longer than it might have waited", expiring(toggle(16), time.Hour), func(t *testing.T, b *bundle, id string) {
			b.claim(t, id)
			b.alive(t, b.proc)
			must(t, b.rdb.HSet(b.ctx, "sw:v1:h:h1:job:"+id, "expires", 1).Err())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, swiftly)
			id := b.accept(t, tt.request)
			tt.arrange(t, b, id)
			before, told := b.get(t, id), b.rdb.XLen(b.ctx, events.JobStream).Val()
			if n := b.sweep(t); n.Open != 1 || n.Rescued+n.Expired+n.Lost+n.Dropped != 0 {
				t.Errorf("swept %+v, want one job looked at and nothing done", n)
			}
			if diff := cmp.Diff(before, b.get(t, id)); diff != "" {
				t.Errorf("record (-before +after):\n%s", diff)
			}
			if n := b.rdb.XLen(b.ctx, events.JobStream).Val(); n != told {
				t.Errorf("%d events were written", n-told)
			}
		})
	}
}

func expiring(r jobs.Request, in time.Duration) jobs.Request {
	r.Expires = time.Now().Add(in).Truncate(time.Millisecond)
	return r
}

// A job that waits for its turn goes on waiting; when the list of its order has
// lost those before it, it is handed out as the attempt it is, once.
func TestSweepKeepsTheOrder(t *testing.T) {
	t.Parallel()
	const order = "sw:v1:order:k"
	for _, tt := range []struct {
		name    string
		spoil   func(t *testing.T, b *bundle, ids []string)
		rescued int
		pending []int // of the three jobs, in the order of asynq's list
		order   []int
	}{
		{"nothing lost", func(*testing.T, *bundle, []string) {}, 0, []int{0}, []int{0, 1, 2}},
		{"the first is lost", func(t *testing.T, b *bundle, _ []string) {
			must(t, b.rdb.LPop(b.ctx, order).Err())
		}, 1, []int{0, 1}, []int{1, 2}},
		{"one that waits is lost", func(t *testing.T, b *bundle, ids []string) {
			must(t, b.rdb.LRem(b.ctx, order, 1, ids[1]).Err())
		}, 0, []int{0}, []int{0, 2}},
		{"all is lost", func(t *testing.T, b *bundle, _ []string) {
			must(t, b.rdb.Del(b.ctx, order).Err())
		}, 1, []int{0, 1}, []int{1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, swiftly)
			ids, now := make([]string, 3), time.Now()
			for i := range ids {
				r := ordered("k", i)
				r.ID = jobs.NewID(now.Add(time.Duration(i) * time.Millisecond))
				ids[i] = b.accept(t, r)
			}
			tt.spoil(t, b, ids)
			for round := range 2 {
				n := b.sweep(t)
				if round == 0 && n.Rescued != tt.rescued || round == 1 && n.Rescued != 0 {
					t.Errorf("round %d rescued %d", round, n.Rescued)
				}
				if diff := cmp.Diff(pick(ids, tt.pending, ":1"), b.pending(t, "delivery")); diff != "" {
					t.Errorf("pending after round %d (-want +got):\n%s", round, diff)
				}
				if diff := cmp.Diff(pick(ids, tt.order, ""), b.rdb.LRange(b.ctx, order, 0, -1).Val()); diff != "" {
					t.Errorf("order after round %d (-want +got):\n%s", round, diff)
				}
			}
			// Whatever was lost, all of them run, none of them twice.
			for ran := range 3 {
				p := b.pending(t, "delivery")
				if len(p) == 0 {
					b.sweep(t)
					p = b.pending(t, "delivery")
				}
				if len(p) == 0 {
					t.Fatalf("only %d of 3 jobs ran", ran)
				}
				id := strings.TrimSuffix(p[0], ":1")
				b.fetch(t, id, time.Minute)
				must(t, b.claim(t, id).Finish(b.ctx, jobs.End{State: jobs.Completed}))
			}
			if p := b.pending(t, "delivery"); len(p) != 0 {
				t.Errorf("handed out once more: %v", p)
			}
		})
	}
}

func pick(ids []string, which []int, suffix string) []string {
	out := make([]string, 0, len(which))
	for _, i := range which {
		out = append(out, ids[i]+suffix)
	}
	return out
}

// A job that must not have its effect twice is failed, not run again, when its
// worker died; before anybody claimed it, it is rescued like others.
func TestSweepFailsOnceJobs(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	once := ordered("k", 0)
	once.Once = true
	id := b.accept(t, once)
	next := b.accept(t, ordered("k", 1))
	b.fetch(t, id, -time.Second)
	if n := b.sweep(t); n.Rescued != 1 || n.Lost != 0 {
		t.Fatalf("not claimed yet: swept %+v, want one rescued", n)
	}
	b.fetch(t, id, time.Minute)
	c := b.claim(t, id)
	b.silent(t, b.proc)
	if n := b.sweep(t); n.Rescued != 0 || n.Lost != 1 {
		t.Fatalf("its worker died: swept %+v, want one lost", n)
	}
	j := b.get(t, id)
	if want := "its worker went away; it may have been done, so it is not done again"; j.State != jobs.Failed || j.Error != want || j.Attempt != 2 {
		t.Errorf("record is %+v", j)
	}
	if _, v := b.tryClaim(t, id, 2); v != jobs.Stale {
		t.Errorf("claim: %v, want Stale", v)
	}
	if err := c.Check(b.ctx); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("check by the worker that came back: %v, want ErrLost", err)
	}
	if diff := cmp.Diff([]string{next + ":1"}, b.pending(t, "delivery")); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
}

// A job that takes down MaxCrashes workers is given up: a toggle says "no" to
// those who wait for it, anything else has failed.
func TestSweepGivesUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		request jobs.Request
		crashes int
		want    jobs.State
		owed    int
	}{
		{"toggle", toggle(16), 3, jobs.Completed, 2},
		{"others", ordered("", 0), 3, jobs.Failed, 0},
		{"no second chance", ordered("", 0), 1, jobs.Failed, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, swiftly, func(o *jobs.Options) { o.MaxCrashes = tt.crashes })
			id := b.accept(t, tt.request)
			for i := range tt.crashes {
				b.claim(t, id)
				b.silent(t, b.proc)
				n := b.sweep(t)
				if last := i == tt.crashes-1; last != (n.Lost == 1) || last == (n.Rescued == 1) {
					t.Fatalf("crash %d: swept %+v", i+1, n)
				}
			}
			j := b.get(t, id)
			if want := fmt.Sprintf("its worker went away %d times", tt.crashes); j.State != tt.want || j.Error != want {
				t.Errorf("ended as %s with %q, want %s with %q", j.State, j.Error, tt.want, want)
			}
			if tt.want == jobs.Completed {
				refused(t, j)
			}
			if d := mustDebts(t, b); len(d) != tt.owed {
				t.Errorf("owed: %v, want %d", d, tt.owed)
			}
			if _, v := b.tryClaim(t, id, j.Attempt); v != jobs.Stale {
				t.Errorf("claim: %v, want Stale", v)
			}
		})
	}
}

// refused checks that the result of a toggle of dongle 16 is "no".
func refused(t *testing.T, j *jobs.Job) {
	t.Helper()
	var r tasks.ToggleResult
	must(t, json.Unmarshal(j.Result, &r))
	if want := tasks.FailedToggle(tasks.TogglePayload{Host: "h1", ServerIP: "198.51.100.7", Subnet: 16}, 0); !cmp.Equal(r, want) {
		t.Errorf("result is %+v, want %+v", r, want)
	}
}

// A job that no worker took up in time is ended even while Redis has only just
// come back, once, and those who asked for it are told.
func TestSweepExpires(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		request jobs.Request
		want    jobs.State
		error   string
		owed    []jobs.Phase
	}{
		{"toggle", toggle(16), jobs.Completed, "the host was away for too long", []jobs.Phase{jobs.PhaseResult}},
		{"others", ordered("k", 0), jobs.Failed, "no worker took the job up in time", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(o *jobs.Options) { o.ProcessTTL = time.Hour })
			id := b.accept(t, expiring(tt.request, -time.Second))
			w := b.store.NewSweeper(discard)
			for round := range 2 {
				n, err := w.Sweep(b.ctx, []string{"h1"})
				must(t, err)
				if !n.Quiet || n.Expired != 1-round {
					t.Errorf("round %d: swept %+v", round, n)
				}
			}
			j := b.get(t, id)
			if j.State != tt.want || j.Error != tt.error || j.Completed.IsZero() {
				t.Errorf("record is %+v", j)
			}
			if tt.want == jobs.Completed {
				refused(t, j)
			}
			var owed []jobs.Phase
			for _, d := range mustDebts(t, b) {
				owed = append(owed, d.Phase)
			}
			if diff := cmp.Diff(tt.owed, owed); diff != "" {
				t.Errorf("owed (-want +got):\n%s", diff)
			}
			if _, v := b.tryClaim(t, id, 1); v != jobs.Stale {
				t.Errorf("claim: %v, want Stale", v)
			}
		})
	}
}

// The worker that meets an expired job before the sweeper does ends it the same
// way, unless somebody else has ended it meanwhile.
func TestExpiredClaim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := b.accept(t, expiring(toggle(16), -time.Second)), b.accept(t, expiring(toggle(17), -time.Second))
	c, v := b.tryClaim(t, first, 1)
	if v != jobs.Expired {
		t.Fatalf("claim: %v, want Expired", v)
	}
	must(t, c.Expire(b.ctx))
	refused(t, b.get(t, first))
	c, _ = b.tryClaim(t, second, 1)
	_, err := b.store.Cancel(b.ctx, second)
	must(t, err)
	if err := c.Expire(b.ctx); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("after it was cancelled: %v, want ErrLost", err)
	}
}

// While Redis was away nobody could say that they live, so for one process TTL
// after that nobody is taken for dead; then they are.
func TestSweepIsQuietAfterAnOutage(t *testing.T) {
	t.Parallel()
	// refuse fails the next command of that name, as a lost connection does.
	refuse := func(name string) func(*testing.T, *bundle, *jobs.Sweeper) {
		return func(t *testing.T, b *bundle, w *jobs.Sweeper) {
			var done atomic.Bool
			b.rdb.AddHook(hook{Before: func(c redis.Cmder) error {
				if c.Name() == name && !done.Swap(true) {
					return errors.New("connection lost")
				}
				return nil
			}})
			if _, err := w.Sweep(b.ctx, []string{"h1"}); !errors.Is(err, jobs.ErrUnavailable) {
				t.Errorf("sweep without %s: %v, want ErrUnavailable", name, err)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		outage func(*testing.T, *bundle, *jobs.Sweeper)
	}{
		{"the process knows of one", func(_ *testing.T, _ *bundle, w *jobs.Sweeper) { w.Outage() }},
		{"another Redis answers", func(t *testing.T, b *bundle, _ *jobs.Sweeper) {
			b.srv.Kill()
			must(t, b.srv.Restart(b.ctx))
		}},
		{"lost when asked who it is", refuse("info")},
		{"lost when reading the open jobs", refuse("zrange")},
		{"lost when burying the dead", refuse("zremrangebyscore")},
		{"lost when counting the old", refuse("zcard")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setupOn(t, kept, func(o *jobs.Options) { o.ProcessTTL = 500 * time.Millisecond })
			id := b.accept(t, toggle(16))
			b.claim(t, id)
			b.alive(t, b.proc)
			w := b.store.NewSweeper(discard)
			if n := b.awake(t, w); n.Rescued != 0 {
				t.Fatalf("swept %+v, want nothing done", n)
			}
			tt.outage(t, b, w)
			b.silent(t, b.proc)
			n, err := w.Sweep(b.ctx, []string{"h1"})
			must(t, err)
			if !n.Quiet || n.Rescued != 0 {
				t.Errorf("right after the outage: swept %+v, want quiet", n)
			}
			if n := b.awake(t, w); n.Rescued != 1 {
				t.Errorf("later: swept %+v, want one rescued", n)
			}
		})
	}
}

// A Redis that hung in the middle of a sweep, and then answers as if nothing had
// been, has heard no heartbeat meanwhile: who looks dead by then is spared.
func TestSweepDoesNotTrustASlowRedis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		command string
		nth     int32
	}{
		{"when asked who it is", "info", 1},
		{"when reading the open jobs", "zrange", 1},
		{"when reading the host's open jobs", "zrange", 2},
		{"when reading the records", "hgetall", 1},
		{"when burying the dead of another home", "zremrangebyscore", 1},
		{"at the first job", "evalsha", 1},
		{"at the second job", "evalsha", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(o *jobs.Options) { o.ProcessTTL = 500 * time.Millisecond })
			ids := make([]string, 3)
			for i := range ids {
				ids[i] = b.accept(t, toggle(16+i))
				b.claim(t, ids[i])
			}
			b.alive(t, b.proc)
			w := b.store.NewSweeper(discard)
			b.awake(t, w)
			var calls atomic.Int32
			var hung atomic.Bool
			b.rdb.AddHook(hook{Before: func(c redis.Cmder) error {
				if c.Name() == tt.command && calls.Add(1) == tt.nth {
					hung.Store(true)
					<-time.NewTimer(1100 * time.Millisecond).C // longer than any answer takes
					b.silent(t, b.proc)
				}
				return nil
			}})
			n, err := w.Sweep(b.ctx, []string{"h1"})
			if err != nil && !errors.Is(err, jobs.ErrUnavailable) {
				t.Fatal(err)
			}
			if !hung.Load() {
				t.Fatal("it did not hang")
			}
			if n.Rescued != 0 {
				t.Errorf("swept %+v, want nobody taken for dead", n)
			}
			if n, err = w.Sweep(b.ctx, []string{"h1"}); err != nil || !n.Quiet {
				t.Errorf("after that: swept %+v, %v, want quiet", n, err)
			}
			for _, id := range ids {
				if j := b.get(t, id); j.Attempt != 1 {
					t.Errorf("job %s was taken over", id)
				}
			}
		})
	}
}

// Many jobs that take their time don't make a Redis slow: a sweep goes through.
func TestSweepOfManyExpiredJobs(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	const n = 60
	w := b.store.NewSweeper(discard)
	b.awake(t, w)
	b.acceptMany(t, n, func(i int) jobs.Request { return expiring(ordered("", i), -time.Hour) })
	id := b.accept(t, toggle(16))
	b.claim(t, id)
	b.silent(t, b.proc)
	lost := b.accept(t, ordered("", n))
	b.fetch(t, lost, -time.Second)
	b.rdb.AddHook(hook{Before: func(c redis.Cmder) error {
		if c.Name() == "evalsha" {
			<-time.NewTimer(20 * time.Millisecond).C // a Redis far away
		}
		return nil
	}})
	if s := b.awake(t, w); s.Expired != n || s.Rescued != 2 {
		t.Errorf("swept %+v, want %d expired and 2 rescued", s, n)
	}
	if j := b.get(t, id); j.Attempt != 2 {
		t.Errorf("the job of a dead worker was not taken over")
	}
	if j := b.get(t, lost); j.Attempt != 2 {
		t.Errorf("the job behind the expired ones was not taken over")
	}
}

// A new sweeper doesn't know how long Redis has been there, so it is quiet at
// first.
func TestSweepIsQuietAtFirst(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *jobs.Options) { o.ProcessTTL = time.Hour })
	id := b.accept(t, toggle(16))
	b.claim(t, id)
	b.silent(t, b.proc)
	n, err := b.store.NewSweeper(discard).Sweep(b.ctx, []string{"h1"})
	must(t, err)
	if !n.Quiet || n.Open != 1 || n.Rescued != 0 {
		t.Errorf("swept %+v, want quiet", n)
	}
}

// Only the hosts named are swept: what belongs to another host's sweeper is its
// own.
func TestSweepOfHosts(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	id := b.accept(t, toggle(16))
	b.claim(t, id)
	b.silent(t, b.proc)
	w := b.store.NewSweeper(discard)
	b.eventually(t, "the sweeper is no longer quiet", func() bool {
		n, err := w.Sweep(b.ctx, []string{"h2"})
		must(t, err)
		if n.Open+n.Rescued != 0 {
			t.Fatalf("swept %+v, want nothing", n)
		}
		return !n.Quiet
	})
	if j := b.get(t, id); j.Attempt != 1 {
		t.Errorf("a job of h1 was taken over by a sweep of h2")
	}
}

// However many sweepers run at once, each job is taken over once.
func TestSweepersDoNotCollide(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	ids := make([]string, 50)
	for i := range ids {
		ids[i] = b.accept(t, ordered("", i))
		b.fetch(t, ids[i], -time.Second)
		b.claim(t, ids[i])
	}
	b.silent(t, b.proc)
	var rescued atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { rescued.Add(int64(b.sweep(t).Rescued)) })
	}
	wg.Wait()
	if n := rescued.Load(); n != int64(len(ids)) {
		t.Errorf("%d were taken over, want %d", n, len(ids))
	}
	for _, id := range ids {
		if j := b.get(t, id); j.Attempt != 2 {
			t.Errorf("job %s is at attempt %d, want 2", id, j.Attempt)
		}
	}
	if n := len(b.pending(t, "delivery")); n != len(ids) {
		t.Errorf("%d tasks, want %d", n, len(ids))
	}
}

// A long backlog is looked at in turns: a job at its end is reached within some
// rounds, those at its head in every one.
func TestSweepOfALongBacklog(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	w := b.store.NewSweeper(discard)
	b.awake(t, w)
	const n = 2300
	ids := b.acceptMany(t, n, func(i int) jobs.Request { return ordered("", i) })
	lose := func(id string) {
		must(t, b.rdb.Del(b.ctx, fmt.Sprintf("asynq:{delivery}:t:%s:%d", id, b.get(t, id).Attempt)).Err())
	}
	lose(ids[n-1])
	for round := range 3 {
		lose(ids[0])
		s := b.awake(t, w)
		if s.Open >= n {
			t.Fatalf("round %d looked at %d jobs, which is all of them", round, s.Open)
		}
		if j := b.get(t, ids[0]); j.Crashes != 1 {
			t.Fatalf("round %d passed over the first job", round)
		}
		must(t, b.rdb.HSet(b.ctx, "sw:v1:job:"+ids[0], "crashes", 0).Err())
	}
	if j := b.get(t, ids[n-1]); j.Attempt != 2 {
		t.Error("the last job of the backlog was not reached in 3 rounds")
	}
}

// An open entry without a record is forgotten.
func TestSweepForgetsOpenEntriesOfNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	id := b.accept(t, toggle(16))
	must(t, b.rdb.Del(b.ctx, "sw:v1:h:h1:job:"+id).Err())
	b.sweep(t)
	if n := b.rdb.ZCard(b.ctx, "sw:v1:h:h1:open").Val(); n != 0 {
		t.Errorf("%d entries left", n)
	}
}

// A host's new process that holds the host's lock takes over at once what its
// predecessor ran and what it had fetched; jobs of others it leaves.
func TestReclaim(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ran, fetched, waiting := b.accept(t, toggle(16)), b.accept(t, toggle(17)), b.accept(t, toggle(18))
	of := map[string]string{ran: "ran", fetched: "fetched", waiting: "waiting"}
	elsewhere := b.accept(t, ordered("", 0))
	b.claim(t, elsewhere)
	b.fetch(t, ran, time.Minute)
	old := b.claim(t, ran)
	b.fetch(t, fetched, time.Minute)
	b.alive(t, b.proc)

	p := b.store.NewProcess(false, "h1")
	must(t, p.Beat(b.ctx))
	must(t, p.BuryPredecessors(b.ctx, "h1"))
	if diff := cmp.Diff([]string{p.ID}, b.rdb.ZRange(b.ctx, "sw:v1:h:h1:processes", 0, -1).Val()); diff != "" {
		t.Errorf("processes of the host (-want +got):\n%s", diff)
	}
	n, err := b.store.Reclaim(b.ctx, "h1")
	must(t, err)
	if n.Open != 3 || n.Rescued != 2 {
		t.Errorf("reclaimed %+v, want 2 of 3", n)
	}
	for id, attempt := range map[string]int{ran: 2, fetched: 2, waiting: 1} {
		if j := b.get(t, id); j.Attempt != attempt || j.State != jobs.Queued {
			t.Errorf("the job that was %s is %s at attempt %d, want queued at %d", of[id], j.State, j.Attempt, attempt)
		}
	}
	if err := old.Check(b.ctx); !errors.Is(err, jobs.ErrLost) {
		t.Errorf("check by the predecessor: %v, want ErrLost", err)
	}
	if j := b.get(t, elsewhere); j.State != jobs.Running || j.Attempt != 1 {
		t.Errorf("a job of no host is %s at attempt %d", j.State, j.Attempt)
	}
}

// A predecessor that wasn't buried keeps what it runs: only the lock proves
// that it is gone.
func TestReclaimFromTheLiving(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ran := b.accept(t, toggle(16))
	c := b.claim(t, ran)
	n, err := b.store.Reclaim(b.ctx, "h1")
	must(t, err)
	if n.Rescued != 0 {
		t.Errorf("reclaimed %+v, want nothing", n)
	}
	must(t, c.Check(b.ctx))
}

// One round of Reclaim comes to every job, however many of them end under its
// hands, and so move the others up.
func TestReclaimComesToAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	base := b.store.Now().Add(-time.Hour)
	const n = 1200 // more than two reads of the index
	ids := b.acceptMany(t, n, func(i int) jobs.Request {
		r := toggle(16)
		r.JoinKey, r.OrderKey = "", ""
		r.ID = jobs.NewID(base.Add(time.Duration(i) * time.Millisecond))
		if i%2 == 0 {
			return expiring(r, -time.Minute)
		}
		return r
	})
	for i, id := range ids {
		if i%2 == 1 {
			b.fetch(t, id, time.Minute)
		}
	}
	got, err := b.store.Reclaim(b.ctx, "h1")
	must(t, err)
	if got.Expired != n/2 || got.Rescued != n/2 {
		t.Errorf("reclaimed %+v, want %d expired and as many rescued", got, n/2)
	}
}

// A record that can't be read is said to be there and left as it is, and the
// jobs before and behind it are looked after.
func TestSweepPassesOverWhatItCantRead(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly)
	before := b.accept(t, expiring(ordered("", 0), -time.Hour))
	broken := b.accept(t, expiring(ordered("", 1), -time.Hour))
	behind := b.accept(t, expiring(ordered("", 2), -time.Hour))
	must(t, b.rdb.HSet(b.ctx, "sw:v1:job:"+broken, "attempt", "many").Err())
	w := b.store.NewSweeper(discard)
	n := b.awake(t, w)
	if n.Unreadable != 1 || n.Fault == nil || !strings.Contains(n.Fault.Error(), broken) {
		t.Errorf("swept %+v, want %s unreadable", n, broken)
	}
	for _, id := range []string{before, behind} {
		if j := b.get(t, id); j.State != jobs.Failed {
			t.Errorf("job %s is %s, want failed", id, j.State)
		}
	}
	if got := b.rdb.HGet(b.ctx, "sw:v1:job:"+broken, "state").Val(); got != string(jobs.Queued) {
		t.Errorf("the unreadable one is %q, want it left queued", got)
	}
	if b.rdb.ZScore(b.ctx, "sw:v1:open", broken).Err() != nil {
		t.Error("the unreadable one is no longer among the unfinished")
	}
	// Nor does it keep the others from being listed.
	if got := b.list(t, jobs.Filter{Type: tasks.Callback}, 10, nil); len(got) != 2 {
		t.Errorf("listed %v, want the two that can be read", got)
	}
}

// Whatever a host writes under its own prefix, the jobs of others are swept, old
// ones dropped, and nothing is done in another's name.
func TestSweepGetsPastAHostsJunk(t *testing.T) {
	t.Parallel()
	const record = "sw:v1:h:h1:job:"
	for name, junk := range map[string]func(b *bundle, id string) error{
		"a record of another kind": func(b *bundle, id string) error {
			return errors.Join(b.rdb.Del(b.ctx, record+id).Err(), b.rdb.Set(b.ctx, record+id, "x", 0).Err())
		},
		"jobs of another kind": func(b *bundle, _ string) error {
			return errors.Join(b.rdb.Del(b.ctx, "sw:v1:h:h1:open").Err(), b.rdb.Set(b.ctx, "sw:v1:h:h1:open", "x", 0).Err())
		},
		"processes of another kind": func(b *bundle, _ string) error {
			return errors.Join(b.rdb.Del(b.ctx, "sw:v1:h:h1:processes").Err(), b.rdb.Set(b.ctx, "sw:v1:h:h1:processes", "x", 0).Err())
		},
		"a record of another host": func(b *bundle, id string) error {
			return b.rdb.HSet(b.ctx, record+id, "about", "toggle|h2|16|", "expires", "1").Err()
		},
		"another job's id": func(b *bundle, id string) error {
			return b.rdb.HSet(b.ctx, record+id, "id", "j_another", "expires", "1").Err()
		},
		"another's queue": func(b *bundle, id string) error {
			return errors.Join(
				b.rdb.Del(b.ctx, "asynq:{host:h1}:t:"+id+":1").Err(),
				b.rdb.HSet(b.ctx, record+id, "spec", `{"queue":"delivery","limit_ms":1000,"max_tries":1}`).Err(),
			)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, swiftly)
			id := b.accept(t, toggle(16))
			must(t, junk(b, id))
			other := expiring(toggle(17), -time.Hour)
			other.Host, other.Queue = "h2", tasks.HostQueue("h2")
			late := b.accept(t, other)
			w := b.store.NewSweeper(discard)
			var n jobs.Swept
			b.eventually(t, "the sweeper is no longer quiet", func() bool {
				s, err := w.Sweep(b.ctx, []string{"h1", "h2"})
				must(t, err)
				n.Expired += s.Expired
				n.Unreadable, n.Fault, n.Quiet = s.Unreadable, s.Fault, s.Quiet
				return !s.Quiet
			})
			if n.Expired != 1 || n.Unreadable == 0 || n.Fault == nil {
				t.Errorf("swept %+v, want one expired and what is wrong", n)
			}
			if j := b.get(t, late); !j.State.Final() {
				t.Errorf("the other host's job is %s", j.State)
			}
			if p := b.pending(t, "delivery"); len(p) != 0 {
				t.Errorf("put into another's queue: %v", p)
			}
		})
	}
}

// Nor can a host have another's job ended by a record under its own prefix that
// says that it is that one.
func TestSweepIsNoHostsTool(t *testing.T) {
	t.Parallel()
	b := setup(t)
	victim := toggle(17)
	victim.Host, victim.Queue = "h2", tasks.HostQueue("h2")
	id := b.accept(t, victim)
	must(t, b.rdb.Copy(b.ctx, "sw:v1:h:h2:job:"+id, "sw:v1:h:h1:job:"+id, 0, true).Err())
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:h1:job:"+id, "expires", "1").Err())
	must(t, b.rdb.ZAdd(b.ctx, "sw:v1:h:h1:open", redis.Z{Score: 1, Member: id}).Err())
	n, err := b.store.NewSweeper(discard).Sweep(b.ctx, []string{"h1", "h2"})
	must(t, err)
	if j := b.get(t, id); j.State != jobs.Queued || n.Expired != 0 || n.Unreadable != 1 {
		t.Errorf("the other host's job is %s; swept %+v", j.State, n)
	}
}

// A job that is given up keeps what its tries have come to: it is the record of
// what a receiver was told.
func TestSweepKeepsWhatTriesCameTo(t *testing.T) {
	t.Parallel()
	b := setup(t, swiftly, func(o *jobs.Options) { o.MaxCrashes = 1 })
	id := b.accept(t, ordered("", 0))
	must(t, b.claim(t, id).Again(b.ctx, 0, errors.New("refused"), json.RawMessage(`{"tries":1}`)))
	b.claim(t, id)
	b.silent(t, b.proc)
	if n := b.sweep(t); n.Lost != 1 {
		t.Fatalf("swept %+v", n)
	}
	if j := b.get(t, id); j.State != jobs.Failed || string(j.Result) != `{"tries":1}` {
		t.Errorf("ended as %s with %s, want failed with what it had", j.State, j.Result)
	}
}
