package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"switchyard/delivery"
	"switchyard/events"
	"switchyard/jobs"
	"switchyard/sim/redisserver"
	"switchyard/tasks"
)

// bundle is what one test works with: records of jobs on a redis-server of its
// own, and a process that executes them.
type bundle struct {
	ctx   context.Context
	srv   *redisserver.Server
	rdb   *redis.Client
	store *jobs.Store
	proc  *jobs.Process
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "always"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, srv: srv}
	b.rdb, b.store = b.connect(t)
	b.proc = b.store.NewProcess(true, "seoul-1")
	must(t, b.proc.Beat(ctx))
	return b
}

// connect returns a client of its own and a store on it.
func (b *bundle) connect(t *testing.T, hooks ...redis.Hook) (*redis.Client, *jobs.Store) {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: b.srv.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	for _, h := range hooks {
		rdb.AddHook(h)
	}
	s := jobs.NewStore(jobs.Options{
		Client: rdb, Hub: events.NewHub(), Retention: time.Hour, MaxPerType: 10000, EventStream: 1000,
		IdempotencyWindow: time.Hour, MaxCrashes: 3, ProcessTTL: time.Minute,
	})
	t.Cleanup(func() { _ = s.Close() })
	return rdb, s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// toggle has a toggle accepted, for those who gave a callback URL.
func (b *bundle) toggle(t *testing.T, subnet int, urls ...string) string {
	t.Helper()
	r := jobs.Request{Draft: tasks.NewToggle(tasks.TogglePayload{Host: "seoul-1", ServerIP: "198.51.100.7", Subnet: subnet}, time.Minute, time.Time{})}
	var id string
	for _, u := range append([]string{""}, urls...) {
		r.CallbackURL = u
		a, err := b.store.Accept(b.ctx, r)
		must(t, err)
		id = a.ID
	}
	return id
}

// begin has a toggle taken up by a worker.
func (b *bundle) begin(t *testing.T, id string) *jobs.Claim {
	t.Helper()
	j, err := b.store.Get(b.ctx, id)
	must(t, err)
	c, v, err := b.store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: j.Attempt, Host: j.Host}, b.proc.NewOwner())
	must(t, err)
	if v != jobs.Run {
		t.Fatalf("claiming %s: verdict %v", id, v)
	}
	return c
}

// run has a toggle taken up and completed.
func (b *bundle) run(t *testing.T, id string) {
	t.Helper()
	must(t, b.begin(t, id).Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(resultBody)}))
}

// settle runs n settlers until nothing is owed any more.
func (b *bundle) settle(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	var wg sync.WaitGroup
	for range n {
		rdb, store := b.connect(t)
		s := &delivery.Settler{Store: store, Callbacks: receivers, Client: rdb, Interval: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
		wg.Go(func() { s.Run(ctx) })
	}
	b.settled(t)
	cancel()
	wg.Wait()
}

// settled waits until nothing is owed.
func (b *bundle) settled(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		debts, err := b.store.Debts(b.ctx, 0, 1000)
		must(t, err)
		if len(debts) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			t.Fatalf("waited in vain until nothing is owed: %+v", debts)
		}
	}
}

// deliveries are the delivery jobs that there are, by id, as "parent receiver".
// Each has to be in asynq once, or to wait for its receiver's start.
func (b *bundle) deliveries(t *testing.T) map[string]string {
	t.Helper()
	page, err := b.store.List(b.ctx, jobs.Filter{Type: tasks.Callback}, 10000, "")
	must(t, err)
	pending, err := b.rdb.LRange(b.ctx, "asynq:{"+tasks.QueueDelivery+"}:pending", 0, -1).Result()
	must(t, err)
	out := map[string]string{}
	for _, j := range page.Jobs {
		if _, twice := out[j.ID]; twice {
			t.Errorf("job %s is listed twice", j.ID)
		}
		l := lines(t, []jobs.Request{{ID: j.ID, Draft: tasks.Draft{
			Type: j.Type, Queue: j.Queue, Payload: j.Payload, Limit: j.Limit, Parent: "j_1",
		}}})
		out[j.ID] = j.Parent + " " + l[0].To
		want := 1
		if j.Waiting {
			want = 0
		}
		if n := count(pending, j.ID+":1"); n != want {
			t.Errorf("job %s (%s) is %d times in asynq, want %d", j.ID, l[0].To, n, want)
		}
	}
	return out
}

