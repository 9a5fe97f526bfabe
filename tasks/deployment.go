package tasks

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// DeploymentPayload asks for one deployment of a project. What that takes stands in the
// configuration of its worker: a payload holds no commands, so that nobody runs any who
// can write to Redis.
type DeploymentPayload struct {
	Project string `json:"project"`
	// Branch to deploy; empty: what is checked out.
	Branch string `json:"branch,omitempty"`
}

// deploymentTries is how often a worker is looked for that knows the project.
const deploymentTries = 4

// beyondSteps is what a deployment may take beyond its steps, and beyondStep beyond each:
// for who is still at work in its directory, for git, for programs that don't end when they
// are asked to.
const (
	beyondSteps = 5 * time.Minute
	beyondStep  = time.Minute
)

// DeploymentLimit bounds a deployment of so many steps, those that undo among them, which
// take so long together at the most.
func DeploymentLimit(steps int, together time.Duration) time.Duration {
	return together + beyondSteps + time.Duration(steps)*beyondStep
}

// NewDeployment drafts a deployment, on a host or, where that is empty, on a worker of no
// host. Those of one project run one after the other. One that no worker has taken up by
// expires ends; chat, if there is one, is told of its end.
func NewDeployment(p DeploymentPayload, host string, limit time.Duration, expires time.Time, chat string) Draft {
	queue := QueueDefault
	if host != "" {
		queue = HostQueue(host)
	}
	return Draft{
		Type: Deployment, Host: host, ChatID: chat, Queue: queue, OrderKey: "deployment:" + p.Project, Payload: mustJSON(p),
		Limit: limit, MaxTries: deploymentTries, Expires: expires,
	}
}

var branchName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,99}$`)

// ValidBranch reports whether name can be a branch's: one that git takes, and that means
// nothing else to a shell or as an argument.
func ValidBranch(name string) bool {
	return branchName.MatchString(name) && !strings.Contains(name, "..") && !strings.Contains(name, "//") && !strings.Contains(name, "/.") &&
		!strings.HasSuffix(name, "/") && !strings.HasSuffix(name, ".") && !strings.Contains(name+"/", ".lock/")
}

// AllowsBranch reports whether one of the patterns (path.Match) is that of a branch.
func AllowsBranch(patterns []string, branch string) bool {
	return ValidBranch(branch) && slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, branch)
		return err == nil && ok
	})
}

// StepStatus is how it stands with a step of a deployment.
type StepStatus string

// The statuses of steps.
const (
	StepPending    StepStatus = "pending"
	StepInProgress StepStatus = "in_progress"
	StepCompleted  StepStatus = "completed"
	// StepFailed: it ended without success, or took too long.
	StepFailed StepStatus = "failed"
	// StepInterrupted: it was ended before it was through, or its worker was. How far it
	// had come nobody knows.
	StepInterrupted StepStatus = "interrupted"
	// StepSkipped: it has not been begun, and isn't to be.
	StepSkipped StepStatus = "skipped"
	// StepRolledBack: it was completed, and a roll-back has undone it.
	StepRolledBack StepStatus = "rolled_back"
)

// DeploymentStep is one step as it went.
type DeploymentStep struct {
	Name string `json:"name"`
	// Rollback: it is one of those that undo.
	Rollback bool       `json:"rollback,omitempty"`
	Status   StepStatus `json:"status"`
	// Percent is how far it is, as far as its program says so.
	Percent int `json:"progress,omitempty"`
	// ExitCode of its program; nil: it has none (yet), or a signal ended it.
	ExitCode   *int       `json:"exit_code,omitempty"`
	Error      string     `json:"error,omitempty"`
	StartedAt  *time.Time `json:"started_at,omitempty"`
	DurationMS int64      `json:"duration_ms,omitempty"`
	// Runs is how often it was begun.
	Runs int `json:"runs,omitempty"`
}

// Begun reports whether its program has been run, or may have been.
func (s DeploymentStep) Begun() bool { return s.Runs > 0 }

// DeploymentEvent is what has happened to a deployment.
type DeploymentEvent string

// The events that its worker notes. How it ended is its job's state.
const (
	DeploymentStarted DeploymentEvent = "deployment_started"
	StepStarted       DeploymentEvent = "step_started"
	StepProgressed    DeploymentEvent = "step_progress"
	StepEnded         DeploymentEvent = "step_completed"
	StepBroke         DeploymentEvent = "step_failed"
	StepCut           DeploymentEvent = "step_interrupted"
	RollbackStarted   DeploymentEvent = "rollback_started"
	RollbackCompleted DeploymentEvent = "rollback_completed"
	RollbackFailed    DeploymentEvent = "rollback_failed"
)

// Rollback is how it stands with the undoing of a deployment.
type Rollback string

// The outcomes of a roll-back.
const (
	NoRollback         Rollback = "none"
	RollbackInProgress Rollback = "in_progress"
	RolledBack         Rollback = "completed"
	RollbackBroke      Rollback = "failed"
)

// DeploymentProgress is the journal of a deployment: what a worker that takes it up after
// another needs to know, and what clients see. It is noted before each thing that it tells
// of is done, and after.
type DeploymentProgress struct {
	// Event is what has happened last, in Attempt of the job; Step is the number, from 1,
	// of the step that it is about, 0 where it is about none.
	Event   DeploymentEvent `json:"event"`
	Attempt int             `json:"attempt"`
	Step    int             `json:"step,omitempty"`

	Project string `json:"project"`
	Branch  string `json:"branch"`
	// Commit is what is checked out, PreviousCommit what was before; empty: there is no
	// git repository.
	Commit         string `json:"commit_hash"`
	PreviousCommit string `json:"previous_commit"`
	// Machine that it runs on.
	Machine string `json:"machine"`
	// Percent of the steps that deploy.
	Percent int `json:"progress"`
	// Failure is why it isn't completed, in words; Cancelled: because somebody wished so.
	Failure   string           `json:"failure,omitempty"`
	Cancelled bool             `json:"cancelled,omitempty"`
	Rollback  Rollback         `json:"rollback"`
	Steps     []DeploymentStep `json:"steps"`
}

// Count brings Percent up to date.
func (p *DeploymentProgress) Count() {
	all, done := 0, 0
	for _, s := range p.Steps {
		if s.Rollback {
			continue
		}
		all += 100
		switch s.Status {
		case StepCompleted, StepRolledBack:
			done += 100
		case StepInProgress, StepFailed, StepInterrupted:
			done += min(s.Percent, 99)
		case StepPending, StepSkipped:
		}
	}
	if all > 0 {
		p.Percent = done * 100 / all
	}
}

// Ended is the journal of a deployment that goes on no more, whoever ended it: what was in
// progress was interrupted, what was to come is skipped.
func (p DeploymentProgress) Ended() DeploymentProgress {
	steps := make([]DeploymentStep, len(p.Steps))
	for i, s := range p.Steps {
		switch s.Status {
		case StepInProgress:
			s.Status = StepInterrupted
		case StepPending:
			s.Status = StepSkipped
		default:
		}
		steps[i] = s
	}
	p.Steps = steps
	if p.Rollback == RollbackInProgress {
		p.Rollback = RollbackBroke
	}
	return p
}
