package delivery

import (
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// A received request, as its receiver saw it.
type received struct {
	method, uri, proto string
	header             http.Header
	body               string
}

// capture returns a handler that hands on what it gets.
func capture(to chan<- received) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		to <- received{r.Method, r.RequestURI, r.Proto, r.Header, string(body)}
	}
}

// Ensure a receiver gets the bytes as they are, under Standard Webhooks
// headers whose signature its library accepts.
func TestSender_Send_Signed(t *testing.T) {
	t.Parallel()
	got := make(chan received, 1)
	srv := receiver(t, capture(got))
	verifier, err := standardwebhooks.NewWebhook(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	s := newSender(t, SenderOptions{Allow: loopback})
	for _, trusted := range []bool{true, false} {
		msg := message(srv.URL+"/hook?a=b#part", trusted)
		msg.Body = []byte("{\"ip\" : null,\t\"speed\":1.0, \"이름\": \"\\u00e9\"}\n\x00\xff")
		begin := time.Now().Unix()
		a := s.Send(t.Context(), msg)
		r := <-got
		if !a.Delivered() || r.body != string(msg.Body) || r.method != "POST" || r.uri != "/hook?a=b" {
			t.Fatalf("got %+v: %+v", a, r)
		}
		if err := verifier.Verify([]byte(r.body), r.header); err != nil {
			t.Errorf("trusted %v: the receiver says: %v", trusted, err)
		}
		stamp, err := strconv.ParseInt(r.header.Get("Webhook-Timestamp"), 10, 64)
		if err != nil || stamp < begin || stamp > time.Now().Unix() || stamp != a.At.Unix() {
			t.Errorf("timestamp %d, attempt at %v", stamp, a.At)
		}
		if err := verifier.Verify([]byte(r.body+" "), r.header); err == nil {
			t.Error("the signature fits another body")
		}
		want := http.Header{
			"Content-Length": {strconv.Itoa(len(msg.Body))}, "Content-Type": {"application/json"},
			"User-Agent": {"switchyard"}, "Webhook-Id": {msg.ID},
		}
		if !trusted {
			want.Set("Connection", "close")
		}
		r.header.Del("Webhook-Timestamp")
		r.header.Del("Webhook-Signature")
		if diff := cmp.Diff(want, r.header); diff != "" {
			t.Errorf("header (-want +got):\n%s", diff)
		}
	}
}

// Ensure a later attempt has the same id, a time of its own, and a signature
// for it.
func TestSender_Send_AgainLater(t *testing.T) {
	t.Parallel()
	got := make(chan received, 1)
	srv := receiver(t, capture(got))
	verifier, err := standardwebhooks.NewWebhook(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 999999999, time.FixedZone("KST", 9*3600))
	s := newSender(t, SenderOptions{Now: func() time.Time { return now }})
	for _, stamp := range []string{"1767290645", "1767291245"} {
		a := s.Send(t.Context(), message(srv.URL, true))
		r := <-got
		if id, ts := r.header.Get("webhook-id"), r.header.Get("webhook-timestamp"); id != "j_01test" || ts != stamp {
			t.Errorf("id %q, timestamp %q, want %q", id, ts, stamp)
		}
		if err := verifier.VerifyIgnoringTimestamp([]byte(r.body), r.header); err != nil {
			t.Error(err)
		}
		if want := now.UTC().Truncate(time.Millisecond); !a.At.Equal(want) {
			t.Errorf("at %v, want %v", a.At, want)
		}
		now = now.Add(10 * time.Minute)
	}
}

// Ensure a message without a secret, or with headers of its own, is sent so.
func TestSender_Send_Unsigned(t *testing.T) {
	t.Parallel()
	got := make(chan received, 1)
	srv := receiver(t, capture(got))
	s := newSender(t, SenderOptions{UserAgent: "switchyard/1.2"})
	msg := message(srv.URL, true)
	msg.Secret, msg.ContentType, msg.Body, msg.Timeout = "", "text/plain; charset=utf-8", nil, 0
	a := s.Send(t.Context(), msg)
	r := <-got
	if !a.Delivered() || r.body != "" || r.header.Get("Content-Type") != msg.ContentType ||
		r.header.Get("User-Agent") != "switchyard/1.2" || r.header.Get("Content-Length") != "0" {
		t.Errorf("got %+v: %+v", a, r)
	}
	if r.header.Values("Webhook-Signature") != nil || r.header.Get("Webhook-Id") == "" {
		t.Errorf("header %v", r.header)
	}
}

// Ensure nothing goes out under an id or a secret that can't be used.
func TestSender_Send_UnusableMessage(t *testing.T) {
	t.Parallel()
	srv := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	s := newSender(t, SenderOptions{})
	for _, id := range []string{"", "a.b", "a b", "a\r\nX: y", "é"} {
		msg := message(srv.URL, true)
		msg.ID = id
		if a := s.Send(t.Context(), msg); a.Code != CodeMessage || a.Error != "Invalid message id" || !a.Final() {
			t.Errorf("id %q: got %+v", id, a)
		}
	}
	for _, secret := range []string{"whsec_", "whsec_!", "whsk_AAAA", "plain text", "whsec_QUJ"} {
		msg := message(srv.URL, true)
		msg.Secret = secret
		// A secret can be corrected, so the delivery isn't over.
		if a := s.Send(t.Context(), msg); a.Code != CodeSecret || a.Error != "Invalid signing secret" || a.Final() {
			t.Errorf("secret %q: got %+v", secret, a)
		}
		if err := CheckSecret(secret); err == nil || strings.Contains(err.Error(), secret[6:]) && secret != "whsec_" {
			t.Errorf("CheckSecret(%q) = %v", secret, err)
		}
	}
	if err := CheckSecret(testSecret); err != nil {
		t.Error(err)
	}
}

// Ensure user name and password of a configured URL are used.
func TestSender_Send_BasicAuth(t *testing.T) {
	t.Parallel()
	got := make(chan received, 1)
	srv := receiver(t, capture(got))
	s := newSender(t, SenderOptions{})
	a := s.Send(t.Context(), message(strings.Replace(srv.URL, "http://", "http://user:p%40ss@", 1), true))
	if r := <-got; !a.Delivered() || r.header.Get("Authorization") != "Basic dXNlcjpwQHNz" {
		t.Errorf("got %+v, header %v", a, r.header)
	}
}

// Ensure HTTP/2 is spoken where the receiver can, with the same limits.
func TestSender_Send_HTTP2(t *testing.T) {
	t.Parallel()
	srv := unstarted(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Proto", r.Proto)
		switch r.URL.Path {
		case "/infinite":
			for {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		case "/hang":
			<-r.Context().Done()
		case "/abort":
			panic(http.ErrAbortHandler)
		}
	})
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())

	bothWays(t, func(t *testing.T, trusted bool) {
		s := newSender(t, SenderOptions{Allow: loopback, RootCAs: roots})
		for range 3 {
			a := s.Send(t.Context(), message(srv.URL, trusted))
			if !a.Delivered() || a.ResponseHeaders["X-Proto"] != "HTTP/2.0" {
				t.Fatalf("got %+v", a)
			}
		}
		if a := s.Send(t.Context(), message(srv.URL+"/infinite", trusted)); !a.Delivered() || len(a.Response) != 4096 || !a.Truncated {
			t.Errorf("infinite: got status %d and %d bytes (%s)", a.Status, len(a.Response), a.Error)
		}
		msg := message(srv.URL+"/hang", trusted)
		msg.Timeout = short
		if a := s.Send(t.Context(), msg); a.Error != "Timed out after 80ms" {
			t.Errorf("hang: got %+v", a)
		}
		if a := s.Send(t.Context(), message(srv.URL+"/abort", trusted)); a.Error != "HTTP/2 error" {
			t.Errorf("abort: got %+v", a)
		}
		if a := s.Send(t.Context(), message(srv.URL, trusted)); !a.Delivered() {
			t.Errorf("afterwards: got %+v", a)
		}
	})
}

