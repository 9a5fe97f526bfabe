//go:build linux

package deploy_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"switchyard/deploy"
	"switchyard/tasks"
)

// Ensure a deployment does its steps in turn, tells of each before it begins and when it
// has ended, and passes on what it knows to the programs.
func TestDeploy(t *testing.T) {
	t.Parallel()
	b := setup(t,
		sh("one", `echo '{"progress": 40}'; echo "$DEPLOY_PROJECT $DEPLOY_DEPLOYMENT {project}" >one; echo said; echo wrong >&2`),
		sh("two", `pwd >../two; env | cut -d= -f1 | sort | tr '\n' ' '`, func(s *deploy.Step) { s.Dir, s.Environment = "sub", []string{"MORE=1"} }),
		sh("undo back", "touch undone"))
	if err := os.Mkdir(b.dir+"/sub", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.deploy(t, nil); err != nil {
		t.Fatal(err)
	}
	b.wants(t, "one completed, two completed, back pending; rollback none")
	if got, want := strings.ReplaceAll(b.events(), "step_progress 1, ", ""), "deployment_started, step_started 1, step_completed 1, step_started 2, step_completed 2"; got != want {
		t.Errorf("events: %s", got)
	}
	p := b.last()
	if s := p.Steps[0]; s.ExitCode == nil || *s.ExitCode != 0 || s.Runs != 1 || s.StartedAt == nil || p.Percent != 100 || p.Attempt != 2 || p.Machine != "a" || p.Project != "web" {
		t.Errorf("%+v, %+v", s, p)
	}
	if b.written(t, "one") != "web j_1 web\n" || b.written(t, "two") != b.dir+"/sub\n" || b.written(t, "undone") != "" {
		t.Errorf("%q, %q", b.written(t, "one"), b.written(t, "two"))
	}
	if !strings.Contains(b.logs[1], "said\n") || !strings.Contains(b.logs[1], "wrong\n") ||
		b.logs[2] != "DEPLOY_BRANCH DEPLOY_COMMIT DEPLOY_DEPLOYMENT DEPLOY_PREVIOUS_COMMIT DEPLOY_PROJECT MORE PATH PWD " {
		t.Errorf("logs: %v", b.logs)
	}
}

// Ensure the progress of a step is told while it runs.
func TestProgress(t *testing.T) {
	t.Parallel()
	b := setup(t, sh("one", "true"), sh("two", `echo '{"progress": 50}'; while [ ! -e go ]; do sleep 0.01; done`))
	b.told = func(p tasks.DeploymentProgress) error {
		if p.Event == tasks.StepProgressed && p.Steps[1].Percent == 50 {
			if p.Percent != 75 {
				t.Errorf("%d %%", p.Percent)
			}
			return os.WriteFile(b.dir+"/go", nil, 0o600)
		}
		return nil
	}
	if err := b.deploy(t, nil); err != nil {
		t.Fatal(err)
	}
}

// Ensure a step that fails ends the deployment, with its words, and has what was done
// undone; and a roll-back that fails is told apart.
func TestFailure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		steps  []deploy.Step
		want   string
		words  string
		events string
	}{
		"first": {
			[]deploy.Step{sh("one", "echo no such thing; exit 3"), sh("two", "touch two"), sh("undo back", "touch undone")},
			"one failed, two skipped, back completed; rollback completed", "step one has failed: exit status 3: no such thing; it was rolled back",
			"deployment_started, step_started 1, step_failed 1, rollback_started, step_started 3, step_completed 3, rollback_completed",
		},
		"second": {
			[]deploy.Step{sh("one", "true"), sh("two", "kill -9 $$"), sh("undo back", "touch undone")},
			"one rolled_back, two failed, back completed; rollback completed", "step two has failed: signal: killed; it was rolled back", "",
		},
		"no roll-back": {
			[]deploy.Step{sh("one", "true"), sh("two", "exit 1"), sh("three", "true")},
			"one completed, two failed, three pending; rollback none", "step two has failed: exit status 1",
			"deployment_started, step_started 1, step_completed 1, step_started 2, step_failed 2",
		},
		"failing roll-back": {
			[]deploy.Step{sh("one", "true"), sh("two", "exit 1"), sh("undo back", "echo stuck >&2; exit 4"), sh("undo more", "touch undone")},
			"one completed, two failed, back failed, more skipped; rollback failed",
			"step two has failed: exit status 1; and the roll-back has failed: back: exit status 4: stuck",
			"deployment_started, step_started 1, step_completed 1, step_started 2, step_failed 2, rollback_started, step_started 3, step_failed 3, rollback_failed 3",
		},
		"no program": {
			[]deploy.Step{{Name: "one", Argv: []string{"/no/such/program"}, Timeout: time.Minute}, sh("undo back", "touch undone")},
			"one failed, back completed; rollback completed", "step one has failed: starting /no/such/program: no such file or directory; it was rolled back", "",
		},
		"timeout": {
			[]deploy.Step{sh("one", "sleep 600 & wait", within(200*time.Millisecond))},
			"one failed; rollback none", "step one has failed: it took longer than 200ms, and was ended", "",
		},
		"deaf": {
			[]deploy.Step{sh("one", "trap '' TERM; while :; do sleep 0.1; done", within(200*time.Millisecond))},
			"one failed; rollback none", "step one has failed: it took longer than 200ms, and was ended", "",
		},
		"fork bomb": {
			[]deploy.Step{sh("one", "b() { sleep 0.05; b & b & wait; }; b"), sh("undo back", "touch undone")},
			"one failed, back completed; rollback completed", "step one has failed: it had more than 64 processes, and was ended; it was rolled back", "",
		},
		"memory": {
			[]deploy.Step{sh("one", `for i in 1 2 3 4; do (head -c 200000000 /dev/zero | tr '\0' x; sleep 60) | sort >/dev/null & done; wait`)},
			"one failed; rollback none", "step one has failed: it used more than 512 MiB of memory, and was ended", "",
		},
		"endless": {
			[]deploy.Step{sh("one", "yes 'and so on'")},
			"one failed; rollback none", "step one has failed: it has written more than 64 MiB, and was ended", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, tt.steps...)
			got := failure(t, b.deploy(t, nil))
			if name == "fork bomb" { // whichever it reaches first
				got = strings.Replace(got, "used more than 512 MiB of memory", "had more than 64 processes", 1)
			}
			if got != tt.words {
				t.Errorf("got  %s\nwant %s", got, tt.words)
			}
			b.wants(t, tt.want)
			if got := b.events(); tt.events != "" && got != tt.events {
				t.Errorf("got  %s\nwant %s", got, tt.events)
			}
			for n, text := range b.logs {
				if len(text) > 4096+len("…\n") {
					t.Errorf("the log of step %d has %d bytes", n, len(text))
				}
			}
		})
	}
}