func count(all []string, s string) (n int) {
	for _, x := range all {
		if x == s {
			n++
		}
	}
	return n
}

const hook = "https://hook.example/toggled"

// all are the deliveries about a toggle that began and ended.
func all(id string) []string {
	return []string{
		id + " " + hook, id + " toggle/dev/result", id + " toggle/dev/start", id + " toggle/early/start",
		id + " toggle/late/result", id + " toggle/main/result", id + " toggle/main/start",
	}
}

func (b *bundle) wantDeliveries(t *testing.T, want ...string) map[string]string {
	t.Helper()
	got := b.deliveries(t)
	var list []string
	for _, d := range got {
		list = append(list, d)
	}
	slices.Sort(list)
	slices.Sort(want)
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	return got
}

// Ensure what a toggle owes becomes delivery jobs: its start while it runs, its
// result when it ends, to the URLs of those who joined too.
func TestSettler(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.toggle(t, 16, hook, hook, hook+"2")
	b.settle(t, 1)
	b.wantDeliveries(t) // nothing is owed of a job that waits
	c := b.begin(t, id)
	b.settle(t, 1)
	starts := []string{id + " toggle/dev/start", id + " toggle/early/start", id + " toggle/main/start"}
	b.wantDeliveries(t, starts...)
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(resultBody)}))
	b.settle(t, 1)
	b.wantDeliveries(t, append(all(id), id+" "+hook+"2")...)
}

// Ensure a settler that runs hears of what comes to be owed.
func TestSettler_rings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(b.ctx)
	var wg sync.WaitGroup
	rdb, store := b.connect(t)
	wg.Go(func() {
		(&delivery.Settler{Store: store, Callbacks: receivers, Client: rdb, Interval: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}).Run(ctx)
	})
	for subnet := 11; subnet < 14; subnet++ {
		id := b.toggle(t, subnet)
		b.run(t, id)
		b.settled(t)
	}
	cancel()
	wg.Wait()
	if n := len(b.deliveries(t)); n != 3*6 {
		t.Errorf("%d deliveries, want 18", n)
	}
}

// Ensure any number of settlers make one job of each delivery.
func TestSettler_several(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for subnet := 11; subnet <= 30; subnet++ {
		id := b.toggle(t, subnet, hook)
		b.run(t, id)
		want = append(want, all(id)...)
	}
	b.settle(t, 4)
	b.wantDeliveries(t, want...)
}

// mortal ends its process at the n-th command: it isn't sent, and none after it.
type mortal struct {
	at   int
	die  func()
	mu   sync.Mutex
	n    int
	gone bool
}

var _ redis.Hook = (*mortal)(nil)

var errDead = errors.New("this process is dead")

func (m *mortal) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m *mortal) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := m.count(); err != nil {
			for _, c := range cmds {
				c.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}

func (m *mortal) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := m.count(); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (m *mortal) count() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n++; m.n > m.at {
		m.gone = true
		m.die()
	}
	if m.gone {
		return errDead
	}
	return nil
}

// Ensure a settler may die between any two commands (after it has accepted some
// of the jobs, or all, and not yet struck off the debt): the next one makes the
// others, and none again.
func TestSettler_dies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for at, through := 0, false; !through; at++ {
		id := b.toggle(t, 16, hook)
		b.run(t, id)
		want = append(want, all(id)...)
		ctx, cancel := context.WithCancel(b.ctx)
		m := &mortal{at: at, die: cancel}
		rdb, store := b.connect(t, m)
		s := &delivery.Settler{Store: store, Callbacks: receivers, Client: rdb, Interval: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
		done := make(chan struct{})
		go func() { defer close(done); s.Run(ctx) }()
		b.endedOrSettled(t, ctx)
		cancel()
		<-done
		m.mu.Lock()
		through = !m.gone
		m.mu.Unlock()
		b.settle(t, 1)
		b.wantDeliveries(t, want...)
		if t.Failed() {
			t.Fatalf("it died at command %d", at)
		}
	}
}

