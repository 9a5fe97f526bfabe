package limits_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"switchyard/limits"
)

// clock is one that only moves when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// windowed returns windows on a Redis of their own, and their clock.
func windowed(t *testing.T) (context.Context, *limits.Windows, *clock) {
	t.Helper()
	ctx, _, _, rdb := setup(t)
	c := &clock{at: time.Now()}
	return ctx, limits.NewWindows(rdb, c.now), c
}

// Ensure a place counts until Per after it was left, however long it was taken, and
// that who finds none is told when the next one is free.
func TestWindows(t *testing.T) {
	t.Parallel()
	ctx, w, c := windowed(t)
	x := limits.Window{Name: "x", Events: 2, Per: time.Minute}
	enter := func(name string, want time.Duration) {
		t.Helper()
		wait, ok, err := w.Enter(ctx, name, 2*time.Minute, x)
		if err != nil || ok != (want == 0) || wait != want {
			t.Fatalf("%s: %s, %v, %v; want %s", name, wait, ok, err, want)
		}
	}
	leave := func(name string) {
		t.Helper()
		if err := w.Leave(ctx, name, x); err != nil {
			t.Fatal(err)
		}
	}
	enter("a", 0)
	enter("b", 0)
	enter("a", 0) // has it already
	enter("c", time.Minute)
	c.add(90 * time.Second)
	enter("c", 30*time.Second) // nobody has left: until they count as gone
	leave("a")
	c.add(10 * time.Second)
	enter("c", 20*time.Second)
	leave("b")
	enter("c", 50*time.Second)
	c.add(50 * time.Second)
	enter("c", 0)
	enter("d", 10*time.Second)
	c.add(time.Hour)
	enter("d", 0)
}

// Ensure several windows are entered together: where one is full, no place of the
// others is used up.
func TestWindows_together(t *testing.T) {
	t.Parallel()
	ctx, w, _ := windowed(t)
	wide, narrow := limits.Window{Name: "wide", Events: 3, Per: time.Second}, limits.Window{Name: "narrow", Events: 1, Per: time.Hour}
	for i, tt := range []struct {
		windows []limits.Window
		want    bool
	}{
		{[]limits.Window{wide, narrow}, true}, {[]limits.Window{wide, narrow}, false}, {[]limits.Window{wide, narrow}, false},
		{[]limits.Window{wide}, true}, {[]limits.Window{wide}, true}, {[]limits.Window{wide}, false},
	} {
		if _, ok, err := w.Enter(ctx, fmt.Sprint(i), time.Hour, tt.windows...); ok != tt.want || err != nil {
			t.Errorf("%d: %v, %v", i, ok, err)
		}
	}
}

// Ensure nobody gets into a window that is shut, that a shorter time takes nothing
// back, and that it opens again.
func TestWindows_shut(t *testing.T) {
	t.Parallel()
	ctx, w, c := windowed(t)
	x := limits.Window{Name: "x", Events: 5, Per: time.Second}
	for _, d := range []time.Duration{time.Hour, time.Second} {
		if err := w.Shut(ctx, d, x); err != nil {
			t.Fatal(err)
		}
	}
	if wait, ok, err := w.Enter(ctx, "a", time.Second, x); ok || err != nil || wait != time.Hour {
		t.Errorf("%s, %v, %v", wait, ok, err)
	}
	var later *limits.LaterError
	if err := w.Await(ctx, time.Second, "a", time.Second, x); !errors.As(err, &later) || later.After != time.Hour {
		t.Errorf("waiting: %v", err)
	}
	c.add(time.Hour)
	if err := w.Await(ctx, 0, "a", time.Second, x); err != nil {
		t.Errorf("when it is open again: %v", err)
	}
}

// Ensure two processes together get no more places than there are.
func TestWindows_shared(t *testing.T) {
	t.Parallel()
	ctx, _, _, rdb := setup(t)
	x := limits.Window{Name: "x", Events: 7, Per: time.Hour}
	both := []*limits.Windows{limits.NewWindows(rdb, time.Now), limits.NewWindows(rdb, time.Now)}
	var mu sync.Mutex
	taken := 0
	var asking sync.WaitGroup
	for i := range 40 {
		asking.Go(func() {
			_, ok, err := both[i%2].Enter(ctx, fmt.Sprint(i), time.Hour, x)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			} else if ok {
				taken++
			}
		})
	}
	asking.Wait()
	if taken != 7 {
		t.Errorf("%d places, want 7", taken)
	}
}

// Ensure windows without a clock of the caller's go by Redis' own, to which it doesn't
// matter who has left a place and who asks for the next.
func TestWindows_ownClock(t *testing.T) {
	t.Parallel()
	ctx, _, _, rdb := setup(t)
	x := limits.Window{Name: "x", Events: 1, Per: time.Hour}
	one, other := limits.NewWindows(rdb, nil), limits.NewWindows(rdb, nil)
	if _, ok, err := one.Enter(ctx, "a", 2*time.Hour, x); err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	if err := one.Leave(ctx, "a", x); err != nil {
		t.Fatal(err)
	}
	now, err := rdb.Time(ctx).Result()
	if err != nil {
		t.Fatal(err)
	}
	places, err := rdb.ZRangeWithScores(ctx, limits.Prefix+"x", 0, -1).Result()
	if err != nil || len(places) != 1 {
		t.Fatalf("%v, %v", places, err)
	}
	if free := time.UnixMicro(int64(places[0].Score)); free.After(now.Add(time.Hour)) || free.Before(now.Add(59*time.Minute)) {
		t.Errorf("the place is free at %s, an hour after %s", free, now)
	}
	if wait, ok, err := other.Enter(ctx, "b", time.Hour, x); err != nil || ok || wait > time.Hour || wait < 59*time.Minute {
		t.Errorf("%s, %v, %v", wait, ok, err)
	}
	if err := other.Shut(ctx, 3*time.Hour, x); err != nil {
		t.Fatal(err)
	}
	if wait, ok, err := one.Enter(ctx, "b", time.Hour, x); err != nil || ok || wait < 2*time.Hour {
		t.Errorf("%s, %v, %v", wait, ok, err)
	}
}
