package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/executions"
	"switchyard/jobs"
	"switchyard/strategy/catalog"
	"switchyard/tasks"
)

const (
	pathStrategies = "/strategies"
	pathExecute    = pathStrategies + "/execute"
	pathExecutions = "/executions"
)

// StrategyParameters are those of an execution, as they were sent.
type StrategyParameters json.RawMessage

// Schema implements huma.SchemaProvider: what is in it is package catalog's to say.
func (StrategyParameters) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Nullable: true, AdditionalProperties: true, Description: "By the strategy; what isn't given has its default"}
}

// UnmarshalJSON keeps what was sent.
func (p *StrategyParameters) UnmarshalJSON(b []byte) error {
	*p = slices.Clone(b)
	return nil
}

// ExecuteRequest is the body of POST /strategies/execute.
type ExecuteRequest struct {
	StrategyName string             `json:"strategy_name" doc:"One of GET /strategies" example:"BoldAssetAllocation"`
	Parameters   StrategyParameters `json:"parameters,omitempty"`
	CallbackURL  *string            `json:"callback_url,omitempty" doc:"Gets the execution's document when it has ended" example:"https://hooks.example.com/strategy-result"`
	ChatID       ChatID             `json:"chat_id,omitempty"`
}

// ExecutionAccepted is the answer to it.
type ExecutionAccepted struct {
	ExecutionID int64             `json:"execution_id" example:"123"`
	Status      executions.Status `json:"status" enum:"pending,running,completed,failed,cancelled"`
	Message     string            `json:"message" example:"Strategy execution started"`
	CallbackURL string            `json:"callback_url,omitempty" example:"https://hooks.example.com/strategy-result"`
	JobID       string            `json:"job_id" example:"j_01k9zd3v5y8m1q2r3s4t5v6w7x"`
}

// StrategyList is all strategies.
type StrategyList struct {
	Strategies []StrategyDescription `json:"strategies"`
}

// StrategyDescription is what a strategy takes.
type StrategyDescription struct {
	Name        string                 `json:"name" example:"BoldAssetAllocation"`
	Version     string                 `json:"version" example:"1.0.0"`
	Description string                 `json:"description"`
	Parameters  []ParameterDescription `json:"parameters"`
}

// ParameterDescription is one parameter of a strategy.
type ParameterDescription struct {
	Name        string   `json:"name" example:"variant"`
	Type        string   `json:"type" enum:"string,integer,number,boolean,date" doc:"A date is text such as 2024-06-28"`
	Description string   `json:"description"`
	Required    bool     `json:"required"`
	Default     any      `json:"default" example:"\"BAA-G12\"" doc:"null: there is none, and the strategy does without"`
	Allowed     []any    `json:"allowed_values,omitempty" doc:"The only values; absent: all of the type"`
	Min         *float64 `json:"minimum,omitempty"`
	Max         *float64 `json:"maximum,omitempty"`
}

type executeInput struct {
	Idempotent
	Body ExecuteRequest
}

type executeOutput struct {
	Location string `header:"Location"`
	Replayed string `header:"Idempotency-Replayed"`
	Body     ExecutionAccepted
}

type strategiesOutput struct{ Body StrategyList }

func (s *Server) strategyOperations(api huma.API) {
	read := map[string]any{metaScope: configs.StrategiesRead}
	huma.Register(api, huma.Operation{
		OperationID: "list-strategies", Method: http.MethodGet, Path: pathStrategies, Tags: []string{tagStrategies},
		Summary: "The strategies, and what they take", Errors: []int{503}, Metadata: read,
	}, s.listStrategies)
	huma.Register(api, huma.Operation{
		OperationID: "execute-strategy", Method: http.MethodPost, Path: pathExecute, Tags: []string{tagStrategies},
		Summary: "Execute a strategy",
		Description: "What is unknown or of the wrong type is refused at once. A value that can't be used is accepted, and is why the execution fails. " +
			"With a callback_url, the document of the execution is posted there once it has ended.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: -1, BodyReadTimeout: s.opt.Config.HTTP.ReadTimeout.Std(),
		Errors: []int{400, 408, 413, 415, 422, 503}, Metadata: map[string]any{metaScope: configs.StrategiesRun},
	}, s.executeStrategy)
	s.executionOperations(api)
}

