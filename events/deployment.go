package events

import (
	"bytes"
	"encoding/json"
	"fmt"

	"switchyard/tasks"
)

// DeploymentKind is the kind of a Deployed.
const DeploymentKind = "posco_event"

// Deployed is what has happened to a deployment (`posco_event`).
type Deployed struct {
	Event  string `json:"event_type"`
	Branch string `json:"branch"`
	Commit string `json:"commit_hash"`
	ID     string `json:"deployment_id"`
	// Status is in_progress, rolling_back, completed, failed or cancelled.
	Status string `json:"status"`
	// Progress in percent.
	Progress int    `json:"progress"`
	Message  string `json:"message"`
	// Steps, those that undo only once that has begun.
	Steps   []DeployedStep `json:"steps"`
	Project string         `json:"project"`
}

// DeployedStep is one of its steps.
type DeployedStep struct {
	Name   string           `json:"name"`
	Status tasks.StepStatus `json:"status"`
	// DurationMS of a step that has ended, Progress of one that hasn't.
	DurationMS *int64 `json:"duration_ms,omitempty"`
	Progress   *int   `json:"progress,omitempty"`
}

// The events that are the end of a deployment.
const (
	deploymentCompleted tasks.DeploymentEvent = "deployment_completed"
	deploymentFailed    tasks.DeploymentEvent = "deployment_failed"
	deploymentCancelled tasks.DeploymentEvent = "deployment_cancelled"
)

// deploymentWords are those of the events, in the language of the clients; %s is the step.
var deploymentWords = map[tasks.DeploymentEvent]string{
	tasks.DeploymentStarted: "배포가 시작되었습니다",
	tasks.StepStarted:       "%s 단계가 시작되었습니다",
	tasks.StepProgressed:    "%s 단계가 진행 중입니다",
	tasks.StepEnded:         "%s 단계가 완료되었습니다",
	tasks.StepBroke:         "%s 단계가 실패했습니다",
	tasks.StepCut:           "%s 단계가 중단되었습니다",
	tasks.RollbackStarted:   "롤백이 시작되었습니다",
	tasks.RollbackCompleted: "롤백이 완료되었습니다",
	tasks.RollbackFailed:    "롤백이 실패했습니다",
	deploymentCompleted:     "배포가 완료되었습니다",
	deploymentFailed:        "배포가 실패했습니다",
	deploymentCancelled:     "배포가 취소되었습니다",
}

// deploymentMark stands in the events of all deployments, and in few others.
var deploymentMark = []byte(`"type":"` + tasks.Deployment + `"`)

// DeploymentOf is the event of a deployment that an event of its job tells of; ok is false
// where it tells of none. It is made where it is shown, of what the script wrote that
// changed the job: so there is one for every change, whoever made it and whatever became
// of the worker. A change that says nothing new, such as a worker's taking it up again,
// has none.
func DeploymentOf(e Event) (told Event, ok bool) {
	var job Job
	if e.Class != Jobs || !bytes.Contains(e.Data, deploymentMark) || json.Unmarshal(e.Data, &job) != nil || job.Type != string(tasks.Deployment) {
		return Event{}, false
	}
	var p *tasks.DeploymentProgress
	if json.Unmarshal(job.Progress, &p) != nil || p == nil {
		return Event{}, false // it was not begun, and perhaps ended so
	}
	what, step, status := p.Event, p.Step, "in_progress"
	switch {
	case job.Final():
		shown := p.Ended()
		p, step, status = &shown, 0, job.State
		what = map[string]tasks.DeploymentEvent{"completed": deploymentCompleted, "cancelled": deploymentCancelled}[job.State]
		if what == "" {
			what = deploymentFailed
		}
	case job.State != "running" || p.Attempt != job.Attempt:
		return Event{}, false
	case p.Rollback != tasks.NoRollback:
		status = "rolling_back"
	}
	d := Deployed{
		Event: string(what), Branch: p.Branch, Commit: p.Commit, ID: job.JobID, Status: status, Progress: p.Percent, Message: words(what, step, p, job.Error),
		Steps: deployedSteps(p), Project: p.Project,
	}
	told, err := New(Jobs, DeploymentKind, e.At, d)
	told.ID = e.ID
	return told, err == nil
}

func words(e tasks.DeploymentEvent, step int, p *tasks.DeploymentProgress, why string) string {
	text := deploymentWords[e]
	if step > 0 && step <= len(p.Steps) {
		s := p.Steps[step-1]
		switch e {
		case tasks.StepBroke, tasks.StepCut:
			return fmt.Sprintf(text, s.Name) + ": " + s.Error
		case tasks.RollbackFailed:
			return text + ": " + s.Name + ": " + s.Error
		}
		return fmt.Sprintf(text, s.Name)
	}
	if e == deploymentFailed && why != "" {
		text += ": " + why
	}
	return text
}

func deployedSteps(p *tasks.DeploymentProgress) []DeployedStep {
	out := []DeployedStep{}
	for _, s := range p.Steps {
		if s.Rollback && p.Rollback == tasks.NoRollback {
			continue
		}
		x := DeployedStep{Name: s.Name, Status: s.Status}
		switch s.Status {
		case tasks.StepInProgress:
			x.Progress = &s.Percent
		case tasks.StepPending, tasks.StepSkipped:
		default:
			x.DurationMS = &s.DurationMS
		}
		out = append(out, x)
	}
	return out
}
