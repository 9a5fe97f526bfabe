package delivery

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// urls has every kind of URL, what CheckURL says of it, and what is shown.
var urls = []struct {
	raw   string
	check error
	host  string
}{
	{"http://example.com", nil, "example.com"},
	{"https://Example.COM:8443/hook?token=x#y", nil, "example.com:8443"},
	{"HTTP://example.com.", nil, "example.com."},
	{"http://localhost:8888/callback", nil, "localhost:8888"},
	{"http://host.docker.internal:8888/", nil, "host.docker.internal:8888"},
	{"http://under_score.example", nil, "under_score.example"},
	{"http://127.0.0.1:80", nil, "127.0.0.1:80"},
	{"http://[::1]:65535/", nil, "[::1]:65535"},
	{"http://[2001:DB8::1]", nil, "[2001:db8::1]"},
	{"http://[::ffff:127.0.0.1]/", nil, "[::ffff:127.0.0.1]"},
	{"http://메일.example/가", nil, "메일.example"},
	{"http://123.example.com", nil, "123.example.com"},
	{"http://0x.example", nil, "0x.example"},

	{"", ErrURLScheme, ""},
	{"example.com/hook", ErrURLScheme, ""},
	{"//example.com/hook", ErrURLScheme, ""},
	{"ftp://example.com", ErrURLScheme, ""},
	{"file:///etc/passwd", ErrURLScheme, ""},
	{"gopher://127.0.0.1:6379/_x", ErrURLScheme, ""},
	{"unix:///run/x.sock", ErrURLScheme, ""},
	{"javascript:alert(1)", ErrURLScheme, ""},
	{" http://example.com", ErrURLSyntax, ""},
	{"http://example.com/\nX: y", ErrURLSyntax, ""},
	{"http://exa mple.com", ErrURLSyntax, ""},
	{"http://example.com\\@evil.example/", ErrURLSyntax, ""},
	{"http://%0a.example/", ErrURLSyntax, ""},
	{"http://example.com/%zz", ErrURLSyntax, ""},
	{"http://[::1", ErrURLSyntax, ""},
	{"http:example.com", ErrURLHost, ""},
	{"http:/example.com", ErrURLHost, ""},
	{"http:///hook", ErrURLHost, ""},
	{"http://?x", ErrURLHost, ""},
	{"http://:8080/", ErrURLHost, ""},
	{"http://./", ErrURLHost, ""},
	{"http://a..b/", ErrURLHost, ""},
	{"http://ex*mple.com/", ErrURLHost, ""},
	{"http://%e2%80%aeexample.com/", ErrURLHost, ""}, // turns the text around
	{"http://%ff.example/", ErrURLHost, ""},
	{"http://" + strings.Repeat("a.", 127) + "com/", ErrURLHost, ""},
	{"http://2130706433/", ErrURLHost, ""},
	{"http://0x7f000001/", ErrURLHost, ""},
	{"http://127.1/", ErrURLHost, ""},
	{"http://0177.0.0.1/", ErrURLHost, ""},
	{"http://127.0.0.0x1/", ErrURLHost, ""},
	{"http://127.0.0.1./", ErrURLHost, ""},
	{"http://1.2.3.4.5/", ErrURLHost, ""},
	{"http://example.com:/", ErrURLPort, ""},
	{"http://example.com:0/", ErrURLPort, ""},
	{"http://example.com:65536/", ErrURLPort, ""},
	{"http://example.com:000080/", ErrURLPort, ""},
	{"http://example.com:http/", ErrURLPort, ""},
	{"http://example.com:-1/", ErrURLPort, ""},

	// Fit for the configuration, and shown, but not taken from requests.
	{"http://user@example.com/", ErrURLUserinfo, "example.com"},
	{"http://user:pass@example.com:81/", ErrURLUserinfo, "example.com:81"},
	{"http://:@example.com/", ErrURLUserinfo, "example.com"},
	{"http://[fe80::1%25eth0]:80/", ErrURLHost, "[fe80::1%eth0]:80"},
	{"http://example.com/" + strings.Repeat("a", MaxURL-19), nil, "example.com"},
	{"http://example.com/" + strings.Repeat("a", MaxURL-18), ErrURLLength, "example.com"},
}

