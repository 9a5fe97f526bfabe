package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/events"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/scheduler"
	"switchyard/tasks"
)

// clock is a clock that a test turns on, the same for all of it.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time          { return time.UnixMilli(c.now.Load()) }
func (c *clock) set(t time.Time)         { c.now.Store(t.UnixMilli()) }
func (c *clock) forward(d time.Duration) { c.now.Add(d.Milliseconds()) }

// noon is when the simulated time begins.
var noon = time.Date(2025, 12, 13, 12, 0, 0, 0, time.UTC)

// world is hosts and their workers in a simulated time, on a real Redis.
type world struct {
	*bundle
	clock    *clock
	store    *jobs.Store
	registry *hosts.Registry
	process  *jobs.Process
	hosts    []string
	away     map[string]bool

	mu    sync.Mutex
	posts map[string]int // by host and minute
}

// ttl is how long a host is believed online in the simulated time.
const ttl = 12 * time.Second

func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	w := &world{bundle: setup(t), clock: &clock{}, hosts: names, away: map[string]bool{}, posts: map[string]int{}}
	must(t, w.rdb.FlushAll(w.ctx).Err()) // the bundle's own host
	w.clock.set(noon)
	w.store = w.newStore(t, w.rdb)
	w.registry = hosts.New(w.rdb, ttl)
	w.process = w.store.NewProcess(false, names...)
	w.beat(t)
	return w
}

func (w *world) newStore(t *testing.T, rdb *redis.Client) *jobs.Store {
	t.Helper()
	s := jobs.NewStore(jobs.Options{
		Client: rdb, Hub: events.NewHub(), Retention: time.Hour, MaxPerType: 1000, EventStream: 1000,
		IdempotencyWindow: time.Hour, MaxCrashes: 3, ProcessTTL: time.Second, Clock: w.clock.Now,
	})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// beat has the hosts that are there say so.
func (w *world) beat(t *testing.T) {
	t.Helper()
	for _, h := range w.hosts {
		if !w.away[h] {
			must(t, w.registry.Register(w.ctx, hosts.Info{Name: h, ServerIP: "198.51.100.7", Machine: h, Process: h, Seen: w.clock.Now()}))
		}
	}
}

// pushes is a scheduler's, with a client of its own.
func (w *world) pushes(t *testing.T, change ...func(*redis.Options)) *scheduler.Pushes {
	t.Helper()
	opt := &redis.Options{Addr: w.srv.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1}
	for _, c := range change {
		c(opt)
	}
	rdb := redis.NewClient(opt)
	t.Cleanup(func() { _ = rdb.Close() })
	return &scheduler.Pushes{
		Store: w.newStore(t, rdb), Registry: hosts.New(rdb, ttl), Log: slog.New(slog.NewTextHandler(w.log, nil)),
		Config: func() configs.Push { return configs.Default().Push },
	}
}

// work takes up all pushes that wait, as the hosts' workers would, and counts
// them.
func (w *world) work(t *testing.T) {
	t.Helper()
	for _, h := range w.hosts {
		if w.away[h] {
			continue
		}
		for {
			id, err := w.rdb.RPop(w.ctx, "asynq:{host:"+h+":status}:pending").Result()
			if errors.Is(err, redis.Nil) {
				break
			}
			must(t, err)
			must(t, w.rdb.Del(w.ctx, "asynq:{host:"+h+":status}:t:"+id).Err())
			w.take(t, jobs.TaskPayload{Job: id[:len(id)-2], Attempt: 1, Host: h})
		}
	}
}

func (w *world) take(t *testing.T, task jobs.TaskPayload) {
	t.Helper()
	c, v, err := w.store.Claim(w.ctx, task, w.process.NewOwner())
	must(t, err)
	switch v {
	case jobs.Run:
		var p tasks.PushPayload
		must(t, json.Unmarshal(c.Payload, &p))
		if now := w.clock.Now().UnixMilli(); now >= p.Until {
			t.Errorf("%s begins at %d, after %d", task.Host, now, p.Until)
		}
		w.mu.Lock()
		w.posts[task.Host+" "+time.UnixMilli(p.Due).UTC().Format("15:04:05")]++
		w.mu.Unlock()
		must(t, c.Finish(w.ctx, jobs.End{State: jobs.Completed}))
	case jobs.Expired:
		must(t, c.Expire(w.ctx))
	case jobs.Stale:
	default:
		t.Errorf("%s: verdict %v", task.Host, v)
	}
}

// wants holds that each host has pushed once in each of the minutes, and never
// else.
func (w *world) wants(t *testing.T, minutes ...int) {
	t.Helper()
	for _, h := range w.hosts {
		for _, m := range minutes {
			key := h + " " + noon.Add(time.Duration(m)*time.Minute).Format("15:04:05")
			if w.posts[key] != 1 {
				t.Errorf("%s pushed %d times", key, w.posts[key])
			}
			delete(w.posts, key)
		}
	}
	if len(w.posts) > 0 {
		t.Errorf("also pushed: %v", w.posts)
	}
	if left := w.rdb.Keys(w.ctx, "sw:v1:h:*:job:*").Val(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Ensure of several schedulers, one of which is killed every few seconds and started
// again, every host pushes once in each of five minutes: not twice where both
// look at once, and not less where one dies while it makes pushes.
func TestPushesWithSchedulersThatDie(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "seoul-1", "seoul-2", "busan-1")
	steady, third, mortal := w.pushes(t), w.pushes(t), w.pushes(t)
	for tick := range 5 * 60 / 5 {
		dying, kill := context.WithCancel(w.ctx)
		var looks sync.WaitGroup
		for _, p := range []*scheduler.Pushes{steady, third} {
			looks.Go(func() {
				if err := p.Look(w.ctx); err != nil {
					t.Errorf("look: %v", err)
				}
			})
		}
		looks.Go(func() {
			if err := mortal.Look(dying); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("look: %v", err)
			}
		})
		if tick%5 == 0 {
			looks.Go(kill)
		}
		looks.Wait()
		kill()
		if tick%5 == 0 {
			mortal = w.pushes(t)
		}
		w.work(t)
		w.clock.forward(5 * time.Second)
		w.beat(t)
	}
	w.wants(t, 0, 1, 2, 3, 4)
}

// Ensure schedulers take turns at being the only one, and whichever is left goes
// on within the time between two of its looks.
func TestPushesAreTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "seoul-1")
	one, other := w.pushes(t), w.pushes(t)
	for m := range 4 {
		// The one that looked at the beginning of the minute before is dead.
		alive := one
		if m%2 == 1 {
			alive = other
		}
		for at := time.Duration(m) * time.Second; at < time.Minute; at += scheduler.NextLook(w.clock.Now()) {
			w.clock.set(noon.Add(time.Duration(m)*time.Minute + at))
			w.beat(t)
			must(t, alive.Look(w.ctx))
			w.work(t)
		}
	}
	w.wants(t, 0, 1, 2, 3)
}

