// Package flock keeps processes out of each other's way at one piece of
// hardware: a dongle, a USB hub. A lock is a file of the directory host.state_dir
// that is locked as long as its holder lives; the kernel frees it when the
// process dies, however that happens.
//
// An exclusive lock has one holder, a shared one any number, and never are there
// both. Two holders in one process are as good as two processes.
package flock

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

// Mode is how a lock is held.
type Mode int

// The modes.
const (
	Exclusive Mode = syscall.LOCK_EX
	Shared    Mode = syscall.LOCK_SH
)

// Lock is a held lock file.
type Lock struct{ f *os.File }

// Try takes the lock at path, whose directory is made if need be. Error:
// ErrLocked.
func Try(path string, mode Mode) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("making the directory for locks (host.state_dir): %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a lock (host.state_dir): %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), int(mode)|syscall.LOCK_NB); err != nil {
		closeErr := f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, ErrLocked), closeErr)
		}
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), closeErr)
	}
	return &Lock{f: f}, nil
}

// poll is how often a lock that somebody holds is tried: the kernel wakes only a
// thread that blocks, and that can't be cancelled.
const poll = 50 * time.Millisecond

// Wait takes the lock, waiting for whoever holds it until ctx ends. waiting, if
// set, is called once when it has to wait.
func Wait(ctx context.Context, path string, mode Mode, waiting func()) (*Lock, error) {
	for {
		l, err := Try(path, mode)
		if err == nil || !errors.Is(err, ErrLocked) {
			return l, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		again := time.NewTimer(poll)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, fmt.Errorf("%w: %w", err, context.Cause(ctx))
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
