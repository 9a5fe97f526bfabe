package api

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/tasks"
)

// PushList is what is kept of a host's pushes. Times are RFC 3339 UTC with
// milliseconds, null where there is none.
type PushList struct {
	Host     string                `json:"host" example:"seoul-1"`
	PushedAt *string               `json:"pushed_at" format:"date-time" doc:"When the last one was made; null: never"`
	Document *tasks.StatusDocument `json:"document" doc:"The status document as it was last posted; null where there is none"`
	// Receivers are the host's own: they stand in its configuration.
	Receivers []PushReceiver `json:"receivers" doc:"Those that get it, in the order of the host's configuration"`
}

// PushReceiver is what is kept of the posts to one receiver.
type PushReceiver struct {
	Receiver string     `json:"receiver" example:"operations" doc:"The name that stands in place of its address"`
	URLHost  string     `json:"url_host" example:"203.0.113.37:3001" doc:"All that is shown of its address"`
	OK       bool       `json:"ok" doc:"It took the last one"`
	Outcomes []PushPost `json:"outcomes" doc:"Of the last 60 posts, newest first"`
}

// PushPost is one post to one receiver.
type PushPost struct {
	Receiver   string  `json:"receiver" example:"operations"`
	URLHost    string  `json:"url_host" example:"203.0.113.37:3001"`
	At         *string `json:"at" format:"date-time" doc:"When it began"`
	Attempt    int     `json:"attempt" doc:"Always 1: the next minute brings another push" example:"1"`
	Manual     bool    `json:"manual" doc:"Somebody asked for the push"`
	OK         bool    `json:"ok" doc:"The receiver took it (2xx)"`
	Status     int     `json:"status" doc:"HTTP status of the answer, 0 where none came" example:"200"`
	DurationMS int64   `json:"duration_ms"`
	Response   string  `json:"response" doc:"The beginning of the answer's body, up to 4 KiB"`
	Truncated  bool    `json:"response_truncated" doc:"There was more of it"`
	Error      *string `json:"error" doc:"What went wrong, in words; null: nothing" example:"Connection refused"`
	Code       *string `json:"code" doc:"The same for programs" example:"connect"`
}

// PushResult is what came of a push.
type PushResult struct {
	// Document is a StatusDocument as it was posted, byte for byte.
	Document  json.RawMessage `json:"document"`
	Receivers []PushPost      `json:"receivers" doc:"In the order of the host's configuration"`
}

// PushRequest is the body of POST /api/v1/hosts/{host}/push.
type PushRequest struct {
	Wait *float64 `json:"wait,omitempty" minimum:"0" maximum:"200" doc:"Seconds to wait for the result; it is then the answer"`
}

type pushesOutput struct{ Body PushList }

type pushInput struct {
	Host string `path:"host" maxLength:"64" doc:"The host's name" example:"seoul-1"`
	Idempotent
	Body *PushRequest
}

func (s *Server) pushOperations(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	result := document(schemas, "What was posted and what the receivers answered, if `wait` was set and long enough", reflect.TypeFor[PushResult]())
	queued := document(schemas, "The job was accepted", reflect.TypeFor[JobAccepted]())
	result.Headers, queued.Headers = headers("Location", "Idempotency-Replayed"), headers("Location", "Idempotency-Replayed")
	huma.Register(api, huma.Operation{
		OperationID: "list-pushes", Method: http.MethodGet, Path: "/api/v1/hosts/{host}/pushes", Tags: []string{tagHosts},
		Summary:     "What a host has pushed",
		Description: "The last status document that it posted, and what became of its last posts to each receiver.",
		Errors:      []int{400, 404, 503}, Metadata: map[string]any{metaScope: configs.ProxiesRead},
	}, s.listPushes)
	huma.Register(api, huma.Operation{
		OperationID: "push-host", Method: http.MethodPost, Path: "/api/v1/hosts/{host}/push", Tags: []string{tagHosts},
		Metadata: map[string]any{metaScope: configs.HostsPush},
		Summary:  "Have a host push its status now",
		Description: "As it does every minute by itself, beside that. The dongles are read at most once a minute, so the document may tell what was found earlier in this one. " +
			"While a push that somebody asked for is under way, the request joins that one.",
		Responses:       map[string]*huma.Response{"200": result, "202": queued},
		MaxBodyBytes:    -1, // limitBody has it
		BodyReadTimeout: s.opt.Config.HTTP.ReadTimeout.Std(),
		Errors:          []int{400, 404, 408, 409, 413, 415, 422, 503},
	}, s.pushHost)
}

