package api

import (
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"switchyard/configs"
)

// open is the scope of what everybody may use.
const open configs.Scope = ""

// anyMethod stands for all of them.
const anyMethod = "*"

// route is one thing that can be asked for, and the scope that it takes.
type route struct {
	Method, Pattern string
	Scope           configs.Scope
}

// routes registers everything. A route that doesn't say its scope panics here.
func (s *Server) routes(r chi.Router) {
	api := huma.NewAPI(humaConfig(s.opt.Version), &guarded{Adapter: humachi.NewAdapter(r), server: s, router: r})
	aliases(api.OpenAPI().Components.Schemas)
	s.proxyOperations(api)
	s.hostOperations(api)
	s.pushOperations(api)
	s.jobOperations(api)
	s.infraOperations(r)
	if s.intake != nil {
		s.handle(r, http.MethodPost, pathWebhook, open, s.takeWebhook)
		s.webhookLogOperations(api)
	}
	if s.opt.Strategies != nil {
		s.strategyOperations(api)
		s.handle(r, http.MethodGet, pathExecutions+"/{id}/chart", configs.StrategiesRead, s.executionChart)
	}
	if s.opt.StepLogs != nil {
		s.deploymentOperations(api)
		s.handle(r, http.MethodGet, pathDeployments+"/{id}/steps/{n}/log", configs.DeploymentsRead, s.stepLog)
	}
	if s.opt.Alerts != nil {
		s.alertOperations(api)
	}
	if s.opt.Socket != nil {
		s.handle(r, http.MethodGet, pathSocket, open, s.socketOperations(api))
	}
	s.handle(r, http.MethodGet, "/toggle/{subnet}", configs.ProxiesToggle, s.toggleBySubnet)
	s.handle(r, http.MethodPost, "/toggle/{subnet}", configs.ProxiesToggle, s.toggleBySubnet)
	s.handle(r, http.MethodGet, "/status", configs.ProxiesRead, s.status)
	s.handle(r, http.MethodGet, "/health", open, alive)
	s.handle(r, http.MethodGet, "/healthz", open, alive)
	s.handle(r, http.MethodGet, "/readyz", open, s.readyz)
	s.handle(r, http.MethodGet, "/", open, s.index)
	s.handle(r, http.MethodGet, "/openapi.json", open, s.openapi)
	s.handle(r, http.MethodGet, "/docs", open, s.docs)
	s.handle(r, http.MethodGet, "/docs/*", open, s.docsAsset)
	if s.opt.Metrics != nil {
		s.handle(r, http.MethodGet, "/metrics", configs.MetricsRead, s.opt.Metrics.ServeHTTP)
	}
	if s.opt.Monitoring != nil {
		s.handle(r, anyMethod, monitoring, configs.Admin, s.opt.Monitoring.ServeHTTP)
		s.handle(r, anyMethod, monitoring+"/*", configs.Admin, s.opt.Monitoring.ServeHTTP)
	}
	s.checkScopes(r)
	s.document = writeDocument(api, r, s.opt.Strategies)
}

// handle registers a handler for those who have the scope.
func (s *Server) handle(r chi.Router, method, pattern string, scope configs.Scope, h http.HandlerFunc) {
	r = s.allow(r, route{method, pattern, scope})
	if method == anyMethod {
		r.HandleFunc(pattern, h)
		return
	}
	r.MethodFunc(method, pattern, h)
}

// allow returns the router for what stands at a route: those without its scope
// don't get there, nor do repeats of a request that has its answer.
func (s *Server) allow(r chi.Router, x route) chi.Router {
	s.scoped = append(s.scoped, x)
	return r.With(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if s.may(w, q, x.Scope) {
				next.ServeHTTP(w, q)
			}
		})
	}, s.answerRepeats)
}

// guarded has huma's operations ask for the scope in their Metadata, before
// anything of the request is read.
type guarded struct {
	huma.Adapter
	server *Server
	router chi.Router
}

// Handle implements huma.Adapter.
func (g *guarded) Handle(op *huma.Operation, h func(huma.Context)) {
	scope, stated := scopeOf(op)
	if !stated {
		panic(fmt.Sprintf("api: %s %s states no scope: set Metadata[\"scope\"]", op.Method, op.Path))
	}
	humachi.NewAdapter(g.server.allow(g.router, route{op.Method, op.Path, scope})).Handle(op, h)
}

func scopeOf(op *huma.Operation) (scope configs.Scope, stated bool) {
	switch v := op.Metadata[metaScope].(type) {
	case string:
		return configs.Scope(v), true
	case configs.Scope:
		return v, true
	}
	return "", false
}

// checkScopes panics where a route has no scope or one that doesn't exist: that
// is a mistake in the program, which must not get as far as a listener.
func (s *Server) checkScopes(r chi.Router) {
	stated := map[string]bool{}
	for _, x := range s.scoped {
		if x.Scope != open && !x.Scope.Known() {
			panic(fmt.Sprintf("api: %s %s asks for scope %q, which does not exist", x.Method, x.Pattern, x.Scope))
		}
		stated[x.Method+" "+x.Pattern] = true
	}
	err := chi.Walk(r, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !stated[method+" "+pattern] && !stated[anyMethod+" "+pattern] {
			return fmt.Errorf("api: %s %s states no scope", method, pattern)
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
}
