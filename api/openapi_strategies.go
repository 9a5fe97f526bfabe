package api

import (
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/configs"
	"switchyard/strategy/catalog"
)

// describeParameters puts the strategies' own parameters into the description of the
// request that executes them, until undo: requests are checked by the same schema, and
// it is package catalog that knows what to say of parameters.
func describeParameters(doc *huma.OpenAPI, c *catalog.Catalog) (undo func()) {
	all := doc.Components.Schemas.Map()
	before := all["ExecuteRequest"]
	if before == nil || c == nil {
		return func() {}
	}
	request := *before
	properties := make(map[string]*huma.Schema, len(request.Properties))
	for name, p := range request.Properties {
		properties[name] = p
	}
	parameters := &huma.Schema{Description: "By the strategy; what isn't given has its default"}
	names := []any{}
	for _, x := range c.All() {
		name := x.Name + "Parameters"
		all[name] = parametersOf(x)
		parameters.AnyOf = append(parameters.AnyOf, &huma.Schema{Ref: "#/components/schemas/" + name})
		names = append(names, x.Name)
	}
	parameters.AnyOf = append(parameters.AnyOf, &huma.Schema{Type: "null"})
	strategy := *properties["strategy_name"]
	strategy.Enum = names
	properties["strategy_name"], properties["parameters"] = &strategy, parameters
	request.Properties = properties
	all["ExecuteRequest"] = &request
	return func() { all["ExecuteRequest"] = before }
}

// parametersOf describes the parameters of a strategy.
func parametersOf(x catalog.Strategy) *huma.Schema {
	out := &huma.Schema{Type: huma.TypeObject, Description: x.Description, Properties: map[string]*huma.Schema{}, AdditionalProperties: false}
	for _, p := range x.Parameters {
		s := &huma.Schema{Type: string(p.Type), Description: p.Description, Minimum: p.Min, Maximum: p.Max}
		if p.Type == catalog.Date {
			s.Type, s.Format = huma.TypeString, "date"
		}
		for _, v := range p.Allowed {
			s.Enum = append(s.Enum, v)
		}
		if p.Required {
			out.Required = append(out.Required, p.Name)
		} else {
			// A null is one that isn't given.
			s = &huma.Schema{Description: s.Description, AnyOf: []*huma.Schema{s, {Type: "null"}}, Default: p.Default}
			s.AnyOf[0].Description = ""
			if len(p.Default) == 0 {
				s.Default = json.RawMessage("null")
			}
		}
		out.Properties[p.Name] = s
	}
	return out
}

// describeChart describes the picture of an execution.
func describeChart() []*huma.Operation {
	picture := func(description string) *huma.Response {
		text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
		return &huma.Response{Description: description, Content: map[string]*huma.MediaType{"image/svg+xml": text, "image/png": text}}
	}
	return []*huma.Operation{{
		OperationID: "get-execution-chart", Method: http.MethodGet, Path: pathExecutions + "/{id}/chart", Tags: []string{tagStrategies},
		Summary:     "The curve of an execution's result, as a picture",
		Description: "As `format` says, else as `Accept` asks for, else as SVG.",
		Parameters: []*huma.Param{
			{Name: "id", In: "path", Required: true, Description: "The execution's number", Example: 123, Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: ptr(1.0)}},
			{Name: "format", In: "query", Description: "svg or png", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"svg", "png"}}},
		},
		Errors: []int{400, 404, 409, 503}, Metadata: map[string]any{metaScope: configs.StrategiesRead},
		Responses: map[string]*huma.Response{"200": picture("The picture")},
	}}
}
