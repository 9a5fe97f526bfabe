package deploy

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// Ensure no secret stands in a log, in whatever form and however its writing is cut.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const word = "pa55-W0rd/x+y"
	hide := newSecrets([]string{word, "x", "-----BEGIN-----\nfirstline=\nsecondline"}, []string{"PATH=/usr/bin", "APP_TOKEN=tok-en-1", "HOME=/home/a"})
	for text, want := range map[string]string{
		"say " + word + "!":                             "say [redacted]!",
		"tok-en-1 and /usr/bin":                         "[redacted] and /usr/bin",
		"a firstline= b":                                "a [redacted] b",
		"pa55-W0rd%2Fx%2By":                             "[redacted]",
		base64.StdEncoding.EncodeToString([]byte(word)): "[redacted]",
		"DB_PASSWORD=hunter22 x":                        "DB_PASSWORD=[redacted] x",
		`{"api_key": "abcdef"}`:                         `{"api_key": "[redacted]"}`,
		"Authorization: Bearer abc.def":                 "Authorization: [redacted]",
		"curl -H 'X: bearer abcdefghij'":                "curl -H 'X: bearer [redacted]'",
		"cloning https://me:pw@example.com/x":           "cloning https://[redacted]@example.com/x",
		"mail a@example.com":                            "mail a@example.com",
		"ghp_0123456789abcdefghij":                      "[redacted]",
		"-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nx": "[redacted]\nx",
		"the key is here, x": "the key is here, x",
		"tok-en-1tok-en-1":   "[redacted]",
		"":                   "",
	} {
		o := newOutput(1000, hide)
		for _, b := range []byte(text) {
			if _, err := o.stdout.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		if got := o.text(); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// Ensure the end of a log is kept, no more of it than was asked for, from a line's
// beginning, and no part of a secret that the cut goes through.
func TestKeptOutput(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef"
	o := newOutput(100, newSecrets([]string{secret}, nil))
	for i := range 2000 {
		fmt.Fprintf(&o.stdout, "line %d\n", i)
	}
	if got := o.text(); !strings.HasPrefix(got, "…\nline 19") || !strings.HasSuffix(got, "line 1999\n") || len(got) > 104 {
		t.Errorf("%q", got)
	}
	for at := range 40 {
		o := newOutput(20, newSecrets([]string{secret}, nil))
		fmt.Fprint(&o.stdout, strings.Repeat("x", 10_000), secret, strings.Repeat("y", at))
		got := strings.ReplaceAll(o.text(), hidden, "")
		for i := range len(secret) - 3 {
			if strings.Contains(got, secret[i:i+4]) {
				t.Errorf("%d behind it: %q", at, got)
			}
		}
	}
}

// Ensure lines of both streams stay whole, and a percentage is heard of standard output
// alone.
func TestStreams(t *testing.T) {
	t.Parallel()
	o := newOutput(1000, secrets{})
	for _, s := range []string{"a", "b\n", `{"progress": 7}` + "\n", `{"progress": 250}` + "\n"} {
		fmt.Fprint(&o.stdout, s)
		fmt.Fprint(&o.stderr, strings.ToUpper(s))
	}
	fmt.Fprint(&o.stdout, `{"progress": 7}`)
	if got, want := o.text(), "ab\nAB\n{\"progress\": 7}\n{\"PROGRESS\": 7}\n{\"progress\": 250}\n{\"PROGRESS\": 250}\n{\"progress\": 7}"; got != want {
		t.Errorf("%q", got)
	}
	if got := <-o.percent; got != 100 || len(o.percent) > 0 {
		t.Errorf("%d %%", got)
	}
	if _, ok := o.news(); !ok {
		t.Error("there is no news")
	}
	if _, ok := o.news(); ok {
		t.Error("there is news twice")
	}
}
