package hardware

import (
	"context"

	"switchyard/hardware/flock"
)

// ErrLocked: another process works on it.
var ErrLocked = flock.ErrLocked

// Lock is a held lock file. The kernel frees it when the process dies.
type Lock = flock.Lock

// TryLock takes the lock at path for one holder, whose directory is made if need
// be. Error: ErrLocked.
func TryLock(path string) (*Lock, error) { return flock.Try(path, flock.Exclusive) }

// WaitLock takes the lock, waiting for whoever holds it until ctx ends.
// waiting, if set, is called once when it has to wait.
func WaitLock(ctx context.Context, path string, waiting func()) (*Lock, error) {
	return flock.Wait(ctx, path, flock.Exclusive, waiting)
}
