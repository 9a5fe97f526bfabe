package switchyard_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// This file holds the rules of the house that neither the compiler nor a linter
// knows. They read source text only (every file, whatever its build tags), so
// they take a moment and need nothing but the checkout.

// module is the prefix of the module's own import paths.
const module = "switchyard"

// A layer is one row of the table of dependencies. Patterns are import paths
// below the module; "x/..." is x and all below it, as for the go command.
type layer struct {
	// who lists the packages that the row is about. Where several rows match a
	// package, the longest pattern decides.
	who []string
	// may lists the packages of the module that they may import.
	may []string
	// not lists packages from outside the module that they do without.
	not []string
	// noServer: they don't know the server side of net/http.
	noServer bool
	// process: they may read the environment and end the process.
	process bool
	// kit: they serve tests and measurements only. Nothing else imports them.
	kit bool
}

// family stands in layer.may for the package's own top-level folder.
const family = "(its own folder)/..."

var (
	ground = []string{"tasks/...", "jobs/...", "events/...", "hosts/...", "configs/...", "metrics/...", "logs/...", "limits/...", "notices/...", "orders/...", "intake/...", "executions/...", "keeper/...", "steplogs/...", "alerts/..."}
	domain = []string{
		"hardware/...", "delivery/...", "cloudflare/...", "telegram/...", "services/...",
		"deploy/...", "strategy/...", "trading/...", "vitals/...", "webhooks/...",
	}
	roles      = []string{"api/...", "worker/...", "scheduler/..."}
	catalogs   = []string{"strategy/catalog", "trading/signal", "webhooks/..."}
	everything = []string{"..."}

	// effects is what a package that claims to do no I/O can't need. net/url and
	// net/netip are absent: they only parse.
	effects = []string{
		"os/...", "net", "net/http/...", "net/rpc/...", "net/smtp", "syscall", "plugin", "database/sql/...",
		"golang.org/x/sys/...", "golang.org/x/net/...", "github.com/redis/...", "github.com/hibiken/...",
		"github.com/alicebob/miniredis/...",
	}
)

// layers is the table: cmd → app → roles → domain → ground. A domain imports
// its own folder but no other domain; what joins two of them is a worker.
var layers = []layer{
	{who: []string{"."}},
	{who: []string{"cmd/..."}, may: slices.Concat([]string{"cmd/...", "app/..."}, ground), process: true},
	{who: []string{"app/..."}, may: slices.Concat([]string{"app/...", "sim/..."}, roles, domain, ground)},

	{who: []string{"api/..."}, may: slices.Concat([]string{"api/..."}, catalogs, ground)},
	{who: []string{"worker/..."}, may: slices.Concat([]string{"worker/..."}, domain, ground)},
	{who: []string{"scheduler/..."}, may: slices.Concat([]string{"scheduler/..."}, domain, ground)},

	// The api reads these, so what they import the api imports. One that is a whole
	// domain stands among those, too: of two rows with the same pattern the first
	// decides.
	{who: catalogs, may: []string{"tasks/..."}, noServer: true, not: effects},
	{who: domain, may: slices.Concat([]string{family}, ground), noServer: true,
		not: []string{"github.com/hibiken/...", "github.com/go-chi/...", "github.com/danielgtaylor/huma/..."}},
	// USB itself, which knows nothing of modems' subnets, of toggles or of Redis.
	{who: []string{"hardware/usb"}, noServer: true, not: []string{"net/http/...", "github.com/redis/...", "github.com/hibiken/..."}},
	// Money is counted where nothing can happen.
	{who: []string{"trading/sizing"}, may: []string{"trading/signal"}, noServer: true, not: effects},

	{who: []string{"tasks/..."}, not: effects},
	{who: []string{"events/..."}, may: []string{"events/...", "tasks/..."}},
	{who: []string{"jobs/..."}, may: []string{"jobs/...", "events/...", "tasks/..."}},
	{who: []string{"hosts/..."}, may: []string{"hosts/...", "events/...", "tasks/..."}},
	{who: []string{"metrics/..."}},
	{who: []string{"logs/..."}, may: []string{"configs/..."}},
	{who: []string{"limits/..."}},
	{who: []string{"alerts/..."}, may: []string{"events/..."}, noServer: true},
	{who: []string{"intake/..."}, noServer: true},
	{who: []string{"executions/..."}, may: []string{"jobs/...", "tasks/..."}, noServer: true},
	{who: []string{"steplogs/..."}, may: []string{"jobs/..."}, noServer: true},
	{who: []string{"notices/..."}, may: []string{"alerts", "jobs/...", "tasks/..."}, noServer: true, not: effects},
	{who: []string{"orders/..."}, may: []string{"jobs/...", "hosts/...", "tasks/...", "configs/..."}, noServer: true},
	// A keeper is a process of its own, with its own end.
	{who: []string{"keeper"}, noServer: true, process: true, not: []string{"github.com/redis/...", "github.com/hibiken/..."}},
	// Templates are checked where they are written, by the rule that fills them.
	{who: []string{"configs/..."}, may: []string{"tasks/...", "webhooks"}, process: true},

	{who: []string{"sim/..."}, may: []string{"sim/...", "tasks/...", "hardware/..."}},
	{who: []string{"bench/...", "chaos/...", "lab/..."}, may: everything, process: true, kit: true},
}

