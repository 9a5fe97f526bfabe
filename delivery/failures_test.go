package delivery

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A misfortune is one way in which an attempt fails, and what is said of it.
type misfortune struct {
	name    string
	options SenderOptions // Allow is set by the test
	url     string
	timeout time.Duration // 0: far away
	code    Code
	words   string
	status  int // where an answer came all the same
}

const (
	// short is for receivers that never get to the point anyway.
	short = 80 * time.Millisecond
	// patient is for those that have to get somewhere first, on a machine
	// that may be busy.
	patient = 500 * time.Millisecond
)

// misfortunes sets up the receivers of them all.
func misfortunes(t *testing.T) []misfortune {
	hang := func(conn net.Conn, done <-chan struct{}) { <-done }
	tlsOf := func(url string) string { return strings.Replace(url, "http://", "https://", 1) }
	ok := func(w http.ResponseWriter, _ *http.Request) {}

	plain := receiver(t, ok)
	selfSigned := unstarted(ok)
	selfSigned.StartTLS()
	t.Cleanup(selfSigned.Close)
	roots := x509.NewCertPool()
	roots.AddCert(selfSigned.Certificate())
	expired := unstarted(ok)
	expiredCert := certificate(t, time.Now().Add(-time.Hour))
	expired.TLS = &tls.Config{Certificates: []tls.Certificate{expiredCert}}
	expired.StartTLS()
	t.Cleanup(expired.Close)
	expiredRoots := x509.NewCertPool()
	expiredRoots.AddCert(expiredCert.Leaf)
	picky := unstarted(ok)
	picky.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	picky.StartTLS()
	t.Cleanup(picky.Close)

	return []misfortune{
		{
			name: "refused", url: "http://" + refusing(t),
			code: CodeConnect, words: "Connection refused",
		},
		{
			name: "no such host", url: "http://nowhere.test:8080",
			options: SenderOptions{Resolver: fixedNames(nil)},
			code:    CodeLookup, words: "No such host",
		},
		{
			name: "name server hangs", url: "http://nowhere.test:8080", timeout: short,
			options: SenderOptions{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				select { // a lookup that two attempts share isn't cancelled by them
				case <-ctx.Done():
				case <-t.Context().Done():
				}
				return nil, io.ErrClosedPipe
			}}},
			code: CodeTimeout, words: "Timed out after 80ms",
		},
		{
			name: "name server broken", url: "http://nowhere.test:8080",
			options: SenderOptions{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
				return nil, io.ErrClosedPipe
			}}},
			code: CodeLookup, words: "Name lookup failed",
		},
		{
			name: "timeout at connect", url: "http://" + fullBacklog(t), timeout: short,
			code: CodeTimeout, words: "Timed out after 80ms",
		},
		{
			name: "timeout at handshake", url: tlsOf(rawReceiver(t, hang)), timeout: short,
			code: CodeTimeout, words: "Timed out after 80ms",
		},
		{
			name: "timeout before header", url: rawReceiver(t, hang), timeout: short,
			code: CodeTimeout, words: "Timed out after 80ms",
		},
		{
			name: "timeout within header", timeout: short,
			url: rawReceiver(t, func(conn net.Conn, done <-chan struct{}) {
				respond("HTTP/1.1 200 OK\r\nContent-")(conn, done)
				<-done
			}),
			code: CodeTimeout, words: "Timed out after 80ms",
		},
		{
			name: "drips informational answers", timeout: short,
			url: rawReceiver(t, func(conn net.Conn, _ <-chan struct{}) {
				readRequest(conn)
				drip(conn, "HTTP/1.1 102 Processing\r\n\r\n")
			}),
			code: CodeTimeout, words: "Timed out after 80ms",
		},
		{
			name: "streams informational answers",
			url: rawReceiver(t, func(conn net.Conn, _ <-chan struct{}) {
				readRequest(conn)
				forever(conn, "HTTP/1.1 102 Processing\r\n\r\n")
			}),
			code: CodeBadAnswer, words: "Answer header too large",
		},
		{
			name: "timeout within body of a failure", timeout: patient,
			url: rawReceiver(t, func(conn net.Conn, done <-chan struct{}) {
				respond("HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nsome")(conn, done)
				<-done
			}),
			code: CodeStatus, words: "HTTP 500 Internal Server Error", status: 500,
		},
		{
			name: "closed without answer", url: rawReceiver(t, respond("")),
			code: CodeClosed, words: "Connection closed without an answer",
		},
		{
			name: "reset",
			url: rawReceiver(t, func(conn net.Conn, _ <-chan struct{}) {
				readRequest(conn)
				_ = conn.(*net.TCPConn).SetLinger(0)
			}),
			code: CodeClosed, words: "Connection reset",
		},
		{
			name: "closed within header", url: rawReceiver(t, respond("HTTP/1.1 200 OK\r\nDate: x\r\n")),
			code: CodeClosed, words: "Connection closed in the middle of the answer",
		},
		{
			name: "garbage", url: rawReceiver(t, respond("220 mail.example.com ESMTP\r\n\r\n")),
			code: CodeBadAnswer, words: "Answer is not valid HTTP",
		},
		{
			name: "garbage in header", url: rawReceiver(t, respond("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")),
			code: CodeBadAnswer, words: "Answer is not valid HTTP",
		},
		{
			name: "header without end",
			url: rawReceiver(t, func(conn net.Conn, _ <-chan struct{}) {
				readRequest(conn)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
				forever(conn, "X: y\r\n")
			}),
			code: CodeBadAnswer, words: "Answer header too large",
		},
		{
			name: "certificate of unknown authority", url: selfSigned.URL,
			code: CodeTLS, words: "TLS: certificate signed by unknown authority",
		},
		{
			name: "certificate of another host", url: "https://wrong.test:" + portOf(t, selfSigned.URL),
			options: SenderOptions{RootCAs: roots, Resolver: fixedNames(map[string][]string{"wrong.test": {"127.0.0.1"}})},
			code:    CodeTLS, words: "TLS: certificate is for another host name",
		},
		{
			name: "expired certificate", url: expired.URL,
			options: SenderOptions{RootCAs: expiredRoots},
			code:    CodeTLS, words: "TLS: certificate has expired or is not yet valid",
		},
		{
			name: "no TLS there", url: tlsOf(plain.URL),
			code: CodeTLS, words: "TLS: the server does not speak TLS",
		},
		{
			name: "client certificate wanted", url: picky.URL, options: SenderOptions{RootCAs: roots},
			code: CodeTLS, words: "TLS: refused by the server (certificate required)",
		},
		{
			name: "closed in handshake",
			url:  tlsOf(rawReceiver(t, func(conn net.Conn, _ <-chan struct{}) { _, _ = conn.Read(make([]byte, 4096)) })),
			code: CodeClosed, words: "Connection closed without an answer",
		},
		{
			name: "redirect", url: rawReceiver(t, respond("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")),
			code: CodeRedirect, words: "Redirect not followed (302)", status: 302,
		},
	}
}

