package hilink

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ensure the first call opens a session, that a GET sends its cookie and no
// token, and a POST one token from the queue, oldest first.
func TestSession_queue(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{})
	next := map[int]string{2: "a", 3: "b#c#d#", 4: ""} // by request; the first is a GET
	s.answer = func(w http.ResponseWriter, r *http.Request, n int) {
		if r.Method == http.MethodGet {
			io.WriteString(w, "<response><dataswitch>1</dataswitch></response>")
			return
		}
		if next[n] != "" {
			w.Header()["__requestverificationtoken"] = []string{next[n]}
		}
		if n == 4 { // told again, it is the same session: its tokens stay
			w.Header().Set("Set-Cookie", "SessionID=s1;path=/;HttpOnly;")
		}
		io.WriteString(w, ok)
	}
	ctx := within(t)
	if on, err := s.client.DataSwitch(ctx); err != nil || !on {
		t.Fatalf("data switch %v, %v", on, err)
	}
	for range 6 {
		if err := s.client.SetDataSwitch(ctx, true); err != nil {
			t.Fatal(err)
		}
	}
	s.wantLog(t,
		"GET webserver/SesTokInfo",
		"GET dialup/mobile-dataswitch s1",
		"POST dialup/mobile-dataswitch s1 t1",
		"POST dialup/mobile-dataswitch s1 a",
		"POST dialup/mobile-dataswitch s1 b",
		"POST dialup/mobile-dataswitch s1 c",
		"POST dialup/mobile-dataswitch s1 d",
		// The queue is empty: ask. The stub's second session takes over.
		"GET webserver/SesTokInfo s1",
		"POST dialup/mobile-dataswitch s2 t2",
	)
}

// Ensure a session is found in each place that firmware puts it.
func TestSession_forms(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cookie, body string
		want         string
	}{
		"prefixed":    {"", "<SesInfo>SessionID=abc/+=</SesInfo><TokInfo>T</TokInfo>", "abc/+= T"},
		"bare":        {"", "<SesInfo>abc</SesInfo><TokInfo>T</TokInfo>", "abc T"},
		"entities":    {"", "<SesInfo>SessionID&#61;a&#x2F;b</SesInfo><TokInfo>T&#x2F;&#43;</TokInfo>", "a/b T/+"},
		"cookie":      {"SessionID=abc; path=/; HttpOnly;", "<TokInfo>T</TokInfo>", "abc T"},
		"both, equal": {"SessionID=abc;path=/;HttpOnly;", "<SesInfo>SessionID=abc</SesInfo><TokInfo>T</TokInfo>", "abc T"},
		"no session":  {"", "<TokInfo>T</TokInfo>", "T"},
		"unusable":    {"", "<SesInfo>a\nb</SesInfo><TokInfo>T</TokInfo>", "T"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, Options{})
			s.sesTok = func(w http.ResponseWriter, _ int) {
				if tt.cookie != "" {
					w.Header().Set("Set-Cookie", tt.cookie)
				}
				io.WriteString(w, "<response>"+tt.body+"</response>")
			}
			if err := s.client.SetDataSwitch(within(t), false); err != nil {
				t.Fatal(err)
			}
			want := []string{"GET webserver/SesTokInfo"}
			if tt.want == "T" { // perhaps a page has a session
				want = append(want, "GET /html/index.html", "GET /")
			}
			s.wantLog(t, append(want, "POST dialup/mobile-dataswitch "+tt.want)...)
		})
	}
}

// Ensure a session that the modem changes of its own accord is taken over, and
// the old one's tokens with it are not.
func TestSession_replaced(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{})
	s.answer = func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			w.Header().Set("Set-Cookie", "SessionID=fresh; path=/; HttpOnly;")
		}
		io.WriteString(w, "<response><dataswitch>1</dataswitch></response>")
	}
	if _, err := s.client.DataSwitch(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.client.SetDataSwitch(within(t), true); err == nil {
		t.Error("an answer that isn't OK was taken for one")
	}
	s.wantLog(t,
		"GET webserver/SesTokInfo",
		"GET dialup/mobile-dataswitch s1",
		"GET webserver/SesTokInfo fresh",
		"POST dialup/mobile-dataswitch s2 t2",
	)
}

