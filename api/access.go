package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/cors"

	"switchyard/api/access"
	"switchyard/configs"
)

// monitoring is where pages begin that a person looks at in a browser, which
// asks for the key by itself.
const monitoring = "/monitoring"

func isPage(path string) bool {
	rest, below := strings.CutPrefix(path, monitoring)
	return below && (rest == "" || rest[0] == '/')
}

// may reports whether the caller has the scope; where not, it has been answered.
func (s *Server) may(w http.ResponseWriter, r *http.Request, scope configs.Scope) bool {
	c := &callOf(r.Context()).caller
	switch err := c.May(scope); {
	case err == nil:
		return true
	case errors.Is(err, access.ErrForeignHost):
		writeProblem(w, problem(http.StatusMisdirectedRequest, "foreign_host", "Host",
			"This server is not known under the name in the Host header. Use its address, add the name to http.server_names, or bring an API key."))
	case errors.Is(err, access.ErrScope):
		w.Header().Set("WWW-Authenticate", `Bearer realm="switchyard", error="insufficient_scope", scope="`+string(scope)+`"`)
		writeProblem(w, problem(http.StatusForbidden, "forbidden", "", lacks(c, scope)))
	default:
		s.challenge(w, r, c, scope)
	}
	return false
}

func lacks(c *access.Caller, scope configs.Scope) string {
	if c.Key != "" {
		return "The API key " + c.Key + " lacks the scope " + string(scope) + "."
	}
	return "Callers from this network lack the scope " + string(scope) + ". Bring an API key that has it."
}

func (s *Server) challenge(w http.ResponseWriter, r *http.Request, c *access.Caller, scope configs.Scope) {
	how, detail := `Bearer realm="switchyard"`, `This takes an API key with the scope `+string(scope)+`, as "Authorization: Bearer KEY" or "X-API-Key: KEY".`
	if isPage(r.URL.Path) {
		how, detail = `Basic realm="switchyard", charset="UTF-8"`, "This takes an API key with the scope "+string(scope)+" as the password, under any user name."
	}
	if c.BroughtWrongKey() {
		detail = "The API key that came with the request is not known here. " + detail
		if !isPage(r.URL.Path) {
			how += `, error="invalid_token"`
		}
	}
	w.Header().Set("WWW-Authenticate", how)
	writeProblem(w, problem(http.StatusUnauthorized, "unauthorized", "", detail))
}

// limitRate refuses who asks too often. Supervisors may: they would take the
// process for dead.
func (s *Server) limitRate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isProbe(r.URL.Path) {
			if wait := s.guard.Wait(&callOf(r.Context()).caller); wait > 0 {
				p := problem(http.StatusTooManyRequests, "rate_limited", "", "You are asking too often. Slow down, and try again.")
				p.retryAfter = wait
				writeProblem(w, p)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// refuseForeignPages keeps web pages of other sites from using a visitor's
// browser to act here, or to read: a browser says where a request comes from.
func (s *Server) refuseForeignPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.guard.ForeignPage(r, acts(r)) {
			writeProblem(w, problem(http.StatusForbidden, "foreign_page", "", "Pages of other sites, and links on them, may not do this; nor may a browser that doesn't say which page asks, as over plain HTTP."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// preflightAge is how long a browser keeps what it was told, in seconds.
const preflightAge = 600

// allowOrigins answers the browsers of pages that may use the API. Where there
// are none, nothing is said of origins at all.
func (s *Server) allowOrigins() func(http.Handler) http.Handler {
	c := cors.New(cors.Options{
		AllowOriginFunc: func(_ *http.Request, origin string) bool { return s.guard.AllowsOrigin(origin) },
		AllowedMethods:  []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders:  []string{"Authorization", "X-API-Key", "Idempotency-Key", "Content-Type", "X-Request-Id"},
		ExposedHeaders:  []string{"Location", "Idempotency-Replayed", "Retry-After", "X-Request-Id"},
		MaxAge:          preflightAge,
	})
	return func(next http.Handler) http.Handler {
		allowing := c.Handler(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s.guard.AllowsOrigins() {
				allowing.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