// Ensure what can't begin fails before any step, with nothing to undo.
func TestNotBegun(t *testing.T) {
	t.Parallel()
	b := setup(t, sh("one", "touch one"), sh("undo back", "touch undone"))
	ctx, lasting, cancel, _ := contexts(t)
	run := func(o deploy.Order) error { return b.Run(ctx, lasting, o, b.hooks()) }
	if err := run(deploy.Order{Project: "other"}); !errors.Is(err, deploy.ErrUnknown) {
		t.Errorf("an unknown project: %v", err)
	}
	if got := failure(t, run(deploy.Order{Project: "web", Branch: "main"})); got != `branch "main" may not be deployed here` {
		t.Error(got)
	}
	dir := b.Pipelines[0].Dir
	b.Pipelines[0].Dir += "/missing"
	if got := failure(t, run(deploy.Order{Project: "web"})); !strings.Contains(got, "no such file or directory") {
		t.Error(got)
	}
	b.Pipelines[0].Dir = dir
	cancel()
	if err := run(deploy.Order{Project: "web"}); !errors.Is(err, deploy.ErrCancelled) {
		t.Errorf("cancelled before: %v", err)
	}
	if b.last() != nil || b.written(t, "one")+b.written(t, "undone") != "" {
		t.Errorf("something was done: %+v", b.last())
	}
}

