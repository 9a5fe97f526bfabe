package statefile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchyard/hardware/statefile"
)

// Ensure a document comes back as it was written, replaces the one before, goes
// when it is removed, and that its directory is made.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "x.json")
	var got map[string]int
	if found, err := statefile.Read(path, &got); found || err != nil {
		t.Errorf("none: %t, %v", found, err)
	}
	for n := range 2 {
		if err := statefile.Write(path, map[string]int{"n": n}); err != nil {
			t.Fatal(err)
		}
		if found, err := statefile.Read(path, &got); !found || err != nil || got["n"] != n {
			t.Errorf("%t, %v, %v", found, err, got)
		}
	}
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("it left %v, %v", all, err)
	}
	for range 2 {
		if err := statefile.Remove(path); err != nil {
			t.Error(err)
		}
		if found, err := statefile.Read(path, &got); found || err != nil {
			t.Errorf("removed: %t, %v", found, err)
		}
	}
}

// Ensure what can't be read or written is told with its place, and a write that
// fails leaves the document that there was.
func TestFile_faults(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got any
	if found, err := statefile.Read(path, &got); found || err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("unreadable: %t, %v", found, err)
	}
	if err := statefile.Write(path, 1); err != nil {
		t.Fatal(err)
	}
	if err := statefile.Write(path, func() {}); err == nil {
		t.Error("a function was written")
	}
	if err := os.Mkdir(path+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := statefile.Write(path, 2); err == nil || !strings.Contains(err.Error(), "host.state_dir") {
		t.Errorf("a write that can't be: %v", err)
	}
	if found, err := statefile.Read(path, &got); !found || err != nil || got != 1.0 {
		t.Errorf("after it: %t, %v, %v", found, err, got)
	}
	if err := statefile.Write(filepath.Join(path, "y"), 2); err == nil || !strings.Contains(err.Error(), "host.state_dir") {
		t.Errorf("a directory that can't be: %v", err)
	}
	if err := statefile.Remove(filepath.Join(path, "y")); err == nil {
		t.Error("what can't be removed was")
	}
}