// endedOrSettled waits until the settler of ctx has died or nothing is owed.
func (b *bundle) endedOrSettled(t *testing.T, ctx context.Context) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		debts, err := b.store.Debts(b.ctx, 0, 1)
		must(t, err)
		if len(debts) == 0 {
			return
		}
		<-tick.C
	}
}

// Ensure a job that is gone, or that nobody can tell of, holds up no other; it
// is logged.
func TestSettler_passesOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.rdb.ZAdd(b.ctx, "sw:v1:owed", redis.Z{Score: 0, Member: "j_gone||end|1"}).Err())
	broken := b.toggle(t, 11)
	b.run(t, broken)
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:seoul-1:job:"+broken, "payload", "{").Err())
	id := b.toggle(t, 16, hook)
	b.run(t, id)
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(b.ctx)
	rdb, store := b.connect(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&delivery.Settler{Store: store, Callbacks: receivers, Client: rdb, Interval: 5 * time.Second, Log: slog.New(slog.NewTextHandler(&log, nil))}).Run(ctx)
	}()
	b.settled(t)
	cancel()
	<-done
	b.wantDeliveries(t, all(id)...)
	for _, word := range []string{"job=j_gone", "job=" + broken, "unreadable payload"} {
		if !strings.Contains(log.String(), word) {
			t.Errorf("the log has no %q:\n%s", word, &log)
		}
	}
}

// Ensure a settler that finds Redis away goes on once it is back, and loses
// nothing.
func TestSettler_outage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.toggle(t, 16, hook)
	b.run(t, id)
	b.srv.Kill()
	warned := make(chan struct{})
	var once sync.Once
	log := slog.New(notice{slog.DiscardHandler, func() { once.Do(func() { close(warned) }) }})
	ctx, cancel := context.WithCancel(b.ctx)
	rdb, store := b.connect(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&delivery.Settler{Store: store, Callbacks: receivers, Client: rdb, Interval: 5 * time.Second, Log: log}).Run(ctx)
	}()
	select {
	case <-warned:
	case <-b.ctx.Done():
		t.Fatal("it said nothing of Redis being away")
	}
	must(t, b.srv.Restart(b.ctx))
	b.settled(t)
	cancel()
	<-done
	b.wantDeliveries(t, all(id)...)
}

// notice calls a function with every line of a log.
type notice struct {
	slog.Handler
	line func()
}

func (n notice) Enabled(context.Context, slog.Level) bool { return true }

func (n notice) Handle(context.Context, slog.Record) error {
	n.line()
	return nil
}

// Ensure more debts than are read at once are all settled.
func TestSettler_many(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var debts []redis.Z
	for i := range 450 {
		debts = append(debts, redis.Z{Score: float64(i), Member: fmt.Sprintf("j_%d|seoul-1|end|1", i)})
	}
	must(t, b.rdb.ZAdd(b.ctx, "sw:v1:owed", debts...).Err())
	b.settle(t, 2)
	b.wantDeliveries(t)
}

// A debt that can't be settled, since its job's record can't be read, holds up
// none of the others.
func TestSettlerPassesOverWhatItCantSettle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broken, other, audience, whole := b.toggle(t, 16), b.toggle(t, 18), b.toggle(t, 19), b.toggle(t, 17)
	for _, id := range []string{broken, other, audience, whole} {
		must(t, b.begin(t, id).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
	}
	must(t, b.rdb.HSet(b.ctx, "sw:v1:h:seoul-1:job:"+broken, "attempt", "many").Err())
	for _, k := range []string{"sw:v1:h:seoul-1:job:" + other, "sw:v1:h:seoul-1:audience:" + audience} {
		must(t, b.rdb.Del(b.ctx, k).Err())
		must(t, b.rdb.Set(b.ctx, k, "of another kind", 0).Err())
	}
	b.settleUntil(t, func(left []jobs.Debt) bool {
		return !slices.ContainsFunc(left, func(d jobs.Debt) bool { return d.JobID == whole })
	})
}

