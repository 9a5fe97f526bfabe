package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"switchyard/configs"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/metrics"
)

// Options of a Server.
type Options struct {
	Config   *configs.Config
	Store    *jobs.Store
	Registry *hosts.Registry
	Log      *slog.Logger
	// Version of this program.
	Version string
	// Started reports whether requests are taken yet; nil: they are. Until then
	// everything but /healthz is answered with 503.
	Started func() bool
	// Ready says what stands against taking requests; nil: nothing. It is
	// asked by /readyz, with a short deadline.
	Ready func(context.Context) error
	// Meter counts requests. Optional.
	Meter *metrics.Metrics
	// Metrics answers /metrics; nil: there is no such address.
	Metrics http.Handler
	// Monitoring answers /monitoring and everything below it; nil: there is no
	// such address.
	Monitoring http.Handler
}

// Server is the API's handler.
type Server struct {
	opt       Options
	loc       *time.Location
	directory *hosts.Directory
	handler   http.Handler
	document  []byte // /openapi.json

	stop     chan struct{}
	stopOnce sync.Once
}

// New returns a server that has not been asked anything.
func New(opt Options) *Server {
	s := &Server{opt: opt, loc: opt.Config.Location(), directory: hosts.NewDirectory(opt.Registry), stop: make(chan struct{})}
	r := chi.NewRouter()
	r.Use(s.measure, s.recoverPanic, s.refuseUntilStarted, middleware.StripSlashes, s.refuseForeignPages, s.limitBody, headIsGet)
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problem(http.StatusNotFound, "not_found", "", "There is nothing at this address."))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Allow", strings.Join(allowed(r, q), ", "))
		writeProblem(w, problem(http.StatusMethodNotAllowed, "method_not_allowed", "", "This address does not take "+q.Method+"."))
	})
	s.routes(r)
	s.handler = r
	return s
}

func (s *Server) routes(r chi.Router) {
	api := humachi.New(r, humaConfig(s.opt.Version))
	aliases(api.OpenAPI().Components.Schemas)
	s.proxyOperations(api)
	s.jobOperations(api)
	r.Get("/toggle/{subnet}", s.toggleBySubnet)
	r.Post("/toggle/{subnet}", s.toggleBySubnet)
	r.Get("/status", s.status)
	r.Get("/health", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, Health{Status: "ok"}) })
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, Health{Status: "ok"}) })
	r.Get("/readyz", s.readyz)
	if s.opt.Metrics != nil {
		r.Method(http.MethodGet, "/metrics", s.opt.Metrics)
	}
	if s.opt.Monitoring != nil {
		r.Method(http.MethodGet, "/monitoring", s.opt.Monitoring)
		r.Method(http.MethodGet, "/monitoring/*", s.opt.Monitoring)
	}
	r.Get("/", s.index)
	r.Get("/openapi.json", s.openapi)
	r.Get("/docs", s.docs)
	r.Get("/docs/*", s.docsAsset)
	s.document = writeDocument(api, r)
}

// Health is how it stands with a process.
type Health struct {
	Reason string `json:"reason,omitempty" doc:"What stands against taking requests"`
	Status string `json:"status" example:"ok" doc:"ok, or what it does instead"`
}

// huma has its error format, and whether a list may be null, in variables of
// the process, so they are set before there is a server.
func init() {
	huma.NewError = newError
	huma.DefaultArrayNullable = false
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// StopWaiting turns /readyz off and answers all requests that wait for a job,
// now and from now on. It may be called twice.
func (s *Server) StopWaiting() { s.stopOnce.Do(func() { close(s.stop) }) }

func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// quick bounds what a request may spend on Redis before it is answered.
func (s *Server) quick(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.opt.Config.Redis.CommandTimeout.Std())
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.stopping() {
		writeJSON(w, http.StatusServiceUnavailable, Health{Status: "stopping"})
		return
	}
	ctx, cancel := s.quick(r.Context())
	defer cancel()
	if s.opt.Ready != nil {
		if err := s.opt.Ready(ctx); err != nil {
			s.opt.Log.Debug("not ready", "err", err)
			writeJSON(w, http.StatusServiceUnavailable, Health{Status: "not ready", Reason: err.Error()})
			return
		}
	}
	writeJSON(w, http.StatusOK, Health{Status: "ok"})
}

func (s *Server) recoverPanic(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.opt.Log.Error("request handler panicked", "path", r.URL.Path, "panic", p)
			writeProblem(w, problem(http.StatusInternalServerError, "internal", "", "Something went wrong here; it has been logged."))
		}()
		next.ServeHTTP(w, r)
	})
}

// refuseUntilStarted answers for a process that is not there yet: it waits for
// Redis, which must suit before anything is accepted.
func (s *Server) refuseUntilStarted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.opt.Started == nil || s.opt.Started() || r.URL.Path == "/healthz" {
			next.ServeHTTP(w, r)
			return
		}
		p := problem(http.StatusServiceUnavailable, "starting", "", "This server is starting and waits for its job store. Nothing was accepted; try again.")
		p.retryAfter = retryAfterOutage
		writeProblem(w, p)
	})
}

// refuseForeignPages keeps web pages of other sites from using a visitor's
// browser to act here: a browser says where a request comes from.
func (s *Server) refuseForeignPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			writeProblem(w, problem(http.StatusForbidden, "foreign_page", "", "Pages of other sites may not use this API."))
			return
		}
		if r.Header.Get("Sec-Fetch-Site") == "cross-site" && acts(r) {
			writeProblem(w, problem(http.StatusForbidden, "foreign_page", "", "Links on other sites may not start a job here."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// headIsGet answers HEAD as GET, but where GET starts something.
func headIsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && !acts(r) {
			chi.RouteContext(r.Context()).RouteMethod = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// allowed are the methods that the address takes.
func allowed(routes chi.Routes, r *http.Request) (methods []string) {
	path := r.URL.Path
	if c := chi.RouteContext(r.Context()); c.RoutePath != "" {
		path = c.RoutePath // without the slash at its end
	}
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		if !routes.Match(chi.NewRouteContext(), m, path) {
			continue
		}
		methods = append(methods, m)
		if m == http.MethodGet && !startsByGet(r) {
			methods = append(methods, http.MethodHead)
		}
	}
	return methods
}

// acts reports whether the request starts something, although it may be a GET.
func acts(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead || startsByGet(r)
}

// startsByGet reports whether a GET of the address starts something.
func startsByGet(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/toggle/") }

func (s *Server) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := s.opt.Config.HTTP.MaxBody
		if r.ContentLength > limit {
			writeProblem(w, problem(http.StatusRequestEntityTooLarge, "too_large", "", "The request's body is too large."))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}
