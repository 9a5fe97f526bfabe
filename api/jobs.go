package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/jobs"
	"switchyard/tasks"
)

// JobDocument is a job as clients see it. Times are RFC 3339 UTC with
// milliseconds, null where not yet.
type JobDocument struct {
	JobID       string          `json:"job_id"`
	Type        string          `json:"type" example:"toggle"`
	State       string          `json:"state" enum:"queued,scheduled,running,retrying,completed,failed,cancelled"`
	ChatID      *string         `json:"chat_id"`
	Host        *string         `json:"host"`
	Subnet      *int            `json:"subnet"`
	Parent      *string         `json:"parent" doc:"The job that this one follows from"`
	CreatedAt   *string         `json:"created_at" format:"date-time"`
	StartedAt   *string         `json:"started_at" format:"date-time"`
	CompletedAt *string         `json:"completed_at" format:"date-time"`
	Attempts    int             `json:"attempts" doc:"How often it was taken up, or is to be"`
	Progress    json.RawMessage `json:"progress" doc:"How far it is, and afterwards how it went; depends on the type, null where it says nothing"`
	Result      json.RawMessage `json:"result" doc:"What came of it; depends on the type, null where there is none (yet)"`
	Error       *string         `json:"error" doc:"What went wrong, in words"`
}

func documentOf(j *jobs.Job) JobDocument {
	d := JobDocument{
		JobID: j.ID, Type: string(j.Type), State: string(j.State), Attempts: j.Attempt,
		ChatID: orNull(j.ChatID), Host: orNull(j.Host), Parent: orNull(j.Parent), Error: orNull(j.Error),
		CreatedAt: timeOrNull(j.Created), StartedAt: timeOrNull(j.Started), CompletedAt: timeOrNull(j.Completed),
		Progress: j.Progress, Result: j.Result,
	}
	if j.Subnet != 0 {
		d.Subnet = &j.Subnet
	}
	return d
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func timeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(tasks.MilliTime)
	return &s
}

type jobInput struct {
	ID string `path:"id" maxLength:"64" doc:"The job's id" example:"j_01k9zd3v5y8m1q2r3s4t5v6w7x"`
}

type jobOutput struct {
	Body JobDocument
}

type jobsInput struct {
	ChatID string `query:"chat_id" maxLength:"64" doc:"Only jobs that this chat asked for, or joined"`
	Type   string `query:"type" maxLength:"64" doc:"Only jobs of this type" example:"toggle"`
	State  string `query:"state" maxLength:"64" doc:"Only jobs in this state" example:"running"`
	Host   string `query:"host" maxLength:"64" doc:"Only jobs of this host"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most so many"`
	Cursor string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`
}

// JobList is a page of jobs, newest first.
type JobList struct {
	Jobs []JobDocument `json:"jobs"`
	// NextCursor is null on the last page.
	NextCursor *string `json:"next_cursor"`
}

type jobsOutput struct {
	Body JobList
}

type acceptedOutput struct {
	Body JobAccepted
}

func (s *Server) jobOperations(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/api/v1/jobs", Tags: []string{tagJobs},
		Summary: "The newest jobs", Errors: []int{400, 503},
		Metadata: map[string]any{"scope": "jobs:read"},
	}, s.listJobs)
	huma.Register(api, huma.Operation{
		OperationID: "get-job", Method: http.MethodGet, Path: "/api/v1/jobs/{id}", Tags: []string{tagJobs},
		Summary: "One job", Errors: []int{404, 503},
		Metadata: map[string]any{"scope": "jobs:read"},
	}, func(ctx context.Context, in *jobInput) (*jobOutput, error) {
		ctx, cancel := s.quick(ctx)
		defer cancel()
		j, err := s.get(ctx, in.ID)
		if err != nil {
			return nil, fromJobs(s.opt.Log, err)
		}
		return &jobOutput{Body: documentOf(j)}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "cancel-job", Method: http.MethodPost, Path: "/api/v1/jobs/{id}/cancel", Tags: []string{tagJobs},
		Summary:       "Cancel a job",
		Description:   "A job that waits is cancelled at once; the worker of a running one is asked to stop, and leaves things in order first.",
		DefaultStatus: http.StatusAccepted, Errors: []int{404, 409, 503},
		Metadata: map[string]any{"scope": "jobs:write"},
	}, s.cancelJob)
	huma.Register(api, huma.Operation{
		OperationID: "retry-job", Method: http.MethodPost, Path: "/api/v1/jobs/{id}/retry", Tags: []string{tagJobs},
		Summary: "Run a failed or cancelled job again", DefaultStatus: http.StatusAccepted, Errors: []int{404, 409, 503},
		Metadata: map[string]any{"scope": "jobs:write"},
	}, s.retryJob)
}

// get refuses what can't be an id without asking Redis.
func (s *Server) get(ctx context.Context, id string) (*jobs.Job, error) {
	if !jobs.ValidID(id) {
		return nil, jobs.ErrUnknown
	}
	return s.opt.Store.Get(ctx, id)
}

func (s *Server) listJobs(ctx context.Context, in *jobsInput) (*jobsOutput, error) {
	f := jobs.Filter{ChatID: in.ChatID, Host: in.Host, Type: tasks.Type(in.Type), State: jobs.State(in.State)}
	if f.Type != "" && !f.Type.Known() {
		return nil, problem(http.StatusBadRequest, "invalid_type", "type", "There are no jobs of this type.")
	}
	if f.State != "" && !f.State.Known() {
		return nil, problem(http.StatusBadRequest, "invalid_state", "state", "There is no such state.")
	}
	ctx, cancel := s.quick(ctx)
	defer cancel()
	page, err := s.opt.Store.List(ctx, f, in.Limit, in.Cursor)
	if err != nil {
		return nil, fromJobs(s.opt.Log, err)
	}
	out := &jobsOutput{Body: JobList{Jobs: make([]JobDocument, len(page.Jobs)), NextCursor: orNull(page.Next)}}
	for i, j := range page.Jobs {
		out.Body.Jobs[i] = documentOf(j)
	}
	return out, nil
}

func (s *Server) cancelJob(ctx context.Context, in *jobInput) (*acceptedOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	if !jobs.ValidID(in.ID) {
		return nil, fromJobs(s.opt.Log, jobs.ErrUnknown)
	}
	state, err := s.opt.Store.Cancel(ctx, in.ID)
	if err != nil {
		return nil, fromJobs(s.opt.Log, err)
	}
	s.opt.Log.Info("job cancelled", "job", in.ID, "state", state)
	return &acceptedOutput{Body: JobAccepted{JobID: in.ID, Status: string(state)}}, nil
}

func (s *Server) retryJob(ctx context.Context, in *jobInput) (*acceptedOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	if !jobs.ValidID(in.ID) {
		return nil, fromJobs(s.opt.Log, jobs.ErrUnknown)
	}
	if err := s.opt.Store.Reopen(ctx, in.ID); err != nil {
		return nil, fromJobs(s.opt.Log, err)
	}
	s.opt.Log.Info("job runs again", "job", in.ID)
	return &acceptedOutput{Body: JobAccepted{JobID: in.ID, Status: string(jobs.Queued)}}, nil
}
