package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// spec is the part of the API's document that tests read.
type spec struct {
	OpenAPI string
	Paths   map[string]map[string]*operation
	Tags    []struct{ Name, Description string }

	Components struct {
		Schemas         map[string]*schema
		SecuritySchemes map[string]any
	}
}

type operation struct {
	OperationID, Summary string
	Tags                 []string
	Parameters           []parameter
	RequestBody          *struct {
		Required bool
		Content  map[string]struct{ Schema *schema }
	}
	Responses map[string]response
	Security  []map[string][]string
}

type parameter struct {
	Name, In string
	Required bool
	Schema   *schema
	Example  any
}

type response struct {
	Description string
	Content     map[string]struct {
		Schema   *schema
		Examples map[string]struct{ Value json.RawMessage }
	}
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 types
	Properties           map[string]*schema
	Required             []string
	AdditionalProperties any
	Enum                 []any
	Examples             []any
	Minimum, Maximum     *float64
	MinLength, MaxLength *int
	OneOf, AnyOf         []*schema
	Items                *schema
}

// types of a value: one, or several.
type types []string

func (t *types) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(t))
	}
	*t = types{""}
	return json.Unmarshal(b, &(*t)[0])
}

// spec reads the API's document.
func (b *bundle) spec(t *testing.T) *spec {
	t.Helper()
	a := b.get(t, "/openapi.json")
	if a.status != http.StatusOK {
		t.Fatalf("/openapi.json: %d %s", a.status, a.body)
	}
	a.wantsType(t, "application/json")
	var s spec
	must(t, json.Unmarshal([]byte(a.body), &s))
	return &s
}

// resolve follows a reference.
func (s *spec) resolve(x *schema) *schema {
	if name, ok := strings.CutPrefix(x.Ref, "#/components/schemas/"); ok {
		return s.Components.Schemas[name]
	}
	return x
}

// each calls f with every operation.
func (s *spec) each(f func(method, path string, op *operation)) {
	for path, item := range s.Paths {
		for method, op := range item {
			f(strings.ToUpper(method), path, op)
		}
	}
}

// Each operation says what a reader and a generator need: an id and a summary,
// tags that are explained, who may call it, and every error with an example of
// each code, which is a document of the form that errors have.
func TestOperationsAreDescribed(t *testing.T) {
	t.Parallel()
	s := setup(t).spec(t)
	if s.OpenAPI != "3.1.0" {
		t.Errorf("openapi %q", s.OpenAPI)
	}
	var tags []string
	for _, tag := range s.Tags {
		tags = append(tags, tag.Name)
		if tag.Description == "" {
			t.Errorf("tag %s is not explained", tag.Name)
		}
	}
	scope := regexp.MustCompile(`^[a-z]+(:[a-z]+)?$`)
	s.each(func(method, path string, op *operation) {
		at := method + " " + path
		if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 || !slices.Contains(tags, op.Tags[0]) {
			t.Errorf("%s: id %q, summary %q, tags %q", at, op.OperationID, op.Summary, op.Tags)
		}
		if len(op.Security) == 0 {
			t.Errorf("%s does not say who may call it", at)
		}
		for _, way := range op.Security {
			for name, scopes := range way {
				if s.Components.SecuritySchemes[name] == nil || len(scopes) != 1 || !scope.MatchString(scopes[0]) {
					t.Errorf("%s: by %s with scopes %q", at, name, scopes)
				}
			}
		}
		for status, r := range op.Responses {
			if r.Description == "" || r.Content == nil && status != "101" {
				t.Errorf("%s: %s is not described", at, status)
			}
			if status < "400" {
				continue
			}
			for mediaType, m := range r.Content {
				if mediaType == "application/problem+json" {
					s.wantsExamples(t, at+": "+status, status, m.Examples)
				}
			}
		}
	})
}

func (s *spec) wantsExamples(t *testing.T, at, status string, all map[string]struct{ Value json.RawMessage }) {
	t.Helper()
	if len(all) == 0 {
		t.Errorf("%s has no example", at)
	}
	for code, e := range all {
		var p problem
		must(t, json.Unmarshal(e.Value, &p))
		if p.Code != code || http.StatusText(p.Status) != p.Title || !strings.HasPrefix(status, string(rune('0'+p.Status/100))) || !strings.HasSuffix(p.Detail, ".") {
			t.Errorf("%s: example %s is %s", at, code, e.Value)
		}
	}
}

