package deploy

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"switchyard/keeper"
	"switchyard/tasks"
)

// Pipeline is how a project is deployed.
type Pipeline struct {
	Project string
	// Dir is the project's directory, a path from the root.
	Dir string
	// Branches that may be deployed, names and patterns, the default first. Empty: what
	// is checked out.
	Branches []string
	// Environment is what every program gets, as NAME=value.
	Environment []string
	// Secrets are values that no log shows.
	Secrets []string
	// Limits of each program, and all it starts.
	Limits keeper.Limits
	// KeptLog is how many bytes of a step's output are kept.
	KeptLog int
	// Steps that deploy, and those that undo.
	Steps, Rollback []Step
}

// Step is a program to run.
type Step struct {
	Name string
	// Argv is the program, as a path from the root, and its arguments.
	Argv []string
	// Dir is its working directory, from that of the project; empty: that one.
	Dir     string
	Timeout time.Duration
	// Safe: it may be run again after an interruption.
	Safe bool
	// Environment is what it gets beside that of the pipeline.
	Environment []string
}

// at is step i of the journal: those that undo stand behind the others.
func (p Pipeline) at(i int) Step {
	if i < len(p.Steps) {
		return p.Steps[i]
	}
	return p.Rollback[i-len(p.Steps)]
}

// journal is that of a deployment which has not begun.
func (p Pipeline) journal() []tasks.DeploymentStep {
	var out []tasks.DeploymentStep
	for i, s := range slices.Concat(p.Steps, p.Rollback) {
		out = append(out, tasks.DeploymentStep{Name: s.Name, Rollback: i >= len(p.Steps), Status: tasks.StepPending})
	}
	return out
}

// is reports whether a journal is of this pipeline.
func (p Pipeline) is(steps []tasks.DeploymentStep) bool {
	return slices.EqualFunc(p.journal(), steps, func(a, b tasks.DeploymentStep) bool { return a.Name == b.Name && a.Rollback == b.Rollback })
}

// command is how step i is run in a deployment.
func (p Pipeline) command(id string, i int, j tasks.DeploymentProgress) keeper.Command {
	s := p.at(i)
	facts := [][2]string{
		{"branch", j.Branch}, {"commit", j.Commit}, {"previous_commit", j.PreviousCommit}, {"project", p.Project}, {"deployment", id},
	}
	var fill []string
	env := slices.Concat(p.Environment, s.Environment)
	for _, f := range facts {
		fill = append(fill, "{"+f[0]+"}", f[1])
		env = append(env, variablePrefix+strings.ToUpper(f[0])+"="+f[1])
	}
	c := keeper.Command{Dir: p.Dir, Env: env, Nice: niceness, Limits: p.Limits}
	if s.Dir != "" {
		c.Dir = s.Dir
		if !filepath.IsAbs(s.Dir) {
			c.Dir = filepath.Join(p.Dir, s.Dir)
		}
	}
	filled := strings.NewReplacer(fill...)
	for n, arg := range s.Argv {
		if n > 0 {
			arg = filled.Replace(arg)
		}
		c.Argv = append(c.Argv, arg)
	}
	return c
}

const (
	// variablePrefix stands in front of what programs are told by their environment.
	variablePrefix = "DEPLOY_"
	// niceness of the programs: whatever else runs here goes first.
	niceness = 10
)
