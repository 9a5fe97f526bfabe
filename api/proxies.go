package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/orders"
	"switchyard/tasks"
)

// ChatID is a Telegram chat: an integer or "@channel", as a JSON number or
// string.
type ChatID string

// Schema implements huma.SchemaProvider.
func (ChatID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "A Telegram chat: an integer, as number or string, or @channel",
		OneOf:       []*huma.Schema{{Type: huma.TypeInteger}, {Type: huma.TypeString, MinLength: ptr(1), MaxLength: ptr(64)}},
	}
}

// UnmarshalJSON reads a number or a string.
func (c *ChatID) UnmarshalJSON(b []byte) error {
	var n json.Number
	if err := json.Unmarshal(b, &n); err == nil {
		*c = ChatID(n)
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("chat_id: %w", err)
	}
	*c = ChatID(s)
	return nil
}

func (c ChatID) valid() bool {
	if !tasks.ChatForm(string(c)) {
		return false
	}
	_, err := strconv.ParseInt(string(c), 10, 64)
	return c[0] == '@' || err == nil
}

func invalidChatID() *Problem {
	return problem(http.StatusBadRequest, "invalid_chat_id", "chat_id", "chat_id is an integer, or @ and the name of a channel.")
}

func ptr[T any](v T) *T { return &v }

// ToggleRequest is the body of POST /api/v1/proxies/toggle.
type ToggleRequest struct {
	ServerIP    string   `json:"server_ip,omitempty" maxLength:"45" doc:"The host, by its public address. May be left out where there is one host." example:"198.51.100.7"`
	Host        string   `json:"host,omitempty" maxLength:"40" doc:"The host, by name" example:"seoul-1"`
	Port        int      `json:"port,omitempty" doc:"The dongle, by its SOCKS5 port (10011 to 10030)" example:"10016"`
	Subnet      int      `json:"subnet,omitempty" doc:"The dongle, by its subnet (11 to 30)" example:"16"`
	ChatID      ChatID   `json:"chat_id,omitempty"`
	CallbackURL string   `json:"callback_url,omitempty" maxLength:"2048" doc:"Gets the result too" example:"https://hooks.example.com/toggled"`
	Wait        *float64 `json:"wait,omitempty" minimum:"0" maximum:"200" doc:"Seconds to wait for the result; it is then the answer"`
}

// JobAccepted is the answer to a request that became a job.
type JobAccepted struct {
	JobID  string `json:"job_id" example:"j_01k9zd3v5y8m1q2r3s4t5v6w7x"`
	Status string `json:"status" example:"queued" doc:"State of the job"`
	Joined bool   `json:"joined,omitempty" doc:"The job was under way already, asked for by an earlier request"`
}

type toggleInput struct {
	Idempotent
	Body ToggleRequest
}

// answer is an output whose document depends on how it went.
type answer struct {
	Status   int
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed"`
	Body     any
}

func (s *Server) proxyOperations(api huma.API) {
	schemas := api.OpenAPI().Components.Schemas
	result := document(schemas, "The result, if `wait` was set and long enough", reflect.TypeFor[tasks.ToggleResult]())
	queued := document(schemas, "The job was accepted", reflect.TypeFor[JobAccepted]())
	result.Headers, queued.Headers = headers("Location", "Idempotency-Replayed"), headers("Location", "Idempotency-Replayed")
	huma.Register(api, huma.Operation{
		OperationID: "toggle-proxy", Method: http.MethodPost, Path: "/api/v1/proxies/toggle", Tags: []string{tagProxies},
		Metadata:        map[string]any{metaScope: configs.ProxiesToggle},
		Summary:         "Change a dongle's IP",
		Description:     "The request becomes a job; while one for the same dongle is under way it joins that one.",
		Responses:       map[string]*huma.Response{"200": result, "202": queued},
		MaxBodyBytes:    -1, // limitBody has it
		BodyReadTimeout: s.opt.Config.HTTP.ReadTimeout.Std(),
		Errors:          []int{400, 404, 408, 409, 413, 415, 422, 429, 503},
	}, s.toggleProxy)
}

// document describes a JSON answer.
func document(r huma.Registry, description string, t reflect.Type) *huma.Response {
	return &huma.Response{
		Description: description,
		Content:     map[string]*huma.MediaType{"application/json": {Schema: r.Schema(t, true, "")}},
	}
}

func (s *Server) toggleProxy(ctx context.Context, in *toggleInput) (*answer, error) {
	b := in.Body
	subnet, p := subnetOf(b)
	if p != nil {
		return nil, p
	}
	if b.ChatID != "" && !b.ChatID.valid() {
		return nil, invalidChatID()
	}
	if b.CallbackURL != "" {
		if err := delivery.CheckURL(b.CallbackURL); err != nil {
			return nil, problem(http.StatusBadRequest, "invalid_callback_url", "callback_url", "callback_url can't be used: "+err.Error()+".")
		}
	}
	t := orders.Toggle{Host: b.Host, ServerIP: b.ServerIP, Subnet: subnet, Chat: string(b.ChatID), CallbackURL: b.CallbackURL}
	a, p := s.order(ctx, t)
	if p != nil {
		return nil, p
	}
	out := &answer{Status: http.StatusAccepted, Location: "/api/v1/jobs/" + a.ID, Body: accepted(a)}
	if a.Replayed {
		out.Replayed = "true"
	}
	if b.Wait == nil || *b.Wait == 0 {
		return out, nil
	}
	j, p := s.await(ctx, a, time.Duration(math.Round(*b.Wait*1000))*time.Millisecond)
	switch {
	case p != nil:
		return nil, p
	case !j.State.Final():
		out.Body = JobAccepted{JobID: a.ID, Status: string(j.State), Joined: a.Joined}
	case j.Result == nil:
		p := problem(http.StatusInternalServerError, "job_failed", "", "The job has failed: "+j.Error+".")
		p.JobID = j.ID
		return nil, p
	default:
		out.Status, out.Body = http.StatusOK, j.Result
	}
	return out, nil
}

