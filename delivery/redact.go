package delivery

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// redacted stands in records where a receiver repeated what only it and the
// owner of the URL may know.
const redacted = "…"

// A redactor takes out of answers what a receiver may have echoed: servers
// quote the path in their error pages, and a redirect from http to https
// repeats the URL as a whole.
type redactor struct {
	needles  []string // longest first
	replacer *strings.Replacer
}

// newRedactor collects what is secret, or may be, about a message to u: path
// and query as a whole, what looks like a token in them, user name, password
// and the signing secret. Very short ones are left alone; they would tear
// holes into any text and hide nothing.
func newRedactor(u *url.URL, secret string) *redactor {
	r := &redactor{}
	for _, path := range []string{u.EscapedPath(), u.Path} {
		r.add(strings.TrimRight(path, "/"), 6)
		for segment := range strings.SplitSeq(path, "/") {
			if looksSecret(segment) {
				r.add(segment, 8)
			}
		}
	}
	r.add(u.RawQuery, 6)
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		_, raw, _ := strings.Cut(pair, "=")
		r.add(raw, 8)
		if value, err := url.QueryUnescape(raw); err == nil {
			r.add(value, 8)
		}
	}
	if u.User != nil {
		name := u.User.Username()
		password, _ := u.User.Password()
		r.add(u.User.String(), 4)
		r.add(name, 4)
		r.add(password, 4)
		r.add(base64.StdEncoding.EncodeToString([]byte(name+":"+password)), 4)
	}
	r.add(strings.TrimPrefix(secret, secretPrefix), 8)

	slices.SortFunc(r.needles, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(r.needles))
	for _, needle := range r.needles {
		pairs = append(pairs, needle, redacted)
	}
	r.replacer = strings.NewReplacer(pairs...)
	return r
}

func (r *redactor) add(needle string, shortest int) {
	if len(needle) >= shortest {
		r.needles = append(r.needles, needle)
	}
}

// looksSecret tells a token in a path ("T0AB12CD34") from a word of a route
// ("strategy-result"), which may well occur in an answer by itself.
func looksSecret(segment string) bool {
	return len(segment) >= 20 || len(segment) >= 8 && strings.ContainsAny(segment, "0123456789")
}

// text returns at most limit bytes of body as valid UTF-8 without anything
// secret. cut says that body is the beginning of something longer, which may
// have been cut in the middle of a character or of a secret.
func (r *redactor) text(body []byte, limit int64, cut bool) string {
	tail := ""
	if cut {
		body = wholeRunes(body)
	}
	s := strings.ToValidUTF8(string(body), "\uFFFD")
	if cut {
		// First of all: of "/a/TOKEN/in" cut in its last part, the token alone
		// would be found, and the beginning of the path be left.
		whole := r.withoutPartial(s)
		if whole != s {
			s, tail = whole, redacted
		}
	}
	s = r.replacer.Replace(s) + tail
	if int64(len(s)) > limit {
		s = string(wholeRunes([]byte(s[:limit])))
	}
	return s
}

// withoutPartial removes what may be the beginning of a secret from the end of
// s. It does so again and again, for what it removed may have been the end of
// another one.
func (r *redactor) withoutPartial(s string) string {
	for {
		longest := 0
		for _, needle := range r.needles {
			for n := min(len(needle)-1, len(s)); n > max(longest, 2); n-- {
				if strings.HasSuffix(s, needle[:n]) {
					longest = n
				}
			}
		}
		if longest == 0 {
			return s
		}
		s = s[:len(s)-longest]
	}
}

// wholeRunes cuts off an incomplete character at the end.
func wholeRunes(b []byte) []byte {
	for i := len(b) - 1; i >= 0 && i >= len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return b[:i]
			}
			break
		}
	}
	return b
}

// maxHeaders bounds the recorded header of an answer, in bytes.
const maxHeaders = 8 << 10

// header returns what is recorded of an answer's header. The fields that
// RetryAfter needs come first, in case not all of them fit.
func (r *redactor) header(h http.Header) map[string]string {
	names := slices.SortedFunc(maps.Keys(h), func(a, b string) int {
		if rank := headerRank(a) - headerRank(b); rank != 0 {
			return rank
		}
		return strings.Compare(a, b)
	})
	out := make(map[string]string, len(names))
	room := int64(maxHeaders)
	for _, name := range names {
		value := strings.Join(h[name], ", ")
		room -= int64(len(name))
		if room <= 0 {
			break
		}
		text := r.text([]byte(value), room, false)
		out[name] = text
		room -= int64(len(text))
	}
	return out
}

func headerRank(name string) int {
	switch name {
	case "Retry-After", "Date", "Content-Type":
		return 0
	}
	return 1
}
