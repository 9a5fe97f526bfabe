package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"switchyard/api/chart"
	"switchyard/configs"
	"switchyard/executions"
	"switchyard/jobs"
	"switchyard/tasks"
)

// ExecutionDocument is an execution, and what became of its callback.
type ExecutionDocument struct {
	executions.Document
	Callback *executions.Callback `json:"callback,omitempty" doc:"Absent where none was asked for"`
}

// ExecutionList is a page of executions, newest first, without their results.
type ExecutionList struct {
	Executions []ExecutionSummary `json:"executions"`
	// NextCursor is null on the last page.
	NextCursor *string `json:"next_cursor"`
}

// ExecutionSummary is an execution in a list.
type ExecutionSummary struct {
	executions.Document
	JobID string `json:"job_id" example:"j_01k9zd3v5y8m1q2r3s4t5v6w7x"`
}

type executionInput struct {
	ID string `path:"id" maxLength:"32" doc:"The execution's number" example:"123"`
}

type executionOutput struct{ Body ExecutionDocument }

type executionsInput struct {
	Status   string `query:"status" maxLength:"32" doc:"Only executions with this status" example:"completed"`
	Strategy string `query:"strategy" maxLength:"64" doc:"Only executions of this strategy" example:"BoldAssetAllocation"`
	Limit    int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most so many"`
	Cursor   string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`
}

type executionsOutput struct{ Body ExecutionList }

func (s *Server) executionOperations(api huma.API) {
	read := map[string]any{metaScope: configs.StrategiesRead}
	huma.Register(api, huma.Operation{
		OperationID: "get-execution", Method: http.MethodGet, Path: pathExecutions + "/{id}", Tags: []string{tagStrategies},
		Summary: "One execution", Errors: []int{404, 503}, Metadata: read,
	}, s.getExecution)
	huma.Register(api, huma.Operation{
		OperationID: "list-executions", Method: http.MethodGet, Path: pathExecutions, Tags: []string{tagStrategies},
		Summary:     "The newest executions, without their results",
		Description: "Conditions hold together. Where few executions meet them a page may be shorter than limit, even empty; next_cursor then leads on.",
		Errors:      []int{400, 503}, Metadata: read, RejectUnknownQueryParameters: true,
	}, s.listExecutions)
}

func executionPath(number int64) string {
	return pathExecutions + "/" + strconv.FormatInt(number, 10)
}

// execution finds the job of an execution.
func (s *Server) execution(ctx context.Context, number string) (*jobs.Job, *Problem) {
	unknown := problem(http.StatusNotFound, "unknown_execution", "", "There is no such execution, or not any more.")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != number {
		return nil, unknown
	}
	id, err := s.opt.Executions.Job(ctx, n)
	switch {
	case errors.Is(err, executions.ErrUnknown):
		return nil, unknown
	case err != nil:
		return nil, s.numbersAway(ctx, err)
	}
	j, err := s.opt.Store.Get(ctx, id)
	switch {
	case errors.Is(err, jobs.ErrUnknown):
		return nil, unknown
	case err != nil:
		return nil, fromJobs(s.log(ctx), err)
	}
	return j, nil
}

func (s *Server) getExecution(ctx context.Context, in *executionInput) (*executionOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	j, p := s.execution(ctx, in.ID)
	if p != nil {
		return nil, p
	}
	d, err := executions.Of(j)
	if err != nil {
		return nil, s.unreadable(ctx, err)
	}
	out := &executionOutput{Body: ExecutionDocument{Document: d}}
	if j.CallbackURL == "" {
		return out, nil
	}
	var post *jobs.Job
	if j.State.Final() {
		post, err = s.opt.Store.Get(ctx, executions.CallbackID(j, j.CallbackURL))
		if err != nil && !errors.Is(err, jobs.ErrUnknown) {
			return nil, fromJobs(s.log(ctx), err)
		}
	}
	c := executions.CallbackOf(j.CallbackURL, post)
	out.Body.Callback = &c
	return out, nil
}

func (s *Server) listExecutions(ctx context.Context, in *executionsInput) (*executionsOutput, error) {
	status := executions.Status(in.Status)
	if status != "" && !status.Known() {
		return nil, problem(http.StatusBadRequest, "invalid_status", "status", "status is pending, running, completed, failed or cancelled.")
	}
	if _, known := s.opt.Strategies.Find(in.Strategy); in.Strategy != "" && !known {
		return nil, problem(http.StatusBadRequest, "unknown_strategy", "strategy", "There is no such strategy. There are: "+s.opt.Strategies.Names()+".")
	}
	ctx, cancel := s.quick(ctx)
	defer cancel()
	documents := map[string]executions.Document{}
	page, err := s.opt.Store.List(ctx, jobs.Filter{Type: tasks.Strategy, Brief: true, Match: func(j *jobs.Job) bool {
		d, err := executions.Of(j)
		if err != nil || status != "" && d.Status != status || in.Strategy != "" && d.Strategy != in.Strategy {
			return false
		}
		documents[j.ID] = d
		return true
	}}, in.Limit, in.Cursor)
	if err != nil {
		return nil, fromJobs(s.log(ctx), err)
	}
	out := &executionsOutput{Body: ExecutionList{Executions: make([]ExecutionSummary, len(page.Jobs)), NextCursor: orNull(page.Next)}}
	for i, j := range page.Jobs {
		out.Body.Executions[i] = ExecutionSummary{Document: documents[j.ID], JobID: j.ID}
	}
	return out, nil
}

// executionChart answers with a picture of the result's curve: as format says, else as
// the client likes best, else as SVG.
func (s *Server) executionChart(w http.ResponseWriter, r *http.Request) {
	format := chart.Format(r.URL.Query().Get("format"))
	switch {
	case format == chart.SVG, format == chart.PNG:
	case format != "":
		writeProblem(w, problem(http.StatusBadRequest, "invalid_format", "format", "format is svg or png."))
		return
	default:
		format = chart.SVG
		if accept := r.Header.Get("Accept"); strings.Contains(accept, "image/png") && !strings.Contains(accept, "image/svg") && !strings.Contains(accept, "text/html") {
			format = chart.PNG
		}
	}
	ctx, cancel := s.quick(r.Context())
	defer cancel()
	j, p := s.execution(ctx, chi.URLParam(r, "id"))
	if p != nil {
		writeProblem(w, p)
		return
	}
	d, err := executions.Of(j)
	if err != nil {
		writeProblem(w, s.unreadable(ctx, err))
		return
	}
	if d.Status != executions.Completed {
		writeProblem(w, problem(http.StatusConflict, "not_completed", "", "The execution is "+string(d.Status)+": only the result of a completed one has a chart."))
		return
	}
	picture, err := chart.Draw(d.Result, d.Strategy+", execution "+strconv.FormatInt(d.ID, 10), format)
	if err != nil {
		writeProblem(w, problem(http.StatusConflict, "no_chart", "", "There is no chart of this execution: its result tells no equity_curve of dates and values."))
		return
	}
	h := w.Header()
	h.Set("Content-Type", format.ContentType())
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept")
	_, _ = w.Write(picture) // a client that has gone is no fault of ours
}

// numbersAway is the answer while Redis is out of reach.
func (s *Server) numbersAway(ctx context.Context, err error) *Problem {
	s.log(ctx).Warn("answered 503", "err", err)
	p := problem(http.StatusServiceUnavailable, "redis_unavailable", "", "The job store is out of reach. Nothing was accepted; try again.")
	p.retryAfter = retryAfterOutage
	return p
}

// unreadable is the answer about a record that somebody else has written.
func (s *Server) unreadable(ctx context.Context, err error) *Problem {
	s.log(ctx).Error("a record can't be read", "err", err)
	return problem(http.StatusInternalServerError, "internal", "", "Something went wrong here; it has been logged.")
}