// exceptions are the imports that the table forbids and the house allows, each
// limited to some names and with the reason why. Keep it short: a second name
// here is a sign that the name stands in the wrong package.
var exceptions = []struct {
	from, to string
	names    []string
	reason   string
}{
	{from: "api", to: "delivery", names: []string{"CheckURL"},
		reason: "static check of callback URLs: a request with a bad one is refused at once, by the rule that delivers it"},
}

// Dependencies run one way, so that a package can be understood from those
// below it, and the api can never come to execute what it accepts.
func TestDependenciesRunOneWay(t *testing.T) { holds(t, dependencies) }

// What executes and what describes work stays free of machinery: tasks do no
// I/O, domain packages know neither the queue nor the HTTP server.
func TestInnerPackagesDoWithoutMachinery(t *testing.T) { holds(t, machinery) }

// Every package says in its package comment what it is for, in at least two
// sentences, in a file that godoc shows.
func TestPackagesAreDescribed(t *testing.T) { holds(t, packageComments) }

// A file is short enough to be one idea.
func TestFilesAreShort(t *testing.T) { holds(t, fileLengths) }

// A package is named after what it provides; a name that fits anything will
// collect everything.
func TestPackagesHaveTellingNames(t *testing.T) { holds(t, packageNames) }

// Nothing sleeps: code waits for events, deadlines or contexts, which can be
// cancelled, and tests for what they expect. In a synctest bubble a sleep is a
// step of the fake clock.
func TestNothingSleeps(t *testing.T) { holds(t, sleeps) }

// Everything exported says what it is.
func TestExportedNamesAreDocumented(t *testing.T) { holds(t, exportedComments) }

// The environment is input, and input enters in cmd and configs alone.
func TestEnvironmentIsReadAtTheEdge(t *testing.T) { holds(t, environment) }

// Only a main ends the process: anywhere else an exit skips the shutdown order,
// and with it the jobs under way.
func TestOnlyMainExits(t *testing.T) { holds(t, exits) }

