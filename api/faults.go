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
	"invalid_body":            {400, "", "The body is not valid: it is of the wrong type."},
	"invalid_query":           {400, "", "The query of the address is not valid: it is not encoded as it has to be."},
	"duplicate_field":         {400, "ip", "ip is given more than once: in the query, the body, or twice in one of them."},
	"unknown_parameter":       {400, "chat", "There is no parameter chat."},
	"invalid_ip":              {400, "ip", "ip is an IPv4 or IPv6 address, or a range: /16 or /24 of IPv4, /32, /48 or /64 of IPv6."},
	"missing_chat_id":         {400, "chat_id", "chat_id is missing: the chat that is told, an integer, or @ and the name of a channel."},
	"missing_text":            {400, "text", "text is missing or empty: there is nothing to send."},
	"invalid_text":            {400, "text", "text is the message, as text in UTF-8."},
	"unknown_field":           {400, "prot", "There is no field prot."},
	"missing_port":            {400, "port", "Name the dongle by port (10011 to 10030) or subnet (11 to 30)."},
	"invalid_port":            {400, "port", "port is 10011 to 10030."},
	"invalid_subnet":          {400, "subnet", "subnet is 11 to 30."},
	"invalid_chat_id":         {400, "chat_id", "chat_id is an integer, or @ and the name of a channel."},
	"invalid_callback_url":    {400, "callback_url", "callback_url can't be used: it is not http or https."},
	"missing_host":            {400, "host", "There are several hosts; name one: busan-1, seoul-1."},
	"invalid_type":            {400, "type", "There are no jobs of this type."},
	"invalid_level":           {400, "level", "level is info, warning, error or critical."},
	"invalid_state":           {400, "state", "There is no such state."},
	"invalid_status":          {400, "status", "The field status is not valid: expected number <= 599."},
	"invalid_id":              {400, "id", "The field id is not valid: expected length <= 64."},
	"invalid_limit":           {400, "limit", "The field limit is not valid: expected number <= 200."},
	"invalid_cursor":          {400, "cursor", "Use the next_cursor of an earlier answer, as it stands."},
	"invalid_host":            {400, "host", "host is a-z, 0-9 and dashes, at most 40 characters."},
	"invalid_min_rsrp":        {400, "min_rsrp", "min_rsrp is a level in dBm, such as -100."},
	"invalid_idempotency_key": {400, "Idempotency-Key", "The field Idempotency-Key is not valid: expected length <= 255."},
	"missing_strategy_name":   {400, "strategy_name", "The field strategy_name is missing."},
	"unknown_strategy":        {400, "strategy_name", "There is no such strategy. There are: BoldAssetAllocation, MovingAverageCrossover."},
	"missing_project":         {400, "project", "The field project is missing."},
	"unknown_project":         {400, "project", "There is no such project. There are: api, web."},
	"invalid_branch":          {400, "branch", "This branch may not be deployed. These may: main, release/*."},
	"missing_parameter":       {400, "parameters.symbol", "Parameter symbol is missing: BuyAndHold needs it."},
	"invalid_parameter":       {400, "parameters.short_window", "Parameter short_window has to be an integer."},
	"invalid_format":          {400, "format", "format is svg or png."},
	"unauthorized":            {401, "", "This takes an API key with the scope jobs:read, as \"Authorization: Bearer KEY\" or \"X-API-Key: KEY\"."},
	"forbidden":               {403, "", "The API key ops lacks the scope jobs:write."},
	"foreign_page":            {403, "", "Pages of other sites may not use this API."},
	"not_found":               {404, "", "There is nothing at this address."},
	"unknown_host":            {404, "host", "No such host has registered."},
	"unknown_dongle":          {404, "port", "Host seoul-1 has no dongle 25."},
	"unknown_job":             {404, "", "There is no such job, or it is no longer kept."},
	"unknown_alert":           {404, "", "There is no such alert, or not any more."},
	"unknown_execution":       {404, "", "There is no such execution, or not any more."},
	"unknown_deployment":      {404, "", "There is no such deployment, or not any more."},
	"unknown_step":            {404, "", "The deployment has no such step, it was not begun, or its log is no longer kept."},
	"timeout":                 {408, "", "The request's body did not come in time."},
	"job_ended":               {409, "", "The job has ended already."},
	"in_progress":             {409, "", "The first request with this Idempotency-Key is still being answered. Try again."},
	"host_online":             {409, "host", "Host seoul-1 is online. Stop its worker first."},
	"host_removed":            {409, "host", "Host seoul-1 is being removed."},
	"not_retryable":           {409, "", "Only failed and cancelled jobs can be run again."},
	"busy":                    {409, "", "Another job for the same thing is under way. Try again when it has ended."},
	"not_completed":           {409, "", "The execution is running: only the result of a completed one has a chart."},
	"alert_over":              {409, "", "The alert is over: there is nothing to dismiss."},
	"no_chart":                {409, "", "There is no chart of this execution: its result tells no equity_curve of dates and values."},
	"too_large":               {413, "", "The request's body is too large."},
	"unsupported_media_type":  {415, "", "The body has to be JSON, as application/json."},
	"foreign_host":            {421, "Host", "This server is not known under the name in the Host header. Use its address, add the name to http.server_names, or bring an API key."},
	"forbidden_ip":            {422, "ip", "10.0.0.1 is refused: as a whole or in part it is not public (private, loopback, link-local, multicast, unspecified or reserved)."},
	"idempotency_key_reused":  {422, "Idempotency-Key", "This Idempotency-Key was used with another request. Use a new key for a new request."},
	"too_soon":                {429, "", "Dongle 16 was toggled less than 30s ago."},
	"too_many_connections":    {429, "", "You have as many connections as a client may have. Close one first."},
	"rate_limited":            {429, "", "You are asking too often. Slow down, and try again."},
	"internal":                {500, "", "Something went wrong here; it has been logged."},
	"job_failed":              {500, "", "The job has failed: internal error: the handler panicked."},
	"starting":                {503, "", "This server is starting and waits for its job store. Nothing was accepted; try again."},
	"redis_unavailable":       {503, "", "The job store is out of reach. Nothing was accepted; try again."},
	"no_host":                 {503, "", "No proxy host has registered yet. Start a worker on one."},
	"host_offline":            {503, "", "Host seoul-1 is offline."},
}

