package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/tasks"
)

// describeInfra describes the infra API, whose parameters may stand in three
// places.
func describeInfra(r huma.Registry) []*huma.Operation {
	text := func(description string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Description: description}
	}
	params := map[string]*huma.Param{
		"ip":      {Schema: text(""), Example: "1.1.1.1", Description: "An IPv4 or IPv6 address, or a range: /16 or /24 of IPv4, /32, /48 or /64 of IPv6"},
		"chat_id": {Schema: text(""), Example: "-12345678", Description: "The chat that is told, or gets the message: an integer, or @ and the name of a channel"},
		"text":    {Schema: text(""), Example: "test message", Description: "The message, plain"},
	}
	words := map[tasks.Type]struct{ id, summary, does string }{
		tasks.CFBlock: {"cf-block", "Block an address", "By an IP Access Rule of Cloudflare's, in the configured account or zones. An address that is blocked already is a success that says so; a rule of another mode is made one that blocks."},
		tasks.CFRelease: {"cf-release", "End an address' block", "The rule that blocks exactly this address or range is deleted. An address that isn't blocked is a success that says so; " +
			"the outcome names the rules that cover it still, such as those of ranges."},
		tasks.CFSearch: {"cf-search", "Find the rules that cover an address", "Those of the address itself and of the ranges that it lies in, of any mode."},
		tasks.Telegram: {"telegram", "Send a message to a chat", "Jobs of one chat, messages and Cloudflare jobs alike, run in the order they were accepted."},
	}
	const where = "\n\nParameters stand in the query, in a form, or in a JSON document, each in one place. `/v1/…` without `/api` is the same address."
	var out []*huma.Operation
	for _, x := range infraRoutes {
		w := words[x.job]
		names, body, tag, errors := []string{"ip", "chat_id"}, reflect.TypeFor[CFRequest](), tagCloudflare, []int{400, 422, 503}
		notify := " The chat is told of the outcome; the same wish of the same chat joins the job that is under way."
		if x.job == tasks.Telegram {
			names, body, tag, errors, notify = []string{"chat_id", "text"}, reflect.TypeFor[TelegramRequest](), tagTelegram, []int{400, 503}, ""
		}
		for _, method := range x.methods {
			queued := document(r, "The job was accepted", reflect.TypeFor[JobAccepted]())
			queued.Headers = headers("Location")
			op := &huma.Operation{
				OperationID: w.id, Method: method, Path: x.path, Tags: []string{tag}, Summary: w.summary, Description: w.does + notify + where,
				Errors: errors, Metadata: map[string]any{metaScope: x.scope}, Responses: map[string]*huma.Response{"202": queued},
			}
			for _, n := range names {
				p := *params[n]
				p.Name, p.In = n, "query"
				p.Required = method == http.MethodGet
				op.Parameters = append(op.Parameters, &p)
			}
			switch {
			case method == http.MethodPost:
				queued.Headers = headers("Location", "Idempotency-Replayed")
				op.Errors = append(op.Errors, http.StatusUnsupportedMediaType)
				op.Parameters = append(op.Parameters, idempotencyParam())
				form := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, AdditionalProperties: false}
				for _, n := range names {
					form.Properties[n] = text(params[n].Description) // in a form, all is text
				}
				op.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{
					"application/json": {Schema: r.Schema(body, true, "")}, "application/x-www-form-urlencoded": {Schema: form},
				}}
			default:
				op.OperationID += "-by-get"
				op.Description += " A GET that starts something: it is never cached, and links on other sites may not follow it."
			}
			out = append(out, op)
		}
	}
	return out
}

// idempotencyParam describes the header for operations that huma doesn't know.
func idempotencyParam() *huma.Param {
	return &huma.Param{
		Name: idempotencyHeader, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: ptr(maxIdempotencyKey)},
		Description: "The same key and request within 24 hours get the first job again",
	}
}
