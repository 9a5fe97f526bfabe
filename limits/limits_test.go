package limits_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/limits"
	"switchyard/sim/redisserver"
)

// setup returns two limiters, as of two processes, on one Redis.
func setup(t *testing.T) (ctx context.Context, a, b *limits.Limiter, rdb *redis.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "no"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	client := func() *redis.Client {
		c := redis.NewClient(&redis.Options{Addr: srv.Addr()})
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	rdb = client()
	return ctx, limits.New(rdb), limits.New(client()), rdb
}

// slow is a rate that gives no second place while a test runs.
func slow(name string, burst int) limits.Rate {
	return limits.Rate{Name: name, Events: 1, Per: time.Hour, Burst: burst}
}

// Ensure two processes together get what one rate allows, however many ask at
// once, and that who gets nothing is told when to come again.
func TestTake_shared(t *testing.T) {
	t.Parallel()
	ctx, a, b, _ := setup(t)
	var mu sync.Mutex
	taken := 0
	var asking sync.WaitGroup
	for i := range 40 {
		l := []*limits.Limiter{a, b}[i%2]
		asking.Go(func() {
			wait, ok, err := l.Take(ctx, 0, slow("x", 7))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case ok:
				taken++
			case wait <= 50*time.Minute || wait > time.Hour:
				t.Errorf("told to come again after %s", wait)
			}
		})
	}
	asking.Wait()
	if taken != 7 {
		t.Errorf("%d places, want 7", taken)
	}
}

// Ensure who is willing to wait is given the next places, one behind the other,
// up to what they are willing to wait.
func TestTake_ahead(t *testing.T) {
	t.Parallel()
	ctx, a, b, _ := setup(t)
	r := limits.Rate{Name: "x", Events: 6, Per: time.Minute, Burst: 1}
	last := -time.Second
	for i := range 4 {
		wait, ok, err := []*limits.Limiter{a, b}[i%2].Take(ctx, 35*time.Second, r)
		if err != nil || !ok || wait <= last || wait > time.Duration(i)*10*time.Second {
			t.Fatalf("place %d: %s, %v, %v", i, wait, ok, err)
		}
		last = wait
	}
	if wait, ok, err := a.Take(ctx, 35*time.Second, r); ok || err != nil || wait <= 35*time.Second {
		t.Errorf("a fifth place: %s, %v, %v", wait, ok, err)
	}
}

// Ensure several rates are taken together: where one is full, nothing of the
// others is used up.
func TestTake_together(t *testing.T) {
	t.Parallel()
	ctx, a, _, _ := setup(t)
	wide, narrow, other := slow("wide", 3), slow("narrow", 1), slow("other", 1)
	for _, tt := range []struct {
		rates []limits.Rate
		want  bool
	}{
		{[]limits.Rate{wide, narrow}, true}, {[]limits.Rate{wide, narrow}, false}, {[]limits.Rate{wide, narrow}, false},
		{[]limits.Rate{wide, other}, true}, {[]limits.Rate{wide}, true}, {[]limits.Rate{wide}, false},
	} {
		if _, ok, err := a.Take(ctx, time.Minute, tt.rates...); ok != tt.want || err != nil {
			t.Errorf("%+v: %v, %v", tt.rates, ok, err)
		}
	}
}

// Ensure nobody gets a place in a rate that was closed, not even one of a burst,
// and that it opens again.
func TestFreeze(t *testing.T) {
	t.Parallel()
	ctx, a, b, rdb := setup(t)
	r := limits.Rate{Name: "x", Events: 100, Per: time.Second, Burst: 50}
	if err := a.Freeze(ctx, time.Hour, r); err != nil {
		t.Fatal(err)
	}
	if err := a.Freeze(ctx, time.Second, r); err != nil { // a shorter one takes nothing back
		t.Fatal(err)
	}
	wait, ok, err := b.Take(ctx, time.Minute, r)
	if ok || err != nil || wait <= 59*time.Minute || wait > time.Hour {
		t.Errorf("%s, %v, %v", wait, ok, err)
	}
	var later *limits.LaterError
	if err := b.Wait(ctx, time.Second, r); !errors.As(err, &later) || later.After <= 59*time.Minute {
		t.Errorf("waiting: %v", err)
	}
	if ttl := rdb.PTTL(ctx, limits.Prefix+"x").Val(); ttl < time.Hour || ttl > time.Hour+time.Minute {
		t.Errorf("the key lives for %s", ttl)
	}
	short := limits.Rate{Name: "y", Events: 100, Per: time.Second, Burst: 50}
	if err := a.Freeze(ctx, 30*time.Millisecond, short); err != nil {
		t.Fatal(err)
	}
	if err := b.Wait(ctx, 10*time.Second, short); err != nil {
		t.Errorf("waiting for a rate to open: %v", err)
	}
}

// Ensure a wait ends with its context, and that an outage is told apart from a
// full rate.
func TestWait_ends(t *testing.T) {
	t.Parallel()
	ctx, a, _, rdb := setup(t)
	r := limits.Rate{Name: "x", Events: 1, Per: time.Minute, Burst: 1}
	if err := a.Wait(ctx, 0, r); err != nil {
		t.Fatal(err)
	}
	why := errors.New("enough")
	ended, cancel := context.WithCancelCause(ctx)
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	if err := a.Wait(ended, time.Hour, r); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if err := rdb.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(ctx, 0, r); !errors.Is(err, limits.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := a.Freeze(ctx, time.Second, r); !errors.Is(err, limits.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// Ensure what counts as several events takes as many places, and waits until that
// many are free.
func TestTake_cost(t *testing.T) {
	t.Parallel()
	ctx, a, b, _ := setup(t)
	r := slow("x", 10)
	r.Cost = 4
	for i, want := range []bool{true, true, false} {
		if _, ok, err := []*limits.Limiter{a, b}[i%2].Take(ctx, 0, r); err != nil || ok != want {
			t.Fatalf("take %d of 4: %v, %v", i, ok, err)
		}
	}
	r.Cost = 2
	if _, ok, err := a.Take(ctx, 0, r); err != nil || !ok {
		t.Errorf("the last two of ten: %v, %v", ok, err)
	}
	r.Cost = 1
	if wait, ok, err := a.Take(ctx, 0, r); err != nil || ok || wait > time.Hour {
		t.Errorf("an eleventh: %s, %v, %v", wait, ok, err)
	}
}
