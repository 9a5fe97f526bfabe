package executions

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"switchyard/jobs"
	"switchyard/tasks"
)

// Status of an execution.
type Status string

// The statuses. The last three are final.
const (
	Pending   Status = "pending"
	Running   Status = "running"
	Completed Status = "completed"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// Known reports whether it is one of the statuses.
func (s Status) Known() bool {
	return slices.Contains([]Status{Pending, Running, Completed, Failed, Cancelled}, s)
}

// StatusOf a job. One that is to be tried again counts as running: it never goes back
// to pending.
func StatusOf(j *jobs.Job) Status {
	switch j.State {
	case jobs.Completed:
		return Completed
	case jobs.Failed:
		return Failed
	case jobs.Cancelled:
		return Cancelled
	}
	if j.Started.IsZero() {
		return Pending
	}
	return Running
}

// Document is an execution as clients and receivers see it. Times are RFC 3339 UTC with
// milliseconds, null where not yet.
type Document struct {
	ID          int64   `json:"execution_id" example:"123"`
	Strategy    string  `json:"strategy" example:"BoldAssetAllocation"`
	Version     string  `json:"version" example:"1.0.0"`
	Status      Status  `json:"status" enum:"pending,running,completed,failed,cancelled"`
	StartedAt   *string `json:"started_at" format:"date-time"`
	CompletedAt *string `json:"completed_at" format:"date-time"`
	// Parameters with defaults filled in; as sent where they were not valid.
	Parameters json.RawMessage `json:"execution_parameters" doc:"With defaults filled in; as they were sent where a value can't be used"`
	Result     json.RawMessage `json:"result,omitempty" doc:"What came of it, by the strategy; only when it is completed"`
	Error      string          `json:"error_message,omitempty" doc:"Why it failed, or that it was cancelled"`
}

// Of is the document of a job. Error: its payload can't be read.
func Of(j *jobs.Job) (Document, error) {
	var p tasks.StrategyPayload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return Document{}, fmt.Errorf("the payload of execution %s: %w", j.ID, err)
	}
	d := Document{
		ID: p.Execution, Strategy: p.Strategy, Version: p.Version, Status: StatusOf(j), Parameters: p.Parameters,
		StartedAt: at(j.Started), CompletedAt: at(j.Completed),
	}
	if !j.State.Final() {
		d.CompletedAt = nil // of the run before
	}
	switch d.Status {
	case Completed:
		d.Result = j.Result
	case Failed, Cancelled:
		d.Error = j.Error
		if d.Error == "" {
			d.Error = string(d.Status)
		}
	}
	return d, nil
}

func at(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(tasks.MilliTime)
	return &s
}

// CallbackID is the id of the job that posts the document of a job that has ended to
// url: the same whoever asks.
func CallbackID(j *jobs.Job, url string) string {
	return jobs.DerivedID(j.Completed, j.ID, strconv.Itoa(j.Run), "url\x00"+url)
}