// ownCodes are the codes of each operation's own.
var ownCodes = map[string][]string{
	"toggle-proxy": {
		"invalid_body", "unknown_field", "missing_port", "invalid_port", "invalid_subnet", "invalid_chat_id", "invalid_callback_url", "missing_host",
		"unknown_host", "unknown_dongle", "too_soon", "job_failed", "no_host", "redis_unavailable",
	},
	"list-proxies":      {"invalid_min_rsrp", "unknown_host", "redis_unavailable"},
	"list-hosts":        {"redis_unavailable"},
	"get-host":          {"unknown_host", "redis_unavailable"},
	"remove-host":       {"unknown_host", "host_online", "redis_unavailable"},
	"list-pushes":       {"unknown_host", "redis_unavailable"},
	"push-host":         {"invalid_body", "unknown_field", "unknown_host", "job_failed", "host_offline", "redis_unavailable"},
	"list-alerts":       {"invalid_state", "invalid_level", "invalid_limit", "invalid_cursor", "redis_unavailable"},
	"get-alert":         {"invalid_id", "unknown_alert", "redis_unavailable"},
	"dismiss-alert":     {"invalid_id", "unknown_alert", "alert_over", "redis_unavailable"},
	"list-webhook-logs": {"invalid_status", "invalid_limit", "invalid_cursor"},
	"list-sockets":      {},
	"list-strategies":   {},
	"execute-strategy": {
		"invalid_body", "unknown_field", "missing_strategy_name", "unknown_strategy", "unknown_parameter", "missing_parameter", "invalid_parameter",
		"invalid_callback_url", "invalid_chat_id", "redis_unavailable",
	},
	"get-execution":       {"invalid_id", "unknown_execution", "redis_unavailable"},
	"list-executions":     {"invalid_status", "unknown_strategy", "invalid_limit", "invalid_cursor", "redis_unavailable"},
	"get-execution-chart": {"invalid_format", "unknown_execution", "not_completed", "no_chart", "redis_unavailable"},
	"deploy": {
		"invalid_body", "unknown_field", "missing_project", "unknown_project", "invalid_branch", "invalid_chat_id", "unknown_host", "redis_unavailable",
	},
	"list-deployments":  {"invalid_status", "invalid_host", "invalid_limit", "invalid_cursor", "redis_unavailable"},
	"get-deployment":    {"invalid_id", "unknown_deployment", "redis_unavailable"},
	"cancel-deployment": {"invalid_id", "unknown_deployment", "job_ended", "redis_unavailable"},
	"get-step-log":      {"unknown_deployment", "unknown_step", "redis_unavailable"},
	"list-jobs":         {"invalid_type", "invalid_state", "invalid_limit", "invalid_cursor"},
	"get-job":           {"invalid_id", "unknown_job"},
	"cancel-job":        {"invalid_id", "unknown_job", "job_ended"},
	"retry-job":         {"invalid_id", "unknown_job", "not_retryable", "busy"},
	"toggle-by-get":     toggleCodes,
	"toggle-by-post":    append(slices.Clone(toggleCodes), "idempotency_key_reused"),
	"status":            {"missing_host", "unknown_host", "no_host", "redis_unavailable"},
	"cf-block":          cfCodes,
	"cf-release":        cfCodes,
	"cf-search":         cfCodes,
	"cf-search-by-get":  cfCodes,
	"telegram":          telegramCodes,
	"telegram-by-get":   telegramCodes,
}

