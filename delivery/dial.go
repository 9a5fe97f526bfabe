package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// A dial opens the connection for a request; its address is host:port.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

const (
	// A connection that no request waits for any longer may still become one
	// that the next request uses. These bound how long it is tried.
	dialLimit      = 30 * time.Second
	handshakeLimit = 10 * time.Second

	// Servers close a connection that has been idle for a while (gunicorn
	// after 2 s, Node and Apache after 5). A document sent just then is lost,
	// and as it may have arrived, it is not sent again by itself. Kept shorter
	// than any of them, connections are reused in a burst and only there.
	trustedIdle = time.Second

	// An answer's header may be this large, in bytes.
	maxAnswerHeader = 64 << 10
)

// newTransport returns a transport without proxies, compression or redirects
// of its own: what is recorded is what was sent.
func newTransport(d dial, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // a proxy would dial in our place, behind the guard's back
		DialContext:            d,
		TLSClientConfig:        &tls.Config{RootCAs: roots},
		TLSHandshakeTimeout:    handshakeLimit,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true, // which a DialContext of one's own turns off
		MaxResponseHeaderBytes: maxAnswerHeader,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        trustedIdle,
		HTTP2: &http.HTTP2Config{
			// Of an answer only the first few KiB are wanted; by default
			// each stream may make us buffer 4 MiB.
			MaxReceiveBufferPerStream:     64 << 10,
			MaxReceiveBufferPerConnection: 1 << 20,
			// A connection whose peer is gone would otherwise take every
			// document into its grave until TCP gives up.
			SendPingTimeout: 5 * time.Second,
			PingTimeout:     5 * time.Second,
		},
	}
}

// A guardedDial is the dialling of one attempt at a URL from a request. It
// lives as long as ctx, and so do its connections.
type guardedDial struct {
	// A transport dials under a context of its own, which outlives the
	// request; so the attempt's is kept here.
	ctx    context.Context
	guard  *guard
	dialer net.Dialer

	mu      sync.Mutex
	refused *addressError // the first one
	passed  bool          // the guard let some address through
}

// errNoAddress stands for: some addresses of the host were refused by the
// guard, the others could not be connected to.
var errNoAddress = errors.New("no address of the host could be connected to")

// dial implements [dial]. The name is resolved by the dialer, and what comes of
// it is checked on the socket, just before connect: there is no moment in
// which the name could change its address.
func (g *guardedDial) dial(_ context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	dialer := g.dialer
	if addr, err := netip.ParseAddr(host); err == nil {
		// Needs no socket, which may not be had for every address family.
		if err := g.guard.check(addr); err != nil {
			return nil, err
		}
	}
	if !g.guard.allowsName(host) {
		dialer.ControlContext = g.control
	}
	conn, err := dialer.DialContext(g.ctx, network, address)
	if err != nil {
		return nil, g.verdict(err)
	}
	// The attempt's end closes the connection, whatever the transport still
	// thinks of doing with it. It runs once, so nothing is kept of it.
	context.AfterFunc(g.ctx, func() { _ = conn.Close() })
	return conn, nil
}

// control is called with the address that is about to be connected to, for
// several at a time.
func (g *guardedDial) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err // never dial what can't be read
	}
	err = g.guard.check(ap.Addr())

	g.mu.Lock()
	defer g.mu.Unlock()
	var refused *addressError
	switch {
	case err == nil:
		g.passed = true
	case errors.As(err, &refused) && g.refused == nil:
		g.refused = refused
	}
	return err
}

// verdict makes of a failed dial what becomes of the attempt. A dialer that
// tried several addresses returns the first one's error only. That the address
// is not allowed ends a delivery for good, so it is said only of hosts with no
// allowed address at all.
func (g *guardedDial) verdict(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch refused := (*addressError)(nil); {
	case g.refused != nil && !g.passed:
		return g.refused
	case errors.As(err, &refused):
		return errNoAddress
	}
	return err
}