// settleUntil runs a settler until enough is settled, as what is left tells.
func (b *bundle) settleUntil(t *testing.T, enough func(left []jobs.Debt) bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel()
	s := &delivery.Settler{Store: b.store, Callbacks: receivers, Client: b.rdb, Interval: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
	done.Go(func() { s.Run(ctx) })
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := b.store.Debts(b.ctx, 0, 1000)
		must(t, err)
		if enough(left) {
			return
		}
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			t.Fatalf("still owed: %v", left)
		}
	}
}

// However many debts there are that nobody can settle, since their jobs' records
// can't be read, those behind them are settled, and those stay; what is no debt
// at all goes.
func TestSettlerGetsPastManyItCantSettle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const stuck = 450
	var debts []redis.Z
	for i := range stuck {
		id := jobs.NewID(time.Now())
		must(t, b.rdb.HSet(b.ctx, "sw:v1:job:"+id, "id", id, "attempt", "many").Err())
		debts = append(debts,
			redis.Z{Score: float64(i), Member: id + "||end|1"},
			redis.Z{Score: float64(i), Member: fmt.Sprintf("j_%d|no debt", i)})
	}
	must(t, b.rdb.ZAdd(b.ctx, "sw:v1:owed", debts...).Err())
	id := b.toggle(t, 16)
	b.run(t, id)
	b.settleUntil(t, func(left []jobs.Debt) bool {
		if len(left) < stuck {
			t.Fatalf("only %d of %d are left that can't be settled", len(left), stuck)
		}
		return len(left) == stuck
	})
}

// A settler that has read a debt of a job's first run, and is slow, does not
// strike off what the second run owes.
func TestSettlerKnowsTheRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.toggle(t, 16, hook)
	must(t, b.begin(t, id).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
	read, err := b.store.Debts(b.ctx, 0, 10)
	must(t, err)
	b.settle(t, 1) // another one is faster
	must(t, b.store.Reopen(b.ctx, id))
	must(t, b.begin(t, id).Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
	for _, d := range read {
		must(t, b.store.Settle(b.ctx, d))
	}
	left, err := b.store.Debts(b.ctx, 0, 10)
	must(t, err)
	if len(left) != 2 {
		t.Fatalf("owed after the second run: %v, want its start and its result", left)
	}
	b.settle(t, 2)
	b.wantDeliveries(t, append(all(id), all(id)...)...)
}

// Ensure the end of a job that chats have asked for is told to each of them once,
// by however many settlers, however long what else the chat has asked for takes.
func TestSettlerTellsChats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	x, err := tasks.ParseTarget("192.0.2.1")
	must(t, err)
	accept := func(d tasks.Draft) string {
		a, err := b.store.Accept(b.ctx, jobs.Request{Draft: d})
		must(t, err)
		return a.ID
	}
	first := accept(tasks.NewCF(tasks.CFBlock, x, "-5", 3))
	second := accept(tasks.NewTelegram(tasks.TelegramPayload{ChatID: "-5", Text: "a"}, ""))
	done := func(id string) {
		t.Helper()
		must(t, b.begin(t, id).Finish(b.ctx, jobs.End{State: jobs.Completed, Result: []byte(`{"outcome":"blocked"}`)}))
	}
	done(first)
	b.settle(t, 3)
	page, err := b.store.List(b.ctx, jobs.Filter{ChatID: "-5", Type: tasks.Telegram}, 10, "")
	must(t, err)
	if len(page.Jobs) != 2 {
		t.Fatalf("%d messages, want 2: %+v", len(page.Jobs), page.Jobs)
	}
	i := slices.IndexFunc(page.Jobs, func(j *jobs.Job) bool { return j.ID != second })
	notice := page.Jobs[i]
	if notice.Parent != first || notice.Waiting || notice.ChatID != "-5" {
		t.Errorf("%+v", notice)
	}
	// Nor do they hold that up.
	third := accept(tasks.NewCF(tasks.CFRelease, x, "-5", 3))
	done(second)
	if j, err := b.store.Get(b.ctx, third); err != nil || j.Waiting {
		t.Errorf("%+v, %v", j, err)
	}
	done(notice.ID)
	b.settle(t, 1)
	if page, err = b.store.List(b.ctx, jobs.Filter{Type: tasks.Telegram}, 10, ""); err != nil || len(page.Jobs) != 2 {
		t.Errorf("%d messages, %v: a message has been told of", len(page.Jobs), err)
	}
}