func accepted(a jobs.Accepted) JobAccepted {
	return JobAccepted{JobID: a.ID, Status: string(a.State), Joined: a.Joined}
}

// subnetOf finds the dongle that a request names by port or subnet.
func subnetOf(b ToggleRequest) (int, *Problem) {
	switch {
	case b.Port == 0 && b.Subnet == 0:
		return 0, problem(http.StatusBadRequest, "missing_port", "port", "Name the dongle by port (10011 to 10030) or subnet (11 to 30).")
	case b.Port != 0 && !tasks.ValidSubnet(b.Port-tasks.Port(0)):
		return 0, problem(http.StatusBadRequest, "invalid_port", "port", "port is 10011 to 10030.")
	case b.Subnet != 0 && !tasks.ValidSubnet(b.Subnet):
		return 0, problem(http.StatusBadRequest, "invalid_subnet", "subnet", "subnet is 11 to 30.")
	case b.Port != 0 && b.Subnet != 0 && b.Port != tasks.Port(b.Subnet):
		return 0, problem(http.StatusBadRequest, "invalid_port", "port", "port and subnet name different dongles; give one of them.")
	case b.Port != 0:
		return b.Port - tasks.Port(0), nil
	}
	return b.Subnet, nil
}

// order finds the host and makes the job, or says why not.
func (s *Server) order(ctx context.Context, t orders.Toggle) (jobs.Accepted, *Problem) {
	a, p := s.place(ctx, &t)
	asked := []any{"host", t.Host, "subnet", t.Subnet, "port", tasks.Port(t.Subnet), "request_id", requestOf(ctx)}
	if p != nil {
		s.opt.Toggles.WarnContext(ctx, "toggle refused", append(asked, "code", p.Code, "reason", p.Detail)...)
	} else {
		s.opt.Toggles.InfoContext(ctx, "toggle accepted", append(asked, "job", a.ID, "joined", a.Joined, "replayed", a.Replayed)...)
	}
	return a, p
}

// place is order, and notes the name of the host that was found.
func (s *Server) place(ctx context.Context, t *orders.Toggle) (jobs.Accepted, *Problem) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	// A repeat gets its first answer, whatever is said against it now.
	if a, ok, p := s.seen(ctx); ok || p != nil {
		return a, p
	}
	draft, err := s.desk.Toggle(ctx, t)
	if err != nil {
		return jobs.Accepted{}, s.refused(ctx, err)
	}
	o := originalOf(ctx)
	a, err := s.opt.Store.Accept(ctx, jobs.Request{Draft: draft, IdempotencyScope: o.scope, Fingerprint: o.content})
	if err != nil {
		return jobs.Accepted{}, fromJobs(s.log(ctx), err)
	}
	s.opt.Meter.Accepted(string(draft.Type), a.Joined, a.Replayed)
	s.opt.Log.Info("toggle accepted", "job", a.ID, "host", draft.Host, "subnet", t.Subnet, "chat", t.Chat, "joined", a.Joined,
		"request_id", requestOf(ctx)) // without a logger of its own: it is the line that counts
	return a, nil
}

// findHost finds the host that a request names, or the only one. Without now it
// may be as it was a moment ago.
func (s *Server) findHost(ctx context.Context, name, serverIP string, now bool) (*hosts.Info, *Problem) {
	h, err := s.desk.Host(ctx, name, serverIP, now)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	return h, nil
}

// refused is the answer to what the desk doesn't take.
func (s *Server) refused(ctx context.Context, err error) *Problem {
	var r *orders.RefusalError
	if !errors.As(err, &r) {
		return s.registryAway(ctx, err)
	}
	p := problem(faults[r.Code].status, r.Code, r.Field, r.Words)
	p.retryAfter = r.RetryAfter
	return p
}

// await waits for the end of a job that was accepted; it returns the job as it
// is when the limit is over or the process stops. One that can't be read is as
// it was accepted: a refusal now would have the client ask again.
func (s *Server) await(ctx context.Context, a jobs.Accepted, limit time.Duration) (*jobs.Job, *Problem) {
	asAccepted := &jobs.Job{ID: a.ID, State: a.State}
	limit = min(limit, s.opt.Config.Toggle.RequestWait.Std())
	if limit <= 0 {
		return asAccepted, nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer s.opt.Meter.Waiting()()
	j, err := s.opt.Store.Wait(ctx, a.ID, s.stop)
	switch {
	case errors.Is(err, context.Canceled):
		return asAccepted, nil // the client has gone
	case errors.Is(err, jobs.ErrUnavailable):
		s.log(ctx).Warn("could not wait for a job; answered 202", "job", a.ID, "err", err)
		return asAccepted, nil
	case err != nil:
		return nil, fromJobs(s.log(ctx), err)
	}
	return j, nil
}