// Each rule finds the smallest example that breaks it, and leaves the nearest
// one alone that doesn't.
func TestRulesFindWhatTheyForbid(t *testing.T) {
	t.Parallel()
	type source = map[string]string
	long := "package x\n" + strings.Repeat("// line\n", maxLines)
	for _, tt := range []struct {
		name  string
		rule  rule
		files source
		want  string // part of the one finding; empty where there is none
	}{
		{"api executes", dependencies, source{"api/a.go": `package api; import "switchyard/hardware"`}, "api imports hardware"},
		{"api in a sub-package", dependencies, source{"api/ws/a.go": `package ws; import "switchyard/worker"`}, "api/ws imports worker"},
		{"api and a domain's inside", dependencies, source{"api/a.go": `package api; import "switchyard/trading/exchange"`}, "trading/exchange"},
		{"api and a catalog", dependencies, source{"api/a.go": `package api; import ("switchyard/strategy/catalog"; "switchyard/jobs")`}, ""},
		{"api's exception", dependencies, source{"api/a.go": `package api; import "switchyard/delivery"; var _ = delivery.CheckURL`}, ""},
		{"more than the exception", dependencies, source{"api/a.go": `package api; import "switchyard/delivery"; var _ = delivery.Send`}, "delivery.Send"},
		{"exception of another", dependencies, source{"hardware/a.go": `package hardware; import "switchyard/delivery"`}, "hardware imports delivery"},
		{"domain upwards", dependencies, source{"cloudflare/a.go": `package cloudflare; import "switchyard/worker"`}, "cloudflare imports worker"},
		{"domain sideways", dependencies, source{"alerts/a.go": `package alerts; import "switchyard/telegram"`}, "alerts imports telegram"},
		{"domain inside", dependencies, source{"hardware/a.go": `package hardware; import ("switchyard/hardware/hilink"; "switchyard/jobs")`}, ""},
		{"catalog's own domain", dependencies, source{"trading/signal/a.go": `package signal; import "switchyard/trading"`}, "trading/signal imports trading"},
		{"tasks", dependencies, source{"tasks/a.go": `package tasks; import "switchyard/configs"`}, "tasks imports configs"},
		{"events", dependencies, source{"events/a.go": `package events; import "switchyard/jobs"`}, "events imports jobs"},
		{"jobs", dependencies, source{"jobs/a.go": `package jobs; import ("switchyard/tasks"; "switchyard/events")`}, ""},
		{"jobs and configs", dependencies, source{"jobs/a.go": `package jobs; import "switchyard/configs"`}, "jobs imports configs"},
		{"configs", dependencies, source{"configs/a.go": `package configs; import "switchyard/jobs"`}, "configs imports jobs"},
		{"cmd past app", dependencies, source{"cmd/x/a.go": `package main; import "switchyard/worker"`}, "cmd/x imports worker"},
		{"sim in a role", dependencies, source{"worker/a.go": `package worker; import "switchyard/sim/modem"`}, "worker imports sim/modem"},
		{"sim in app", dependencies, source{"app/a.go": `package app; import "switchyard/sim"`}, ""},
		{"sim in a test", dependencies, source{"worker/a_test.go": `package worker; import "switchyard/sim"`}, ""},
		{"sim and the api", dependencies, source{"sim/a.go": `package sim; import "switchyard/api"`}, "sim imports api"},
		{"bench", dependencies, source{"bench/a.go": `package main; import ("switchyard/sim"; "switchyard/app")`}, ""},
		{"test kit in code", dependencies, source{"jobs/a.go": `package jobs; import "switchyard/jobs/jobstest"`}, "only tests"},
		{"test kit", dependencies, source{"jobs/jobstest/a.go": `package jobstest; import "switchyard/sim"`}, ""},
		{"no test kit", dependencies, source{"strategy/a.go": `package strategy; import "switchyard/strategy/backtest"`}, ""},
		{"unknown folder", dependencies, source{"billing/a.go": `package billing`}, "add it to the table"},

		{"tasks and a file", machinery, source{"tasks/a.go": `package tasks; import "os"`}, "imports os"},
		{"tasks and HTTP", machinery, source{"tasks/a.go": `package tasks; import "net/http"`}, "imports net/http"},
		{"tasks and Redis", machinery, source{"tasks/a.go": `package tasks; import "github.com/redis/go-redis/v9"`}, "go-redis"},
		{"tasks and addresses", machinery, source{"tasks/a.go": `package tasks; import ("net/netip"; "net/url")`}, ""},
		{"tasks' tests", machinery, source{"tasks/a_test.go": `package tasks; import "os"`}, ""},
		{"domain and asynq", machinery, source{"strategy/prices/a.go": `package prices; import "github.com/hibiken/asynq"`}, "asynq"},
		{"domain serves", machinery, source{"telegram/a.go": `package telegram; import web "net/http"; func F(web.ResponseWriter) {}`}, "http.ResponseWriter"},
		{"domain calls", machinery, source{"telegram/a.go": `package telegram; import "net/http"; func F(*http.Client, *http.Request) {}`}, ""},
		{"worker and asynq", machinery, source{"worker/a.go": `package worker; import "github.com/hibiken/asynq"`}, ""},

		{"no package comment", packageComments, source{"x/a.go": "package x"}, "no package comment"},
		{"comment in a test", packageComments, source{"x/a.go": "package x", "x/a_test.go": "// Package x is. It does.\npackage x"}, "no package comment"},
		{"one sentence", packageComments, source{"x/a.go": "// Package x does x.\npackage x"}, "two sentences"},
		{"another's name", packageComments, source{"x/a.go": "// Package y does x. And more.\npackage x"}, `"Package x"`},
		{"command", packageComments, source{"cmd/x/a.go": "// Command x does x. And more.\npackage main"}, ""},
		{"described", packageComments, source{"x/a.go": "package x", "x/doc.go": "// Package x does x. And\n// more.\npackage x"}, ""},
		{"tests only", packageComments, source{"x/a_test.go": "package x_test"}, ""},

		{"long file", fileLengths, source{"x/a.go": long}, "401 lines"},
		{"long test", fileLengths, source{"x/a_test.go": long}, ""},
		{"generated file", fileLengths, source{"x/a.go": "// Code generated by x. DO NOT EDIT.\n\n" + long}, ""},

		{"package util", packageNames, source{"x/a.go": "package util"}, "util"},
		{"folder helpers", packageNames, source{"api/helpers/a.go": "package x"}, "helpers"},
		{"telling name", packageNames, source{"api/models_of_modems/a.go": "package modems"}, ""},

		{"sleep", sleeps, source{"x/a.go": `package x; import "time"; func f() { time.Sleep(1) }`}, "x/a.go:1: time.Sleep"},
		{"sleep as a value", sleeps, source{"x/a.go": `package x; import clock "time"; var f = clock.Sleep`}, "time.Sleep"},
		{"sleep in a test", sleeps, source{"x/a_test.go": `package x; import "time"; func f() { time.Sleep(1) }`}, "time.Sleep"},
		{"sleep in a bubble", sleeps, source{"x/a_test.go": `package x; import ("time"; "testing/synctest"); var _ = synctest.Test; func f() { time.Sleep(1) }`}, ""},
		{"bubble outside tests", sleeps, source{"x/a.go": `package x; import ("time"; "testing/synctest"); var _ = synctest.Test; func f() { time.Sleep(1) }`}, "time.Sleep"},

		{"bare func", exportedComments, source{"x/a.go": "package x\nfunc F() {}"}, "x/a.go:2: F"},
		{"bare type", exportedComments, source{"x/a.go": "package x\n// T is.\ntype (\nT int\n)"}, "T has no"},
		{"bare const", exportedComments, source{"x/a.go": "package x\nconst C = 1"}, "C has no"},
		{"bare method", exportedComments, source{"x/a.go": "package x\n// T is.\ntype T[K any] struct{}\nfunc (*T[K]) M() {}"}, "T.M has no"},
		{"group comment", exportedComments, source{"x/a.go": "package x\n// The colours.\nconst (\nRed = 1\nBlue = 2\n)"}, ""},
		{"known method", exportedComments, source{"x/a.go": "package x\n// T is.\ntype T int\nfunc (T) String() string { return \"\" }"}, ""},
		{"hidden type's method", exportedComments, source{"x/a.go": "package x\ntype t int\nfunc (t) M() {}"}, ""},
		{"main", exportedComments, source{"x/a.go": "package main\nfunc F() {}"}, ""},

		{"env in a domain", environment, source{"hardware/a.go": `package hardware; import "os"; var _ = os.Getenv("A")`}, "os.Getenv"},
		{"env in app", environment, source{"app/a.go": `package app; import "os"; var _, _ = os.LookupEnv("A")`}, "os.LookupEnv"},
		{"env in configs", environment, source{"configs/a.go": `package configs; import "os"; var _ = os.Environ()`}, ""},
		{"env in a test", environment, source{"jobs/a_test.go": `package jobs; import "os"; var _ = os.Getenv("A")`}, ""},
		{"env in a kit", environment, source{"jobs/jobstest/a.go": `package jobstest; import "os"; var _ = os.Getenv("A")`}, ""},

		{"exit", exits, source{"app/a.go": `package app; import "os"; func f() { os.Exit(1) }`}, "os.Exit"},
		{"exit by log", exits, source{"app/a.go": `package app; import "log"; func f() { log.Fatalf("x") }`}, "log.Fatalf"},
		{"exit in configs", exits, source{"configs/a.go": `package configs; import "os"; func f() { os.Exit(1) }`}, "os.Exit"},
		{"exit in main", exits, source{"cmd/x/a.go": `package main; import "os"; func f() { os.Exit(1) }`}, ""},
		{"exit in bench", exits, source{"bench/a.go": `package main; import "os"; func f() { os.Exit(1) }`}, ""},
		{"exit of a test binary", exits, source{"jobs/a_test.go": `package jobs; import "os"; func f() { os.Exit(1) }`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := fstest.MapFS{}
			for name, text := range tt.files {
				tree[name] = &fstest.MapFile{Data: []byte(text)}
			}
			h, err := read(tree)
			if err != nil {
				t.Fatal(err)
			}
			got := tt.rule(h)
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("found %q, want nothing", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)):
				t.Errorf("found %q, want one that says %q", got, tt.want)
			}
		})
	}
}

