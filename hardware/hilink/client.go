package hilink

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// DefaultTimeout is the limit of one request where Options doesn't set one.
	DefaultTimeout = 4 * time.Second
	// DefaultUser is the only account that these modems have.
	DefaultUser = "admin"
	// DefaultRetryDelay is how long a busy modem is left alone.
	DefaultRetryDelay = 500 * time.Millisecond
)

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
	// User is who logs in at a modem that wants a login. Defaults to
	// DefaultUser.
	User string
	// Password is the login's. Empty: there is none, and what wants a login
	// fails with ErrLoginRequired.
	Password string
	// RetryDelay is how long a call waits before it is made again that the
	// modem was too busy for. Defaults to DefaultRetryDelay.
	RetryDelay time.Duration
}

// Client is one modem's web API. Its methods may be called from any goroutine
// and are carried out one at a time.
type Client struct {
	base       string
	timeout    time.Duration
	retryDelay time.Duration
	account    account
	transport  *http.Transport
	now        func() time.Time

	// life ends with Close, and with it whatever is under way.
	life context.Context
	end  context.CancelFunc
	// gate is full while a call is under way. Close fills it for good.
	gate    chan struct{}
	closing sync.Once

	// What follows is guarded by gate.

	session session
	// guarded are the calls that this modem wanted a login for, and absent the
	// addresses that it doesn't have. Both are forgotten with the device.
	guarded map[string]bool
	absent  map[string]bool
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
	if opt.Timeout < 0 || opt.RetryDelay < 0 {
		return nil, fmt.Errorf("modem timeout %v or retry delay %v is negative", opt.Timeout, opt.RetryDelay)
	}
	opt.Timeout = cmp.Or(opt.Timeout, DefaultTimeout)
	opt.RetryDelay = cmp.Or(opt.RetryDelay, DefaultRetryDelay)
	opt.User = cmp.Or(opt.User, DefaultUser)
	if opt.Dial == nil {
		opt.Dial = new(net.Dialer).DialContext
	}
	c := &Client{
		base: "http://" + u.Host, timeout: opt.Timeout, retryDelay: opt.RetryDelay,
		account: account{user: opt.User, password: opt.Password},
		now:     time.Now,
		gate:    make(chan struct{}, 1),
		guarded: make(map[string]bool), absent: make(map[string]bool),
	}
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
