package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

const pathDeployments = "/api/v1/deployments"

// DeployRequest is the body of POST /api/v1/deployments.
type DeployRequest struct {
	Project string   `json:"project" doc:"One of deployments.pipelines" example:"web"`
	Branch  string   `json:"branch,omitempty" maxLength:"100" doc:"One that the project's pipeline allows. Left out: the first of them, or what is checked out." example:"main"`
	ChatID  ChatID   `json:"chat_id,omitempty"`
	Wait    *float64 `json:"wait,omitempty" minimum:"0" maximum:"200" doc:"Seconds to wait for the end; the deployment is then the answer"`
}

// DeploymentAccepted is the answer to it.
type DeploymentAccepted struct {
	DeploymentID string `json:"deployment_id" example:"j_01k9zd3v5y8m1q2r3s4t5v6w7x"`
	JobID        string `json:"job_id" example:"j_01k9zd3v5y8m1q2r3s4t5v6w7x" doc:"The same"`
	Status       string `json:"status" example:"queued" doc:"State of the job"`
	Project      string `json:"project" example:"web"`
	Branch       string `json:"branch" example:"main" doc:"Empty: what is checked out"`
}

type deployInput struct {
	Idempotent
	Body DeployRequest
}

type deploymentInput struct {
	ID string `path:"id" maxLength:"64" doc:"The deployment's id, which is its job's" example:"j_01k9zd3v5y8m1q2r3s4t5v6w7x"`
}

type deploymentOutput struct{ Body DeploymentDocument }

