package guest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Sh is Client.Sh.
func (g *Guest) Sh(script string, out *string) error {
	b, err := exec.Command(Busybox, "sh", "-ec", script).CombinedOutput() //nolint:noctx // the machine ends with it
	*out = string(b)
	if err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, b)
	}
	return nil
}

// Put is Client.Put.
func (g *Guest) Put(f File, _ *bool) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(f.Path, f.Contents, os.FileMode(f.Perm))
}

// Start is Client.Start.
func (g *Guest) Start(p Program, _ *bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.worker != nil {
		select {
		case <-g.done:
		default:
			return errors.New("the worker is running")
		}
	}
	console, err := os.OpenFile(logDevice, os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer func() { _ = console.Close() }() // the worker has its own
	args := p.Args
	if len(p.Hidden) > 0 {
		// What is mounted in a mount namespace of its own nobody else sees.
		script := "mount --make-rprivate /; "
		for _, file := range p.Hidden {
			script += "mount --bind /dev/null " + file + "; "
		}
		args = append([]string{Busybox, "unshare", "-m", Busybox, "sh", "-ec", script + `exec "$@"`, "sh"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx // ended by Signal
	cmd.Stdout, cmd.Stderr = console, console
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	g.worker, g.done = cmd, done
	go func() {
		err := cmd.Wait()
		g.log.add(0, fmt.Sprintf("ended %v", err))
		close(done)
	}()
	return nil
}

// Signal is Client.Signal.
func (g *Guest) Signal(s Signal, _ *bool) error {
	g.mu.Lock()
	cmd, done := g.worker, g.done
	g.mu.Unlock()
	if cmd == nil {
		return errors.New("there is no worker")
	}
	if err := cmd.Process.Signal(syscall.Signal(s.Number)); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if s.End {
		<-done
	}
	return nil
}

// Events is Client.Events.
func (g *Guest) Events(q EventsQuery, all *[]Event) error {
	*all = g.log.since(q.After, q.Wait)
	return nil
}

// Clock is Client.Clock.
func (g *Guest) Clock(_ bool, t *time.Time) error {
	*t = time.Now()
	return nil
}