// Ensure every fault of a URL is found and named, and only its host is shown.
func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, tt := range urls {
		err := CheckURL(tt.raw)
		if !errors.Is(err, tt.check) {
			t.Errorf("CheckURL(%q) = %v, want %v", tt.raw, err, tt.check)
		}
		if ue := (*URLError)(nil); err != nil && !errors.As(err, &ue) {
			t.Errorf("CheckURL(%q) is a %T", tt.raw, err)
		}
		if got := Host(tt.raw); got != tt.host {
			t.Errorf("Host(%q) = %q, want %q", tt.raw, got, tt.host)
		}
	}
}

// Ensure an unusable URL ends a delivery for good, in words.
func TestSender_Send_InvalidURL(t *testing.T) {
	t.Parallel()
	s := newSender(t, SenderOptions{Resolver: fixedNames(nil)})
	for _, tt := range urls {
		if tt.check == nil {
			continue
		}
		a := s.Send(t.Context(), message(tt.raw, false))
		var refused *URLError
		if !errors.As(tt.check, &refused) {
			t.Fatalf("%q: %v is no URLError", tt.raw, tt.check)
		}
		if want := "Invalid URL: it " + refused.Reason; a.Error != want || a.Code != CodeURL || !a.Final() || a.Sent() {
			t.Errorf("%q: got %+v, want %q", tt.raw, a, want)
		}
	}
	for _, raw := range []string{"", "ftp://example.com", "http://", "http://[::1"} {
		if a := s.Send(t.Context(), message(raw, true)); a.Code != CodeURL || !a.Final() {
			t.Errorf("trusted %q: got %+v", raw, a)
		}
	}
}

// Ensure what CheckURL accepts can be sent to, and what it refuses and Host
// shows gives nothing of the URL away.
func FuzzCheckURL(f *testing.F) {
	for _, tt := range urls {
		f.Add(tt.raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		err := CheckURL(raw)
		host := Host(raw)
		if strings.ContainsAny(host, "/?#@\\ \t\r\n\"<>") || !utf8.ValidString(host) {
			t.Fatalf("Host(%q) = %q", raw, host)
		}
		if host != "" {
			u, perr := url.Parse("http://" + strings.Replace(host, "%", "%25", 1) + "/")
			if perr != nil || !strings.EqualFold(u.Host, host) {
				t.Fatalf("Host(%q) = %q is no host: %v", raw, host, perr)
			}
		}
		if err != nil {
			if ue := (*URLError)(nil); !errors.As(err, &ue) {
				t.Fatalf("CheckURL(%q) is a %T", raw, err)
			}
			return
		}
		u, perr := url.Parse(raw)
		switch {
		case perr != nil, len(raw) > MaxURL, u.User != nil, u.Hostname() == "", host == "":
			t.Fatalf("CheckURL(%q) accepts it: %v", raw, perr)
		case u.Scheme != "http" && u.Scheme != "https":
			t.Fatalf("CheckURL(%q) accepts scheme %q", raw, u.Scheme)
		}
	})
}

// Ensure nothing but the host gets through Host, whatever surrounds it.
func FuzzHost(f *testing.F) {
	f.Add("user", "pass", "/hook/s3cr3t", "token=s3cr3t")
	f.Add("", "@", "\\", "?")
	f.Fuzz(func(t *testing.T, user, pass, path, query string) {
		u := url.URL{
			Scheme: "https", Host: "example.com:8443", User: url.UserPassword(user, pass),
			Path: "/" + path, RawQuery: url.QueryEscape(query),
		}
		if got := Host(u.String()); got != "example.com:8443" {
			t.Fatalf("Host(%q) = %q", u.String(), got)
		}
	})
}
