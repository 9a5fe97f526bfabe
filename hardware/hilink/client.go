package hilink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// DefaultTimeout is the limit of one request where Options doesn't set one.
const DefaultTimeout = 4 * time.Second

const (
	// maxAnswer bounds an answer's body. The longest that is known, a list of
	// network modes, is under 4 KiB.
	maxAnswer = 256 << 10
	// maxHeader bounds an answer's header; a login's 32 tokens take 1 KiB.
	maxHeader = 64 << 10
	// keepAlive is how long an unused connection is kept. Modems close theirs
	// after a few seconds, and a POST on a connection that the other side has
	// just closed is lost.
	keepAlive = 3 * time.Second
)

// Options are the parts of a Client that have defaults.
type Options struct {
	// Dial opens the connections to the modem; network is "tcp", addr is the
	// host:port of the base URL. It must end when ctx does. Defaults to a
	// net.Dialer's DialContext.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Timeout bounds one HTTP request, from dialling to the end of the answer.
	// Defaults to DefaultTimeout.
	Timeout time.Duration
}

// Client is one modem's web API. Its methods may be called from any goroutine
// and are carried out one at a time.
type Client struct {
	base      string
	timeout   time.Duration
	transport *http.Transport

	// life ends with Close, and with it whatever is under way.
	life context.Context
	end  context.CancelFunc
	// gate is full while a call is under way. Close fills it for good.
	gate    chan struct{}
	closing sync.Once

	// session is guarded by gate.
	session session
}

// New prepares a client for the modem at baseURL, which is scheme, host and
// port only (http://192.168.11.1). It does no I/O. The client keeps a
// connection, so it wants a Close.
func New(baseURL string, opt Options) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, fmt.Errorf("modem address: %w", err)
	}
	plain := u.User == nil && (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == ""
	if u.Scheme != "http" || u.Hostname() == "" || !plain {
		return nil, fmt.Errorf("modem address %q: want http://host or http://host:port", u.Redacted())
	}
	if opt.Timeout < 0 {
		return nil, fmt.Errorf("modem timeout %v is negative", opt.Timeout)
	}
	if opt.Timeout == 0 {
		opt.Timeout = DefaultTimeout
	}
	if opt.Dial == nil {
		opt.Dial = new(net.Dialer).DialContext
	}
	c := &Client{base: "http://" + u.Host, timeout: opt.Timeout, gate: make(chan struct{}, 1)}
	c.life, c.end = context.WithCancel(context.Background())
	c.transport = &http.Transport{
		Proxy:                  nil,
		DialContext:            c.dial(opt.Dial),
		DisableCompression:     true,
		MaxIdleConns:           1,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        keepAlive,
		MaxResponseHeaderBytes: maxHeader,
	}
	return c, nil
}

// dialFunc is what Options.Dial is.
type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// dial bounds a dialer. The transport lets a dial go on after the request that
// wanted it has ended, so without this one into a dead interface would outlive
// both the request and the client.
func (c *Client) dial(next dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		stop := context.AfterFunc(c.life, cancel)
		defer stop()
		return next(ctx, network, addr)
	}
}

// CloseIdle drops the kept connection. Call it when the interface behind the
// dialer has gone or come back; the session is kept.
func (c *Client) CloseIdle() { c.transport.CloseIdleConnections() }

// Close ends the call under way, waits for it, and drops the connection. Calls
// made later fail with ErrClosed. It may be called more than once.
func (c *Client) Close() {
	c.closing.Do(func() {
		c.end()
		c.gate <- struct{}{}
		c.transport.CloseIdleConnections()
	})
}

// enter waits for this caller's turn.
func (c *Client) enter(ctx context.Context) error {
	// A select takes any case that is ready: what has ended goes first.
	if c.life.Err() != nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c.gate <- struct{}{}:
		if c.life.Err() != nil {
			c.leave() // Close waits for this place.
			return ErrClosed
		}
		return nil
	case <-c.life.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) leave() { <-c.gate }

// request is one call of the API: a GET, or with a body a POST.
type request struct {
	op   string // what it does, for errors: "read signal"
	path string // "/api/device/signal"
	body []byte
}

// call carries out one request, opening a session where there is none and
// once more where the modem has dropped it.
func (c *Client) call(ctx context.Context, r request) (answer, error) {
	if err := c.enter(ctx); err != nil {
		return answer{}, fmt.Errorf("%s: %w", r.op, err)
	}
	defer c.leave()
	a, err := c.try(ctx, r)
	if c.session.forget(err) {
		a, err = c.try(ctx, r)
		c.session.forget(err)
	}
	if err == nil {
		return a, nil
	}
	if refusal, ok := errors.AsType[*Error](err); ok {
		refusal.Op = r.op
		return answer{}, refusal
	}
	return answer{}, fmt.Errorf("%s: %w", r.op, err)
}

// try makes the request with a session and, for a POST, a token.
func (c *Client) try(ctx context.Context, r request) (answer, error) {
	if c.session.cookie == "" || r.body != nil && len(c.session.tokens) == 0 {
		if err := c.open(ctx); err != nil {
			return answer{}, err
		}
	}
	if r.body == nil {
		return c.exchange(ctx, r, "")
	}
	token, ok := c.session.pop()
	if !ok {
		return answer{}, errors.New("the modem gives out no tokens")
	}
	return c.exchange(ctx, r, token)
}

// open asks for a session and a token. A session that the modem still knows is
// kept; then only the token is new.
func (c *Client) open(ctx context.Context) error {
	a, err := c.exchange(ctx, request{path: "/api/webserver/SesTokInfo"}, "")
	if err != nil {
		return err
	}
	c.session.adopt(a.field("SesInfo"), a.field("TokInfo"))
	return nil
}

// exchange sends one HTTP request and reads its answer. What the answer says
// of session and tokens is kept.
func (c *Client) exchange(parent context.Context, r request, token string) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(parent, c.timeout, ErrTimeout)
	defer cancel()
	stop := context.AfterFunc(c.life, cancel)
	defer stop()

	method, body := http.MethodGet, io.Reader(http.NoBody)
	if r.body != nil {
		method, body = http.MethodPost, bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+r.path, body)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "*/*")
	if c.session.cookie != "" {
		req.Header.Set("Cookie", sessionCookie+"="+c.session.cookie)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		// Not through Set, so that it is spelt as the modem's own pages do.
		req.Header[tokenHeader] = []string{token}
	}

	// The transport itself, not an http.Client: no redirects, no cookie jar.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return answer{}, c.lost(ctx, parent, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		// A modem answers everything with 200, errors too.
		return answer{}, fmt.Errorf("%w: HTTP status %d", ErrNotHiLink, resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, c.lost(ctx, parent, err)
	}
	if len(text) > maxAnswer {
		return answer{}, fmt.Errorf("%w: more than %d bytes", ErrNotHiLink, maxAnswer)
	}
	a, err := decode(text)
	if !errors.Is(err, ErrNotHiLink) {
		c.session.absorb(resp, r.body != nil)
	}
	return a, err
}

// lost says why there is no answer: the client was closed, the caller gave
// up, the modem was too slow, or whatever the network says.
func (c *Client) lost(ctx, parent context.Context, err error) error {
	switch {
	case c.life.Err() != nil:
		return ErrClosed
	case parent.Err() != nil:
		return parent.Err()
	case errors.Is(context.Cause(ctx), ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		// The second is the dialer's own clock, a moment ahead of ours.
		return fmt.Errorf("%w (%v)", ErrTimeout, c.timeout)
	default:
		return err
	}
}
