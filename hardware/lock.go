package hardware

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrLocked: another process works on it.
var ErrLocked = errors.New("another process works on it")

// Lock is a held lock file. The kernel frees it when the process dies.
type Lock struct{ f *os.File }

// TryLock takes the lock at path, whose directory is made if need be. Error:
// ErrLocked.
func TryLock(path string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory for locks (host.state_dir): %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a lock (host.state_dir): %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		closeErr := f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, ErrLocked), closeErr)
		}
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), closeErr)
	}
	return &Lock{f: f}, nil
}

// lockPoll is how often a lock that somebody holds is tried: the kernel wakes
// only a thread that blocks, and that can't be cancelled.
const lockPoll = 50 * time.Millisecond

// WaitLock takes the lock, waiting for whoever holds it until ctx ends.
// waiting, if set, is called once when it has to wait.
func WaitLock(ctx context.Context, path string, waiting func()) (*Lock, error) {
	for {
		l, err := TryLock(path)
		if err == nil || !errors.Is(err, ErrLocked) {
			return l, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		if pauseErr := pause(ctx, lockPoll); pauseErr != nil {
			return nil, fmt.Errorf("%w: %w", err, pauseErr)
		}
	}
}

// Unlock frees the lock. The file stays: removing it would let two processes
// lock two files of one name.
func (l *Lock) Unlock() error {
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("freeing a lock: %w", err)
	}
	return nil
}
