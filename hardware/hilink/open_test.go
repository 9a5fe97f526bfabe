package hilink

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ensure the tokens in a modem's web page are found, in every form of the tag,
// and that another page has none.
func TestPageTokens(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"html/e3372h153_index.html":    {"01B4wlPozsj/CkvK6gww1LJ8huaMkcsG", "qlfm6YcuVMvx/pmBF8lSMezAJsKLQ9gs"},
		"html/e8372h155_redirect.http": {"m0PgufdxmR0BUdz0UNEEApaPmsQ8hJfx", "0i12Gh0g9OafiyH3Kj1tn28x2jbcd57v"},
		"html/other_device.html":       nil,
	} {
		if diff := cmp.Diff(want, pageTokens(recorded(t, name))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	const other = `<META NAME='csrf_token'  CONTENT='a&#x2F;b'><meta name="viewport" content="x">`
	if diff := cmp.Diff([]string{"a/b"}, pageTokens([]byte(other))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ensure of a token of 64 characters the second half is sent, and any other as
// it is.
func TestPostToken(t *testing.T) {
	t.Parallel()
	first, second := strings.Repeat("a", 32), strings.Repeat("b", 32)
	for token, want := range map[string]string{first + second: second, second: second, "": "", first + "x": first + "x"} {
		if got := postToken(token); got != want {
			t.Errorf("%q became %q", token, got)
		}
	}
}

// Ensure a modem without SesTokInfo is found out once: the page gives the
// session, and from then on one request a token.
func TestOpen_withoutSesTokInfo(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{})
	s.sesTok = func(w http.ResponseWriter, _ int) { w.Write(recorded(t, "errors/100002.xml")) }
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int) {
		switch r.URL.Path {
		case "/html/index.html":
			w.Header().Set("Set-Cookie", "SessionID=abc; path=/; HttpOnly;")
			w.Write(recorded(t, "html/other_device.html"))
		case "/api/webserver/token":
			io.WriteString(w, "<response><token>"+strings.Repeat("x", 32)+strings.Repeat("&#x2F;", 32)+"</token></response>")
		default:
			io.WriteString(w, ok)
		}
	}
	for range 2 {
		if err := s.client.SetDataSwitch(within(t), true); err != nil {
			t.Fatal(err)
		}
	}
	token := strings.Repeat("/", 32)
	s.wantLog(t,
		"GET webserver/SesTokInfo", "GET /html/index.html", "GET webserver/token abc", "POST dialup/mobile-dataswitch abc "+token,
		"GET webserver/token abc", "POST dialup/mobile-dataswitch abc "+token,
	)
}

// Ensure a modem that comes back with other firmware is asked everywhere again:
// where its tokens were there are none now, and the other way round.
func TestOpen_otherPlace(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{})
	updated := false
	whole := s.sesTok
	s.sesTok = func(w http.ResponseWriter, n int) {
		if updated {
			whole(w, n)
			return
		}
		io.WriteString(w, refuse(codeNotSupported))
	}
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int) {
		cookie, _ := r.Cookie(sessionCookie)
		switch {
		case r.URL.Path == "/api/webserver/token" && !updated:
			io.WriteString(w, "<response><token>t0</token></response>")
		case r.URL.Path == "/api/webserver/token":
			io.WriteString(w, refuse(codeNotSupported))
		case r.URL.Path == "/html/index.html" && !updated:
			w.Header().Set("Set-Cookie", "SessionID=before; path=/; HttpOnly;")
		case r.Method == http.MethodPost && updated && cookie.Value == "before":
			io.WriteString(w, refuse(codeWrongSession))
		case r.Method == http.MethodPost:
			io.WriteString(w, ok)
		}
	}
	for range 2 {
		if err := s.client.SetDataSwitch(within(t), true); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		s.entries = nil
		s.mu.Unlock()
		updated = true
		s.client.session.tokens = []string{"t0"}
	}
}

// Ensure an answer is read whatever its headers call it and whenever they say
// that it is: sticks say text/html, and that it is 1970.
func TestExchange_headers(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"text/html", "text/xml", "text/xml; charset=utf-8", "application/octet-stream", ""} {
		s := newStub(t, Options{})
		s.answer = func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header()["Content-Type"] = []string{kind}
			w.Header().Set("Date", "Thu, 01 Jan 1970 00:00:12 GMT")
			w.Header().Set("Expires", "0")
			w.Write(recorded(t, "status/e8372h320_kr.xml"))
		}
		if st, err := s.client.Status(within(t)); err != nil || !st.Connected() {
			t.Errorf("%q: %v, %v", kind, st, err)
		}
	}
}

// Ensure whatever a page holds, each token that is kept can stand in a header.
func FuzzPageTokens(f *testing.F) {
	for _, b := range recordings(f, "html") {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		var s session
		s.add(pageTokens(page))
		if len(s.tokens) > maxTokens {
			t.Errorf("%d tokens", len(s.tokens))
		}
		for _, token := range s.tokens {
			if !usable(token) {
				t.Errorf("%q would go into a header", token)
			}
		}
	})
}
