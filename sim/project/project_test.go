package project_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchyard/sim/project"
)

// Ensure a project is a repository with two branches, of which the first is checked out,
// and its pipeline needs nothing that isn't there.
func TestMake(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "project")
	p, err := project.Make(t.Context(), dir)
	if errors.Is(err, project.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if a, b := p.Commits[project.Main], p.Commits[project.Feature]; len(a) != 40 || len(b) != 40 || a == b {
		t.Errorf("commits %v", p.Commits)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "index.html")); err != nil || !strings.Contains(string(text), "<p>main\n") {
		t.Errorf("%q, %v", text, err)
	}
	for _, s := range append(p.Steps(), p.Rollback()...) {
		if !filepath.IsAbs(s.Argv[0]) || s.Name == "" {
			t.Errorf("step %+v", s)
		}
	}
}