// Ensure an outage of Redis costs the pushes of the minutes that it covers, and
// no others: nothing is made up for, and nothing twice.
func TestPushesAfterAnOutage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "seoul-1", "seoul-2")
	one, other := w.pushes(t), w.pushes(t)
	look := func(fails bool) {
		t.Helper()
		for _, p := range []*scheduler.Pushes{one, other} {
			if err := p.Look(w.ctx); (err != nil) != fails {
				t.Errorf("at %v: %v", w.clock.Now(), err)
			}
		}
	}
	look(false)
	w.work(t)
	w.clock.set(noon.Add(30 * time.Second))
	w.srv.Kill()
	w.clock.set(noon.Add(time.Minute))
	look(true)
	w.clock.set(noon.Add(2*time.Minute + 20*time.Second))
	look(true)
	must(t, w.srv.Restart(w.ctx))
	w.eventually(t, "redis answers", func() bool { return w.rdb.Ping(w.ctx).Err() == nil && w.back(one) && w.back(other) })
	w.beat(t)
	look(false)
	w.work(t)
	w.clock.set(noon.Add(3 * time.Minute))
	w.beat(t)
	look(false)
	w.work(t)
	w.wants(t, 0, 2, 3)
}

// back tells whether a scheduler's client has found Redis again.
func (w *world) back(p *scheduler.Pushes) bool {
	_, err := p.Registry.Names(w.ctx)
	return err == nil
}

