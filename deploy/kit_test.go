//go:build linux

package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"switchyard/deploy"
	"switchyard/keeper"
	"switchyard/tasks"
)

var (
	errStopping = errors.New("the worker stops")
	errCancel   = errors.New("somebody cancelled it")
)

// bundle is a deployer with one project, and what a deployment tells.
type bundle struct {
	*deploy.Deployer
	dir string

	mu    sync.Mutex
	notes []tasks.DeploymentProgress
	logs  map[int]string
	// told is called with each journal, before it counts as written.
	told func(tasks.DeploymentProgress) error
}

// sh is a step in sh.
func sh(name, text string, change ...func(*deploy.Step)) deploy.Step {
	s := deploy.Step{Name: name, Argv: []string{"/bin/sh", "-c", text}, Timeout: 40 * time.Second}
	for _, f := range change {
		f(&s)
	}
	return s
}

func safe(s *deploy.Step) { s.Safe = true }

func within(d time.Duration) func(*deploy.Step) { return func(s *deploy.Step) { s.Timeout = d } }

// setup makes a project "web" with these steps, those that undo behind a nil.
func setup(t *testing.T, steps ...deploy.Step) *bundle {
	t.Helper()
	b := &bundle{dir: t.TempDir(), logs: map[int]string{}}
	p := deploy.Pipeline{
		Project: "web", Dir: b.dir, Environment: []string{"PATH=/usr/bin:/bin"}, KeptLog: 4096, Limits: keeper.Limits{Memory: 512 << 20, Processes: 64},
	}
	for _, s := range steps {
		if name, undoes := strings.CutPrefix(s.Name, "undo "); undoes {
			s.Name = name
			p.Rollback = append(p.Rollback, s)
			continue
		}
		p.Steps = append(p.Steps, s)
	}
	git, _ := exec.LookPath("git")
	b.Deployer = &deploy.Deployer{Pipelines: []deploy.Pipeline{p}, Git: git, Machine: "a", Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	return b
}

func (b *bundle) hooks() deploy.Hooks {
	note := func(ctx context.Context, p tasks.DeploymentProgress) error {
		if b.told != nil {
			if err := b.told(p); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.notes = append(b.notes, p)
		return nil
	}
	return deploy.Hooks{
		Note: note,
		Tell: func(ctx context.Context, p tasks.DeploymentProgress) { _ = note(context.WithoutCancel(ctx), p) },
		SaveLog: func(_ context.Context, n int, text string) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.logs[n] = text
			return nil
		},
	}
}

// last is the journal as it was written last.
func (b *bundle) last() *tasks.DeploymentProgress {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.notes) == 0 {
		return nil
	}
	p := b.notes[len(b.notes)-1]
	return &p
}

// contexts are those of an attempt: cancel ends the first, stop both.
func contexts(t *testing.T) (ctx, lasting context.Context, cancel, stop func()) {
	t.Helper()
	lasting, end := context.WithCancelCause(t.Context())
	ctx, cut := context.WithCancelCause(lasting)
	t.Cleanup(func() { end(nil) })
	return ctx, lasting, func() { cut(errCancel) }, func() { end(errStopping) }
}

// deploy runs the project from its beginning, or on from a journal.
func (b *bundle) deploy(t *testing.T, before *tasks.DeploymentProgress) error {
	t.Helper()
	ctx, lasting, _, _ := contexts(t)
	return b.Run(ctx, lasting, deploy.Order{ID: "j_1", Attempt: 2, Project: "web", Before: before}, b.hooks())
}

// wants holds the steps and the end of a deployment against a text:
// "build completed, test failed; undo skipped; rollback none".
func (b *bundle) wants(t *testing.T, want string) {
	t.Helper()
	p := b.last()
	if p == nil {
		t.Fatal("nothing was noted")
	}
	var steps []string
	for _, s := range p.Steps {
		steps = append(steps, s.Name+" "+string(s.Status))
	}
	if got := fmt.Sprintf("%s; rollback %s", strings.Join(steps, ", "), p.Rollback); got != want {
		t.Errorf("got  %s\nwant %s\n%+v", got, want, *p)
	}
}

// told are the events in their order.
func (b *bundle) events() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, n := range b.notes {
		e := string(n.Event)
		if n.Step > 0 {
			e += fmt.Sprintf(" %d", n.Step)
		}
		out = append(out, e)
	}
	return strings.Join(out, ", ")
}

// written is a file of the project.
func (b *bundle) written(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// failure is the words of a *deploy.FailedError.
func failure(t *testing.T, err error) string {
	t.Helper()
	var f *deploy.FailedError
	if !errors.As(err, &f) {
		t.Fatalf("it ended with %v", err)
	}
	return f.Words
}
