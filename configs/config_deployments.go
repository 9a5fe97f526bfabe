package configs

import (
	"os"
	"slices"
	"time"
)

// Deployments is about bringing projects up to date. The api needs all of it but the
// commands, to know what to accept; a worker runs the pipelines of its host, or those of
// no host where it takes the queue default.
type Deployments struct {
	// MaxWait is how long a deployment waits for its turn and its worker; then it has
	// failed. Defaults to 1h.
	MaxWait Duration `yaml:"max_wait"`
	// LogKiB is what is kept of the output of each step, the end of it, in KiB, 1 to 1024.
	// Defaults to 64.
	LogKiB int `yaml:"log_kib"`
	// Pipelines, one a project. Empty by default.
	Pipelines []Pipeline `yaml:"pipelines"`
}

// Find returns the pipeline of a project.
func (d Deployments) Find(project string) (Pipeline, bool) {
	i := slices.IndexFunc(d.Pipelines, func(p Pipeline) bool { return p.Project == project })
	if i < 0 {
		return Pipeline{}, false
	}
	return d.Pipelines[i], true
}

// Pipeline is how a project is deployed: its steps in turn, and those that undo them when
// one fails.
type Pipeline struct {
	// Project is the name that requests use: letters, digits, ., _ and -.
	Project string `yaml:"project"`
	// Host that it is on. Empty: the machine of a worker that takes the queue default.
	Host string `yaml:"host"`
	// Dir is the project's directory, a path from the root.
	Dir string `yaml:"dir"`
	// Branches that may be deployed, the first one unless a request names another: a name,
	// or a pattern such as release/* (but not as the first). Empty: what is checked out,
	// and requests name none.
	Branches []string `yaml:"branches"`
	// Environment names the variables that the programs get of the worker's. Empty: none.
	Environment []string `yaml:"environment"`
	// Secrets names further ones, whose values no log shows. Empty: none.
	Secrets []string `yaml:"secrets"`
	// MemoryMiB bounds the memory of a step's processes together, 16 to 1048576. 0: 2048.
	MemoryMiB int `yaml:"memory_mib"`
	// Processes that a step may have at once, 1 to 100000. 0: 256.
	Processes int `yaml:"processes"`
	// Steps that deploy.
	Steps []PipelineStep `yaml:"steps"`
	// Rollback are the steps that undo, when one of Steps has failed, was cancelled or was
	// interrupted. Empty: nothing is undone.
	Rollback []PipelineStep `yaml:"rollback"`
}

// PipelineStep is a program to run.
type PipelineStep struct {
	// Name for people, of at most 100 characters.
	Name string `yaml:"name"`
	// Command is the program, a path from the root, and its arguments. {branch},
	// {commit}, {previous_commit}, {project} and {deployment} are filled in.
	Command []string `yaml:"command"`
	// Dir is its working directory, from that of the project. Empty: that one.
	Dir string `yaml:"dir"`
	// Timeout of a run. 0: 10m.
	Timeout Duration `yaml:"timeout"`
	// Safe: after an interruption it may be run again.
	Safe bool `yaml:"safe"`
	// Environment names further variables that it gets of the worker's. Empty: none.
	Environment []string `yaml:"environment"`
}

// defaultStepTimeout is that of a step whose timeout is 0.
const defaultStepTimeout = 10 * time.Minute

// Limit is the longest that a run of the step may take.
func (s PipelineStep) Limit() time.Duration {
	if s.Timeout == 0 {
		return defaultStepTimeout
	}
	return s.Timeout.Std()
}

// Limit is the longest that its steps may take together, those that undo among them.
func (p Pipeline) Limit() time.Duration {
	sum := time.Duration(0)
	for _, s := range slices.Concat(p.Steps, p.Rollback) {
		sum += s.Limit()
	}
	return sum
}

// Variables are those of names that this process has, as NAME=value.
func Variables(names []string) []string {
	var out []string
	for _, name := range names {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	return out
}