// Ensure a refused token or session is replaced, and the call made once more
// and only once.
func TestSession_refused(t *testing.T) {
	t.Parallel()
	const get, post = "GET dialup/mobile-dataswitch", "POST dialup/mobile-dataswitch"
	tests := map[string]struct {
		code, times int // how often the modem refuses, and how
		write       bool
		want        []string
	}{
		"token once": {125001, 1, true, []string{
			"GET webserver/SesTokInfo", post + " s1 t1", "GET webserver/SesTokInfo s1", post + " s2 t2",
		}},
		"session once": {125002, 1, true, []string{
			"GET webserver/SesTokInfo", post + " s1 t1", "GET webserver/SesTokInfo", post + " s2 t2",
		}},
		"session token once": {125003, 1, true, []string{
			"GET webserver/SesTokInfo", post + " s1 t1", "GET webserver/SesTokInfo", post + " s2 t2",
		}},
		"session once, reading": {125002, 1, false, []string{
			"GET webserver/SesTokInfo", get + " s1", "GET webserver/SesTokInfo", get + " s2",
		}},
		"token for good": {125001, 9, true, []string{
			"GET webserver/SesTokInfo", post + " s1 t1", "GET webserver/SesTokInfo s1", post + " s2 t2",
		}},
		"session for good": {125002, 9, false, []string{
			"GET webserver/SesTokInfo", get + " s1", "GET webserver/SesTokInfo", get + " s2",
		}},
		"login": {100003, 9, true, []string{"GET webserver/SesTokInfo", post + " s1 t1"}},
		"busy": {100004, 9, true, []string{
			"GET webserver/SesTokInfo", post + " s1 t1", "GET webserver/SesTokInfo s1", post + " s2 t2",
		}},
		"a password, once": {108006, 9, true, []string{"GET webserver/SesTokInfo", post + " s1 t1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, Options{})
			s.answer = func(w http.ResponseWriter, r *http.Request, n int) {
				switch {
				case n <= tt.times:
					io.WriteString(w, refuse(tt.code))
				case r.Method == http.MethodGet:
					io.WriteString(w, "<response><dataswitch>1</dataswitch></response>")
				default:
					io.WriteString(w, ok)
				}
			}
			var err error
			op := "set data switch"
			if tt.write {
				err = s.client.SetDataSwitch(within(t), true)
			} else {
				op = "read data switch"
				_, err = s.client.DataSwitch(within(t))
			}
			s.wantLog(t, tt.want...)
			if tt.times == 1 {
				if err != nil {
					t.Errorf("in the end: %v", err)
				}
				return
			}
			refusal, isRefusal := errors.AsType[*Error](err)
			if !isRefusal || refusal.Code != tt.code || refusal.Op != op {
				t.Errorf("in the end: %v", err)
			}
			if got := errors.Is(err, ErrLoginRequired); got != (tt.code == 100003) {
				t.Errorf("%v: wants a login = %v", err, got)
			}
			for _, secret := range []string{"s1", "s2", "t1", "t2"} {
				if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
					t.Errorf("the error shows a session or token: %v", err)
				}
			}
		})
	}
}

// Ensure a refusal's answer fills the queue as a success does: modems send the
// next token with both.
func TestSession_tokenWithRefusal(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{})
	s.answer = func(w http.ResponseWriter, _ *http.Request, n int) {
		w.Header().Set("__RequestVerificationToken", fmt.Sprintf("n%d", n))
		io.WriteString(w, refuse(112003))
	}
	for range 2 {
		err := s.client.SetNetMode(within(t), NetMode{Mode: "03"})
		if refusal, ok := errors.AsType[*Error](err); !ok || !refusal.NetModeRefused() {
			t.Fatalf("%v", err)
		}
	}
	s.wantLog(t, "GET webserver/SesTokInfo", "POST net/net-mode s1 t1", "POST net/net-mode s1 n1")
}

// Ensure a modem without tokens is said to be one, without a POST.
func TestSession_noToken(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{})
	s.sesTok = func(w http.ResponseWriter, _ int) { io.WriteString(w, "<response><SesInfo>s</SesInfo></response>") }
	err := s.client.SetDataSwitch(within(t), true)
	if err == nil || !strings.Contains(err.Error(), "set data switch: the modem gives out no tokens") {
		t.Errorf("%v", err)
	}
	s.wantLog(t, "GET webserver/SesTokInfo", "GET webserver/token s", "GET /html/index.html s", "GET webserver/token s")
}

// Ensure a session that can't be opened fails the call by its own name.
func TestSession_notOpened(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{})
	s.sesTok = func(w http.ResponseWriter, _ int) { io.WriteString(w, refuse(100002)) }
	_, err := s.client.Signal(within(t))
	if refusal, ok := errors.AsType[*Error](err); !ok || !refusal.NotSupported() || refusal.Op != "read signal" {
		t.Errorf("%v", err)
	}
	s.wantLog(t, "GET webserver/SesTokInfo", "GET /html/index.html", "GET /")
}

// Ensure the token header is read in every form, and what can't be a token is
// left out.
func TestParseTokens(t *testing.T) {
	t.Parallel()
	const name = "__RequestVerificationToken"
	many := strings.Repeat("t#", 200)
	tests := []struct {
		h    http.Header
		want []string
	}{
		{http.Header{name: {"a"}}, []string{"a"}},
		{http.Header{"__requestverificationtoken": {"a#b"}}, []string{"a", "b"}},
		{http.Header{"__REQUESTVERIFICATIONTOKEN": {"a#b#c#"}}, []string{"a", "b", "c"}},
		{http.Header{name: {"a", "b#c"}}, []string{"a", "b", "c"}},
		{http.Header{name: {" a # b "}}, []string{"a", "b"}},
		{http.Header{name: {"", "#", "##"}}, nil},
		{http.Header{name: {"a b#c\x00#d\x7f#é#" + strings.Repeat("x", 600)}}, nil},
		{http.Header{"Cookie": {"b"}, name + "x": {"c"}}, nil},
		{http.Header{name + "one": {"a"}, name + "two": {"b"}}, []string{"a", "b"}},
		{http.Header{name + "one": {"a"}, name + "two": {"b"}, name: {"a#b#c"}}, []string{"a", "b", "c"}},
		{http.Header{name: {many}}, strings.Split(strings.Repeat("t#", maxTokens-1)+"t", "#")},
		{nil, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, parseTokens(tt.h)); diff != "" {
			t.Errorf("%.80q (-want +got):\n%s", tt.h, diff)
		}
	}
}
