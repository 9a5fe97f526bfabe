package configs

import (
	"cmp"
	"slices"
	"strings"
)

// Fault is one thing that is wrong in a configuration.
type Fault struct { //nolint:errname // a fault of the configuration is what it is
	// Origin is where it was set. Zero where the value is a default or was
	// set by the program.
	Origin
	// Key is the path of the key, such as toggle.methods[1]. Empty where the
	// fault is about no key that there is.
	Key string
	// Message says what is wrong and what to do about it, in words.
	Message string
}

// Error prints "switchyard.yaml:12: toggle.methods[1]: unknown method …".
func (f Fault) Error() string {
	parts := make([]string, 0, 3)
	for _, part := range []string{f.Origin.String(), f.Key, f.Message} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Errors are all faults of a configuration: those of the file by line, then
// those of the environment by variable. Load and Validate return it as an
// error; errors.As finds both an Errors and the first Fault in it.
type Errors []Fault

// Error prints one fault a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults as errors.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, f := range e {
		out[i] = f
	}
	return out
}

// sorted orders the faults as a reader goes through them. Those of one place
// stay in the order they were found.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Variable, b.Variable), cmp.Compare(a.Line, b.Line))
	})
	return e
}
