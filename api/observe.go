package api

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"switchyard/api/access"
)

// call is what is known of a request beside itself.
type call struct {
	id     string
	caller access.Caller
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// observe gives a request its id, finds out who calls, and writes one line to
// the log when it is answered. Neither the query nor a header stands in it:
// both may hold secrets.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := &call{id: requestID(r.Header.Get("X-Request-Id")), caller: s.guard.Identify(r, isPage(r.URL.Path))}
		w.Header().Set("X-Request-Id", c.id)
		if startsByGet(r) {
			w.Header().Set("Cache-Control", "no-store") // refusals too
		}
		ctx := context.WithValue(r.Context(), callKey{}, c)
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		counted := s.opt.Meter.RequestStarted()
		defer func() {
			// Its route is known once it has been answered.
			counted(chi.RouteContext(ctx).RoutePattern(), r.Method, ww.Status())
			s.report(ctx, c, ww, r, time.Since(began))
		}()
		next.ServeHTTP(ww, r.WithContext(ctx))
	})
}

// report writes the line of a request. Those that ask again and again whether
// all is well are for those who look closer.
func (s *Server) report(ctx context.Context, c *call, w middleware.WrapResponseWriter, r *http.Request, took time.Duration) {
	level := slog.LevelInfo
	if isProbe(r.URL.Path) || r.URL.Path == "/metrics" {
		level = slog.LevelDebug
	}
	if !s.opt.Log.Enabled(ctx, level) {
		return
	}
	status := w.Status()
	if status == 0 {
		status = http.StatusOK // net/http's own, for an answer without a word
	}
	s.opt.Log.LogAttrs(ctx, level, "request",
		slog.String("method", r.Method), slog.String("route", chi.RouteContext(ctx).RoutePattern()), slog.Int("status", status),
		slog.Duration("duration", took), slog.Int("bytes", w.BytesWritten()), slog.String("client", clientOf(c)),
		slog.String("principal", c.caller.Name), slog.String("request_id", c.id))
}

func clientOf(c *call) string {
	if !c.caller.Addr.IsValid() {
		return "unknown"
	}
	return c.caller.Addr.String()
}

// principal is who is calling, as the access check found: a key's name, or the
// network that let the caller in. Empty where nobody was asked.
func principal(ctx context.Context) string {
	if c := callOf(ctx); c != nil {
		return c.caller.Name
	}
	return ""
}

// requestOf is the id of the request that ctx belongs to.
func requestOf(ctx context.Context) string {
	if c := callOf(ctx); c != nil {
		return c.id
	}
	return ""
}

// log is the log for what a request makes happen: each line of it shows the
// request's id.
func (s *Server) log(ctx context.Context) *slog.Logger {
	if c := callOf(ctx); c != nil {
		return s.opt.Log.With("request_id", c.id)
	}
	return s.opt.Log
}

// maxRequestID is the length of a client's request id that is taken over.
const maxRequestID = 64

// requestID is the one that a client sent, so that it can be followed through
// several systems; a new one where there is none that could stand in a log.
func requestID(sent string) string {
	if sent == "" || len(sent) > maxRequestID || strings.IndexFunc(sent, unfitForID) >= 0 {
		return process + strconv.FormatUint(requests.Add(1), 10)
	}
	return sent
}

// Ids of ours are cheap: what tells this process from others, and a number.
var (
	process  = rand.Text()[:16] + "-"
	requests atomic.Uint64
)

func unfitForID(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
}

// isProbe tells the addresses that supervisors ask for whether the process
// lives.
func isProbe(path string) bool {
	path = strings.TrimSuffix(path, "/")
	return path == "/healthz" || path == "/readyz"
}
