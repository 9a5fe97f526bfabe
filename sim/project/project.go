// Package project makes a small project to deploy, for the demo and for tests: a git
// repository with two branches and a pipeline of steps that do no harm (Make).
//
// It needs git and a shell, as the pipeline does; where they are missing there is nothing
// to deploy (ErrMissing).
package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrMissing: there is no git, or no shell.
var ErrMissing = errors.New("git or sh is missing")

// Branches that it has, the default first.
const (
	Main    = "main"
	Feature = "feature/headlines"
)

// Project is one that can be deployed.
type Project struct {
	// Dir of its repository.
	Dir string
	// Git and Shell are paths of programs.
	Git, Shell string
	// Commits are the newest ones, by branch.
	Commits map[string]string
}

// page is the project's only file.
const page = "index.html"

// Make makes a project in a directory that is made, too.
func Make(ctx context.Context, dir string) (*Project, error) {
	p := &Project{Dir: dir, Commits: map[string]string{}}
	var errs [2]error
	p.Git, errs[0] = exec.LookPath("git")
	p.Shell, errs[1] = exec.LookPath("sh")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the project's directory: %w", err)
	}
	if _, err := p.git(ctx, "init", "--quiet", "--initial-branch="+Main); err != nil {
		return nil, err
	}
	for _, branch := range []string{Main, Feature} {
		if err := p.commit(ctx, branch); err != nil {
			return nil, err
		}
	}
	_, err := p.git(ctx, "checkout", "--quiet", Main)
	return p, err
}

// commit writes the page of a branch.
func (p *Project) commit(ctx context.Context, branch string) error {
	if branch != Main {
		if _, err := p.git(ctx, "checkout", "--quiet", "-b", branch); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(p.Dir, page), []byte("<!doctype html><title>POSCO 뉴스</title><p>"+branch+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the project's page: %w", err)
	}
	for _, args := range [][]string{{"add", page}, {"commit", "--quiet", "--message=" + branch}} {
		if _, err := p.git(ctx, args...); err != nil {
			return err
		}
	}
	head, err := p.git(ctx, "rev-parse", "HEAD")
	p.Commits[branch] = head
	return err
}

// git runs git without anybody's configuration.
func (p *Project) git(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, p.Git, args...)
	c.Dir = p.Dir
	c.Env = []string{
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=" + p.Dir,
		"GIT_AUTHOR_NAME=demo", "GIT_AUTHOR_EMAIL=demo@example.com", "GIT_COMMITTER_NAME=demo", "GIT_COMMITTER_EMAIL=demo@example.com",
	}
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Step is one of its pipeline.
type Step struct {
	Name string
	Argv []string
	Safe bool
}

// Steps deploy it, as the older dashboards show them; {branch} is filled in.
func (p *Project) Steps() []Step {
	return []Step{
		{"코드 체크아웃", []string{p.Git, "checkout", "--quiet", "{branch}"}, true},
		{"의존성 설치", []string{p.Shell, "-c", `for n in 20 40 60 80 100; do echo "installing, $n %"; echo "{\"progress\": $n}"; sleep 0.3; done`}, true},
		{"빌드", []string{p.Shell, "-c", `rm -rf dist && mkdir dist && cp ` + page + ` dist/ && echo "built $DEPLOY_BRANCH at $DEPLOY_COMMIT"`}, false},
	}
}

// Rollback undoes that.
func (p *Project) Rollback() []Step {
	return []Step{{"이전 버전 복원", []string{p.Git, "checkout", "--quiet", Main}, true}}
}
