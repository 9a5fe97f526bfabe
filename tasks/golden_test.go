package tasks_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden returns a document as the receivers' specification shows it, without
// the space between its tokens.
func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out.String()
}

// marshal writes a document as it is sent.
func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantGolden holds a document against the specification, byte for byte.
func wantGolden(t *testing.T, name string, v any) {
	t.Helper()
	if diff := cmp.Diff(golden(t, name), marshal(t, v)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// roundTrip reads a golden document into a T and writes it again, which must
// bring the same bytes: what is stored and read back is sent unchanged.
func roundTrip[T any](t *testing.T, name string) {
	t.Helper()
	var v T
	d := json.NewDecoder(bytes.NewReader([]byte(golden(t, name))))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	wantGolden(t, name, v)
}

func ptr[T any](v T) *T { return &v }
