package checks

import (
	"strings"
	"testing"
)

// TODO(after the merge of auth.networks and metrics.listen): delete this file
// and its three calls.

// pending reports whether this version of the program does not yet know the
// keys that the deployment is configured by.
func pending(t *testing.T) bool {
	t.Helper()
	out, _, _ := run(t, nil, binary, "config", "example")
	return !strings.Contains(out, "\nmetrics:\n") || !strings.Contains(out, "#networks:\n")
}

// withoutPending leaves out what the program doesn't know yet.
func withoutPending(config string, env []string) (string, []string) {
	before, rest, _ := strings.Cut(config, "\nauth:\n")
	_, after, _ := strings.Cut(rest, "\ndelivery:\n")
	var known []string
	for _, e := range env {
		if !strings.HasPrefix(e, "SWITCHYARD_METRICS_LISTEN=") {
			known = append(known, e)
		}
	}
	return before + "\nauth: {disabled: true}\n\ndelivery:\n" + after, known
}
