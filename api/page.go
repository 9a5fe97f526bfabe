package api

import (
	_ "embed"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/go-chi/chi/v5"
	swaggerui "github.com/swaggest/swgui/v5/static"
)

var (
	//go:embed index.html
	indexPage []byte
	//go:embed docs.html
	docsPage []byte
	//go:embed docs.js
	docsScript []byte
)

const (
	indexPolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// docsPolicy: scripts are files of ours; Swagger UI sets styles from its
	// script and has its icons as data.
	docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// index is the plain page at /: what is here, in links.
func (s *Server) index(w http.ResponseWriter, _ *http.Request) { writePage(w, indexPage, indexPolicy) }

// docs is the page that shows the API's document: GET /docs.
func (s *Server) docs(w http.ResponseWriter, _ *http.Request) { writePage(w, docsPage, docsPolicy) }

func writePage(w http.ResponseWriter, html []byte, policy string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(html) // the client may have gone
}

// docsAssets are the files of the page at /docs, in this program.
var docsAssets = map[string]bool{
	"docs.js": true, "swagger-ui-bundle.js": true, "swagger-ui.css": true, "favicon-16x16.png": true, "favicon-32x32.png": true,
}

// docsAsset answers with a file of the page at /docs. The large ones are kept
// packed, which every browser reads.
func (s *Server) docsAsset(w http.ResponseWriter, r *http.Request) {
	name := chi.URLParam(r, "*")
	if !docsAssets[name] {
		writeProblem(w, problem(http.StatusNotFound, "not_found", "", "There is nothing at this address."))
		return
	}
	h := w.Header()
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("X-Content-Type-Options", "nosniff")
	if name == "docs.js" {
		_, _ = w.Write(docsScript) // the client may have gone
		return
	}
	if !strings.HasSuffix(name, ".png") {
		name += ".gz"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Cache-Control", "max-age=3600")
	http.ServeFileFS(w, r, swaggerui.FS, name)
}