var toggleCodes = []string{
	"invalid_subnet", "missing_host", "unknown_dongle", "unknown_host", "too_soon", "host_offline", "no_host", "redis_unavailable",
}

var (
	cfCodes = []string{
		"invalid_query", "unknown_parameter", "invalid_body", "unknown_field", "duplicate_field", "invalid_ip", "missing_chat_id", "invalid_chat_id",
		"forbidden_ip", "redis_unavailable",
	}
	telegramCodes = []string{
		"invalid_query", "unknown_parameter", "invalid_body", "unknown_field", "duplicate_field", "missing_chat_id", "invalid_chat_id", "missing_text",
		"invalid_text", "redis_unavailable",
	}
)

// byStatus is what an operation that only names a status answers with.
var byStatus = map[int][]string{
	400: {"invalid_body"}, 404: {"not_found"}, 408: {"timeout"}, 409: {"busy"}, 415: {"unsupported_media_type"}, 503: {"redis_unavailable"},
}

// codesOf are the codes that the operation may answer with.
func codesOf(op *huma.Operation) []string {
	codes := append(slices.Clone(ownCodes[op.OperationID]), "foreign_page", "too_large", "internal")
	if scope, _ := scopeOf(op); scope != open {
		codes = append(codes, "unauthorized", "forbidden", "foreign_host")
	}
	if op.Path != "/healthz" { // which is answered before anything else is there
		codes = append(codes, "starting")
	}
	if op.Path != "/healthz" && op.Path != "/readyz" { // which supervisors ask for as often as they like
		codes = append(codes, "rate_limited")
	}
	if plain, _ := op.Metadata[metaPlain].(bool); takesKey(op) && !plain {
		codes = append(codes, "invalid_idempotency_key", "in_progress", "idempotency_key_reused")
	}
	return codes
}

// describeFaults documents each status that the operation may answer with, with
// an example for every code.
func describeFaults(op *huma.Operation) {
	if own, _ := op.Metadata[metaOwnForm].(bool); own {
		return
	}
	own, codes, statuses := ownCodes[op.OperationID], codesOf(op), op.Errors
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
