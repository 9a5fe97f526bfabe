package deploy

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	// hidden stands where something was left out of a log.
	hidden = "[redacted]"
	// shortestSecret is the least that is looked for: what is shorter stands everywhere.
	shortestSecret = 4
	// shortestLine is the least of a line that is a part of a secret.
	shortestLine = 8
	// longestMatch is how far back from its end a pattern of secretWords may begin.
	longestMatch = 4 << 10
)

// telling are the names of variables whose values are secrets.
var telling = regexp.MustCompile(`(?i)(token|secret|passw|passphrase|key|auth|credential|cookie|private|dsn)`)

// secretWords find what looks like a secret, in their last group.
var secretWords = []*regexp.Regexp{
	regexp.MustCompile(`(?i)[\w.-]*(?:token|secret|passw(?:or)?d|passphrase|(?:api|access|private)[_-]?key|authorization|credential|cookie)[\w.-]*["']?[ \t]*[:=][ \t]*["']?((?:bearer |basic )?[^\s"',;]+)`),
	regexp.MustCompile(`(?i)\b(?:bearer|basic)[ \t]+([\w.~+/=-]{8,})`),
	regexp.MustCompile(`[a-z]://([^\s/@"']+)@`),
	regexp.MustCompile(`\b(gh[a-z]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|npm_\w{30,}|xox[a-z]-[\w-]{10,}|AKIA[0-9A-Z]{16})`),
	regexp.MustCompile(`(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))`),
}

// secrets are what a log doesn't show.
type secrets struct {
	needles [][]byte // the longest first
}

// newSecrets collects the values, and those of the variables whose names tell.
func newSecrets(values, env []string) secrets {
	values = slices.Clone(values)
	for _, v := range env {
		if name, value, _ := strings.Cut(v, "="); telling.MatchString(name) {
			values = append(values, value)
		}
	}
	found := map[string]bool{}
	add := func(v string, shortest int) {
		if v = strings.TrimSpace(v); len(v) >= shortest {
			for _, form := range []string{v, url.QueryEscape(v), url.PathEscape(v), base64.StdEncoding.EncodeToString([]byte(v))} {
				found[form] = true
			}
		}
	}
	for _, v := range values {
		add(v, shortestSecret)
		if lines := strings.Split(v, "\n"); len(lines) > 1 {
			for _, l := range lines {
				add(l, shortestLine)
			}
		}
	}
	var s secrets
	for v := range found {
		s.needles = append(s.needles, []byte(v))
	}
	slices.SortFunc(s.needles, func(a, b []byte) int { return cmp.Or(len(b)-len(a), bytes.Compare(a, b)) })
	return s
}

// longest is how much of a text has to be looked at together.
func (s secrets) longest() int {
	if len(s.needles) == 0 {
		return longestMatch
	}
	return max(longestMatch, len(s.needles[0]))
}

// span is a part of a text.
type span struct{ from, to int }

// in finds the secrets in a text, in order and apart from each other.
func (s secrets) in(text []byte) (out []span) {
	var all []span
	for _, n := range s.needles {
		for at := 0; ; {
			i := bytes.Index(text[at:], n)
			if i < 0 {
				break
			}
			all = append(all, span{at + i, at + i + len(n)})
			at += i + 1
		}
	}
	for _, w := range secretWords {
		for _, m := range w.FindAllSubmatchIndex(text, -1) {
			all = append(all, span{m[2], m[3]})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	for _, x := range all {
		if n := len(out); n > 0 && x.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, x.to)
			continue
		}
		out = append(out, x)
	}
	return out
}