// The reader sees every Go file of the module and nothing else: no hidden
// folders, no test data, no nested module.
func TestReaderSeesTheModule(t *testing.T) {
	t.Parallel()
	text := &fstest.MapFile{Data: []byte("package x")}
	h, err := read(fstest.MapFS{
		"a.go": text, "x/a.go": text, "x/y/a_test.go": text, "x/notes.txt": text,
		".hidden/a.go": text, "_old/a.go": text, "x/testdata/a.go": text, "vendor/v/a.go": text,
		"web/node_modules/n/a.go": text, "nested/go.mod": text, "nested/in/a.go": text,
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range h.packages {
		got = append(got, p.path)
	}
	if want := []string{".", "x", "x/y"}; !slices.Equal(got, want) {
		t.Errorf("packages %q, want %q", got, want)
	}
}

// holds fails with everything that a rule finds in this checkout.
func holds(t *testing.T, r rule) {
	t.Helper()
	t.Parallel()
	h, err := checkout()
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range r(h) {
		t.Error(finding)
	}
}

// checkout is this module as read from the folder that the test runs in.
var checkout = sync.OnceValues(func() (*house, error) { return read(os.DirFS(".")) })

// A rule returns a line for everything in the house that breaks it.
type rule func(*house) []string

func dependencies(h *house) (found []string) {
	for _, p := range h.packages {
		l, ok := layerOf(p.path)
		if !ok {
			found = append(found, fmt.Sprintf("%s: this folder has no place in the house: add it to the table (layers) in house_test.go and to the map in doc.go", p.path))
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue // A test may look from any side; the compiler forbids cycles.
			}
			for _, spec := range f.Imports {
				to, ours := strings.CutPrefix(importPath(spec), module+"/")
				if !ours {
					continue
				}
				target, _ := layerOf(to)
				switch {
				case target.kit && !l.kit:
					found = append(found, fmt.Sprintf("%s: %s imports %s, which only tests and measurements may", h.at(spec), p.path, to))
				case matchesAny(l.may, to), slices.Contains(l.may, family) && topFolder(to) == topFolder(p.path):
				default:
					found = append(found, excepted(h, p, f, spec, to)...)
				}
			}
		}
	}
	return found
}

// excepted returns what is wrong with an import that the table forbids.
func excepted(h *house, p *pkg, f *file, spec *ast.ImportSpec, to string) (found []string) {
	for _, e := range exceptions {
		if e.from != p.path || e.to != to || e.reason == "" {
			continue
		}
		for _, use := range f.uses(module + "/" + to) {
			if !slices.Contains(e.names, use.Sel.Name) {
				found = append(found, fmt.Sprintf("%s: %s uses %s.%s; its exception is for %s alone", h.at(use), p.path, to, use.Sel.Name, strings.Join(e.names, ", ")))
			}
		}
		return found
	}
	return []string{fmt.Sprintf("%s: %s imports %s; see the table (layers) in house_test.go for what it may import", h.at(spec), p.path, to)}
}

func machinery(h *house) (found []string) {
	server := []string{
		"Server", "Handler", "HandlerFunc", "ResponseWriter", "ServeMux", "NewServeMux", "Handle", "HandleFunc",
		"ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS",
	}
	for _, p := range h.packages {
		l, _ := layerOf(p.path)
		for _, f := range p.files {
			if f.test {
				continue
			}
			for _, spec := range f.Imports {
				if matchesAny(l.not, importPath(spec)) {
					found = append(found, fmt.Sprintf("%s: %s imports %s, which it has to do without", h.at(spec), p.path, importPath(spec)))
				}
			}
			if !l.noServer {
				continue
			}
			for _, use := range f.uses("net/http", server...) {
				found = append(found, fmt.Sprintf("%s: %s uses http.%s: serving is api's", h.at(use), p.path, use.Sel.Name))
			}
		}
	}
	return found
}

var sentenceEnd = regexp.MustCompile(`[.!?](\s|$)`)

func packageComments(h *house) (found []string) {
	for _, p := range h.packages {
		var name, doc string
		for _, f := range p.files {
			if !f.test {
				name = f.Name.Name
				doc += f.Doc.Text()
			}
		}
		start := "Package " + name
		if name == "main" {
			start = "Command " + path.Base(p.path)
		}
		switch {
		case name == "": // Nothing but tests.
		case doc == "":
			found = append(found, p.path+": no package comment; write it in doc.go or above the package clause of the main file")
		case !strings.HasPrefix(doc, start+" "):
			found = append(found, fmt.Sprintf("%s: the package comment starts with %.30q, not with %q", p.path, doc, start))
		case len(sentenceEnd.FindAllString(doc, -1)) < 2:
			found = append(found, p.path+": the package comment is too short: at least two sentences, what it is for and what to know when using it")
		}
	}
	return found
}

// maxLines is where a file is asked to become two.
const maxLines = 400

func fileLengths(h *house) (found []string) {
	for _, p := range h.packages {
		for _, f := range p.files {
			if !f.test && f.lines > maxLines && !ast.IsGenerated(f.File) {
				found = append(found, fmt.Sprintf("%s: %d lines, more than %d: split it by idea", f.name, f.lines, maxLines))
			}
		}
	}
	return found
}

func packageNames(h *house) (found []string) {
	vague := []string{"util", "utils", "common", "helper", "helpers", "manager", "models", "base", "misc"}
	for _, p := range h.packages {
		for _, name := range slices.Compact([]string{path.Base(p.path), p.files[0].Name.Name}) {
			if slices.Contains(vague, name) {
				found = append(found, fmt.Sprintf("%s: %q says nothing about what is in it", p.path, name))
			}
		}
	}
	return found
}

func sleeps(h *house) (found []string) {
	for _, p := range h.packages {
		for _, f := range p.files {
			if f.test && len(f.namesOf("testing/synctest")) > 0 {
				continue
			}
			for _, use := range f.uses("time", "Sleep") {
				found = append(found, h.at(use)+": time.Sleep; wait for the event, a context or a timer (in tests: or use testing/synctest)")
			}
		}
	}
	return found
}

func exportedComments(h *house) (found []string) {
	// These say what they are by their names.
	known := []string{"Error", "String", "Unwrap", "Len", "Less", "Swap"}
	miss := func(n ast.Node, name string) {
		found = append(found, fmt.Sprintf("%s: %s has no doc comment", h.at(n), name))
	}
	for _, p := range h.packages {
		for _, f := range p.files {
			if f.test || f.Name.Name == "main" || ast.IsGenerated(f.File) {
				continue
			}
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					name, on := d.Name.Name, receiver(d)
					switch {
					case !ast.IsExported(name), d.Doc != nil:
					case d.Recv == nil:
						miss(d, name)
					case ast.IsExported(on) && !slices.Contains(known, name):
						miss(d, on+"."+name)
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						switch s := spec.(type) {
						case *ast.TypeSpec:
							// The comment above a group of types is about none of them.
							if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
								miss(s, s.Name.Name)
							}
						case *ast.ValueSpec:
							if i := slices.IndexFunc(s.Names, (*ast.Ident).IsExported); i >= 0 && s.Doc == nil && s.Comment == nil && d.Doc == nil {
								miss(s, s.Names[i].Name)
							}
						}
					}
				}
			}
		}
	}
	return found
}

