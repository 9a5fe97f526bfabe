package api

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/steplogs"
	"switchyard/tasks"
)

// deploymentStatus is how it stands with a deployment.
type deploymentStatus string

// The statuses. The last three are final.
const (
	deploymentPending     deploymentStatus = "pending"
	deploymentInProgress  deploymentStatus = "in_progress"
	deploymentRollingBack deploymentStatus = "rolling_back"
	deploymentCompleted   deploymentStatus = "completed"
	deploymentFailed      deploymentStatus = "failed"
	deploymentCancelled   deploymentStatus = "cancelled"
)

var deploymentStatuses = []deploymentStatus{
	deploymentPending, deploymentInProgress, deploymentRollingBack, deploymentCompleted, deploymentFailed, deploymentCancelled,
}

func (s deploymentStatus) known() bool { return slices.Contains(deploymentStatuses, s) }

// Schema implements huma.SchemaProvider.
func (deploymentStatus) Schema(huma.Registry) *huma.Schema {
	all := make([]any, len(deploymentStatuses))
	for i, s := range deploymentStatuses {
		all[i] = string(s)
	}
	return &huma.Schema{Type: huma.TypeString, Enum: all}
}

// DeploymentSummary is a deployment without its steps. Times are RFC 3339 UTC with
// milliseconds, null where not yet.
type DeploymentSummary struct {
	DeploymentID   string           `json:"deployment_id" example:"j_01k9zd3v5y8m1q2r3s4t5v6w7x" doc:"The id of its job"`
	Project        string           `json:"project" example:"web"`
	Host           *string          `json:"host" doc:"null: the machine of a worker of no host"`
	Branch         string           `json:"branch" example:"main" doc:"Empty: none is checked out"`
	CommitHash     string           `json:"commit_hash" example:"4b825dc642cb6eb9a060e54bf8d69288fbee4904" doc:"What is checked out; empty: not known (yet), or no git repository"`
	PreviousCommit string           `json:"previous_commit" example:"9d0f0a5e7b7e1b8f6a2d3c4e5f60718293a4b5c6" doc:"What was before"`
	Status         deploymentStatus `json:"status"`
	Progress       int              `json:"progress" minimum:"0" maximum:"100" doc:"Percent"`
	Rollback       string           `json:"rollback" enum:"none,in_progress,completed,failed" doc:"How it stands with the steps that undo"`
	Error          *string          `json:"error" doc:"Why it isn't completed, in words"`
	Attempts       int              `json:"attempts" doc:"How often a worker has taken it up, or is to"`
	CreatedAt      *string          `json:"created_at" format:"date-time"`
	StartedAt      *string          `json:"started_at" format:"date-time"`
	CompletedAt    *string          `json:"completed_at" format:"date-time"`
}

// DeploymentDocument is a deployment.
type DeploymentDocument struct {
	DeploymentSummary
	Steps []DeploymentStep `json:"steps" doc:"Those that deploy, then those that undo"`
}

// DeploymentStep is one of its steps.
type DeploymentStep struct {
	Number     int     `json:"number" minimum:"1" doc:"From 1: its place in steps"`
	Name       string  `json:"name" example:"코드 체크아웃"`
	Rollback   bool    `json:"rollback" doc:"It is one of those that undo"`
	Status     string  `json:"status" enum:"pending,in_progress,completed,failed,interrupted,skipped,rolled_back" doc:"interrupted: it or its worker was ended before it was through. rolled_back: it was completed, and is undone"`
	Progress   int     `json:"progress" minimum:"0" maximum:"100" doc:"Percent, as far as its program says so"`
	ExitCode   *int    `json:"exit_code" doc:"Of its program; null: it has none (yet), or a signal ended it"`
	Error      *string `json:"error"`
	Runs       int     `json:"runs" doc:"How often it was begun: more than once only where it is safe"`
	StartedAt  *string `json:"started_at" format:"date-time"`
	DurationMS *int64  `json:"duration_ms" doc:"null: it has not ended, or nobody knows when"`
	Log        *string `json:"log" example:"/api/v1/deployments/j_01k9zd3v5y8m1q2r3s4t5v6w7x/steps/1/log" doc:"Where its log is; null: it was not begun"`
}

