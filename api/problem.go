package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"switchyard/jobs"
)

// Problem is an error answer: RFC 9457 with a code for programs.
type Problem struct { //nolint:errname // RFC 9457 calls it so
	Title  string `json:"title" doc:"The status in words" example:"Bad Request"`
	Status int    `json:"status" doc:"The HTTP status" example:"400"`
	// Detail says what is wrong and what to do about it.
	Detail string `json:"detail" doc:"What is wrong, and what to do about it"`
	Code   string `json:"code" doc:"The error, for programs" example:"invalid_port"`
	Field  string `json:"field,omitempty" doc:"The field at fault" example:"port"`
	JobID  string `json:"job_id,omitempty" doc:"The job in question"`

	retryAfter time.Duration
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int(p.retryAfter.Round(time.Second)/time.Second))))
	}
	return h
}

func problem(status int, code, field, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: code, Field: field}
}

// retryAfterOutage is what clients are asked to wait when Redis is away.
const retryAfterOutage = 2 * time.Second

// fromJobs maps an error of the job core, once for all operations.
func fromJobs(log *slog.Logger, err error) *Problem {
	switch {
	case errors.Is(err, jobs.ErrUnknown):
		return problem(http.StatusNotFound, "unknown_job", "", "There is no such job, or it is no longer kept.")
	case errors.Is(err, jobs.ErrIdempotencyConflict):
		return problem(http.StatusUnprocessableEntity, "idempotency_key_reused", "Idempotency-Key",
			"This Idempotency-Key was used with another request. Use a new key for a new request.")
	case errors.Is(err, jobs.ErrInProgress):
		return inProgress()
	case errors.Is(err, jobs.ErrFinal):
		return problem(http.StatusConflict, "job_ended", "", "The job has ended already.")
	case errors.Is(err, jobs.ErrNotRetryable):
		return problem(http.StatusConflict, "not_retryable", "", "Only failed and cancelled jobs can be run again.")
	case errors.Is(err, jobs.ErrBusy):
		return problem(http.StatusConflict, "busy", "", "Another job for the same thing is under way. Try again when it has ended.")
	case errors.Is(err, jobs.ErrBadCursor):
		return problem(http.StatusBadRequest, "invalid_cursor", "cursor", "Use the next_cursor of an earlier answer, as it stands.")
	case errors.Is(err, jobs.ErrUnavailable):
		if errors.Is(err, context.Canceled) {
			log.Debug("the client has gone", "err", err)
		} else {
			log.Warn("answered 503", "err", err)
		}
		p := problem(http.StatusServiceUnavailable, "redis_unavailable", "", "The job store is out of reach. Nothing was accepted; try again.")
		p.retryAfter = retryAfterOutage
		return p
	}
	log.Error("answered 500", "err", err)
	return problem(http.StatusInternalServerError, "internal", "", "Something went wrong here; it has been logged.")
}

// newError replaces huma's own: 400 for every field fault, with code and field
// from the first of them.
func newError(status int, msg string, errs ...error) huma.StatusError {
	switch status {
	case http.StatusUnprocessableEntity:
		status = http.StatusBadRequest
	case http.StatusUnsupportedMediaType:
		return problem(status, codeOf(status), "", "The body has to be JSON, as application/json.")
	case http.StatusInternalServerError:
		// Of huma's own errors only a body that could not be read.
		if p := unread(errors.Join(errs...)); p != nil {
			return p
		}
	}
	p := problem(status, codeOf(status), "", sentence(msg))
	for _, e := range errs {
		var d *huma.ErrorDetail
		if errors.As(e, &d) {
			p.Field, p.Code, p.Detail = describe(d)
			break
		}
	}
	return p
}

// unread is the answer to a request whose body could not be read; nil if that
// isn't what happened.
func unread(err error) *Problem {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problem(http.StatusRequestEntityTooLarge, "too_large", "", "The request's body is too large.")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem(http.StatusRequestTimeout, "timeout", "", "The request's body did not come in time.")
	case err != nil:
		return problem(http.StatusBadRequest, "invalid_body", "", "The request's body could not be read.")
	}
	return nil
}

func codeOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "invalid_body"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "unsupported_media_type"
	case http.StatusRequestTimeout:
		return "timeout"
	}
	return strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
}

// describe turns a validation message of huma's, or of the JSON reader behind
// it, into field, code and words.
func describe(d *huma.ErrorDetail) (field, code, detail string) {
	_, field, _ = strings.Cut(d.Location, ".")
	if rest, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		name, _, _ := strings.Cut(rest, " ")
		return name, "missing_" + snake(name), "The field " + name + " is missing."
	}
	if strings.HasPrefix(d.Message, "required ") { // of a query, header or path
		return field, "missing_" + snake(field), "The parameter " + field + " is missing."
	}
	switch d.Message {
	case "unexpected property":
		return field, "unknown_field", "There is no field " + field + "."
	case "unknown query parameter":
		return field, "unknown_parameter", "There is no parameter " + field + "."
	}
	words := d.Message
	switch {
	case strings.HasPrefix(words, "json: "):
		// The type was right and the value doesn't fit. It names types of ours.
		if m := goField.FindStringSubmatch(words); field == "" && m != nil {
			field = m[1]
		}
		words = "a number in it can't be used here"
	case strings.HasPrefix(words, "expected value to match"):
		words = "it is of the wrong type"
	}
	if field == "" {
		return "", "invalid_body", "The body is not valid: " + words + "."
	}
	return field, "invalid_" + snake(field), "The field " + field + " is not valid: " + words + "."
}

// goField finds the field's name in what encoding/json says of it.
var goField = regexp.MustCompile(`Go struct field \w+\.([\w.]+) of type`)

// sentence makes one of a message.
func sentence(msg string) string {
	if msg == "" {
		return msg
	}
	return strings.ToUpper(msg[:1]) + strings.TrimSuffix(msg[1:], ".") + "."
}

func snake(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '[' || r == ']' {
			return '_'
		}
		return r
	}, strings.ToLower(s))
}

// writeProblem answers outside huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	if _, ok := w.(webhookForm); ok {
		for k, v := range p.GetHeaders() {
			w.Header()[k] = v
		}
		e := ofProblem(p)
		writeJSON(w, e.Status, e)
		return
	}
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	writeJSONAs(w, p.Status, p.ContentType(""), p)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	writeJSONAs(w, status, "application/json", v)
}

func writeJSONAs(w http.ResponseWriter, status int, contentType string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		// Only types of ours come here; all of them can be marshalled.
		status, b = http.StatusInternalServerError, []byte(`{"error":"internal error"}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client may have gone
}