// Ensure every way to fail is told in words, leaves a retry open, and is over
// when the timeout is.
func TestSender_Send_Failures(t *testing.T) {
	t.Parallel()
	for _, m := range misfortunes(t) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, trusted bool) {
				options := m.options
				options.Allow = append([]string{"wrong.test"}, loopback...)
				msg := message(m.url, trusted)
				if m.timeout > 0 {
					msg.Timeout = m.timeout
				}
				begin := time.Now()
				a := newSender(t, options).Send(t.Context(), msg)
				if took := time.Since(begin); took > msg.Timeout+5*time.Second {
					t.Errorf("took %v, with a limit of %v", took, msg.Timeout)
				}
				if a.Error != m.words || a.Code != m.code || a.Status != m.status {
					t.Errorf("got %d %q (%s), want %d %q (%s)", a.Status, a.Error, a.Code, m.status, m.words, m.code)
				}
				if a.Delivered() || a.Final() || a.Sent() != (m.status != 0) {
					t.Errorf("delivered %v, final %v, sent %v", a.Delivered(), a.Final(), a.Sent())
				}
			})
		})
	}
}

// Ensure a caller that ends the context is not kept waiting, and is told from
// a timeout.
func TestSender_Send_CallerEnds(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, trusted bool) {
		s := newSender(t, SenderOptions{Allow: loopback})
		ctx, cancel := context.WithCancel(t.Context())
		url := rawReceiver(t, func(conn net.Conn, done <-chan struct{}) {
			readRequest(conn)
			cancel()
			<-done
		})
		if a := s.Send(ctx, message(url, trusted)); a.Error != "Cancelled" || a.Code != CodeCancelled || a.Final() {
			t.Errorf("cancelled: got %+v", a)
		}
		deadline, stop := context.WithTimeout(t.Context(), short)
		defer stop()
		a := s.Send(deadline, message(url, trusted))
		if !strings.HasPrefix(a.Error, "Timed out after ") || a.Code != CodeTimeout {
			t.Errorf("deadline of the caller: got %+v", a)
		}
	})
}

// Ensure the limit for connecting ends with the handshake, and isn't applied
// to a receiver that takes its time to answer.
func TestSender_Send_ConnectTimeout(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, trusted bool) {
		s := newSender(t, SenderOptions{Allow: loopback})
		msg := message("http://"+fullBacklog(t), trusted)
		msg.ConnectTimeout = short
		if a := s.Send(t.Context(), msg); a.Error != "Timed out after 80ms" || a.Code != CodeTimeout {
			t.Errorf("connecting: got %+v", a)
		}
		slow := receiver(t, func(http.ResponseWriter, *http.Request) {
			<-time.After(patient + short)
		})
		msg.URL, msg.ConnectTimeout = slow.URL, patient
		if a := s.Send(t.Context(), msg); !a.Delivered() {
			t.Errorf("answering: got %+v", a)
		}
	})
}

// forever writes text until the reader hangs up.
func forever(conn net.Conn, text string) {
	text = strings.Repeat(text, 200)
	for {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

// drip writes text every few milliseconds until the reader hangs up.
func drip(conn net.Conn, text string) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

// fullBacklog returns an address of loopback at which connections are never
// completed: nobody accepts, and the queue is full.
func fullBacklog(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*syscall.SockaddrInet4).Port)).String()
	for range 16 {
		conn, err := net.DialTimeout("tcp", addr, short)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Skip("this kernel's accept queue can't be filled")
	return ""
}

// certificate returns a self-signed one for 127.0.0.1.
func certificate(t *testing.T, notAfter time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: notAfter.Add(-time.Hour), NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
