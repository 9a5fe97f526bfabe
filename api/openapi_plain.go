package api

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"switchyard/tasks"
)

// The routes that huma doesn't know are described by hand, in the same
// document: those that take their parameters in several places, those that answer
// in the older proxy API's form, and those that answer with text or a page.

// describePlain adds them, but for those that this server doesn't have.
func describePlain(doc *huma.OpenAPI, routes chi.Routes) {
	r := doc.Components.Schemas
	for _, op := range slices.Concat(describeInfra(r), describeWebhook(r), describeChart(), describeStepLog(), legacyRoutes(r), operationsRoutes(r), pageRoutes()) {
		if routes.Match(chi.NewRouteContext(), op.Method, op.Path) {
			doc.AddOperation(op)
		}
	}
}

func legacyRoutes(r huma.Registry) []*huma.Operation {
	r.Schema(reflect.TypeFor[LegacyError](), true, "")
	serverIP := &huma.Param{
		Name: "server_ip", In: "query", Example: "198.51.100.7", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "The host, by its public address. May be left out where there is one host.",
	}
	subnet := &huma.Param{
		Name: "subnet", In: "path", Required: true, Description: "The dongle, by its subnet", Example: 16,
		Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: ptr(float64(tasks.MinSubnet)), Maximum: ptr(float64(tasks.MaxSubnet))},
	}
	toggle := func(method, id, note string, more ...*huma.Param) *huma.Operation {
		outcome := document(r, "The dongle has an address", reflect.TypeFor[tasks.ToggleOutcome]())
		failed := document(r, "The toggle brought no address", reflect.TypeFor[tasks.ToggleOutcome]())
		queued := document(r, "The toggle goes on; ask for the job", reflect.TypeFor[JobAccepted]())
		queued.Headers = headers("Location")
		if method == http.MethodPost {
			outcome.Headers, queued.Headers, failed.Headers = headers("Idempotency-Replayed"), headers("Location", "Idempotency-Replayed"), headers("Idempotency-Replayed")
		}
		return &huma.Operation{
			OperationID: id, Method: method, Path: "/toggle/{subnet}", Tags: []string{tagLegacy},
			Summary:     "Change a dongle's IP, and wait for it",
			Description: "Waits at most `toggle.request_wait` (200 s). " + note,
			Parameters:  append([]*huma.Param{subnet, serverIP}, more...),
			Metadata:    map[string]any{metaScope: "proxies:toggle", metaPlain: true},
			Responses:   map[string]*huma.Response{"200": outcome, "202": queued, "500": failed},
		}
	}
	return []*huma.Operation{
		toggle(http.MethodGet, "toggle-by-get", "A GET that starts something: it is never cached, and links on other sites may not follow it."),
		toggle(http.MethodPost, "toggle-by-post", "A body is not looked at.", idempotencyParam()),
		{
			OperationID: "status", Method: http.MethodGet, Path: "/status", Tags: []string{tagLegacy},
			Summary:     "A proxy host and its dongles",
			Description: "Times and toggle states are those of now, signal, traffic and address those last collected.",
			Parameters:  []*huma.Param{serverIP},
			Metadata:    map[string]any{metaScope: "proxies:read", metaPlain: true},
			Responses:   map[string]*huma.Response{"200": document(r, "The status document", reflect.TypeFor[tasks.StatusDocument]())},
		},
		{
			OperationID: "health", Method: http.MethodGet, Path: "/health", Tags: []string{tagLegacy}, Summary: "Whether the server is there",
			Responses: map[string]*huma.Response{"200": document(r, "It is", reflect.TypeFor[Health]())},
		},
	}
}

func operationsRoutes(r huma.Registry) []*huma.Operation {
	return []*huma.Operation{
		{
			OperationID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{tagOperations}, Summary: "Whether the process lives",
			Responses: map[string]*huma.Response{"200": document(r, "It does", reflect.TypeFor[Health]())},
		},
		{
			OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{tagOperations}, Summary: "Whether the process takes requests",
			Description: "The answer says what stands against it.",
			Responses: map[string]*huma.Response{
				"200": document(r, "It does", reflect.TypeFor[Health]()),
				"503": document(r, "It doesn't: it starts, stops, or misses something", reflect.TypeFor[Health]()),
			},
		},
		{
			OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Tags: []string{tagOperations},
			Summary: "Figures for Prometheus", Description: "In the text format of Prometheus. Every name starts with `switchyard_`, but for those of the Go runtime and the process.",
			Metadata:  map[string]any{metaScope: "metrics:read"},
			Responses: map[string]*huma.Response{"200": text("The figures", "text/plain")},
		},
	}
}

func pageRoutes() []*huma.Operation {
	page := func(id, path, summary string) *huma.Operation {
		return &huma.Operation{
			OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{tagPages}, Summary: summary,
			Responses: map[string]*huma.Response{"200": text("The page", "text/html")},
		}
	}
	monitoring := page("monitoring", "/monitoring", "The queues, as asynq sees them")
	monitoring.Description = "A page to look at (asynqmon), not to act with: jobs are cancelled and run again under /api/v1/jobs."
	monitoring.Metadata = map[string]any{metaScope: "admin"}
	monitoring.Security = []map[string][]string{{schemeBasic: {"admin"}}, {}}
	return []*huma.Operation{
		page("index", "/", "What is here"),
		page("docs", "/docs", "This document, to read and to try"),
		{
			OperationID: "openapi", Method: http.MethodGet, Path: "/openapi.json", Tags: []string{tagPages}, Summary: "This document",
			Responses: map[string]*huma.Response{"200": {
				Description: "OpenAPI 3.1",
				Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}},
			}},
		},
		monitoring,
	}
}

// text describes an answer that is not JSON.
func text(description, mediaType string) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: huma.TypeString}}}}
}

// headers describes headers of an answer.
func headers(names ...string) map[string]*huma.Param {
	all := map[string]*huma.Param{
		"Location": {Description: "Where the job can be looked at", Schema: &huma.Schema{Type: huma.TypeString}},
		"Idempotency-Replayed": {
			Description: "This is the answer that the Idempotency-Key got before", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"true"}},
		},
	}
	out := map[string]*huma.Param{}
	for _, n := range names {
		out[n] = all[n]
	}
	return out
}
