package hardware_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/hardware"
)

// Ensure a lock has one holder at a time, in one process too, and that its
// directory is made.
func TestTryLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "locks", "dongle-16.lock")
	first, err := hardware.TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hardware.TryLock(path); !errors.Is(err, hardware.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("the second holder: %v", err)
	}
	other, err := hardware.TryLock(path + "2")
	if err != nil {
		t.Errorf("another lock: %v", err)
	}
	for _, l := range []*hardware.Lock{other, first} {
		if err := l.Unlock(); err != nil {
			t.Error(err)
		}
	}
	again, err := hardware.TryLock(path)
	if err != nil {
		t.Fatalf("after it was freed: %v", err)
	}
	if err := again.Unlock(); err != nil {
		t.Error(err)
	}
	// The file stays, or two processes could lock two files of one name.
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if err := again.Unlock(); err == nil {
		t.Error("it was freed twice")
	}
}

// Ensure a lock that can't be made names the setting that says where it lies,
// and isn't waited for.
func TestTryLock_noDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(file, "dongle-16.lock"), t.TempDir()} {
		_, err := hardware.WaitLock(t.Context(), path, func() { t.Error("it is waited for") })
		if err == nil || errors.Is(err, hardware.ErrLocked) || !strings.Contains(err.Error(), "host.state_dir") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Ensure who waits for a lock is told so once, gets it when it is freed, and
// gives up when its context ends.
func TestWaitLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dongle-16.lock")
	synctest.Test(t, func(t *testing.T) {
		held, err := hardware.WaitLock(t.Context(), path, func() { t.Error("a free lock is waited for") })
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Second, func() {
			if err := held.Unlock(); err != nil {
				t.Error(err)
			}
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errCancelled) })
		_, err = hardware.WaitLock(ctx, path, nil)
		if !errors.Is(err, errCancelled) || !errors.Is(err, hardware.ErrLocked) || time.Since(start()) != time.Second {
			t.Errorf("cancelled: %v at %v", err, time.Since(start()))
		}
		told := 0
		got, err := hardware.WaitLock(t.Context(), path, func() { told++ })
		if err != nil || told != 1 {
			t.Fatalf("told %d times: %v", told, err)
		}
		if waited := time.Since(start()); waited < 10*time.Second || waited > 11*time.Second {
			t.Errorf("it has the lock after %v", waited)
		}
		if err := got.Unlock(); err != nil {
			t.Error(err)
		}
	})
}

// Ensure the kernel frees the lock of a process that dies, however it dies.
func TestLock_diesWithItsProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dongle-16.lock")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	helper := exec.CommandContext(ctx, os.Args[0])
	helper.Env = append(os.Environ(), holdLock+"="+path)
	stdin, err := helper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) || strings.TrimSpace(line) != "held" {
		t.Fatalf("the helper said %q, %v", line, err)
	}
	if _, err := hardware.TryLock(path); !errors.Is(err, hardware.ErrLocked) {
		t.Errorf("while it lives: %v", err)
	}
	if err := helper.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait() // it was killed
	l, err := hardware.TryLock(path)
	if err != nil {
		t.Fatalf("after it died: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
}

// Ensure a toggle waits for whoever works on the dongle, without a word to the
// modem, and frees it when it ends or is cancelled.
func TestToggle_waitsForTheLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, j := newPlace(t, healthy), &journal{}
		p.ways[hardware.MethodNetMode] = changes
		var calls atomic.Int64
		m := &interrupted{Modem: p.modem(), At: func(int) error { calls.Add(1); return nil }}
		d := p.dongle(t, m)
		held, err := hardware.TryLock(d.LockPath)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errCancelled) })
		if out, err := p.ladder().Toggle(ctx, d, j.hooks()); !errors.Is(err, errCancelled) || out.Success {
			t.Errorf("cancelled: %+v, %v", out, err)
		}
		time.AfterFunc(time.Minute, func() {
			if n := calls.Load(); n > 0 || j.last().Diagnosis != "" {
				t.Errorf("%d calls of the modem before the lock was free, which said %+v", n, j.last())
			}
			_ = held.Unlock()
		})
		// Freed by the first toggle's end, it is the second one's.
		for range 2 {
			if out, err := p.ladder().Toggle(t.Context(), d, j.hooks()); err != nil || !out.Success {
				t.Errorf("%+v, %v", out, err)
			}
		}
		if took := time.Since(start()); took < time.Minute {
			t.Errorf("it toggled at once, after %v", took)
		}
	})
}
