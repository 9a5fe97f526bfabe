package delivery

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// testSecret is a valid signing secret; its key must not show up anywhere.
const testSecret = "whsec_c2lnbmluZy1zZWNyZXQtb2YtdGhlLXRlc3Rz"

// loopback opens the network that stands for the public Internet here: tests
// send nothing to any other.
var loopback = []string{"127.0.0.0/8"}

func newSender(t testing.TB, o SenderOptions) *Sender {
	t.Helper()
	s, err := NewSender(o)
	if err != nil {
		t.Fatalf("NewSender: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// message is a signed message with a limit that is only met by a bug.
func message(rawURL string, trusted bool) Message {
	return Message{
		ID: "j_01test", URL: rawURL, Body: []byte(`{"success":true}`), Trusted: trusted,
		Timeout: 20 * time.Second, Secret: testSecret,
	}
}

// bothWays runs a test over a trusted and a guarded message.
func bothWays(t *testing.T, test func(t *testing.T, trusted bool)) {
	t.Helper()
	for name, trusted := range map[string]bool{"trusted": true, "guarded": false} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, trusted) })
	}
}

// receiver serves HTTP on a free port of loopback, without a log.
func receiver(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := unstarted(h)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

func unstarted(h http.HandlerFunc) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	return srv
}

// rawReceiver hands every connection to serve, and returns its base URL. serve
// has to come back once the connection or done is closed.
func rawReceiver(t testing.TB, serve func(conn net.Conn, done <-chan struct{})) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = conn.Close() }()
				serve(conn, done)
			})
		}
	})
	t.Cleanup(func() {
		close(done)
		_ = ln.Close()
		wg.Wait()
	})
	return "http://" + ln.Addr().String()
}

// readRequest reads up to the end of the test's request, whose body is the
// only thing with a closing brace.
func readRequest(conn net.Conn) {
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(got, []byte("}")) {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		got = append(got, buf[:n]...)
	}
}

// respond returns a raw server that reads the request and writes text.
func respond(text string) func(net.Conn, <-chan struct{}) {
	return func(conn net.Conn, _ <-chan struct{}) {
		readRequest(conn)
		_, _ = io.WriteString(conn, text)
	}
}

// refusing returns an address of loopback that nobody listens on.
func refusing(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// portOf returns the port of a URL.
func portOf(t testing.TB, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// names returns a resolver that answers from memory; no packet leaves the
// process. lookup gets the name without its trailing dot, once per record type
// asked for; nil means that there is no such host.
func names(lookup func(name string, v6 bool) []netip.Addr) *net.Resolver {
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go serveNames(server, lookup)
			return client, nil
		},
	}
}

// fixedNames answers for the names of a map.
func fixedNames(hosts map[string][]string) *net.Resolver {
	return names(func(name string, _ bool) []netip.Addr {
		var out []netip.Addr
		for _, addr := range hosts[name] {
			out = append(out, netip.MustParseAddr(addr))
		}
		return out
	})
}

// serveNames speaks DNS over a stream: messages behind two bytes of length.
func serveNames(conn net.Conn, lookup func(string, bool) []netip.Addr) {
	defer func() { _ = conn.Close() }()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		answer := answerNames(query, lookup)
		answer = append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func answerNames(query []byte, lookup func(string, bool) []netip.Addr) []byte {
	var labels []string
	end := 12
	for query[end] != 0 {
		n := int(query[end])
		labels = append(labels, string(query[end+1:end+1+n]))
		end += 1 + n
	}
	question := query[12 : end+5]
	v6 := binary.BigEndian.Uint16(query[end+1:]) == 28
	addrs := lookup(strings.ToLower(strings.Join(labels, ".")), v6)

	var records []byte
	count := uint16(0)
	for _, addr := range addrs {
		if addr.Is6() != v6 {
			continue
		}
		count++
		records = append(records, 0xc0, 12) // the question's name
		kind := uint16(1)
		if v6 {
			kind = 28
		}
		records = binary.BigEndian.AppendUint16(records, kind)
		records = append(records, 0, 1, 0, 0, 0, 0) // class IN, not to be kept
		records = binary.BigEndian.AppendUint16(records, uint16(len(addr.AsSlice())))
		records = append(records, addr.AsSlice()...)
	}
	answer := append([]byte{}, query[:2]...)
	flags := uint16(0x8180) // a recursive answer
	if addrs == nil {
		flags |= 3 // no such name
	}
	answer = binary.BigEndian.AppendUint16(answer, flags)
	answer = append(answer, 0, 1)
	answer = binary.BigEndian.AppendUint16(answer, count)
	answer = append(answer, 0, 0, 0, 0)
	answer = append(answer, question...)
	return append(answer, records...)
}