// DeploymentList is a page of deployments, newest first.
type DeploymentList struct {
	Deployments []DeploymentSummary `json:"deployments"`
	NextCursor  *string             `json:"next_cursor"`
}

func documentOfDeployment(j *jobs.Job, p *tasks.DeploymentProgress) DeploymentDocument {
	status := deploymentPending
	switch {
	case j.State == jobs.Completed:
		status = deploymentCompleted
	case j.State == jobs.Failed:
		status = deploymentFailed
	case j.State == jobs.Cancelled:
		status = deploymentCancelled
	case p.Rollback != tasks.NoRollback:
		status = deploymentRollingBack
	case !j.Started.IsZero():
		status = deploymentInProgress
	}
	shown := *p
	if j.State.Final() {
		shown = p.Ended()
	}
	d := DeploymentDocument{
		DeploymentSummary: DeploymentSummary{
			DeploymentID: j.ID, Project: shown.Project, Host: orNull(j.Host), Branch: shown.Branch, CommitHash: shown.Commit, PreviousCommit: shown.PreviousCommit,
			Status: status, Progress: shown.Percent, Rollback: string(shown.Rollback), Error: orNull(j.Error), Attempts: j.Attempt,
			CreatedAt: timeOrNull(j.Created), StartedAt: timeOrNull(j.Started), CompletedAt: timeOrNull(j.Completed),
		},
		Steps: make([]DeploymentStep, len(shown.Steps)),
	}
	for i, s := range shown.Steps {
		x := DeploymentStep{
			Number: i + 1, Name: s.Name, Rollback: s.Rollback, Status: string(s.Status), Progress: s.Percent, ExitCode: s.ExitCode, Error: orNull(s.Error), Runs: s.Runs,
		}
		if s.StartedAt != nil {
			x.StartedAt = timeOrNull(*s.StartedAt)
		}
		if s.Begun() {
			log := pathDeployments + "/" + j.ID + "/steps/" + strconv.Itoa(i+1) + "/log"
			x.Log = &log
			if s.DurationMS > 0 || s.Status == tasks.StepCompleted || s.Status == tasks.StepFailed {
				x.DurationMS = &s.DurationMS
			}
		}
		d.Steps[i] = x
	}
	return d
}

// stepLog answers with the end of what a step has written, as text.
func (s *Server) stepLog(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := s.quick(r.Context())
	defer cancel()
	unknown := problem(http.StatusNotFound, "unknown_step", "", "The deployment has no such step, it was not begun, or its log is no longer kept.")
	j, p := s.deployment(ctx, chi.URLParam(r, "id"))
	if p != nil {
		writeProblem(w, p)
		return
	}
	number := chi.URLParam(r, "n")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || strconv.Itoa(n) != number {
		writeProblem(w, unknown)
		return
	}
	text, err := s.opt.StepLogs.Read(ctx, j.Host, j.ID, n)
	switch {
	case errors.Is(err, steplogs.ErrUnknown):
		writeProblem(w, unknown)
		return
	case err != nil:
		writeProblem(w, s.numbersAway(ctx, err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text)) // a client that has gone is no fault of ours
}

// describeStepLog describes the log of a step.
func describeStepLog() []*huma.Operation {
	param := func(name, description string, example any, schema *huma.Schema) *huma.Param {
		return &huma.Param{Name: name, In: "path", Required: true, Description: description, Example: example, Schema: schema}
	}
	return []*huma.Operation{{
		OperationID: "get-step-log", Method: http.MethodGet, Path: pathDeployments + "/{id}/steps/{n}/log", Tags: []string{tagDeploy},
		Summary:     "What a step has written",
		Description: "Standard output and standard error, the end of them (`deployments.log_kib`; behind `…` if there was more), a second old at most while the step runs. Secrets are left out.",
		Parameters: []*huma.Param{
			param("id", "The deployment's id", "j_01k9zd3v5y8m1q2r3s4t5v6w7x", &huma.Schema{Type: huma.TypeString}),
			param("n", "The step's number", 1, &huma.Schema{Type: huma.TypeInteger, Minimum: ptr(1.0)}),
		},
		Errors: []int{404, 503}, Metadata: map[string]any{metaScope: configs.DeploymentsRead},
		Responses: map[string]*huma.Response{"200": text("The log", "text/plain")},
	}}
}
