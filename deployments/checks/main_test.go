// Package checks holds what docs/deploy.md promises of docker-compose.yml, the
// Dockerfile and the systemd units, as far as it can be held without an engine
// and without systemd as process 1: they are read by the libraries and tools of
// those who will read them, and their commands are run as processes.
package checks

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// top is the checkout.
const top = "../.."

// limit is the longest that anything here may take.
const limit = 2 * time.Minute

// binary is the program, built as the Dockerfile builds it, from what
// .dockerignore leaves of the checkout.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "switchyard-checks-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "switchyard")
	if err := buildAsInTheImage(filepath.Join(dir, "src"), binary); err != nil {
		fmt.Fprintf(os.Stderr, "building the program as the Dockerfile does: %v\n", err)
		return 1
	}
	return m.Run()
}

// at is a file of the checkout.
func at(elem ...string) string { return filepath.Join(append([]string{top}, elem...)...) }

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// copyTree copies the files of a folder that keep reports true for.
func copyTree(from, to string, keep func(rel string, dir bool) bool) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		if !keep(filepath.ToSlash(rel), d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o644)
	})
}

// run runs a command to its end, with an environment of nothing but PATH and
// what is given.
func run(t *testing.T, env []string, name string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// process is a command that runs until it is told to stop.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
}

// launch starts a command; its output is shown where the test fails.
func launch(t *testing.T, name string, env []string, argv ...string) *process {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "output-")
	must(t, err)
	p := &process{name: name, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = t.TempDir(), out, out
	// Whatever becomes of the test, nothing is left running.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ended stands in its ProcessState
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s: %s\n%s", name, strings.Join(argv, " "), read(t, out.Name()))
		}
		_ = out.Close()
	})
	return p
}

// stop sends SIGTERM and holds that the process ends in order within grace.
func (p *process) stop(t *testing.T, grace time.Duration) {
	t.Helper()
	must(t, p.cmd.Process.Signal(syscall.SIGTERM))
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	select {
	case <-p.done:
		if status := p.cmd.ProcessState.ExitCode(); status != 0 {
			t.Errorf("%s: exit status %d after SIGTERM, want 0", p.name, status)
		}
	case <-deadline.C:
		t.Errorf("%s: still running %s after SIGTERM", p.name, grace)
	}
}

// await asks until the answer is yes.
func await(t *testing.T, what string, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
