package flock_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/hardware/flock"
)

// Ensure any number share a lock and one alone has all of it, never both, and that
// who waits for either gets it when it is free.
func TestModes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "hub-1-3.lock")
		take := func(mode flock.Mode) *flock.Lock {
			t.Helper()
			l, err := flock.Try(path, mode)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		free := func(l *flock.Lock) {
			t.Helper()
			if err := l.Unlock(); err != nil {
				t.Error(err)
			}
		}
		refused := func(mode flock.Mode) {
			t.Helper()
			if _, err := flock.Try(path, mode); !errors.Is(err, flock.ErrLocked) {
				t.Errorf("%v", err)
			}
		}
		one, two := take(flock.Shared), take(flock.Shared)
		refused(flock.Exclusive)
		free(one)
		refused(flock.Exclusive)
		time.AfterFunc(time.Second, func() { free(two) })
		all, err := flock.Wait(t.Context(), path, flock.Exclusive, nil)
		if err != nil {
			t.Fatal(err)
		}
		refused(flock.Shared)
		refused(flock.Exclusive)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		waited := 0
		if _, err := flock.Wait(ctx, path, flock.Shared, func() { waited++ }); !errors.Is(err, flock.ErrLocked) || !errors.Is(err, context.DeadlineExceeded) || waited != 1 {
			t.Errorf("%v, told %d times", err, waited)
		}
		free(all)
		free(take(flock.Shared))
	})
}
