package checks

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile reads it as BuildKit does, and returns what BuildKit has against it.
func dockerfile() (stages []instructions.Stage, warnings []string, err error) {
	f, err := os.Open(at("Dockerfile"))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range parsed.Warnings {
		warnings = append(warnings, w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, at []parser.Range) {
		warnings = append(warnings, fmt.Sprintf("%s: %s (%v)", rule, message, at))
	}})
	stages, _, err = instructions.Parse(parsed.AST, lint)
	return stages, warnings, err
}

// goBuild is the command that the Dockerfile builds the program by.
func goBuild() (string, error) {
	stages, _, err := dockerfile()
	if err != nil {
		return "", err
	}
	for _, stage := range stages {
		for _, c := range stage.Commands {
			if r, ok := c.(*instructions.RunCommand); ok && strings.Contains(strings.Join(r.CmdLine, " "), "go build") {
				return strings.Join(r.CmdLine, " "), nil
			}
		}
	}
	return "", errors.New("the Dockerfile runs no go build")
}

// buildAsInTheImage runs the Dockerfile's own command in what .dockerignore
// leaves of the checkout.
func buildAsInTheImage(src, out string) error {
	command, err := goBuild()
	if err != nil {
		return err
	}
	ignored, err := dockerignore()
	if err != nil {
		return err
	}
	if err := copyTree(top, src, func(rel string, _ bool) bool { return !ignored(rel) }); err != nil {
		return err
	}
	cmd := exec.Command("/bin/sh", "-ec", strings.ReplaceAll(command, "/out/switchyard", out))
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "VERSION=v1.2.3-checks", "TARGETOS=", "TARGETARCH=")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, b)
	}
	return nil
}

// dockerignore knows the patterns that this project uses: names from the top,
// and below any folder.
func dockerignore() (func(rel string) bool, error) {
	f, err := os.Open(at(".dockerignore"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var patterns []string
	for s := bufio.NewScanner(f); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '!' || strings.HasSuffix(line, "/"):
			return nil, fmt.Errorf(".dockerignore: %q is of a kind that these checks don't know", line)
		default:
			patterns = append(patterns, strings.TrimPrefix(line, "/"))
		}
	}
	return func(rel string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			name := rel
			if below, ok := strings.CutPrefix(p, "**/"); ok {
				p, name = below, filepath.Base(rel)
			}
			ok, err := filepath.Match(p, name)
			return ok || err != nil
		})
	}, nil
}

// Ensure BuildKit reads the Dockerfile and has nothing against it.
func TestDockerfileIsRead(t *testing.T) {
	t.Parallel()
	_, warnings, err := dockerfile()
	must(t, err)
	for _, w := range warnings {
		t.Error(w)
	}
}

// Ensure the image holds the program and the certificates alone, runs it as
// nobody, and everything it is made from is pinned.
func TestImage(t *testing.T) {
	t.Parallel()
	stages, _, err := dockerfile()
	must(t, err)
	if len(stages) != 2 {
		t.Fatalf("%d stages, want 2", len(stages))
	}
	build, image := stages[0], stages[1]
	m := regexp.MustCompile(`^golang:(\d+\.\d+\.\d+)-[a-z]+$`).FindStringSubmatch(build.BaseName)
	if m == nil {
		t.Fatalf("built from %q, which is no full version", build.BaseName)
	}
	wanted := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, at("go.mod")))[1]
	if older(m[1], wanted) {
		t.Errorf("built with Go %s, and go.mod asks for %s", m[1], wanted)
	}
	if image.BaseName != "scratch" {
		t.Errorf("the image is made on %q, want scratch", image.BaseName)
	}
	var copied, entry []string
	var user string
	for _, c := range image.Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			if c.From != build.Name {
				t.Errorf("copies from %q, want %q: nothing of the checkout belongs in the image", c.From, build.Name)
			}
			copied = append(copied, c.DestPath)
		case *instructions.EntrypointCommand:
			entry = c.CmdLine
		case *instructions.UserCommand:
			user = c.User
		case *instructions.RunCommand, *instructions.AddCommand, *instructions.EnvCommand:
			t.Errorf("the image has a step %s", c)
		}
	}
	if want := []string{"/etc/ssl/certs/ca-certificates.crt", "/switchyard"}; !slices.Equal(copied, want) {
		t.Errorf("the image holds %q, want %q", copied, want)
	}
	if !slices.Equal(entry, []string{"/switchyard"}) || !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
		t.Errorf("runs %q as %q", entry, user)
	}
}

// older reports whether version a comes before b; both are numbers and dots.
func older(a, b string) bool {
	numbers := func(s string) (n [3]int) {
		_, _ = fmt.Sscanf(s+".0.0", "%d.%d.%d", &n[0], &n[1], &n[2])
		return n
	}
	x, y := numbers(a), numbers(b)
	return slices.Compare(x[:], y[:]) < 0
}

// Ensure the image's program is the one of `make build`: static, with the
// version that was asked for.
func TestProgramIsBuiltAsByMake(t *testing.T) {
	t.Parallel()
	command, err := goBuild()
	must(t, err)
	_, flags, _ := strings.Cut(command, "go build ")
	flags, _, _ = strings.Cut(flags, " -o ")
	made := regexp.MustCompile(`CGO_ENABLED=0 go build (.*) -o bin/switchyard`).FindStringSubmatch(read(t, at("Makefile")))
	if made == nil {
		t.Fatal("the Makefile builds no bin/switchyard")
	}
	norm := strings.NewReplacer("$(VERSION)", "V", "$VERSION", "V", `"`, "'")
	if norm.Replace(flags) != norm.Replace(made[1]) {
		t.Errorf("the Dockerfile builds with %s, make with %s", flags, made[1])
	}
	out, _, status := run(t, nil, binary, "version")
	if status != 0 || !strings.HasPrefix(out, "switchyard v1.2.3-checks ") {
		t.Errorf("version: %q, exit status %d", out, status)
	}
}

// Ensure nothing of a developer's machine gets into a layer.
func TestDockerignore(t *testing.T) {
	t.Parallel()
	ignored, err := dockerignore()
	must(t, err)
	for _, rel := range []string{".git", ".env", "bin", "deployments", "switchyard.yaml", "api/server_test.go", "api/testdata", "README.md"} {
		if !ignored(rel) {
			t.Errorf("%s is sent to the builder", rel)
		}
	}
	for _, rel := range []string{"go.mod", "go.sum", "api/index.html", "jobs/scripts/claim.lua", "configs/switchyard.example.yaml"} {
		if ignored(rel) {
			t.Errorf("%s is not sent to the builder", rel)
		}
	}
}
