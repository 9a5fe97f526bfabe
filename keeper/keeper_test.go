//go:build linux

package keeper_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"switchyard/keeper"
)

// victim is the variable that makes TestTheEndOfWhoStartedIt the process that is killed;
// its value is the program's directory.
const victim = "SWITCHYARD_TEST_VICTIM"

// script is a program in sh that has nothing but PATH.
func script(text string, change ...func(*keeper.Command)) keeper.Command {
	c := keeper.Command{Argv: []string{"/bin/sh", "-c", text}, Env: []string{"PATH=/usr/bin:/bin"}}
	for _, f := range change {
		f(&c)
	}
	return c
}

// in is a change of the working directory.
func in(dir string) func(*keeper.Command) { return func(c *keeper.Command) { c.Dir = dir } }

// patience is what a test waits for an event.
const patience = 40 * time.Second

func run(t *testing.T, c keeper.Command) error {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("it didn't end"))
	defer cancel()
	return keeper.Run(ctx, c)
}

// litter leaves five children: one as they are, one in a session of its own, one whose
// parent is gone, one that has besides an empty environment, and the grandchild of that.
const litter = `
	sleep 600 & echo $! >>pids
	setsid sleep 600 & echo $! >>pids
	(setsid sh -c 'sleep 600 & echo $! >>pids')
	(setsid env -i /bin/sh -c '/bin/sleep 600 & echo $! >>pids' &)
	(setsid env -i /usr/bin/setsid /bin/sh -c 'echo $$ >>pids; exec /bin/sleep 600' &)
	while [ $(wc -l <pids) -lt 5 ]; do sleep 0.01; done
`

// ended waits a moment for the end of a process: its files are closed before it is gone.
func ended(t *testing.T, pid int) bool {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
		if !errors.Is(err, unix.EINTR) {
			return n == 1
		}
	}
}

// left are those of the processes written down in dir that are still there.
func left(t *testing.T, dir string) (out []int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pids"))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(text))
	if len(all) != 5 {
		t.Errorf("there were %v, want 5", all)
	}
	for _, s := range all {
		p, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		if !ended(t, p) {
			out = append(out, p)
		}
	}
	return out
}

// Ensure all that a program has started ends with it, wherever it hid and however the
// program ends.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rest string
		end  func(*keeper.Process)
		want string
	}{
		"by itself":       {"exit 0", func(*keeper.Process) {}, ""},
		"by failing":      {"exit 3", func(*keeper.Process) {}, "exit status 3"},
		"by a signal":     {"kill -SEGV $$", func(*keeper.Process) {}, "signal: segmentation fault"},
		"by being asked":  {"exec sleep 600", (*keeper.Process).Terminate, "signal: terminated"},
		"by being killed": {"trap '' TERM; while :; do sleep 1; done", (*keeper.Process).Kill, "it was ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r, w := io.Pipe()
			p, err := keeper.Start(script(litter+"echo ready\n"+tt.rest, in(dir), func(c *keeper.Command) { c.Stdout = w }))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(r, make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
			tt.end(p)
			select {
			case <-p.Done():
			case <-time.After(patience):
				t.Fatal("it didn't end")
			}
			got := ""
			if err := p.Wait(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if l := left(t, dir); len(l) > 0 {
				t.Errorf("%v are still there", l)
			}
		})
	}
}

// Ensure a program ends with all that it started when the process that started it is
// killed.
func TestTheEndOfWhoStartedIt(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(victim); dir != "" {
		if err := keeper.Run(t.Context(), script(litter+"echo ready; exec sleep 600", in(dir), func(c *keeper.Command) { c.Stdout = os.Stdout })); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheEndOfWhoStartedIt$")
	cmd.Env = append(os.Environ(), victim+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Every one of them holds the output open.
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if l := left(t, dir); len(l) > 0 {
		t.Errorf("%v are still there", l)
	}
}

// Ensure every limit holds for all processes together, also for those that have ended or
// have left the group, and that it is told which one it was.
func TestLimits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text   string
		limits keeper.Limits
		want   keeper.Limit
	}{
		"CPU of one":       {"while :; do :; done", keeper.Limits{CPU: time.Second}, keeper.CPU},
		"CPU of many":      {"for i in 1 2 3; do setsid sh -c 'while :; do :; done' & done; wait", keeper.Limits{CPU: 2 * time.Second}, keeper.CPU},
		"CPU of the short": {"while :; do /bin/true; done", keeper.Limits{CPU: time.Second}, keeper.CPU},
		"memory of many": {"for i in 1 2 3 4; do (head -c 20000000 /dev/zero | tr '\\0' x; sleep 60) | sort >/dev/null & done; wait",
			keeper.Limits{Memory: 64 << 20}, keeper.Memory},
		"processes": {"i=0; while [ $i -lt 60 ]; do setsid sleep 600 & i=$((i+1)); done; wait", keeper.Limits{Processes: 32}, keeper.Processes},
		"fork bomb": {"b() { sleep 0.05; b & b & wait; }; b", keeper.Limits{Processes: 64}, keeper.Processes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var limit *keeper.LimitError
			if err := run(t, script(tt.text, func(c *keeper.Command) { c.Limits = tt.limits })); !errors.As(err, &limit) || limit.Limit != tt.want {
				t.Errorf("%v, want the limit %s", err, tt.want)
			}
		})
	}
	t.Run("memory of one", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		c := script("head -c 200000000 /dev/zero | tr '\\0' x | sort", func(c *keeper.Command) { c.Stderr, c.Limits.Memory = &out, 64<<20 })
		if err := run(t, c); err == nil {
			t.Errorf("no error; it said %q", out.String())
		}
	})
}

