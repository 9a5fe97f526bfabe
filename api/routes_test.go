package api

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"switchyard/configs"
)

// The document names every route of the router, and no route that isn't there.
func TestDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	s := New(Options{Config: configs.Default(), Version: "test", Metrics: http.NotFoundHandler(), Monitoring: http.NotFoundHandler()})
	var routes []string
	err := chi.Walk(s.handler.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		asset := strings.HasSuffix(route, "/*") // belongs to a page
		refused := route == "/monitoring" && method != http.MethodGet
		if !asset && !refused {
			routes = append(routes, method+" "+route)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(s.document, &doc); err != nil {
		t.Fatal(err)
	}
	var described []string
	for path, item := range doc.Paths {
		for method := range item {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(routes)
	slices.Sort(described)
	if !slices.Equal(routes, described) {
		t.Errorf("routes    %q\ndescribed %q", routes, described)
	}
	if len(routes) < 14 {
		t.Errorf("only %d routes: is this the router?", len(routes))
	}
}

// The document says of every route which scope it asks for, as the router has
// it, and how a caller without it is refused.
func TestDocumentHasEveryScope(t *testing.T) {
	t.Parallel()
	s := New(Options{Config: configs.Default(), Version: "test", Metrics: http.NotFoundHandler(), Monitoring: http.NotFoundHandler()})
	var doc struct {
		Paths map[string]map[string]struct {
			Security  []map[string][]string
			Responses map[string]json.RawMessage
		}
	}
	if err := json.Unmarshal(s.document, &doc); err != nil {
		t.Fatal(err)
	}
	asking := 0
	for _, x := range s.scoped {
		method := strings.ToLower(x.Method)
		if x.Method == anyMethod {
			method = "get"
		}
		op, described := doc.Paths[x.Pattern][method]
		if !described {
			continue // files of a page
		}
		var scopes []string
		for _, way := range op.Security {
			for _, list := range way {
				scopes = append(scopes, list...)
			}
		}
		at := x.Method + " " + x.Pattern
		if x.Scope == open {
			if len(scopes) > 0 {
				t.Errorf("%s is open, and described with scopes %q", at, scopes)
			}
			continue
		}
		asking++
		if len(scopes) == 0 || slices.ContainsFunc(scopes, func(scope string) bool { return scope != string(x.Scope) }) {
			t.Errorf("%s asks for %s, and is described with scopes %q", at, x.Scope, scopes)
		}
		for _, status := range []string{"401", "403", "421"} {
			if op.Responses[status] == nil {
				t.Errorf("%s asks for %s, and is described without %s", at, x.Scope, status)
			}
		}
	}
	if asking < 10 {
		t.Errorf("only %d routes ask for a scope: is this the router?", asking)
	}
}

// Every error code that stands in the code is in the table that the document
// is made from, with the status that it goes with.
func TestFaultsAreDocumented(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 4 {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); !ok || name.Name != "problem" {
				return true
			}
			lit, ok := call.Args[1].(*ast.BasicLit)
			if !ok {
				return true
			}
			code, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			if _, ok := faults[code]; !ok && code != "method_not_allowed" {
				t.Errorf("%s: code %s is not in the table of faults", f.Name(), code)
			}
			return true
		})
	}
	if found < 20 {
		t.Errorf("only %d codes found: is problem still called so?", found)
	}
	for code, f := range faults {
		if http.StatusText(f.status) == "" || !strings.HasSuffix(f.detail, ".") {
			t.Errorf("%s: %+v", code, f)
		}
	}
}
