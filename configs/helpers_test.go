package configs

import (
	"errors"
	"strings"
	"testing"
)

// file is the name that the tests' configurations have.
const file = "switchyard.yaml"

// signing is a valid signing secret: 32 bytes that are all 0.
var signing = secretPrefix + strings.Repeat("A", 43) + "="

// hashed is the hash of an API key.
var hashed = HashAPIKey(password)

// accepted loads a configuration in which nothing is wrong.
func accepted(t *testing.T, yaml string, environ ...string) *Config {
	t.Helper()
	c, err := load(file, []byte(yaml), environ)
	if err != nil {
		t.Fatalf("load: %v\n%s", err, yaml)
	}
	return c
}

// refused loads a configuration and holds its faults, in their order, against
// the beginnings of their messages. "3: a.b: no" is short for the line of the
// file; messages about variables are written out.
func refused(t *testing.T, yaml string, environ []string, want ...string) {
	t.Helper()
	c, err := load(file, []byte(yaml), environ)
	if c != nil {
		t.Error("a configuration came back beside the faults")
	}
	var faults Errors
	if !errors.As(err, &faults) {
		t.Fatalf("got %T %v, want Errors\n%s", err, err, yaml)
	}
	var got []string
	wrong := len(faults) != len(want)
	for i, f := range faults {
		got = append(got, f.Error())
		if i >= len(want) {
			break
		}
		full := want[i]
		if full[0] >= '0' && full[0] <= '9' {
			full = file + ":" + full
		}
		wrong = wrong || !strings.HasPrefix(f.Error(), full)
	}
	if wrong {
		t.Errorf("got\n\t%s\nwant\n\t%s\nfor\n%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"), yaml)
	}
}
