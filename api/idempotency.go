package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"switchyard/jobs"
)

// A POST with an Idempotency-Key may be repeated: for jobs.idempotency_window
// the same client gets the first answer again. Two layers see to it.
//
// Here, whole answers are kept, whatever the address: the first request has its
// turn, its answer is kept before it is sent, and a repeat gets that, or 409
// while the first is under way. Nothing is kept of an answer that a repeat may
// well get a better one than (see repeatable), of one that is too large, or of
// one that its client didn't wait for.
//
// Beneath, the script that accepts a job remembers it under the same key and
// content. So where no answer was kept, since the process died or it wasn't to
// be, the repeat finds the job of the first request (see order) instead of
// making another one.

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	maxIdempotencyKey = 255
	// maxKeptAnswer is the largest body that is kept, in bytes. An endpoint that
	// answers with more is asked again by a repeat.
	maxKeptAnswer = 1 << 20
	// retryAfterTurn is when a repeat is asked to come again.
	retryAfterTurn = time.Second
)

// keptHeaders are those of an answer that a repeat gets, too.
var keptHeaders = []string{"Content-Type", "Location", "Cache-Control"}

// Idempotent describes the header in the inputs of operations that it is part of;
// answerRepeats reads it.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"255" doc:"Visible ASCII of your choice. The same key and content within jobs.idempotency_window (24 hours by default) get the first answer again."`
}

// original is a request under an Idempotency-Key, as handlers that make jobs
// see it in their context.
type original struct {
	// scope is client, method, path and key, hashed.
	scope string
	// content is the query and body as they came.
	content []byte
}

type originalKey struct{}

// originalOf is the zero original where the request has no Idempotency-Key.
func originalOf(ctx context.Context) original {
	o, _ := ctx.Value(originalKey{}).(original)
	return o
}

// answerRepeats answers repeated requests with the first answer.
func (s *Server) answerRepeats(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys, ok := r.Header[idempotencyHeader]
		if !ok || r.Method != http.MethodPost || isWebhook(r) { // which remembers by itself, and only those whose token is right
			next.ServeHTTP(w, r)
			return
		}
		if len(keys) != 1 || !validIdempotencyKey(keys[0]) {
			refuse(w, r, problem(http.StatusBadRequest, "invalid_idempotency_key", idempotencyHeader,
				"An Idempotency-Key is 1 to 255 characters of visible ASCII, without spaces, and stands in one header."))
			return
		}
		body, err := io.ReadAll(r.Body)
		if p := unread(err); p != nil {
			refuse(w, r, p)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.takeTurn(w, r, newOriginal(r, keys[0], body), next)
	})
}

// takeTurn answers a request under an Idempotency-Key.
func (s *Server) takeTurn(w http.ResponseWriter, r *http.Request, o original, next http.Handler) {
	ctx, cancel := s.quick(r.Context())
	turn, first, err := s.opt.Store.Begin(ctx, o.scope, o.content)
	cancel()
	switch {
	case err != nil:
		refuse(w, r, fromJobs(s.log(r.Context()), err))
		return
	case first != nil:
		for k, v := range first.Header {
			w.Header().Set(k, v)
		}
		w.Header().Set(replayedHeader, "true")
		w.Header().Set("Content-Length", strconv.Itoa(len(first.Body)))
		w.WriteHeader(first.Status)
		_, _ = w.Write(first.Body) // the client may have gone
		return
	}
	held := &heldAnswer{w: w}
	var through, keep bool
	defer func() { // also where the handler panics
		ctx, cancel := s.quick(context.WithoutCancel(r.Context()))
		defer cancel()
		var err error
		if keep {
			err = turn.Keep(ctx, held.answer())
		} else {
			err = turn.Forget(ctx)
		}
		if err != nil {
			s.log(r.Context()).Warn("could not note the answer for repeats of the request", "path", r.URL.Path, "err", err)
		}
		if through {
			held.send()
		}
	}()
	next.ServeHTTP(held, r.WithContext(context.WithValue(r.Context(), originalKey{}, o)))
	through = true
	keep = !held.passed && repeatable(held.status) && r.Context().Err() == nil
}

