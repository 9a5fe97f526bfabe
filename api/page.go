package api

import (
	_ "embed"
	"net/http"
)

//go:embed index.html
var indexPage []byte

// index is the plain page at /: what is here, in links.
func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(indexPage) // the client may have gone
}
