package configs

import (
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"switchyard/tasks"
)

var projectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const (
	// mostSteps are those of a pipeline, and again those that undo: all of them stand in
	// each of its events.
	mostSteps = 32
	// longestName is that of a step.
	longestName = 100
	// longestDeployment bounds the steps of a pipeline together.
	longestDeployment = 24 * time.Hour
	mostProcesses     = 100_000
)

func (k *checker) deployments() {
	d := k.c.Deployments
	k.between("deployments.max_wait", d.MaxWait, time.Second, 7*24*time.Hour)
	k.number("deployments.log_kib", int64(d.LogKiB), 1, 1024)
	first := map[string]int{}
	for i, p := range d.Pipelines {
		at := item("deployments.pipelines", i)
		if projectName.MatchString(p.Project) {
			k.ownName("deployments.pipelines", i, "project", p.Project, "give each project its own", first)
		} else {
			k.fault(at+".project", "must be a name of letters, digits, dots, _ and -, at most 64, that begins with a letter or digit")
		}
		k.pipeline(at, p)
	}
}

func (k *checker) pipeline(at string, p Pipeline) {
	if p.Host != "" && !tasks.ValidHost(p.Host) {
		k.fault(at+".host", "must be the name of a host: a-z, 0-9 and dashes inside, at most 40 characters, such as seoul-1")
	}
	if !filepath.IsAbs(p.Dir) {
		k.fault(at+".dir", "must be a path from the root, such as /srv/web")
	}
	for i, b := range p.Branches {
		_, err := path.Match(b, "")
		switch {
		case err == nil && i > 0 && strings.ContainsAny(b, "*?["):
		case !tasks.ValidBranch(b):
			k.fault(item(at+".branches", i), "must be the name of a branch, such as main, or behind the first one a pattern, such as release/*")
		}
	}
	k.distinct(at+".branches", p.Branches)
	k.variables(at+".environment", p.Environment)
	k.variables(at+".secrets", p.Secrets)
	if p.MemoryMiB != 0 {
		k.number(at+".memory_mib", int64(p.MemoryMiB), leastMemoryMiB, mostMemoryMiB)
	}
	if p.Processes != 0 {
		k.number(at+".processes", int64(p.Processes), 1, mostProcesses)
	}
	if len(p.Steps) == 0 {
		k.fault(at+".steps", "is missing: name at least one step")
	}
	k.steps(at+".steps", p.Steps)
	k.steps(at+".rollback", p.Rollback)
	if k.sound(at) && p.Limit() > longestDeployment {
		k.fault(at+".steps", "may take %s together, with those that undo: that is more than %s", Duration(p.Limit()), Duration(longestDeployment))
	}
}

// variables checks the names of variables.
func (k *checker) variables(at string, names []string) {
	for i, name := range names {
		if !variableName.MatchString(name) {
			k.fault(item(at, i), "must be the name of a variable, such as PATH, without its value")
		}
	}
	k.distinct(at, names)
}

func (k *checker) steps(at string, list []PipelineStep) {
	if len(list) > mostSteps {
		k.fault(at, "are %d, more than %d", len(list), mostSteps)
	}
	first := map[string]int{}
	for i, s := range list {
		step := item(at, i)
		if s.Name == "" || utf8.RuneCountInString(s.Name) > longestName || strings.ContainsFunc(s.Name, unicode.IsControl) {
			k.fault(step+".name", "must be a name of at most %d characters, in one line", longestName)
		} else {
			k.ownName(at, i, "name", s.Name, "give each step its own", first)
		}
		switch {
		case len(s.Command) == 0:
			k.fault(step+".command", "is missing: the program, a path from the root, and its arguments")
		case !filepath.IsAbs(s.Command[0]):
			k.fault(item(step+".command", 0), "must be a path from the root, such as /usr/bin/npm")
		}
		if s.Timeout != 0 {
			k.between(step+".timeout", s.Timeout, time.Second, longestDeployment)
		}
		k.variables(step+".environment", s.Environment)
	}
}