// Ensure a host that was away for an hour sends one push when it is back, in that
// very minute; and one that was believed online a little longer than it was sends
// the one that waits, if that is not too old.
func TestPushesOfAHostThatWasAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "seoul-1")
	p := w.pushes(t)
	step := func(d time.Duration) {
		t.Helper()
		for end := w.clock.Now().Add(d); w.clock.Now().Before(end); {
			w.beat(t)
			must(t, p.Look(w.ctx))
			w.work(t)
			w.clock.forward(scheduler.NextLook(w.clock.Now()))
		}
	}
	step(time.Minute - 5*time.Second)
	w.away["seoul-1"] = true
	step(time.Hour + 30*time.Second) // believed online at the beginning of 12:01
	w.away["seoul-1"] = false
	if w.work(t); len(w.posts) != 1 {
		t.Fatalf("what waited was posted: %v", w.posts)
	}
	step(10 * time.Second)
	step(30 * time.Second)
	w.wants(t, 0, 61, 62)

	// Away for a moment, over the beginning of a minute.
	w.clock.set(noon.Add(70*time.Minute - time.Second))
	w.beat(t)
	w.away["seoul-1"] = true
	w.clock.set(noon.Add(70 * time.Minute))
	must(t, p.Look(w.ctx))
	w.clock.set(noon.Add(70*time.Minute + 30*time.Second))
	w.away["seoul-1"] = false
	w.beat(t)
	must(t, p.Look(w.ctx))
	w.work(t)
	w.wants(t, 70)
}

// Ensure no push is made so late in its minute that nobody would post it, and
// that one which was made and not taken up in time is swept away.
func TestPushesThatAreTooOld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "seoul-1")
	p := w.pushes(t)
	w.clock.set(noon.Add(55 * time.Second))
	w.beat(t)
	must(t, p.Look(w.ctx))
	if n := w.rdb.ZCard(w.ctx, "sw:v1:h:seoul-1:open").Val(); n != 0 {
		t.Errorf("%d made", n)
	}
	w.clock.set(noon.Add(time.Minute))
	must(t, p.Look(w.ctx))
	w.clock.set(noon.Add(time.Minute + 56*time.Second))
	n, err := w.store.NewSweeper(slog.New(slog.DiscardHandler)).Sweep(w.ctx, []string{"seoul-1"})
	must(t, err)
	if n.Expired != 1 {
		t.Errorf("swept: %+v", n)
	}
	w.work(t)
	w.wants(t)
}

// Ensure two hundred hosts cost a scheduler that looks in vain two commands, and
// one that makes all their pushes two more and a script each.
func TestPushesOfManyHosts(t *testing.T) {
	t.Parallel()
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprintf("host-%d", i)
	}
	w := newWorld(t, names...)
	p := w.pushes(t)
	must(t, p.Look(w.ctx)) // it knows the scripts now
	w.work(t)
	calls := func() int64 {
		t.Helper()
		must(t, w.rdb.ConfigResetStat(w.ctx).Err())
		must(t, p.Look(w.ctx))
		var n int64
		stats, err := w.rdb.InfoMap(w.ctx, "commandstats").Result()
		must(t, err)
		for name, line := range stats["Commandstats"] {
			switch name {
			case "cmdstat_smembers", "cmdstat_mget", "cmdstat_evalsha", "cmdstat_eval", "cmdstat_script|load":
				var calls int64
				_, err := fmt.Sscanf(line, "calls=%d,", &calls)
				must(t, err)
				n += calls
			}
		}
		return n
	}
	if n := calls(); n != 2 {
		t.Errorf("in vain: %d commands", n)
	}
	w.clock.forward(time.Minute)
	w.beat(t)
	if n := calls(); n != 3+200 {
		t.Errorf("all pushes: %d commands", n)
	}
	w.work(t)
	w.wants(t, 0, 1)
}

// Ensure a scheduler looks at the beginning of each minute, and every five seconds
// at the least in between.
func TestNextLook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ at, want time.Duration }{
		{0, 5 * time.Second},
		{1, 5 * time.Second},
		{52 * time.Second, 5 * time.Second},
		{57 * time.Second, 3 * time.Second},
		{time.Minute - time.Millisecond, time.Millisecond},
	} {
		if got := scheduler.NextLook(noon.Add(tt.at)); got != tt.want {
			t.Errorf("at %v: %v, want %v", tt.at, got, tt.want)
		}
	}
}

// Ensure a running scheduler has the hosts push at once, and ends with its
// context.
func TestPushesRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "seoul-1")
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() {
		scheduler.Run(ctx, scheduler.Options{
			Store: w.store, Registry: w.registry, SweepInterval: time.Hour, Log: slog.New(slog.NewTextHandler(w.log, nil)),
			Push: func() configs.Push { return configs.Default().Push },
		})
	})
	w.eventually(t, "there is a push", func() bool { return w.rdb.ZCard(w.ctx, "sw:v1:h:seoul-1:open").Val() == 1 })
	cancel()
	running.Wait()
}
