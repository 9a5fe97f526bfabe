package api

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// A fault is what the document shows of an error code.
type fault struct {
	status int
	field  string
	detail string
}

// faults are the error codes with an example each. Those of a field are made
// of its name where they arise; what stands here are the ones worth showing.
var faults = map[string]fault{
	"invalid_body":           {400, "", "The body is not valid: it is of the wrong type."},
	"unknown_field":          {400, "prot", "There is no field prot."},
	"missing_port":           {400, "port", "Name the dongle by port (10011 to 10030) or subnet (11 to 30)."},
	"invalid_port":           {400, "port", "port is 10011 to 10030."},
	"invalid_subnet":         {400, "subnet", "subnet is 11 to 30."},
	"invalid_chat_id":        {400, "chat_id", "chat_id is an integer, or @ and the name of a channel."},
	"invalid_callback_url":   {400, "callback_url", "callback_url can't be used: it is not http or https."},
	"missing_host":           {400, "host", "There are several hosts; name one: busan-1, seoul-1."},
	"invalid_type":           {400, "type", "There are no jobs of this type."},
	"invalid_state":          {400, "state", "There is no such state."},
	"invalid_id":             {400, "id", "The field id is not valid: expected length <= 64."},
	"invalid_limit":          {400, "limit", "The field limit is not valid: expected number <= 200."},
	"invalid_cursor":         {400, "cursor", "Use the next_cursor of an earlier answer, as it stands."},
	"foreign_page":           {403, "", "Pages of other sites may not use this API."},
	"not_found":              {404, "", "There is nothing at this address."},
	"unknown_host":           {404, "host", "No such host has registered."},
	"unknown_dongle":         {404, "port", "Host seoul-1 has no dongle 25."},
	"unknown_job":            {404, "", "There is no such job, or it is no longer kept."},
	"timeout":                {408, "", "The request's body did not come in time."},
	"job_ended":              {409, "", "The job has ended already."},
	"not_retryable":          {409, "", "Only failed and cancelled jobs can be run again."},
	"busy":                   {409, "", "Another job for the same thing is under way. Try again when it has ended."},
	"too_large":              {413, "", "The request's body is too large."},
	"unsupported_media_type": {415, "", "The body has to be JSON, as application/json."},
	"idempotency_key_reused": {422, "Idempotency-Key", "This Idempotency-Key was used with another request. Use a new key for a new request."},
	"too_soon":               {429, "", "Dongle 16 was toggled less than 30s ago."},
	"internal":               {500, "", "Something went wrong here; it has been logged."},
	"job_failed":             {500, "", "The job has failed: internal error: the handler panicked."},
	"starting":               {503, "", "This server is starting and waits for its job store. Nothing was accepted; try again."},
	"redis_unavailable":      {503, "", "The job store is out of reach. Nothing was accepted; try again."},
	"no_host":                {503, "", "No proxy host has registered yet. Start a worker on one."},
	"host_offline":           {503, "", "Host seoul-1 is offline."},
}

// everywhere are the codes that any address may answer with; open, those of
// /healthz too, which is answered before anything else is there.
var (
	everywhere = []string{"foreign_page", "too_large", "internal", "starting"}
	open       = []string{"foreign_page", "too_large", "internal"}
	// byStatus is what an operation that only names a status answers with.
	byStatus = map[int][]string{
		400: {"invalid_body"}, 404: {"not_found"}, 408: {"timeout"}, 415: {"unsupported_media_type"},
		422: {"idempotency_key_reused"}, 503: {"redis_unavailable"},
	}
)

// describeFaults documents each status that the operation may answer with, with
// an example for every code.
func describeFaults(op *huma.Operation) {
	own, _ := op.Metadata[metaCodes].([]string)
	codes := slices.Concat(own, everywhere)
	if op.Path == "/healthz" {
		codes = slices.Concat(own, open)
	}
	statuses := op.Errors
	if i := slices.Index(statuses, http.StatusUnprocessableEntity); i >= 0 && !takesKey(op) {
		statuses = slices.Delete(slices.Clone(statuses), i, i+1) // huma's own, for what is 400 here
		delete(op.Responses, "422")
	}
	named := map[int]bool{}
	for _, c := range codes {
		named[faults[c].status] = true
	}
	for _, status := range statuses {
		if !named[status] || status == http.StatusServiceUnavailable {
			codes = append(codes, byStatus[status]...)
		}
	}
	plain, _ := op.Metadata[metaPlain].(bool)
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	for _, code := range codes {
		f := faults[code]
		key := strconv.Itoa(f.status)
		res := op.Responses[key]
		if res == nil {
			res = &huma.Response{Description: http.StatusText(f.status)}
			op.Responses[key] = res
		}
		if res.Content == nil {
			res.Content = map[string]*huma.MediaType{}
		}
		f.document(res, code, plain && slices.Contains(own, code))
	}
}

// takesKey reports whether the operation can be repeated under an
// Idempotency-Key.
func takesKey(op *huma.Operation) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == "Idempotency-Key" })
}

// document adds the fault's example to the answer, in the older API's form
// where plain is set.
func (f fault) document(res *huma.Response, code string, plain bool) {
	mediaType, ref := "application/problem+json", "#/components/schemas/Problem"
	var value any = problem(f.status, code, f.field, f.detail)
	if plain {
		mediaType, ref = "application/json", "#/components/schemas/LegacyError"
		value = LegacyError{f.detail}
	}
	m := res.Content[mediaType]
	switch {
	case m == nil:
		m = &huma.MediaType{Schema: &huma.Schema{Ref: ref}}
		res.Content[mediaType] = m
	case m.Schema.Ref != ref && plain: // beside another document of the status
		if !slices.ContainsFunc(m.Schema.OneOf, func(s *huma.Schema) bool { return s.Ref == ref }) {
			m.Schema = &huma.Schema{OneOf: []*huma.Schema{m.Schema, {Ref: ref}}}
		}
	}
	if m.Examples == nil {
		m.Examples = map[string]*huma.Example{}
	}
	m.Examples[code] = &huma.Example{Value: value}
	if f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable {
		if res.Headers == nil {
			res.Headers = map[string]*huma.Param{}
		}
		res.Headers["Retry-After"] = &huma.Param{
			Description: "Seconds to wait before another try", Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: ptr(1.0)},
		}
	}
}
