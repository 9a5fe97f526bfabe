package delivery

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// The secrets of a URL, each recognisable in whatever comes out.
const (
	userSecret  = "usernamesecret"
	passSecret  = "passwordsecret7"
	pathSecret  = "T0PATHSECRET"
	querySecret = "queryvaluesecret"
)

// secretURL puts secrets into every part of a URL that can hold one.
func secretURL(t *testing.T, rawURL string, userinfo bool) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/services/" + pathSecret + "/in"
	u.RawQuery = "kind=x&token=" + querySecret
	if userinfo {
		u.User = url.UserPassword(userSecret, passSecret)
	}
	return u.String()
}

// leaks names the secrets found in text, whatever they are dressed as.
func leaks(text string) []string {
	var out []string
	key := strings.TrimPrefix(testSecret, secretPrefix)
	raw, _ := base64.StdEncoding.DecodeString(key)
	for _, secret := range []string{
		userSecret, passSecret, pathSecret, querySecret, key, string(raw), "/services",
		base64.StdEncoding.EncodeToString([]byte(userSecret + ":" + passSecret)),
		url.QueryEscape(querySecret)[:8],
	} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			out = append(out, secret)
		}
	}
	return out
}

func wantNoSecret(t *testing.T, a Attempt) {
	t.Helper()
	stored, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(stored), fmt.Sprintf("%+v %#v", a, a)} {
		if found := leaks(text); found != nil {
			t.Errorf("%q shown in %s", found, text)
		}
	}
}

// Ensure no way to fail shows a secret.
func TestSender_Send_FailuresLeakNoSecret(t *testing.T) {
	t.Parallel()
	for _, m := range misfortunes(t) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, trusted bool) {
				options := m.options
				options.Allow = append([]string{"wrong.test"}, loopback...)
				msg := message(secretURL(t, m.url, trusted), trusted)
				if m.timeout > 0 {
					msg.Timeout = m.timeout
				}
				a := newSender(t, options).Send(t.Context(), msg)
				if a.Error != m.words {
					t.Errorf("got %q, want %q", a.Error, m.words)
				}
				wantNoSecret(t, a)
			})
		})
	}
}

// Ensure refusals that need no network show no secret either.
func TestSender_Send_RefusalsLeakNoSecret(t *testing.T) {
	t.Parallel()
	s := newSender(t, SenderOptions{})
	for _, raw := range []string{
		secretURL(t, "http://127.0.0.1:9", false),
		secretURL(t, "http://127.0.0.1:9", true),
		secretURL(t, "ftp://127.0.0.1:9", true),
		secretURL(t, "http://127.0.0.1:9", true) + "%zz",
		secretURL(t, "http://127.0.0.1:9", true) + "\x7f",
		strings.Replace(secretURL(t, "http://127.0.0.1:9", true), ":9/", ":port/", 1),
		"http://" + userSecret + ":" + passSecret,
	} {
		a := s.Send(t.Context(), message(raw, false))
		if !a.Final() {
			t.Errorf("got %+v", a)
		}
		wantNoSecret(t, a)
		if err := CheckURL(raw); err != nil {
			if found := leaks(err.Error()); found != nil {
				t.Errorf("CheckURL shows %q", found)
			}
		}
		if found := leaks(Host(raw)); found != nil {
			t.Errorf("Host shows %q", found)
		}
	}
	msg := message(secretURL(t, "http://127.0.0.1:9", false), false)
	msg.Secret += "!" + querySecret
	wantNoSecret(t, s.Send(t.Context(), msg))
}

// Ensure receivers that repeat what they were sent don't get it into the
// record: a redirect to https, an error page, an echo.
func TestSender_Send_EchoesLeakNoSecret(t *testing.T) {
	t.Parallel()
	srv := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		w.Header().Set("Location", "https://example.com"+r.RequestURI)
		w.Header().Set("X-Path", r.URL.Path)
		w.Header().Add("X-Many", r.URL.Query().Get("token"))
		w.Header().Add("X-Many", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusMovedPermanently)
		_, _ = fmt.Fprintf(w, "Cannot POST %s (%s:%s)", r.RequestURI, user, pass)
	})
	a := newSender(t, SenderOptions{}).Send(t.Context(), message(secretURL(t, srv.URL, true), true))
	wantNoSecret(t, a)
	if a.ResponseHeaders["Location"] != "https://example.com…?…" || a.Response != "Cannot POST …?… (…:…)" && a.Response != "Cannot POST …?… (…)" {
		t.Errorf("got %+v", a)
	}
}

// Ensure no secret, and no beginning of one, is left where an answer was cut
// off, wherever that was.
func TestRedactor_Cut(t *testing.T) {
	t.Parallel()
	raw := secretURL(t, "http://example.com", true)
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	r := newRedactor(u, testSecret)
	answer := strings.Repeat(strings.Join([]string{
		"no", raw, u.RequestURI(), u.Path, pathSecret, userSecret, passSecret, u.User.String(), u.RawQuery, querySecret, "가나",
	}, " "), 3)
	for cut := range len(answer) {
		got := r.text([]byte(answer[:cut]), defaultMaxResponse, true)
		for _, part := range []string{"/ser", userSecret[:4], passSecret[:4], pathSecret[:4], "kin", querySecret[:4]} {
			if strings.Contains(got, part) {
				t.Fatalf("cut at %d: %q shown in %s", cut, part, got)
			}
		}
		if len(got) > cut+len(redacted) || !utf8.ValidString(got) {
			t.Fatalf("cut at %d: got %s", cut, got)
		}
		if limited := r.text([]byte(answer[:cut]), 20, true); len(limited) > 20 || !strings.HasPrefix(got, limited) {
			t.Fatalf("cut at %d, limited: got %s", cut, limited)
		}
	}
}

// Ensure answers are left alone where they only look a little like the URL.
func TestSender_Send_PlainAnswersStay(t *testing.T) {
	t.Parallel()
	const answer = `{"status": "received", "callback": true, "a": "/", "kind": "result"}`
	srv := receiver(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
	s := newSender(t, SenderOptions{})
	for _, path := range []string{"", "/", "/a", "/callback/received/", "/api/v1/toggle/result?kind=result&a=b"} {
		if a := s.Send(t.Context(), message(srv.URL+path, true)); a.Response != answer {
			t.Errorf("%s: got %s", path, a.Response)
		}
	}
}

// Ensure a message that is printed or logged shows its id and host.
func TestMessage_LeaksNoSecret(t *testing.T) {
	t.Parallel()
	msg := message(secretURL(t, "http://example.com:81", true), true)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "message", msg)
	for _, text := range []string{fmt.Sprint(msg), fmt.Sprintf("%+v", msg), fmt.Sprintf("%#v", msg), log.String()} {
		if leaks(text) != nil || !strings.Contains(text, "j_01test to example.com:81") {
			t.Errorf("got %s", text)
		}
	}
}
