package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	// lockWait is how long a deployment waits for whoever works in its directory: for
	// what a worker that died has left to end.
	lockWait = 2 * time.Minute
	// lockPause is the pause between two tries.
	lockPause = 100 * time.Millisecond
)

// errLocked: somebody works there.
var errLocked = errors.New("another deployment works in the project's directory")

// lock locks a project's directory, for as long as the file that it returns is open, in
// this process or a keeper's. It waits for others until ctx ends. File systems that know
// no such locks do without.
func lock(ctx context.Context, dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the project's directory: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, errLocked)
	defer cancel()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil, errors.Is(err, syscall.EBADF), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EOPNOTSUPP):
			return f, nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, errors.Join(fmt.Errorf("locking the project's directory: %w", err), f.Close())
		}
		again := time.NewTimer(lockPause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, errors.Join(context.Cause(ctx), f.Close())
		}
	}
}