// Ensure of every answer the beginning is kept, as text, and that no answer
// can hold the attempt or fill the memory.
func TestSender_Send_Answers(t *testing.T) {
	t.Parallel()
	head := "HTTP/1.1 200 OK\r\n"
	sized := func(body string) string { return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body) }
	full := strings.Repeat("x", 4096)
	for _, tt := range []struct {
		name      string
		serve     func(net.Conn, <-chan struct{})
		timeout   time.Duration
		want      string
		truncated bool
	}{
		{name: "empty", serve: respond(sized(""))},
		{name: "short", serve: respond(sized("{\"ok\": true}\n")), want: "{\"ok\": true}\n"},
		{name: "until closed", serve: respond(head + "\r\nbye"), want: "bye"},
		{name: "chunked", serve: respond(head + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"), want: "abc"},
		{name: "exactly what is kept", serve: respond(sized(full)), want: full},
		{name: "a byte more", serve: respond(sized(full + "y")), want: full, truncated: true},
		{name: "ten megabytes", serve: respond(sized(strings.Repeat("x", 10<<20))), want: full, truncated: true},
		{name: "without end", want: full, truncated: true, serve: func(conn net.Conn, done <-chan struct{}) {
			respond(head+"\r\n")(conn, done)
			forever(conn, "xxxxxxxx")
		}},
		{name: "drips", want: "x", truncated: true, timeout: patient, serve: func(conn net.Conn, done <-chan struct{}) {
			respond(head+"\r\nx")(conn, done)
			<-done
		}},
		{name: "drips on after what is kept", want: full, truncated: true, serve: func(conn net.Conn, done <-chan struct{}) {
			respond(head+"\r\n"+full)(conn, done)
			drip(conn, "x")
		}},
		{name: "breaks off", serve: respond(head + "Content-Length: 10\r\n\r\nabc"), want: "abc", truncated: true},
		{name: "bad chunk", serve: respond(head + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n"), want: "a", truncated: true},
		{name: "not UTF-8", serve: respond(sized("a\xff\xfe\x80b\x00")), want: "a\uFFFDb\x00"},
		{name: "compressed", serve: respond(head + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"), want: "\x1f\uFFFD\x08"},
		{name: "cut in a character", serve: respond(sized(full[1:] + "가나")), want: full[1:], truncated: true},
		{name: "grows when made valid", serve: respond(sized(strings.Repeat("\xffa", 2048))), want: strings.Repeat("\uFFFDa", 1024)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, trusted bool) {
				msg := message(rawReceiver(t, tt.serve), trusted)
				if tt.timeout > 0 {
					msg.Timeout = tt.timeout
				}
				begin := time.Now()
				a := newSender(t, SenderOptions{Allow: loopback}).Send(t.Context(), msg)
				if took := time.Since(begin); took > 10*time.Second {
					t.Errorf("took %v", took)
				}
				if a.Response != tt.want || a.Truncated != tt.truncated || !utf8.ValidString(a.Response) {
					t.Errorf("got %d bytes (truncated %v), want %d\n%.80q\n%.80q", len(a.Response), a.Truncated, len(tt.want), a.Response, tt.want)
				}
				if !a.Delivered() || a.Error != "" || a.Final() {
					t.Errorf("got %+v", a)
				}
			})
		})
	}
}

// Ensure headers are kept with their values joined, as text, up to a limit
// that those with a meaning to us don't fall victim to.
func TestSender_Send_AnswerHeaders(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 400 {
		fmt.Fprintf(&many, "A-%03d: %s\r\n", i, strings.Repeat("x", 60))
	}
	url := rawReceiver(t, respond("HTTP/1.1 503 Busy\r\n"+many.String()+
		"content-type: text/plain\r\nWarning: one\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n"))
	s := newSender(t, SenderOptions{})
	a := s.Send(t.Context(), message(url, true))
	size := 0
	for name, value := range a.ResponseHeaders {
		size += len(name) + len(value)
	}
	if size > maxHeaders || size < maxHeaders/2 || a.RetryAfter() != 9*time.Second || a.ResponseHeaders["Content-Type"] != "text/plain" {
		t.Errorf("kept %d bytes, retry after %v", size, a.RetryAfter())
	}
	url = rawReceiver(t, respond("HTTP/1.1 200 OK\r\nx-a: 1\r\nX-B: \xff\r\nX-A: 2, 3\r\nContent-Length: 0\r\n\r\n"))
	a = s.Send(t.Context(), message(url, true))
	if diff := cmp.Diff(map[string]string{"X-A": "1, 2, 3", "X-B": "\uFFFD", "Content-Length": "0"}, a.ResponseHeaders); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ensure no proxy is taken from the environment: it would dial in our place.
func TestSender_Send_NoProxy(t *testing.T) {
	var proxied atomic.Int64
	proxy := receiver(t, func(http.ResponseWriter, *http.Request) { proxied.Add(1) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	srv := receiver(t, func(http.ResponseWriter, *http.Request) {})
	// The environment doesn't apply to localhost, so the host needs a name.
	s := newSender(t, SenderOptions{Allow: loopback, Resolver: fixedNames(map[string][]string{"receiver.test": {"127.0.0.1"}})})
	for _, trusted := range []bool{true, false} {
		if a := s.Send(t.Context(), message("http://receiver.test:"+portOf(t, srv.URL), trusted)); !a.Delivered() {
			t.Errorf("got %+v", a)
		}
	}
	if proxied.Load() != 0 {
		t.Error("a proxy was used")
	}
}

// Ensure a Sender with nonsense for options isn't made.
func TestNewSender_MaxResponse(t *testing.T) {
	t.Parallel()
	if _, err := NewSender(SenderOptions{MaxResponse: -1}); err == nil {
		t.Error("a negative limit is accepted")
	}
	url := rawReceiver(t, respond("HTTP/1.1 200 OK\r\n\r\n0123456789"))
	if a := newSender(t, SenderOptions{MaxResponse: 4}).Send(t.Context(), message(url, true)); a.Response != "0123" || !a.Truncated {
		t.Errorf("got %+v", a)
	}
}

// What a guarded attempt costs over a trusted one: a connection and a
// transport of its own.
func BenchmarkSender_Send(b *testing.B) {
	srv := receiver(b, func(http.ResponseWriter, *http.Request) {})
	s := newSender(b, SenderOptions{Allow: loopback})
	for _, trusted := range []bool{true, false} {
		b.Run(fmt.Sprintf("trusted=%v", trusted), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a := s.Send(b.Context(), message(srv.URL, trusted)); !a.Delivered() {
					b.Fatalf("got %+v", a)
				}
			}
		})
	}
}

// Ensure a document is never sent a second time by itself: when a kept
// connection dies under it, nobody knows whether it arrived.
func TestSender_Send_NeverTwice(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	url := rawReceiver(t, func(conn net.Conn, _ <-chan struct{}) {
		readRequest(conn)
		requests.Add(1)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		readRequest(conn)
		requests.Add(1)
	})
	s := newSender(t, SenderOptions{})
	if a := s.Send(t.Context(), message(url, true)); !a.Delivered() {
		t.Fatalf("first: got %+v", a)
	}
	if a := s.Send(t.Context(), message(url, true)); a.Code != CodeClosed || a.Final() {
		t.Errorf("second: got %+v", a)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("two messages were sent %d times", n)
	}
}

// Ensure one Sender serves many at once.
func TestSender_Send_Concurrent(t *testing.T) {
	t.Parallel()
	srv := receiver(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	s := newSender(t, SenderOptions{Allow: loopback})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 8 {
				msg := message(srv.URL, (i+j)%2 == 0)
				msg.Body = fmt.Appendf(nil, "%d/%d", i, j)
				if a := s.Send(t.Context(), msg); a.Response != string(msg.Body) {
					t.Errorf("%s: got %+v", msg.Body, a)
				}
			}
		})
	}
	wg.Wait()
}