// Ensure a deployment that is cancelled has its program ended, with all it started, and
// is rolled back; and that its roll-back goes on to its end.
func TestCancel(t *testing.T) {
	t.Parallel()
	b := setup(t, sh("one", "true"), sh("two", "trap 'echo asked; exit 0' TERM; setsid sleep 600 & echo '{\"progress\": 1}'; sleep 600 & wait"), sh("three", "true"), sh("undo back", "touch undone"))
	ctx, lasting, cancel, _ := contexts(t)
	b.told = func(p tasks.DeploymentProgress) error {
		if p.Event == tasks.StepProgressed {
			cancel()
		}
		return nil
	}
	err := b.Run(ctx, lasting, deploy.Order{ID: "j_1", Attempt: 1, Project: "web"}, b.hooks())
	if !errors.Is(err, deploy.ErrCancelled) {
		t.Fatal(err)
	}
	b.wants(t, "one rolled_back, two interrupted, three skipped, back completed; rollback completed")
	if _, err := os.Stat(b.dir + "/undone"); err != nil || !strings.Contains(b.logs[2], "asked") || !b.last().Cancelled {
		t.Errorf("%v; %q; %+v", err, b.logs[2], b.last())
	}
	if got, want := b.events(), "deployment_started, step_started 1, step_completed 1, step_started 2, step_progress 2, step_interrupted 2, rollback_started, step_started 4, step_completed 4, rollback_completed"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Ensure a worker that stops leaves a deployment as it is, and that the next one rolls it
// back, or does the step again where that is safe, but not for ever.
func TestInterruption(t *testing.T) {
	t.Parallel()
	// One that ends with the first run of it, and what that has left.
	stopped := func(t *testing.T, change ...func(*deploy.Step)) *bundle {
		b := setup(t, sh("one", "echo 1 >>one"), sh("two", "echo 2 >>two; echo '{\"progress\": 1}'; [ $(wc -l <two) -gt 1 ] || exec sleep 600", change...), sh("undo back", "echo 3 >>back"))
		ctx, lasting, _, stop := contexts(t)
		b.told = func(p tasks.DeploymentProgress) error {
			if p.Event == tasks.StepProgressed && p.Attempt == 1 {
				stop()
			}
			return nil
		}
		if err := b.Run(ctx, lasting, deploy.Order{ID: "j_1", Attempt: 1, Project: "web"}, b.hooks()); !errors.Is(err, errStopping) {
			t.Fatal(err)
		}
		b.wants(t, "one completed, two interrupted, back pending; rollback none")
		return b
	}
	// killed is the journal that a worker leaves which had no time to say anything.
	killed := func(b *bundle) *tasks.DeploymentProgress {
		p := b.last()
		p.Steps[1].Status, p.Steps[1].Error = tasks.StepInProgress, ""
		return p
	}
	t.Run("not safe", func(t *testing.T) {
		t.Parallel()
		for _, journal := range []func(*bundle) *tasks.DeploymentProgress{(*bundle).last, killed} {
			b := stopped(t)
			if got := failure(t, b.deploy(t, journal(b))); got != "step two was interrupted: its worker went away; it was rolled back" {
				t.Error(got)
			}
			b.wants(t, "one rolled_back, two interrupted, back completed; rollback completed")
			if b.written(t, "one")+b.written(t, "two")+b.written(t, "back") != "1\n2\n3\n" {
				t.Errorf("one %q, two %q, back %q", b.written(t, "one"), b.written(t, "two"), b.written(t, "back"))
			}
		}
	})
	t.Run("safe", func(t *testing.T) {
		t.Parallel()
		b := stopped(t, safe)
		if err := b.deploy(t, killed(b)); err != nil {
			t.Fatal(err)
		}
		b.wants(t, "one completed, two completed, back pending; rollback none")
		if b.written(t, "one") != "1\n" || b.written(t, "two") != "2\n2\n" || b.last().Steps[1].Runs != 2 || !strings.Contains(b.events(), "step_interrupted 2, step_started 2, step_progress 2, step_completed 2") {
			t.Errorf("one %q, two %q, %s", b.written(t, "one"), b.written(t, "two"), b.events())
		}
	})
	t.Run("safe, again and again", func(t *testing.T) {
		t.Parallel()
		b := stopped(t, safe)
		p := killed(b)
		p.Steps[1].Runs = 3
		if got := failure(t, b.deploy(t, p)); got != "step two was interrupted: its worker went away; it was rolled back" {
			t.Error(got)
		}
	})
	t.Run("between two steps", func(t *testing.T) {
		t.Parallel()
		b := setup(t, sh("one", "echo 1 >>one"), sh("two", "echo 2 >>two"))
		b.told = func(p tasks.DeploymentProgress) error {
			if p.Event == tasks.StepStarted && p.Step == 2 && p.Attempt == 1 {
				return errStopping
			}
			return nil
		}
		ctx, lasting, _, _ := contexts(t)
		if err := b.Run(ctx, lasting, deploy.Order{ID: "j_1", Attempt: 1, Project: "web"}, b.hooks()); !errors.Is(err, errStopping) {
			t.Fatal(err)
		}
		if err := b.deploy(t, b.last()); err != nil || b.written(t, "one")+b.written(t, "two") != "1\n2\n" {
			t.Errorf("%v, %q, %q", err, b.written(t, "one"), b.written(t, "two"))
		}
	})
	t.Run("cancelled meanwhile", func(t *testing.T) {
		t.Parallel()
		for _, change := range [][]func(*deploy.Step){{}, {safe}} {
			b := stopped(t, change...)
			ctx, lasting, cancel, _ := contexts(t)
			cancel()
			if err := b.Run(ctx, lasting, deploy.Order{ID: "j_1", Attempt: 2, Project: "web", Before: killed(b)}, b.hooks()); !errors.Is(err, deploy.ErrCancelled) {
				t.Error(err)
			}
			if b.written(t, "two") != "2\n" || b.written(t, "back") != "3\n" {
				t.Errorf("two %q, back %q", b.written(t, "two"), b.written(t, "back"))
			}
		}
	})
	t.Run("in the roll-back", func(t *testing.T) {
		t.Parallel()
		for _, again := range []bool{false, true} {
			b := setup(t, sh("one", "exit 1"), sh("undo back", "echo 3 >>back", func(s *deploy.Step) { s.Safe = again }), sh("undo more", "echo 4 >>more"))
			p := tasks.DeploymentProgress{Project: "web", Machine: "a", Failure: "step one has failed: exit status 1", Rollback: tasks.RollbackInProgress, Steps: []tasks.DeploymentStep{
				{Name: "one", Status: tasks.StepFailed, Runs: 1}, {Name: "back", Rollback: true, Status: tasks.StepInProgress, Runs: 1}, {Name: "more", Rollback: true, Status: tasks.StepPending},
			}}
			got := failure(t, b.deploy(t, &p))
			if again {
				b.wants(t, "one failed, back completed, more completed; rollback completed")
				if got != "step one has failed: exit status 1; it was rolled back" || b.written(t, "back") != "3\n" {
					t.Error(got)
				}
				continue
			}
			b.wants(t, "one failed, back interrupted, more skipped; rollback failed")
			if got != "step one has failed: exit status 1; and the roll-back has failed: back: its worker went away" || b.written(t, "back")+b.written(t, "more") != "" {
				t.Error(got)
			}
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		t.Parallel()
		for words, change := range map[string]func(*bundle, *tasks.DeploymentProgress){
			"its worker, on b, went away, and this one is on a: nothing was undone":                                               func(_ *bundle, p *tasks.DeploymentProgress) { p.Machine = "b" },
			"its worker went away, and the steps of its pipeline have been changed since: nothing was undone":                     func(b *bundle, _ *tasks.DeploymentProgress) { b.Pipelines[0].Steps[0].Name = "first" },
			"its worker went away; opening the project's directory: open /nowhere: no such file or directory: nothing was undone": func(b *bundle, _ *tasks.DeploymentProgress) { b.Pipelines[0].Dir = "/nowhere" },
		} {
			b := stopped(t)
			p := killed(b)
			change(b, p)
			if got := failure(t, b.deploy(t, p)); got != words {
				t.Errorf("got  %s\nwant %s", got, words)
			}
			b.wants(t, "one completed, two interrupted, back skipped; rollback none")
		}
	})
}

// Ensure a deployment whose journal can't be written does nothing further.
func TestLost(t *testing.T) {
	t.Parallel()
	errLost := errors.New("it is another's now")
	b := setup(t, sh("one", "touch one"), sh("two", "touch two"), sh("undo back", "touch undone"))
	b.told = func(p tasks.DeploymentProgress) error {
		if p.Event == tasks.StepEnded {
			return errLost
		}
		return nil
	}
	if err := b.deploy(t, nil); !errors.Is(err, errLost) {
		t.Fatal(err)
	}
	for _, name := range []string{"two", "undone"} {
		if _, err := os.Stat(b.dir + "/" + name); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

// Ensure two deployments in one directory run one after the other, whoever runs them.
func TestLock(t *testing.T) {
	t.Parallel()
	b := setup(t, sh("one", `mkdir lock && sleep 0.2 && rmdir lock`))
	ends := make(chan error, 2)
	for range 2 {
		go func() {
			ctx, lasting, cancel := context.Background(), context.Background(), func() {}
			defer cancel()
			ends <- b.Run(ctx, lasting, deploy.Order{Project: "web"}, b.hooks())
		}()
	}
	for range 2 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}

// Ensure branch and commit are those of the repository, before and after, and that a
// request's branch is held against the pipeline's.
func TestRepository(t *testing.T) {
	t.Parallel()
	b := setup(t, sh("one", `git checkout --quiet "$DEPLOY_BRANCH"; echo "{branch} {previous_commit}"`))
	if b.Git == "" {
		t.Skip("there is no git")
	}
	git := func(args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), b.Git, args...)
		c.Dir = b.dir
		c.Env = []string{"PATH=/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet", "--initial-branch=main")
	git("commit", "--quiet", "--allow-empty", "--message=one")
	first := git("rev-parse", "HEAD")
	git("checkout", "--quiet", "-b", "release/2")
	git("commit", "--quiet", "--allow-empty", "--message=two")
	second := git("rev-parse", "HEAD")
	git("checkout", "--quiet", "main")

	if err := b.deploy(t, nil); err != nil {
		t.Fatal(err)
	}
	if p := b.last(); p.Branch != "main" || p.Commit != first || p.PreviousCommit != first {
		t.Errorf("what is checked out: %+v", p)
	}
	b.Pipelines[0].Branches = []string{"main", "release/*"}
	ctx, lasting, _, _ := contexts(t)
	if err := b.Run(ctx, lasting, deploy.Order{Project: "web", Branch: "release/2"}, b.hooks()); err != nil {
		t.Fatal(err)
	}
	if p := b.last(); p.Branch != "release/2" || p.Commit != second || p.PreviousCommit != first || b.logs[1] != "release/2 "+first+"\n" {
		t.Errorf("%+v, log %q", p, b.logs[1])
	}
	if err := b.deploy(t, nil); err != nil {
		t.Fatal(err)
	}
	if p := b.last(); p.Branch != "main" || p.Commit != first || p.PreviousCommit != second {
		t.Errorf("the default: %+v", p)
	}
	for _, bad := range []string{"release/3/x", "hotfix", "-f"} {
		if got := failure(t, b.Run(ctx, lasting, deploy.Order{Project: "web", Branch: bad}, b.hooks())); !strings.Contains(got, "may not be deployed") {
			t.Errorf("%s: %s", bad, got)
		}
	}
	b.Pipelines[0].Branches = nil
	git("checkout", "--quiet", "-b", "a;b")
	if got := failure(t, b.deploy(t, nil)); !strings.Contains(got, "has a name that can't be passed on") {
		t.Error(got)
	}
	git("checkout", "--quiet", "--detach", second)
	if err := b.deploy(t, nil); err != nil || b.last().Branch != "" || b.last().Commit != second {
		t.Errorf("detached: %v, %+v", err, b.last())
	}
}
