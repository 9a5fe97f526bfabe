package hilink

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ok is how modems answer a write.
const ok = `<response>OK</response>`

func refuse(code int) string {
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><error><code>%d</code><message></message></error>`, code)
}

// stub is a modem of a few lines. It checks nothing: it answers as the test
// says and keeps a log of what it was asked.
type stub struct {
	*httptest.Server
	client *Client

	// sesTok answers GET SesTokInfo; n counts them from 1. Defaults to session
	// s<n> and token t<n>.
	sesTok func(w http.ResponseWriter, n int)
	// answer answers everything else; n counts from 1. Defaults to ok.
	answer func(w http.ResponseWriter, r *http.Request, n int)

	mu      sync.Mutex
	opened  int
	asked   int
	entries []string // "POST net/net-mode s1 t1"
	bodies  []string
}

// newStub starts a stub and a client of it, both ended with the test.
func newStub(t *testing.T, opt Options) *stub {
	t.Helper()
	s := &stub{
		sesTok: func(w http.ResponseWriter, n int) {
			fmt.Fprintf(w, "<response><SesInfo>SessionID=s%d</SesInfo><TokInfo>t%d</TokInfo></response>", n, n)
		},
		answer: func(w http.ResponseWriter, _ *http.Request, _ int) { io.WriteString(w, ok) },
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	if opt.RetryDelay == 0 {
		opt.RetryDelay = time.Millisecond
	}
	c, err := New(s.URL, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s.client = c
	return s
}

func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	entry := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/api/")
	if c, err := r.Cookie("SessionID"); err == nil {
		entry += " " + c.Value
	}
	if token := r.Header.Get("__RequestVerificationToken"); token != "" {
		entry += " " + token
	}
	s.mu.Lock()
	s.entries = append(s.entries, entry)
	s.bodies = append(s.bodies, string(body))
	opening := r.URL.Path == "/api/webserver/SesTokInfo"
	if opening {
		s.opened++
	} else {
		s.asked++
	}
	opened, asked := s.opened, s.asked
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html")
	if opening {
		s.sesTok(w, opened)
		return
	}
	s.answer(w, r, asked)
}

// wantLog holds the log against what was expected, and empties it.
func (s *stub) wantLog(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	got := s.entries
	s.entries, s.bodies = nil, nil
	s.mu.Unlock()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// within bounds a test's waiting.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
