package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/configs"
	"switchyard/hosts"
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

type jobActionInput struct {
	ID string `path:"id" maxLength:"64" doc:"The job's id" example:"j_01k9zd3v5y8m1q2r3s4t5v6w7x"`
	Idempotent
}

type jobOutput struct {
	Body JobDocument
}

type jobsInput struct {
	ChatID string `query:"chat_id" maxLength:"64" doc:"Only jobs that this chat asked for, or joined, and messages to it"`
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
	// Replayed is set for repeats, beside us.
	Replayed string `header:"Idempotency-Replayed" doc:"true: this is the first answer under the Idempotency-Key, again"`
	Body     JobAccepted
}

func (s *Server) jobOperations(api huma.API) {
	write := map[string]any{metaScope: configs.JobsWrite}
	huma.Register(api, huma.Operation{
		OperationID: "list-jobs", Method: http.MethodGet, Path: "/api/v1/jobs", Tags: []string{tagJobs},
		Summary:     "The newest jobs",
		Description: "Conditions hold together. Where few jobs meet them a page may be shorter than limit, even empty; next_cursor then leads on.",
		Errors:      []int{400, 503}, Metadata: map[string]any{metaScope: configs.JobsRead}, RejectUnknownQueryParameters: true,
	}, s.listJobs)
	huma.Register(api, huma.Operation{
		OperationID: "get-job", Method: http.MethodGet, Path: "/api/v1/jobs/{id}", Tags: []string{tagJobs},
		Summary: "One job", Errors: []int{404, 503}, Metadata: map[string]any{metaScope: configs.JobsRead},
	}, func(ctx context.Context, in *jobInput) (*jobOutput, error) {
		ctx, cancel := s.quick(ctx)
		defer cancel()
		j, err := s.get(ctx, in.ID)
		if err != nil {
			return nil, fromJobs(s.log(ctx), err)
		}
		return &jobOutput{Body: documentOf(j)}, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "cancel-job", Method: http.MethodPost, Path: "/api/v1/jobs/{id}/cancel", Tags: []string{tagJobs},
		Summary:       "Cancel a job",
		Description:   "A job that waits is cancelled at once; the worker of a running one is asked to stop, and leaves things in order first.",
		DefaultStatus: http.StatusAccepted, Errors: []int{400, 404, 409, 422, 503}, Metadata: write,
	}, s.cancelJob)
	huma.Register(api, huma.Operation{
		OperationID: "retry-job", Method: http.MethodPost, Path: "/api/v1/jobs/{id}/retry", Tags: []string{tagJobs},
		Summary:       "Run a failed or cancelled job again",
		Description:   "As its next attempt. Orders are never run again, nor are jobs of a host that was removed.",
		DefaultStatus: http.StatusAccepted, Errors: []int{400, 404, 409, 422, 503}, Metadata: write,
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
	if in.ChatID != "" && !ChatID(in.ChatID).valid() {
		return nil, invalidChatID()
	}
	if in.Host != "" && !tasks.ValidHost(in.Host) {
		return nil, problem(http.StatusBadRequest, "invalid_host", "host", "host is the name of a host: a-z, 0-9 and dashes inside.")
	}
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
		return nil, fromJobs(s.log(ctx), err)
	}
	out := &jobsOutput{Body: JobList{Jobs: make([]JobDocument, len(page.Jobs)), NextCursor: orNull(page.Next)}}
	for i, j := range page.Jobs {
		out.Body.Jobs[i] = documentOf(j)
	}
	return out, nil
}

func (s *Server) cancelJob(ctx context.Context, in *jobActionInput) (*acceptedOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	if !jobs.ValidID(in.ID) {
		return nil, fromJobs(s.log(ctx), jobs.ErrUnknown)
	}
	state, err := s.opt.Store.Cancel(ctx, in.ID)
	if err != nil {
		return nil, fromJobs(s.log(ctx), err)
	}
	s.log(ctx).Info("job cancelled", "job", in.ID, "state", state)
	return &acceptedOutput{Body: JobAccepted{JobID: in.ID, Status: string(state)}}, nil
}

func (s *Server) retryJob(ctx context.Context, in *jobActionInput) (*acceptedOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	if !jobs.ValidID(in.ID) {
		return nil, fromJobs(s.log(ctx), jobs.ErrUnknown)
	}
	if p := s.hostIsThere(ctx, in.ID); p != nil {
		return nil, p
	}
	if err := s.opt.Store.Reopen(ctx, in.ID); err != nil {
		return nil, fromJobs(s.log(ctx), err)
	}
	s.log(ctx).Info("job runs again", "job", in.ID)
	return &acceptedOutput{Body: JobAccepted{JobID: in.ID, Status: string(jobs.Queued)}}, nil
}

// hostIsThere refuses a job whose host was removed: nobody would take it up.
func (s *Server) hostIsThere(ctx context.Context, id string) *Problem {
	j, err := s.opt.Store.Get(ctx, id)
	if err != nil {
		return fromJobs(s.log(ctx), err)
	}
	if j.Host == "" {
		return nil
	}
	switch _, err := s.opt.Registry.Get(ctx, j.Host); {
	case errors.Is(err, hosts.ErrUnknown):
		return problem(http.StatusConflict, "host_removed", "", "Host "+j.Host+" was removed, so the job can't be run again.")
	case err != nil:
		return s.registryAway(ctx, err)
	}
	return nil
}
