package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// binary is the program under test, built once as a release is.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "switchyard-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "switchyard")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-X main.version=v1.2.3-test", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	status := m.Run()
	// go-redis, once it could not connect, looks whether its pool was closed
	// only once a second.
	afterAnOutage := goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")
	if err := goleak.Find(afterAnOutage); status == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// limit is the time that one program of a test may take.
const limit = 2 * time.Minute

// program is one run of the program.
type program struct {
	cmd            *exec.Cmd
	stdout, stderr *output
	tmp            string        // its TMPDIR
	done           chan struct{} // closed when it has ended
}

// options of a program's run.
type options struct {
	env   []string // beside PATH and TMPDIR
	stdin string
	path  string // PATH; empty: the test's own
}

// launch runs the program with an environment that holds nothing but what the
// test says.
func launch(t *testing.T, opt options, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	p := &program{stdout: newOutput(), stderr: newOutput(), tmp: t.TempDir(), done: make(chan struct{})}
	if opt.path == "" {
		opt.path = os.Getenv("PATH")
	}
	p.cmd = exec.CommandContext(ctx, binary, args...)
	p.cmd.Env = append([]string{"PATH=" + opt.path, "TMPDIR=" + p.tmp}, opt.env...)
	p.cmd.Dir, p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = t.TempDir(), strings.NewReader(opt.stdin), p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended stands in its ProcessState
		p.stdout.end()
		p.stderr.end()
	}()
	t.Cleanup(func() {
		cancel()
		<-p.done
		if t.Failed() {
			t.Logf("switchyard %s\nstandard output:\n%s\nstandard error:\n%s", strings.Join(args, " "), p.stdout, p.stderr)
		}
	})
	return p
}

// run runs the program to its end.
func run(t *testing.T, opt options, args ...string) *program {
	t.Helper()
	p := launch(t, opt, args...)
	<-p.done
	return p
}

// exits holds the exit status of a program that ends.
func (p *program) exits(t *testing.T, want int) {
	t.Helper()
	<-p.done
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("%s: exit status %d, want %d (%s)", p.cmd, got, want, p.cmd.ProcessState)
	}
}

// signal sends the program a signal.
func (p *program) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// says holds that a text has all these parts.
func says(t *testing.T, o *output, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(o.String(), part) {
			t.Errorf("%q is not said in:\n%s", part, o)
		}
	}
}

// silent holds that nothing was said.
func silent(t *testing.T, o *output) {
	t.Helper()
	if s := o.String(); s != "" {
		t.Errorf("said more than it should: %s", s)
	}
}

// output is what a program writes.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	ended   bool
	changed chan struct{} // closed and replaced when there is more
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	close(o.changed)
	o.changed = make(chan struct{})
}

// String is what was written so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until a text was written.
func (o *output) await(t *testing.T, part string) {
	t.Helper()
	for {
		o.mu.Lock()
		text, ended, changed := o.text.String(), o.ended, o.changed
		o.mu.Unlock()
		if strings.Contains(text, part) {
			return
		}
		if ended {
			t.Fatalf("it ended without saying %q", part)
		}
		<-changed
	}
}

// after is the first word behind a text.
func (o *output) after(t *testing.T, part string) string {
	t.Helper()
	_, rest, ok := strings.Cut(o.String(), part)
	words := strings.Fields(rest)
	if !ok || len(words) == 0 {
		t.Fatalf("nothing is said behind %q in:\n%s", part, o)
	}
	return words[0]
}