func environment(h *house) (found []string) {
	return outsideOf(h, func(_ string, l layer) bool { return l.process || l.kit }, map[string][]string{
		"os":      {"Getenv", "LookupEnv", "Environ", "ExpandEnv"},
		"syscall": {"Getenv", "Environ"},
	}, "the environment is read in cmd and configs alone")
}

func exits(h *house) (found []string) {
	return outsideOf(h, func(p string, l layer) bool { return l.process && topFolder(p) != "configs" }, map[string][]string{
		"os":      {"Exit"},
		"syscall": {"Exit"},
		"log":     {"Fatal", "Fatalf", "Fatalln"},
	}, "only a main ends the process; return an error")
}

// outsideOf finds the uses of some names, by import path, in all packages but
// those that are allowed to and all files but tests.
func outsideOf(h *house, allowed func(string, layer) bool, names map[string][]string, why string) (found []string) {
	for _, p := range h.packages {
		if l, _ := layerOf(p.path); allowed(p.path, l) {
			continue
		}
		for _, f := range p.files {
			if f.test {
				continue
			}
			for from, list := range names {
				for _, use := range f.uses(from, list...) {
					found = append(found, fmt.Sprintf("%s: %s.%s: %s", h.at(use), from, use.Sel.Name, why))
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// layerOf returns the row for a package. A folder named after the one that
// holds it, such as jobs/jobstest, is a test kit like net/http/httptest.
func layerOf(p string) (best layer, ok bool) {
	longest := 0
	for _, l := range layers {
		for _, pattern := range l.who {
			if matches(pattern, p) && len(pattern) > longest {
				best, ok, longest = l, true, len(pattern)
			}
		}
	}
	if ok && path.Base(p) == path.Base(path.Dir(p))+"test" {
		best = layer{may: everything, kit: true}
	}
	return best, ok
}

func matches(pattern, p string) bool {
	above, all := strings.CutSuffix(pattern, "/...")
	return pattern == "..." || p == above || all && strings.HasPrefix(p, above+"/")
}

func matchesAny(patterns []string, p string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, p) })
}

func topFolder(p string) string {
	top, _, _ := strings.Cut(p, "/")
	return top
}

// A house is the parsed source of a module.
type house struct {
	fset     *token.FileSet
	packages []*pkg // by path
}

// A pkg is a folder with Go files; its tests may be of another package.
type pkg struct {
	path  string // from the root; "." is the root
	files []*file
}

type file struct {
	*ast.File
	name  string // from the root
	test  bool
	lines int
}

// read parses every Go file of the module in tree.
func read(tree fs.FS) (*house, error) {
	h := &house{fset: token.NewFileSet()}
	folders := map[string]*pkg{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == "." {
				return nil
			}
			_, err := fs.Stat(tree, path.Join(name, "go.mod"))
			if err == nil || strings.ContainsAny(d.Name()[:1], "._") || slices.Contains([]string{"testdata", "vendor", "node_modules"}, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(h.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		p := folders[dir]
		if p == nil {
			p = &pkg{path: dir}
			folders[dir] = p
			h.packages = append(h.packages, p)
		}
		p.files = append(p.files, &file{
			File: syntax, name: name,
			test:  strings.HasSuffix(name, "_test.go"),
			lines: bytes.Count(text, []byte("\n")),
		})
		return nil
	})
	slices.SortFunc(h.packages, func(a, b *pkg) int { return strings.Compare(a.path, b.path) })
	return h, err
}

// at says where n stands, as file:line.
func (h *house) at(n ast.Node) string {
	pos := h.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", pos.Filename, pos.Line)
}

// uses returns the mentions of names of the package imported from a path; of
// all its names where none are given.
func (f *file) uses(from string, names ...string) (found []*ast.SelectorExpr) {
	local := f.namesOf(from)
	if len(local) == 0 {
		return nil
	}
	ast.Inspect(f.File, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && (len(names) == 0 || slices.Contains(names, s.Sel.Name)) {
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(local, x.Name) {
				found = append(found, s)
			}
		}
		return true
	})
	return found
}

// namesOf returns the names under which the file imports a path.
func (f *file) namesOf(from string) (names []string) {
	for _, spec := range f.Imports {
		switch {
		case importPath(spec) != from:
		case spec.Name != nil:
			names = append(names, spec.Name.Name)
		default:
			names = append(names, path.Base(from))
		}
	}
	return names
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic(err) // The parser has accepted it.
	}
	return p
}

// receiver returns the name of the type that a method is on.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}
