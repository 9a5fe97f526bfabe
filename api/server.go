package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"switchyard/alerts"
	"switchyard/api/access"
	"switchyard/api/ws"
	"switchyard/configs"
	"switchyard/executions"
	"switchyard/hosts"
	"switchyard/intake"
	"switchyard/jobs"
	"switchyard/metrics"
	"switchyard/orders"
	"switchyard/steplogs"
	"switchyard/strategy/catalog"
)

// Options of a Server.
type Options struct {
	Config   *configs.Config
	Store    *jobs.Store
	Registry *hosts.Registry
	Log      *slog.Logger
	// Toggles hears of each toggle that is asked for, beside Log. Optional.
	Toggles *slog.Logger
	// Trading is how accounts and groups are configured now; nil: as Config has it.
	Trading func() configs.Trading
	// Intake keeps what the trading webhook was sent; nil: there is no webhook.
	Intake *intake.Store
	// Strategies that can be executed, and Executions, which gives them their numbers;
	// nil: there are none.
	Strategies *catalog.Catalog
	Executions *executions.Numbers
	// StepLogs are the logs of deployments; nil: nothing is deployed.
	StepLogs *steplogs.Store
	// Alerts is the book of alerts; nil: there is none.
	Alerts *alerts.Book
	// Socket is the WebSocket; nil: there is none.
	Socket *ws.Server
	// Version of this program.
	Version string
	// Started reports whether requests are taken yet; nil: they are. Until then
	// everything but /healthz is answered with 503.
	Started func() bool
	// Ready says what stands against taking requests; nil: nothing. It is
	// asked by /readyz, with a short deadline.
	Ready func(context.Context) error
	// Access says who may do what; nil: as Config has it.
	Access *access.Guard
	// Meter counts requests. Optional.
	Meter *metrics.Metrics
	// Metrics is what stands at /metrics, Monitoring at /monitoring and below;
	// nil: nothing does.
	Metrics, Monitoring http.Handler
}

// Server is the API's handler.
type Server struct {
	opt       Options
	loc       *time.Location
	directory *hosts.Directory
	desk      *orders.Desk
	guard     *access.Guard
	intake    *intake.Store
	tokens    tokenRates
	scoped    []route
	handler   http.Handler
	document  []byte // /openapi.json

	stop     chan struct{}
	stopOnce sync.Once
}

// New returns a server that has not been asked anything.
func New(opt Options) *Server {
	s := &Server{
		opt: opt, loc: opt.Config.Location(), directory: hosts.NewDirectory(opt.Registry, opt.Store.Now), guard: opt.Access, intake: opt.Intake, stop: make(chan struct{}),
	}
	s.desk = &orders.Desk{Store: opt.Store, Registry: opt.Registry, Directory: s.directory, Config: opt.Config}
	if s.guard == nil {
		s.guard = access.New(opt.Config)
	}
	if s.opt.Toggles == nil {
		s.opt.Toggles = slog.New(slog.DiscardHandler)
	}
	r := chi.NewRouter()
	// In this order: what is refused is logged with who asked, and what a page
	// of another origin may read, refusals among it, says so.
	r.Use(s.observe, inWebhookForm, s.recoverPanic, s.refuseUntilStarted, middleware.StripSlashes, withoutPrefix, s.allowOrigins(), s.limitRate,
		s.refuseForeignPages, s.limitBody, headIsGet)
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

// Health is how it stands with a process.
type Health struct {
	Reason string `json:"reason,omitempty" doc:"What stands against taking requests"`
	Status string `json:"status" example:"ok" doc:"ok, or what it does instead"`
}

func alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, Health{Status: "ok"})
}

// huma has its error format, whether a list may be null, and whether Port is
// another field than port, in variables of the process, so they are set before
// there is a server.
func init() {
	huma.NewError = newError
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true // else it judges the one and encoding/json reads the other
}

// trading is how accounts and groups are configured now.
func (s *Server) trading() configs.Trading {
	if s.opt.Trading != nil {
		return s.opt.Trading()
	}
	return s.opt.Config.Trading
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
			s.log(ctx).Debug("not ready", "err", err)
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
			s.log(r.Context()).Error("request handler panicked", "path", r.URL.Path, "panic", p)
			writeProblem(w, problem(http.StatusInternalServerError, "internal", "", "Something went wrong here; it has been logged."))
		}()
		next.ServeHTTP(w, r)
	})
}

// refuseUntilStarted answers for a process that is not there yet: it waits for
// Redis, which must suit before anything is accepted.
func (s *Server) refuseUntilStarted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.opt.Started == nil || s.opt.Started() || strings.TrimSuffix(r.URL.Path, "/") == "/healthz" {
			next.ServeHTTP(w, r)
			return
		}
		p := problem(http.StatusServiceUnavailable, "starting", "", "This server is starting and waits for its job store. Nothing was accepted; try again.")
		p.retryAfter = retryAfterOutage
		writeProblem(w, p)
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
	path := routePath(r)
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
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
func startsByGet(r *http.Request) bool {
	if togglesBySubnet(r) {
		return true
	}
	path := fullPath(strings.TrimSuffix(r.URL.Path, "/"))
	return slices.ContainsFunc(infraRoutes, func(x infraRoute) bool { return x.path == path && slices.Contains(x.methods, http.MethodGet) })
}

func togglesBySubnet(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/toggle/") }

// fullPath is a path with the /api that some clients leave out.
func fullPath(path string) string {
	if strings.HasPrefix(path, "/v1/") {
		return "/api" + path
	}
	return path
}

// withoutPrefix has /v1/… be the same address as /api/v1/….
func withoutPrefix(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := routePath(r); strings.HasPrefix(path, "/v1/") {
			chi.RouteContext(r.Context()).RoutePath = fullPath(path)
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := s.opt.Config.HTTP.MaxBody
		if r.ContentLength > limit {
			writeProblem(w, problem(http.StatusRequestEntityTooLarge, "too_large", "", "The request's body is too large."))
			return
		}
		// It closes the connection of a body that is too large, if it can.
		inner := w
		if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
			inner = u.Unwrap()
		}
		r.Body = http.MaxBytesReader(inner, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}
