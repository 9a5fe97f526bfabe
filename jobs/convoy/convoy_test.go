package convoy_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/jobs/convoy"
	"switchyard/sim/redisserver"
)

var (
	echo  = redis.NewScript(`return ARGV[1]`)
	count = redis.NewScript(`return redis.call('INCRBY', KEYS[1], ARGV[1])`)
	fails = redis.NewScript(`return redis.error_reply('ERR as asked')`)
)

// road is what the hook's client does to get to Redis, behind the hook.
type road struct {
	mu      sync.Mutex
	single  int   // calls that went by themselves
	convoys []int // lengths of pipelines

	closed chan struct{} // while open, single calls are held; nil: never
	held   sync.WaitGroup
}

func (r *road) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *road) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !ours(cmd) {
			return next(ctx, cmd)
		}
		r.mu.Lock()
		r.single++
		closed := r.closed
		r.mu.Unlock()
		if closed != nil {
			r.held.Done()
			<-closed
		}
		return next(ctx, cmd)
	}
}

func (r *road) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if ours(cmds[0]) { // a new connection introduces itself by pipeline
			r.mu.Lock()
			r.convoys = append(r.convoys, len(cmds))
			r.mu.Unlock()
		}
		return next(ctx, cmds)
	}
}

func ours(cmd redis.Cmder) bool { return cmd.Name() == "evalsha" || cmd.Name() == "get" }

func (r *road) seen() (single int, convoys string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.single, fmt.Sprint(r.convoys)
}

// jam has the next convoy.Lanes calls held until the returned function is
// called; it returns when they are.
func (r *road) jam(t *testing.T, b *bundle) (release func()) {
	t.Helper()
	r.mu.Lock()
	r.closed = make(chan struct{})
	closed := r.closed
	r.mu.Unlock()
	r.held.Add(convoy.Lanes)
	var calls sync.WaitGroup
	for range convoy.Lanes {
		calls.Go(func() {
			// How it ends is of no interest.
			_ = echo.Run(b.ctx, b.rdb, nil, "jam").Err()
		})
	}
	r.held.Wait()
	r.mu.Lock()
	r.closed = nil
	r.mu.Unlock()
	return sync.OnceFunc(func() { close(closed); calls.Wait() })
}

type bundle struct {
	ctx  context.Context
	srv  *redisserver.Server
	hook *convoy.Hook
	rdb  *redis.Client // with the hook
	raw  *redis.Client // without
	road *road
}

