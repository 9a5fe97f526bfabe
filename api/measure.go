package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// measure counts the request under the pattern of its route, which is known
// once it has been answered. It comes first, so that refusals count too.
func (s *Server) measure(next http.Handler) http.Handler {
	if s.opt.Meter == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ended := s.opt.Meter.RequestStarted()
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() { ended(chi.RouteContext(r.Context()).RoutePattern(), r.Method, answer.Status()) }()
		next.ServeHTTP(answer, r)
	})
}