// The documents of the older proxy API are described as they are: members that
// may be null say so, those that may be missing are not required, and a level is
// a number.
func TestOldDocumentsAreDescribedAsTheyAre(t *testing.T) {
	t.Parallel()
	s := setup(t).spec(t)
	for _, tt := range []struct {
		schema, member string
		types          string // "" where it is a document or null
		required       bool
	}{
		{"ToggleResult", "ip", "string null", true},
		{"ToggleResult", "signal", "", true},
		{"ToggleOutcome", "signal", "", true},
		{"ToggleOutcome", "step", "integer", true},
		{"Signal", "rsrp", "number null", true},
		{"Signal", "cell_id", "string null", true},
		{"Traffic", "upload", "integer", true},
		{"StatusDocument", "last_heartbeat_at", "string", false},
		{"ProxyStatus", "external_ip", "string null", true},
		{"ProxyStatus", "signal", "", true},
		{"ToggleStatus", "last_toggle", "string null", false},
		{"ToggleStatus", "seconds_ago", "integer", false},
		{"DongleCheck", "disconnected_ports", "array", true},
		{"JobDocument", "completed_at", "string null", true},
		{"JobDocument", "subnet", "integer null", true},
		{"JobList", "jobs", "array", true},
		{"JobAccepted", "joined", "boolean", false},
	} {
		doc := s.Components.Schemas[tt.schema]
		if doc == nil || doc.Properties[tt.member] == nil {
			t.Errorf("%s.%s is not described", tt.schema, tt.member)
			continue
		}
		m := doc.Properties[tt.member]
		got := strings.Join(m.Type, " ")
		if tt.types == "" {
			if got == "" && len(m.AnyOf) == 2 && m.AnyOf[0].Ref != "" {
				got = strings.TrimPrefix(strings.Join(m.AnyOf[1].Type, " "), "null")
			}
		}
		if got != tt.types || slices.Contains(doc.Required, tt.member) != tt.required {
			t.Errorf("%s.%s: types %q, required %v; want %q, %v", tt.schema, tt.member, got, !tt.required, tt.types, tt.required)
		}
	}
}

// The first page leads to everything that can be looked at by a link, and what it
// shows for the shell is whole.
func TestFirstPageLeadsEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	page := b.get(t, "/").body
	b.spec(t).each(func(method, path string, op *operation) {
		known := path == "/" || path == "/health" || path == "/ws" // itself, what older clients ask for, and what no link can open
		for _, p := range op.Parameters {
			known = known || p.Required // a link can't know it
		}
		if method == http.MethodGet && !strings.Contains(path, "{") && !known && !strings.Contains(page, `href="`+path+`"`) {
			t.Errorf("no link to %s", path)
		}
	})
	if !strings.Contains(page, "curl -X POST localhost:8080/") {
		t.Error("its curl has no server to talk to")
	}
}

// The pages are whole without the network: nothing in them, or in the files
// that they load, comes from elsewhere, and the browser is told so.
func TestPagesComeFromHere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := regexp.MustCompile(`(?:src|href)="([^"]*)"`)
	for _, path := range []string{"/", "/docs", "/docs/"} {
		a := b.get(t, path)
		a.wantsType(t, "text/html; charset=utf-8")
		if policy := a.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q", path, policy)
		}
		for _, m := range link.FindAllStringSubmatch(a.body, -1) {
			switch {
			case !strings.HasPrefix(m[1], "/"):
				t.Errorf("%s loads %s", path, m[1])
			case strings.HasPrefix(m[1], "/docs/"):
				if f := b.get(t, m[1]); f.status != http.StatusOK || f.body == "" || f.header.Get("Content-Type") == "" {
					t.Errorf("%s loads %s: %d", path, m[1], f.status)
				}
			}
		}
	}
	b.get(t, "/docs/swagger-ui.js.gz").wantsProblem(t, http.StatusNotFound, "not_found", "")
	b.get(t, "/docs/..%2findex.html").wantsProblem(t, http.StatusNotFound, "not_found", "")
}