func (s *Server) listStrategies(context.Context, *struct{}) (*strategiesOutput, error) {
	out := &strategiesOutput{Body: StrategyList{Strategies: []StrategyDescription{}}}
	for _, x := range s.opt.Strategies.All() {
		d := StrategyDescription{Name: x.Name, Version: x.Version, Description: x.Description, Parameters: []ParameterDescription{}}
		for _, p := range x.Parameters {
			y := ParameterDescription{
				Name: p.Name, Type: string(p.Type), Description: p.Description, Required: p.Required, Default: p.Default, Min: p.Min, Max: p.Max,
			}
			if len(p.Default) == 0 {
				y.Default = nil
			}
			for _, v := range p.Allowed {
				y.Allowed = append(y.Allowed, v)
			}
			d.Parameters = append(d.Parameters, y)
		}
		out.Body.Strategies = append(out.Body.Strategies, d)
	}
	return out, nil
}

func (s *Server) executeStrategy(ctx context.Context, in *executeInput) (*executeOutput, error) {
	b := in.Body
	x, ok := s.opt.Strategies.Find(b.StrategyName)
	if !ok {
		return nil, problem(http.StatusBadRequest, "unknown_strategy", "strategy_name", "There is no such strategy. There are: "+s.opt.Strategies.Names()+".")
	}
	reading, err := s.opt.Strategies.Read(x, json.RawMessage(b.Parameters))
	if wrong := (*catalog.ParameterError)(nil); errors.As(err, &wrong) {
		field := "parameters"
		if wrong.Name != "" {
			field += "." + wrong.Name
		}
		return nil, problem(http.StatusBadRequest, wrong.Code, field, wrong.Words)
	}
	if err != nil {
		return nil, err
	}
	callback := ""
	if b.CallbackURL != nil {
		callback = *b.CallbackURL
		if err := delivery.CheckURL(callback); err != nil {
			return nil, problem(http.StatusBadRequest, "invalid_callback_url", "callback_url", "callback_url can't be used: "+err.Error()+".")
		}
	}
	if b.ChatID != "" && !b.ChatID.valid() {
		return nil, invalidChatID()
	}
	p := tasks.StrategyPayload{Strategy: x.Name, Version: x.Version, Parameters: reading.Parameters, Fault: reading.Fault}
	j, replayed, problem := s.acceptExecution(ctx, p, string(b.ChatID), callback)
	if problem != nil {
		return nil, problem
	}
	return s.executionAccepted(ctx, j, replayed)
}

// acceptExecution gives the execution its number, and makes the job. The number is
// skipped where that fails.
func (s *Server) acceptExecution(ctx context.Context, p tasks.StrategyPayload, chat, callback string) (*jobs.Job, bool, *Problem) {
	ctx, cancel := s.quick(ctx)
	defer cancel()
	a, again, problem := s.seen(ctx)
	if problem != nil {
		return nil, false, problem
	}
	if !again {
		id := jobs.NewID(s.opt.Store.Now())
		number, err := s.opt.Executions.Next(ctx, id)
		if err != nil {
			return nil, false, s.numbersAway(ctx, err)
		}
		p.Execution = number
		draft := tasks.NewStrategy(p, s.opt.Config.Strategy.Limit.Std(), chat, callback)
		o := originalOf(ctx)
		if a, err = s.opt.Store.Accept(ctx, jobs.Request{Draft: draft, ID: id, Fresh: true, IdempotencyScope: o.scope, Fingerprint: o.content}); err != nil {
			return nil, false, fromJobs(s.log(ctx), err)
		}
		s.opt.Meter.Accepted(string(draft.Type), a.Joined, a.Replayed)
		if !a.Replayed {
			s.log(ctx).Info("execution accepted", "job", a.ID, "execution", number, "strategy", p.Strategy, "chat", chat)
			return &jobs.Job{ID: a.ID, Type: draft.Type, State: a.State, Payload: draft.Payload, CallbackURL: callback}, false, nil
		}
	}
	j, err := s.opt.Store.Get(ctx, a.ID)
	if err != nil {
		return nil, false, fromJobs(s.log(ctx), err)
	}
	return j, true, nil
}

func (s *Server) executionAccepted(ctx context.Context, j *jobs.Job, replayed bool) (*executeOutput, error) {
	d, err := executions.Of(j)
	if err != nil {
		return nil, s.unreadable(ctx, err)
	}
	out := &executeOutput{
		Location: executionPath(d.ID),
		Body: ExecutionAccepted{
			ExecutionID: d.ID, Status: executions.Pending, Message: "Strategy execution started", CallbackURL: j.CallbackURL, JobID: j.ID,
		},
	}
	if replayed {
		out.Replayed = "true" // and the first answer's status
	}
	return out, nil
}