func (s *Server) listPushes(ctx context.Context, in *hostInput) (*pushesOutput, error) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	h, p := s.registered(ctx, in.Host)
	if p != nil {
		return nil, p
	}
	kept, err := s.opt.Registry.Pushes(ctx, h.Name)
	if err != nil {
		return nil, s.registryAway(ctx, err)
	}
	out := &pushesOutput{Body: PushList{Host: h.Name, PushedAt: timeOrNull(kept.At), Receivers: []PushReceiver{}}}
	if kept.Document != nil {
		out.Body.Document = &tasks.StatusDocument{}
		if err := json.Unmarshal(kept.Document, out.Body.Document); err != nil {
			kept.Fault, out.Body.Document = err, nil
		}
	}
	if kept.Fault != nil {
		s.log(ctx).Warn("what a host wrote of its pushes can't be read; it is left out", "host", h.Name, "err", kept.Fault)
	}
	for _, r := range kept.Receivers {
		of := PushReceiver{Receiver: r.Name, Outcomes: make([]PushPost, len(r.Outcomes))}
		for i, o := range r.Outcomes {
			of.Outcomes[i] = postOf(o)
		}
		if len(r.Outcomes) > 0 {
			of.URLHost, of.OK = r.Outcomes[0].URLHost, r.Outcomes[0].OK
		}
		out.Body.Receivers = append(out.Body.Receivers, of)
	}
	return out, nil
}

func postOf(o tasks.PushOutcome) PushPost {
	return PushPost{
		Receiver: o.Receiver, URLHost: o.URLHost, At: timeOrNull(o.At), Attempt: o.Attempt, Manual: o.Manual, OK: o.OK, Status: o.Status,
		DurationMS: o.DurationMS, Response: o.Response, Truncated: o.Truncated, Error: orNull(o.Error), Code: orNull(o.Code),
	}
}

func (s *Server) pushHost(ctx context.Context, in *pushInput) (*answer, error) {
	a, p := s.orderPush(ctx, in.Host)
	if p != nil {
		return nil, p
	}
	out := &answer{Status: http.StatusAccepted, Location: "/api/v1/jobs/" + a.ID, Body: accepted(a)}
	if a.Replayed {
		out.Replayed = "true"
	}
	if in.Body == nil || in.Body.Wait == nil || *in.Body.Wait == 0 {
		return out, nil
	}
	j, p := s.await(ctx, a, time.Duration(math.Round(*in.Body.Wait*1000))*time.Millisecond)
	switch {
	case p != nil:
		return nil, p
	case !j.State.Final():
		out.Body = JobAccepted{JobID: a.ID, Status: string(j.State), Joined: a.Joined}
		return out, nil
	}
	var r tasks.PushResult
	if err := json.Unmarshal(j.Result, &r); err != nil { // there is none
		p := problem(http.StatusInternalServerError, "job_failed", "", "The job has failed: "+j.Error+".")
		p.JobID = j.ID
		return nil, p
	}
	body := PushResult{Document: r.Document, Receivers: make([]PushPost, len(r.Receivers))}
	for i, o := range r.Receivers {
		body.Receivers[i] = postOf(o)
	}
	out.Status, out.Body = http.StatusOK, body
	return out, nil
}

// orderPush makes the job. A host that is away is refused: its push would be too
// old before it is back.
func (s *Server) orderPush(ctx context.Context, name string) (jobs.Accepted, *Problem) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	if a, ok, p := s.seen(ctx); ok || p != nil {
		return a, p
	}
	h, p := s.registered(ctx, name)
	if p != nil {
		return jobs.Accepted{}, p
	}
	now := s.opt.Store.Now()
	if !s.opt.Registry.Online(h, now) {
		return jobs.Accepted{}, hostOffline(h)
	}
	c := s.opt.Config.Push
	o := originalOf(ctx)
	draft := tasks.NewManualPush(h.Name, now, c.MaxAge.Std(), c.Timeout.Std())
	a, err := s.opt.Store.Accept(ctx, jobs.Request{Draft: draft, IdempotencyScope: o.scope, Fingerprint: o.content})
	if err != nil {
		return jobs.Accepted{}, fromJobs(s.log(ctx), err)
	}
	s.opt.Meter.Accepted(string(draft.Type), a.Joined, a.Replayed)
	s.log(ctx).Info("push accepted", "job", a.ID, "host", h.Name, "joined", a.Joined)
	return a, nil
}

func hostOffline(h *hosts.Info) *Problem {
	p := problem(http.StatusServiceUnavailable, "host_offline", "", "Host "+h.Name+" is offline.")
	p.retryAfter = 30 * time.Second
	return p
}
