package ws

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"switchyard/api/access"
	"switchyard/configs"
	"switchyard/events"
)

// echoListen is the variable with the address at which TestEcho stays for somebody's
// conformance suite, until it is interrupted.
const echoListen = "ECHO_LISTEN"

// longestEcho is more than the longest message of such suites.
const longestEcho = 64 << 20

// echo answers each message with itself, upgraded and read with the options and checks of
// the server.
func (s *Server) echo(w http.ResponseWriter, r *http.Request) {
	c, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has been answered
	}
	defer c.Close()
	c.SetReadLimit(longestEcho)
	for {
		kind, text, err := c.ReadMessage()
		if err != nil {
			return // its close frame has been answered
		}
		if kind == websocket.TextMessage && !utf8.Valid(text) {
			_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(errNotText.code, errNotText.reason), time.Now().Add(farewell))
			return
		}
		if c.WriteMessage(kind, text) != nil {
			return
		}
	}
}

// Ensure what a conformance suite sends comes back as it was, whole or in fragments, and
// that what isn't text is refused.
func TestEcho(t *testing.T) {
	t.Parallel()
	cfg := configs.Default()
	s := New(Options{Config: cfg.WS, Guard: access.New(cfg), Hub: events.NewHub(), Log: slog.New(slog.DiscardHandler), Version: "test"})
	if at := os.Getenv(echoListen); at != "" {
		stay(t, at, s.echo)
		return
	}
	srv := httptest.NewServer(http.HandlerFunc(s.echo))
	t.Cleanup(srv.Close)
	dial := func() *websocket.Conn {
		t.Helper()
		c, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http"), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		t.Cleanup(func() { _ = c.Close() })
		if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := dial()
	ponged := ""
	c.SetPongHandler(func(text string) error { ponged = text; return nil })
	for _, m := range []struct {
		kind int
		text []byte
		// pieces that it is sent in
		pieces int
	}{
		{websocket.TextMessage, nil, 1}, {websocket.TextMessage, []byte("상태"), 1}, {websocket.TextMessage, []byte("상태 업데이트"), 5},
		{websocket.BinaryMessage, []byte{0, 0xff, 0xfe}, 1}, {websocket.BinaryMessage, bytes.Repeat([]byte{7}, 65_536), 3},
		{websocket.TextMessage, bytes.Repeat([]byte("x"), 1<<20), 1},
	} {
		w, err := c.NextWriter(m.kind)
		if err != nil {
			t.Fatal(err)
		}
		size := len(m.text)/m.pieces + 1
		for rest := m.text; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			if _, err := w.Write(rest[:min(size, len(rest))]); err != nil {
				t.Fatal(err)
			}
			// Between two fragments, as the protocol allows.
			if err := c.WriteControl(websocket.PingMessage, []byte("between"), time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		kind, text, err := c.ReadMessage()
		if err != nil || kind != m.kind || !bytes.Equal(text, m.text) {
			t.Fatalf("%d bytes of kind %d came back as %d of kind %d: %v", len(m.text), m.kind, len(text), kind, err)
		}
	}
	if ponged != "between" {
		t.Errorf("the pong said %q", ponged)
	}
	for _, tt := range []struct {
		send func(*websocket.Conn) error
		want int
	}{
		{func(c *websocket.Conn) error { return c.WriteMessage(websocket.TextMessage, []byte("a\xffb")) }, websocket.CloseInvalidFramePayloadData},
		{func(c *websocket.Conn) error {
			return c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4000, "bye"), time.Now().Add(time.Minute))
		}, 4000},
	} {
		c := dial()
		if err := tt.send(c); err != nil {
			t.Fatal(err)
		}
		_, _, err := c.ReadMessage()
		closed := (*websocket.CloseError)(nil)
		if !errors.As(err, &closed) || closed.Code != tt.want {
			t.Errorf("it ended with %v, want %d", err, tt.want)
		}
	}
}

// stay serves until the test is interrupted.
func stay(t *testing.T, at string, h http.HandlerFunc) {
	t.Helper()
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	_, _ = io.WriteString(os.Stderr, "echo at ws://"+l.Addr().String()+"\n")
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Fatal(err)
	}
}
