package configs

import "testing"

// Ensure that the key which was meant is found, and none where nothing is near.
func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"addr", "db", "dial_timeout", "pool_size", "require_durable", "username"}
	for word, want := range map[string]string{
		"adr":             "addr",     // a letter missing
		"addrr":           "addr",     // one too many
		"arddr":           "addr",     // one astray
		"adrd":            "addr",     // two swapped
		"ADDR":            "addr",     // capitals
		"address":         "addr",     // a longer word for it
		"user":            "username", // a shorter one
		"dial-timeout":    "dial_timeout",
		"DialTimeout":     "dial_timeout",
		"requires_durabe": "require_durable",
		"dbs":             "db",
		"host":            "",
		"x":               "",
		"":                "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

// Ensure that distance counts single mistakes.
func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0},
		{"abc", "abd", 1}, {"abc", "acb", 1}, {"ca", "abc", 3}, {"kitten", "sitting", 3},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q to %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// Ensure that lists of words read as a sentence.
func TestWords(t *testing.T) {
	t.Parallel()
	for want, list := range map[string][]string{"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := words(list, "or"); got != want {
			t.Errorf("%v: %q", list, got)
		}
	}
}