// repeatable reports whether repeats get an answer with this status. What lay
// at the server, the time or the client's rights may be otherwise by then.
func repeatable(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusTooManyRequests:
		return false
	}
	return status != 0 && status < http.StatusInternalServerError
}

func validIdempotencyKey(key string) bool {
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return key != "" && len(key) <= maxIdempotencyKey
}

func newOriginal(r *http.Request, key string, body []byte) original {
	// Of the parts only the key is the client's to choose, and it has no zeros.
	sum := sha256.Sum256([]byte(principal(r.Context()) + "\x00" + r.Method + "\x00" + routePath(r) + "\x00" + key))
	return original{
		scope:   hex.EncodeToString(sum[:]),
		content: append([]byte(strconv.Itoa(len(r.URL.RawQuery))+"?"+r.URL.RawQuery), body...),
	}
}

// routePath is the path by which a request is routed: without the slash at its
// end.
func routePath(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil && c.RoutePath != "" {
		return c.RoutePath
	}
	return r.URL.Path
}

// refuse answers outside a handler, in the form of the address.
func refuse(w http.ResponseWriter, r *http.Request, p *Problem) {
	if togglesBySubnet(r) {
		w.Header().Set("Cache-Control", "no-store")
		legacyProblem(w, p)
		return
	}
	writeProblem(w, p)
}

// inProgress is the answer to a repeat whose first request is under way.
func inProgress() *Problem {
	p := problem(http.StatusConflict, "in_progress", idempotencyHeader,
		"The first request under this Idempotency-Key has not been answered yet. Try again in a moment.")
	p.retryAfter = retryAfterTurn
	return p
}

// heldAnswer holds an answer back until it is kept. One that grows too large to
// be kept passes through.
type heldAnswer struct {
	w      http.ResponseWriter
	status int
	body   bytes.Buffer
	passed bool
	sent   bool
}

// Header implements http.ResponseWriter.
func (h *heldAnswer) Header() http.Header { return h.w.Header() }

// WriteHeader implements http.ResponseWriter. Statuses of 1xx are none yet.
func (h *heldAnswer) WriteHeader(status int) {
	if h.status == 0 && status >= http.StatusOK {
		h.status = status
	}
}

// Write implements http.ResponseWriter.
func (h *heldAnswer) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	if !h.passed && h.body.Len()+len(b) <= maxKeptAnswer {
		return h.body.Write(b)
	}
	if !h.passed {
		h.passed = true
		h.send()
	}
	return h.w.Write(b)
}

// Flush keeps what is held back from being flushed past us.
func (*heldAnswer) Flush() {}

// SetReadDeadline does nothing: the body has been read, and a deadline now would
// be for the rest of the connection, whose end is taken for the client's.
func (*heldAnswer) SetReadDeadline(time.Time) error { return nil }

// Unwrap is for http.ResponseController.
func (h *heldAnswer) Unwrap() http.ResponseWriter { return h.w }

func (h *heldAnswer) answer() jobs.Answer {
	a := jobs.Answer{Status: h.status, Body: h.body.Bytes(), Header: map[string]string{}}
	for _, k := range keptHeaders {
		if v := h.w.Header().Get(k); v != "" {
			a.Header[k] = v
		}
	}
	return a
}

// send sends what was held back.
func (h *heldAnswer) send() {
	if h.sent || h.status == 0 {
		return
	}
	h.sent = true
	h.w.WriteHeader(h.status)
	_, _ = h.w.Write(h.body.Bytes()) // the client may have gone
}

var _ interface {
	http.ResponseWriter
	http.Flusher
} = (*heldAnswer)(nil)

// seen is the job that the first request under the same Idempotency-Key has
// had made; ok is false where there is none.
func (s *Server) seen(ctx context.Context) (a jobs.Accepted, ok bool, p *Problem) {
	o := originalOf(ctx)
	if o.scope == "" {
		return jobs.Accepted{}, false, nil
	}
	a, ok, err := s.opt.Store.Seen(ctx, o.scope, o.content)
	if err != nil {
		return jobs.Accepted{}, false, fromJobs(s.log(ctx), err)
	}
	return a, ok, nil
}