type deploymentsInput struct {
	Project string `query:"project" maxLength:"64" doc:"Only deployments of this project" example:"web"`
	Branch  string `query:"branch" maxLength:"100" doc:"Only those of this branch" example:"main"`
	Host    string `query:"host" maxLength:"64" doc:"Only those on this host"`
	Status  string `query:"status" maxLength:"32" doc:"Only those with this status" example:"completed"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most so many"`
	Cursor  string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`
}

type deploymentsOutput struct{ Body DeploymentList }

func (s *Server) deploymentOperations(api huma.API) {
	read, run := map[string]any{metaScope: configs.DeploymentsRead}, map[string]any{metaScope: configs.DeploymentsRun}
	schemas := api.OpenAPI().Components.Schemas
	ended := document(schemas, "The deployment, if `wait` was set and long enough, however it ended", reflect.TypeFor[DeploymentDocument]())
	queued := document(schemas, "The deployment was accepted", reflect.TypeFor[DeploymentAccepted]())
	ended.Headers, queued.Headers = headers("Location", "Idempotency-Replayed"), headers("Location", "Idempotency-Replayed")
	huma.Register(api, huma.Operation{
		OperationID: "deploy", Method: http.MethodPost, Path: pathDeployments, Tags: []string{tagDeploy},
		Summary:     "Deploy a project",
		Description: "By the steps of its pipeline. Deployments of one project run one after the other, those of several side by side.",
		Responses:   map[string]*huma.Response{"200": ended, "202": queued}, MaxBodyBytes: -1, BodyReadTimeout: s.opt.Config.HTTP.ReadTimeout.Std(),
		Errors: []int{400, 404, 408, 413, 415, 422, 503}, Metadata: run,
	}, s.deploy)
	huma.Register(api, huma.Operation{
		OperationID: "list-deployments", Method: http.MethodGet, Path: pathDeployments, Tags: []string{tagDeploy},
		Summary:     "The newest deployments, without their steps",
		Description: "Conditions hold together. Where few deployments meet them a page may be shorter than limit, even empty; next_cursor then leads on.",
		Errors:      []int{400, 503}, Metadata: read, RejectUnknownQueryParameters: true,
	}, s.listDeployments)
	huma.Register(api, huma.Operation{
		OperationID: "get-deployment", Method: http.MethodGet, Path: pathDeployments + "/{id}", Tags: []string{tagDeploy},
		Summary: "One deployment and its steps", Errors: []int{404, 503}, Metadata: read,
	}, func(ctx context.Context, in *deploymentInput) (*deploymentOutput, error) {
		ctx, cancel := s.quick(ctx)
		defer cancel()
		j, p := s.deployment(ctx, in.ID)
		if p != nil {
			return nil, p
		}
		return &deploymentOutput{Body: s.deploymentOf(j)}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "cancel-deployment", Method: http.MethodPost, Path: pathDeployments + "/{id}/cancel", Tags: []string{tagDeploy},
		Summary:       "Cancel a deployment",
		Description:   "One that waits is cancelled at once. Of one under way the step is ended, with all that its program started, and what was done is rolled back; a roll-back can't be cancelled.",
		DefaultStatus: http.StatusAccepted, Errors: []int{400, 404, 409, 422, 503}, Metadata: run,
	}, func(ctx context.Context, in *jobActionInput) (*acceptedOutput, error) {
		quick, cancel := s.quick(ctx)
		defer cancel()
		if _, p := s.deployment(quick, in.ID); p != nil {
			return nil, p
		}
		return s.cancelJob(ctx, in)
	})
}

func (s *Server) deploy(ctx context.Context, in *deployInput) (*answer, error) {
	b := in.Body
	p, ok := s.opt.Config.Deployments.Find(b.Project)
	if !ok {
		return nil, problem(http.StatusBadRequest, "unknown_project", "project", "There is no such project. There are: "+s.projects()+".")
	}
	switch {
	case b.ChatID != "" && !b.ChatID.valid():
		return nil, invalidChatID()
	case b.Branch == "" && len(p.Branches) > 0:
		b.Branch = p.Branches[0]
	case b.Branch != "" && len(p.Branches) == 0:
		return nil, problem(http.StatusBadRequest, "invalid_branch", "branch", p.Project+" is deployed as it is checked out: leave branch out.")
	case b.Branch != "" && !tasks.AllowsBranch(p.Branches, b.Branch):
		return nil, problem(http.StatusBadRequest, "invalid_branch", "branch", "This branch may not be deployed. These may: "+strings.Join(p.Branches, ", ")+".")
	}
	a, refusal := s.acceptDeployment(ctx, p, b)
	if refusal != nil {
		return nil, refusal
	}
	queued := DeploymentAccepted{DeploymentID: a.ID, JobID: a.ID, Status: string(a.State), Project: p.Project, Branch: b.Branch}
	out := &answer{Status: http.StatusAccepted, Location: pathDeployments + "/" + a.ID, Body: queued}
	if a.Replayed {
		out.Replayed = "true"
	}
	if b.Wait == nil || *b.Wait == 0 {
		return out, nil
	}
	j, refusal := s.await(ctx, a, time.Duration(math.Round(*b.Wait*1000))*time.Millisecond)
	switch {
	case refusal != nil:
		return nil, refusal
	case !j.State.Final():
		queued.Status = string(j.State)
		out.Body = queued
	default:
		out.Status, out.Body = http.StatusOK, s.deploymentOf(j)
	}
	return out, nil
}

// acceptDeployment makes the job, or finds that of an earlier request.
func (s *Server) acceptDeployment(ctx context.Context, p configs.Pipeline, b DeployRequest) (jobs.Accepted, *Problem) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	if a, again, refusal := s.seen(ctx); again || refusal != nil {
		return a, refusal
	}
	if p.Host != "" {
		switch _, err := s.opt.Registry.Get(ctx, p.Host); {
		case errors.Is(err, hosts.ErrUnknown):
			return jobs.Accepted{}, problem(http.StatusNotFound, "unknown_host", "project", "Host "+p.Host+", which "+p.Project+" is on, has not registered.")
		case err != nil:
			return jobs.Accepted{}, s.registryAway(ctx, err)
		}
	}
	limit := tasks.DeploymentLimit(len(p.Steps)+len(p.Rollback), p.Limit())
	draft := tasks.NewDeployment(tasks.DeploymentPayload{Project: p.Project, Branch: b.Branch}, p.Host, limit,
		s.opt.Store.Now().Add(s.opt.Config.Deployments.MaxWait.Std()), string(b.ChatID))
	o := originalOf(ctx)
	a, err := s.opt.Store.Accept(ctx, jobs.Request{Draft: draft, IdempotencyScope: o.scope, Fingerprint: o.content})
	if err != nil {
		return jobs.Accepted{}, fromJobs(s.log(ctx), err)
	}
	s.opt.Meter.Accepted(string(draft.Type), a.Joined, a.Replayed)
	s.log(ctx).Info("deployment accepted", "job", a.ID, "project", p.Project, "branch", b.Branch, "host", p.Host, "chat", string(b.ChatID))
	return a, nil
}

// projects are the names of those that can be deployed.
func (s *Server) projects() string {
	names := []string{}
	for _, p := range s.opt.Config.Deployments.Pipelines {
		names = append(names, p.Project)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// deployment finds the job of a deployment.
func (s *Server) deployment(ctx context.Context, id string) (*jobs.Job, *Problem) {
	j, err := s.get(ctx, id)
	if errors.Is(err, jobs.ErrUnknown) || err == nil && j.Type != tasks.Deployment {
		return nil, problem(http.StatusNotFound, "unknown_deployment", "", "There is no such deployment, or not any more.")
	}
	if err != nil {
		return nil, fromJobs(s.log(ctx), err)
	}
	return j, nil
}

func (s *Server) listDeployments(ctx context.Context, in *deploymentsInput) (*deploymentsOutput, error) {
	if in.Host != "" && !tasks.ValidHost(in.Host) {
		return nil, problem(http.StatusBadRequest, "invalid_host", "host", "host is the name of a host: a-z, 0-9 and dashes inside.")
	}
	if in.Status != "" && !deploymentStatus(in.Status).known() {
		return nil, problem(http.StatusBadRequest, "invalid_status", "status", "status is pending, in_progress, rolling_back, completed, failed or cancelled.")
	}
	ctx, cancel := s.quick(ctx)
	defer cancel()
	found := map[string]DeploymentSummary{}
	f := jobs.Filter{Type: tasks.Deployment, Host: in.Host, Match: func(j *jobs.Job) bool {
		d := s.deploymentOf(j).DeploymentSummary
		found[j.ID] = d
		return (in.Project == "" || d.Project == in.Project) && (in.Branch == "" || d.Branch == in.Branch) && (in.Status == "" || string(d.Status) == in.Status)
	}}
	page, err := s.opt.Store.List(ctx, f, in.Limit, in.Cursor)
	if err != nil {
		return nil, fromJobs(s.log(ctx), err)
	}
	out := &deploymentsOutput{Body: DeploymentList{Deployments: make([]DeploymentSummary, len(page.Jobs)), NextCursor: orNull(page.Next)}}
	for i, j := range page.Jobs {
		out.Body.Deployments[i] = found[j.ID]
	}
	return out, nil
}

// deploymentOf is the document of a job. What can't be read of it is left out: its job can
// still be looked at.
func (s *Server) deploymentOf(j *jobs.Job) DeploymentDocument {
	var payload tasks.DeploymentPayload
	_ = json.Unmarshal(j.Payload, &payload)
	var journal *tasks.DeploymentProgress
	_ = json.Unmarshal(j.Progress, &journal)
	if journal == nil {
		journal = &tasks.DeploymentProgress{Branch: payload.Branch, Rollback: tasks.NoRollback}
		p, _ := s.opt.Config.Deployments.Find(payload.Project)
		for i, list := range [][]configs.PipelineStep{p.Steps, p.Rollback} {
			for _, step := range list {
				journal.Steps = append(journal.Steps, tasks.DeploymentStep{Name: step.Name, Rollback: i == 1, Status: tasks.StepPending})
			}
		}
	}
	journal.Project = payload.Project
	return documentOfDeployment(j, journal)
}