func setup(t *testing.T, joins func(redis.Cmder) bool) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, srv: srv, road: &road{}}
	b.raw = redis.NewClient(&redis.Options{Addr: srv.Addr()})
	b.rdb = redis.NewClient(&redis.Options{Addr: srv.Addr(), ContextTimeoutEnabled: true, MaxRetries: 1, DialerRetries: 1})
	t.Cleanup(func() { _, _ = b.raw.Close(), b.rdb.Close() })
	b.hook = convoy.New(b.rdb, joins)
	b.hook.SetPatience(time.Minute)
	b.rdb.AddHook(b.hook)
	b.rdb.AddHook(b.road)
	for _, s := range []*redis.Script{echo, count, fails} {
		if err := s.Load(ctx, b.raw).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// A call that meets nobody goes by itself.
func TestLoneCall(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	for i := range 10 {
		if got, err := echo.Run(b.ctx, b.rdb, nil, i).Int(); err != nil || got != i {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	if single, convoys := b.road.seen(); single != 10 || convoys != "[]" {
		t.Errorf("%d calls went by themselves, convoys %s", single, convoys)
	}
}

// Calls that meet travel together, and each gets its own answer.
func TestCallsTravelTogether(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	if err := b.raw.Set(b.ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	release := b.road.jam(t, b)
	defer release()
	calls := []func() error{
		func() error { return want("own")(echo.Run(b.ctx, b.rdb, nil, "own").Text()) },
		func() error { return want("other")(echo.Run(b.ctx, b.rdb, nil, "other").Text()) },
		func() error { return want("v")(b.rdb.Get(b.ctx, "k").Result()) },
		func() error {
			if err := b.rdb.Get(b.ctx, "none").Err(); !errors.Is(err, redis.Nil) {
				return fmt.Errorf("of no key: %w", err)
			}
			return nil
		},
		func() error {
			if err := fails.Run(b.ctx, b.rdb, nil).Err(); err == nil || err.Error() != "ERR as asked" {
				return fmt.Errorf("of a script that fails: %w", err)
			}
			return nil
		},
		// Redis doesn't know this one yet, so it is sent again with its text.
		func() error { return want("new")(redis.NewScript(`return 'new'`).Run(b.ctx, b.rdb, nil).Text()) },
	}
	var wg sync.WaitGroup
	for _, call := range calls {
		wg.Go(func() {
			if err := call(); err != nil {
				t.Error(err)
			}
		})
	}
	b.await(t, len(calls))
	release()
	wg.Wait()
	if single, convoys := b.road.seen(); single != convoy.Lanes || convoys != fmt.Sprintf("[%d]", len(calls)) {
		t.Errorf("%d calls went by themselves, convoys %s", single, convoys)
	}
}

func want(w string) func(string, error) error {
	return func(got string, err error) error {
		if err != nil || got != w {
			return fmt.Errorf("got %q, %w, want %q", got, err, w)
		}
		return nil
	}
}

// await waits until so many calls wait for a lane.
func (b *bundle) await(t *testing.T, n int) {
	t.Helper()
	b.until(t, fmt.Sprintf("%d calls wait", n), func() bool { return b.hook.Waiting() == n })
}

func (b *bundle) until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			t.Fatalf("not reached: %s", what)
		}
	}
}

// A caller that gives up is let go at once, and what it asked for is not done.
func TestWithdrawnCallIsNotMade(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	release := b.road.jam(t, b)
	defer release()
	ctx, cancel := context.WithCancel(b.ctx)
	given := make(chan error, 1)
	go func() { given <- count.Run(ctx, b.rdb, []string{"n"}, 1).Err() }()
	kept := make(chan error, 1)
	b.await(t, 1)
	go func() { kept <- count.Run(b.ctx, b.rdb, []string{"n"}, 10).Err() }()
	b.await(t, 2)
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	release()
	if err := <-kept; err != nil {
		t.Error(err)
	}
	if n, err := b.raw.Get(b.ctx, "n").Int(); err != nil || n != 10 {
		t.Errorf("n is %d, %v, want 10", n, err)
	}
}

// Lanes that hang hold up nobody else for longer than the patience.
func TestHangingLanes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.hook.SetPatience(time.Millisecond)
	release := b.road.jam(t, b)
	defer release()
	for range 3 {
		if err := want("on")(echo.Run(b.ctx, b.rdb, nil, "on").Text()); err != nil {
			t.Error(err)
		}
	}
	release()
	b.until(t, "all lanes are free", func() bool { return b.hook.Away() == 0 })
	if err := echo.Run(b.ctx, b.rdb, nil, "x").Err(); err != nil {
		t.Error(err)
	}
	if single, _ := b.road.seen(); single != convoy.Lanes+1 {
		t.Errorf("%d calls went by themselves, want the last one to", single)
	}
}

// What can't wait doesn't: commands of other kinds, and those that aren't to
// join.
func TestOthersPass(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c redis.Cmder) bool { return c.Args()[len(c.Args())-1] != "alone" })
	release := b.road.jam(t, b)
	defer release()
	if err := b.rdb.Ping(b.ctx).Err(); err != nil {
		t.Error(err)
	}
	if err := want("alone")(echo.Run(b.ctx, b.rdb, nil, "alone").Text()); err != nil {
		t.Error(err)
	}
}

// When Redis is away, everybody hears of it; when it is back, calls go through.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	release := b.road.jam(t, b)
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() { errs <- echo.Run(b.ctx, b.rdb, nil, "x").Err() }()
	}
	b.await(t, cap(errs))
	b.srv.Kill()
	release()
	for range cap(errs) {
		if err := <-errs; err == nil {
			t.Error("a call got an answer of a Redis that is away")
		}
	}
	if err := b.srv.Restart(b.ctx); err != nil {
		t.Fatal(err)
	}
	if err := want("back")(echo.Run(b.ctx, b.rdb, nil, "back").Text()); err != nil {
		t.Error(err)
	}
}

// However many call at once, every call is made once.
func TestEveryCallIsMadeOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.hook.SetPatience(convoy.Patience)
	const callers, each = 64, 100
	answers := make([]map[int]bool, callers)
	var wg sync.WaitGroup
	for i := range callers {
		answers[i] = map[int]bool{}
		wg.Go(func() {
			for range each {
				n, err := count.Run(b.ctx, b.rdb, []string{"n"}, 1).Int()
				if err != nil {
					t.Error(err)
				}
				answers[i][n] = true
			}
		})
	}
	wg.Wait()
	all := map[int]bool{}
	for _, m := range answers {
		for n := range m {
			all[n] = true
		}
	}
	if n, err := b.raw.Get(b.ctx, "n").Int(); err != nil || n != callers*each || len(all) != n {
		t.Errorf("%d calls came to %d, %v, with %d answers", callers*each, n, err, len(all))
	}
	if n := b.hook.Away(); n != 0 {
		t.Errorf("%d lanes are in use", n)
	}
}
