package delivery

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxURL is the longest URL, in bytes, that a request may give.
const MaxURL = 2048

// URLError says why a URL can't be delivered to. Its text never holds any part
// of the URL. Compare with the ErrURL… values by errors.Is, or catch them all
// by errors.As.
type URLError struct {
	// Reason follows the name of a field: "is not a valid URL".
	Reason string
}

// Error implements error.
func (e *URLError) Error() string { return "URL " + e.Reason }

// What CheckURL finds fault with.
var (
	ErrURLLength   = &URLError{"is longer than 2048 bytes"}
	ErrURLSyntax   = &URLError{"is not a valid URL"}
	ErrURLScheme   = &URLError{"is neither http nor https"}
	ErrURLHost     = &URLError{"has no valid host"}
	ErrURLPort     = &URLError{"has no valid port"}
	ErrURLUserinfo = &URLError{"holds a user name or password"}
)

// CheckURL reports whether a URL from a request can be delivered to at all, so
// that a request can be refused at once. It returns nil or one of the ErrURL…
// values. It looks nothing up: whether the *address* behind the host may be
// reached is decided when it is dialled, and then again each time.
func CheckURL(raw string) error {
	if len(raw) > MaxURL {
		return ErrURLLength
	}
	u, err := parseURL(raw)
	if err != nil {
		return err
	}
	if u.User != nil {
		return ErrURLUserinfo
	}
	if strings.Contains(u.Hostname(), "%") {
		// A zone names an interface of this machine: nothing for a stranger.
		return ErrURLHost
	}
	return nil
}

// Host returns what may be shown of a URL: its host in lower case, and the port
// where one is written ("example.com:8443", "[2001:db8::1]"). It is empty for
// what is not an http or https URL. Path, query, user name and password may be
// secrets and never are in it.
func Host(rawURL string) string {
	u, err := parseURL(rawURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// parseURL checks what holds for every URL, from requests and from the
// configuration alike. The error is one of the ErrURL… values.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		if ue := (*url.Error)(nil); errors.As(err, &ue) && strings.HasPrefix(ue.Err.Error(), "invalid port") {
			return nil, ErrURLPort
		}
		return nil, ErrURLSyntax
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, ErrURLScheme
	}
	if u.Opaque != "" || !validHost(u) {
		return nil, ErrURLHost
	}
	if !validPort(u) {
		return nil, ErrURLPort
	}
	return u, nil
}

func validPort(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && len(port) <= 5
}

// validHost accepts IP addresses and names that can be looked up and shown.
func validHost(u *url.URL) bool {
	host := u.Hostname()
	if strings.HasPrefix(u.Host, "[") {
		addr, err := netip.ParseAddr(host)
		return err == nil && addr.Is6() && strings.IndexFunc(addr.Zone(), notLDH) < 0
	}
	return validName(host)
}

// validName accepts IPv4 addresses and host names: labels of letters (of any
// script), digits, "-" and "_", with or without a trailing dot.
func validName(host string) bool {
	if len(host) > 253 || !utf8.ValidString(host) {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, label := range labels {
		if label == "" || strings.IndexFunc(label, notNameRune) >= 0 {
			return false
		}
	}
	// 127.1, 0x7f000001 and 2130706433 are addresses to some resolvers and
	// names to others. Nobody needs them but to get around checks.
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' && numeric(last) {
		addr, err := netip.ParseAddr(host)
		return err == nil && addr.Is4()
	}
	return true
}

// numeric reports whether a C library would read the label as a number.
func numeric(label string) bool {
	if hex, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

func notNameRune(r rune) bool {
	if r < utf8.RuneSelf {
		return notLDH(r) || r == '.'
	}
	// Marks are part of letters in many scripts. All else (directional
	// controls, spaces, symbols) would only serve to deceive a reader.
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
}

func notLDH(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
		return false
	}
	return true
}
