package api

import "github.com/go-chi/chi/v5"

// Route is route for tests.
type Route = route

// Routes are all routes of the server with the scope that each takes.
func (s *Server) Routes() []Route { return s.scoped }

// CheckScopes is checkScopes of a server that knows of no scopes but these.
func CheckScopes(r chi.Router, scoped ...Route) { (&Server{scoped: scoped}).checkScopes(r) }
