package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchyard/keeper"
)

// gitLimit bounds one question to git.
const gitLimit = 10 * time.Second

// git answers what a directory has checked out. It asks the program: repositories have
// several forms (linked worktrees, packed references, reftable), which it knows, and
// whoever deploys by git has it anyway.
type git struct {
	// program is its path; empty: there is none.
	program string
}

// branch is the one that is checked out; empty: none is, or there is no repository.
func (g git) branch(ctx context.Context, dir string) (string, error) {
	return g.ask(ctx, dir, "symbolic-ref", "--quiet", "--short", "HEAD")
}

// commit is what is checked out, in full; empty: there is none, or no repository.
func (g git) commit(ctx context.Context, dir string) (string, error) {
	return g.ask(ctx, dir, "rev-parse", "--quiet", "--verify", "HEAD^{commit}")
}

// ask returns git's answer in one line, empty where it has none. Error: it didn't get as
// far as that.
func (g git) ask(ctx context.Context, dir string, question ...string) (string, error) {
	if g.program == "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, gitLimit, fmt.Errorf("git took longer than %s", gitLimit))
	defer cancel()
	answer := newOutput(longestPercent<<6, secrets{})
	err := keeper.Run(ctx, keeper.Command{
		// Whoever owns the directory: it is the one that was configured.
		Argv: append([]string{g.program, "-c", "safe.directory=*"}, question...), Dir: dir, Stdout: &answer.stdout,
		Env: []string{"LC_ALL=C", "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"},
	})
	if exit := (*keeper.ExitError)(nil); errors.As(err, &exit) && exit.Signal == 0 {
		return "", nil // that is how it says no
	}
	if err != nil {
		return "", fmt.Errorf("asking git what is checked out in %s: %w", dir, err)
	}
	return strings.TrimSpace(answer.text()), nil
}