// Ensure a program reads and writes what it is to, in its directory and environment, and
// is found in its own PATH.
func TestInputAndOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out, errs bytes.Buffer
	c := keeper.Command{
		Argv: []string{"sh", "-c", `cat; pwd; env | sort; echo wrong >&2; nice; ls /proc/self/fd`},
		Dir:  dir, Env: []string{"PATH=/nowhere:/usr/bin:/bin", "A=b c"}, Stdin: strings.NewReader("words\n"), Stdout: &out, Stderr: &errs, Nice: 7,
	}
	if err := run(t, c); err != nil {
		t.Fatal(err)
	}
	// ls has its three standard files, and the directory that it reads.
	want := "words\n" + dir + "\nA=b c\nPATH=/nowhere:/usr/bin:/bin\nPWD=" + dir + "\n7\n0\n1\n2\n3\n"
	if out.String() != want || errs.String() != "wrong\n" {
		t.Errorf("%q, want %q; %q", out.String(), want, errs.String())
	}
}

// Ensure what can't be started is an error that says why.
func TestStartFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		c    keeper.Command
		want string
		is   error
	}{
		"no program":     {keeper.Command{Argv: []string{"/no/such/program"}}, "starting /no/such/program: no such file or directory", os.ErrNotExist},
		"no directory":   {script("exit 0", in("/no/such/directory")), "no such file or directory", os.ErrNotExist},
		"no permission":  {keeper.Command{Argv: []string{"/etc/passwd"}}, "starting /etc/passwd: permission denied", os.ErrPermission},
		"nothing":        {keeper.Command{}, "there is no program", nil},
		"not in PATH":    {keeper.Command{Argv: []string{"no-such-program"}, Env: []string{"PATH=/usr/bin"}}, "it is in no directory of its PATH", nil},
		"without a PATH": {keeper.Command{Argv: []string{"sh"}}, "it is in no directory of its PATH", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := keeper.Start(tt.c)
			if p != nil || err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// full is a writer that has no room.
type full struct{}

var errFull = errors.New("there is no room")

func (full) Write([]byte) (int, error) { return 0, errFull }

// Ensure a program whose output can't be written ends, as does one whose context does,
// each with its reason.
func TestReasons(t *testing.T) {
	t.Parallel()
	if err := run(t, script("echo x; exec sleep 600", func(c *keeper.Command) { c.Stdout = full{} })); !errors.Is(err, errFull) {
		t.Errorf("%v, want %v", err, errFull)
	}
	cause := errors.New("somebody wants it so")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := keeper.Run(ctx, script("exec sleep 600")); !errors.Is(err, cause) {
		t.Errorf("%v, want %v", err, cause)
	}
	p, err := keeper.Start(script("exec sleep 600"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var exit *keeper.ExitError
	if err := p.Wait(); !errors.As(err, &exit) || exit.Signal != syscall.SIGKILL || exit.Code != -1 {
		t.Errorf("%v, want that a signal killed it", err)
	}
	p.Terminate() // after the end neither does anything
	p.Kill()
}

// Ensure a lock that is held for a program is held until nothing of it is left, also when
// whoever started it has closed the file, and that the program doesn't have the file.
func TestHold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock := func() (*os.File, error) {
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return f, unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	mine, err := lock()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r, w := io.Pipe()
	p, err := keeper.Start(script("ls /proc/self/fd; echo ready >&2; exec sleep 600", func(c *keeper.Command) { c.Hold, c.Stdout, c.Stderr = mine, &out, w }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	mine.Close()
	if other, err := lock(); !errors.Is(err, unix.EWOULDBLOCK) {
		t.Errorf("while it runs: %v", err)
	} else {
		other.Close()
	}
	p.Kill()
	_ = p.Wait() // it was killed
	other, err := lock()
	if err != nil {
		t.Errorf("after its end: %v", err)
	}
	other.Close()
	if out.String() != "0\n1\n2\n3\n" {
		t.Errorf("it had %q", out.String())
	}
}
