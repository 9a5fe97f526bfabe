package delivery

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	defaultMaxResponse = 4096
	defaultTimeout     = 10 * time.Second
	defaultUserAgent   = "switchyard"

	// What is not kept of an answer is read up to here, so that receivers see
	// their answer taken and connections can be used again; then hung up on.
	discardBytes = 64 << 10
	discardTime  = 200 * time.Millisecond

	secretPrefix = "whsec_"
)

// SenderOptions configures a Sender.
type SenderOptions struct {
	// Allow opens what URLs from requests can't reach by default: networks
	// (CIDR) and IP addresses, compared with the address dialled, and host
	// names, compared with the URL's host name as a whole without regard to
	// case or a trailing dot; a name opens whatever it resolves to.
	// Everything is opened by 0.0.0.0/0 and ::/0. Defaults to none.
	Allow []string
	// MaxResponse is how many bytes of an answer's body are kept. 0: 4096.
	MaxResponse int64
	// UserAgent is the User-Agent header. Defaults to switchyard.
	UserAgent string
	// RootCAs sign the certificates that are trusted. nil: the system's.
	RootCAs *x509.CertPool
	// Resolver looks host names up. nil: net.DefaultResolver.
	Resolver *net.Resolver
	// Now is the clock of Attempt.At and webhook-timestamp.
	// Defaults to time.Now.
	Now func() time.Time
}

// Message is one document for one receiver. It prints as its id and host.
type Message struct {
	// ID is the webhook-id: the same for every attempt at this message. Letters,
	// digits, "_" and "-".
	ID string
	// URL is where it is posted to.
	URL string
	// Body is posted, and signed, byte for byte.
	Body []byte
	// ContentType of Body. Defaults to application/json.
	ContentType string
	// Trusted: the URL stands in the configuration. It may reach any address
	// and carry a user name and password (sent as basic authentication).
	Trusted bool
	// Timeout bounds the attempt from name lookup to the last byte read.
	// 0: 10s.
	Timeout time.Duration
	// ConnectTimeout bounds name lookup, connect and TLS handshake together.
	// 0: only Timeout does.
	ConnectTimeout time.Duration
	// Secret signs the message (whsec_…). Empty: it is not signed.
	Secret string
}

// String implements fmt.Stringer without URL, body and secret.
func (m Message) String() string { return m.ID + " to " + Host(m.URL) }

// GoString implements fmt.GoStringer like String.
func (m Message) GoString() string { return m.String() }

// LogValue implements slog.LogValuer like String.
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// A Sender makes single attempts at deliveries. It is safe for concurrent use.
type Sender struct {
	guard       *guard
	dialer      net.Dialer
	roots       *x509.CertPool
	maxResponse int64
	userAgent   string
	now         func() time.Time

	// trusted is the pool of connections to URLs from the configuration. No
	// guarded attempt ever takes one from it.
	trusted *http.Transport
	closed  context.Context
	close   context.CancelFunc
}

// NewSender returns a Sender, or an error that names the faulty option.
func NewSender(o SenderOptions) (*Sender, error) {
	g, err := newGuard(o.Allow)
	if err != nil {
		return nil, err
	}
	if o.MaxResponse < 0 {
		return nil, fmt.Errorf("delivery: max response is negative: %d", o.MaxResponse)
	}
	s := &Sender{
		guard:       g,
		dialer:      net.Dialer{Timeout: dialLimit, Resolver: o.Resolver},
		roots:       o.RootCAs,
		maxResponse: o.MaxResponse,
		userAgent:   o.UserAgent,
		now:         o.Now,
	}
	if s.maxResponse == 0 {
		s.maxResponse = defaultMaxResponse
	}
	if s.userAgent == "" {
		s.userAgent = defaultUserAgent
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.closed, s.close = context.WithCancel(context.Background())
	s.trusted = newTransport(s.dialTrusted, s.roots)
	return s, nil
}

// Close closes the connections that are kept for reuse, and gives up those
// that ended attempts were still opening. Call it when no attempt is under way
// any more; more than once is fine.
func (s *Sender) Close() {
	s.close()
	s.trusted.CloseIdleConnections()
}

// dialTrusted implements [dial]. The transport takes ctx's end away, so that a
// connection opened too late for one message may serve the next; Close gives
// it one again.
func (s *Sender) dialTrusted(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closed, cancel)()
	return s.dialer.DialContext(ctx, network, address)
}

// CheckSecret reports whether a secret can sign: base64 of at least one byte,
// usually after whsec_. The error doesn't quote it.
func CheckSecret(secret string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) == 0 {
		// An empty key would sign, and so could everybody.
		return errors.New("signing secret is not whsec_ followed by base64")
	}
	return nil
}

// Send makes one attempt and returns the record of it; that is its only
// outcome, whatever happens. It returns within the message's timeout, or as
// soon as ctx ends.
func (s *Sender) Send(ctx context.Context, m Message) Attempt {
	begin := time.Now()
	at := s.now().UTC()
	a := Attempt{At: at.Truncate(time.Millisecond)}
	s.send(ctx, m, at, begin, &a)
	a.DurationMS = time.Since(begin).Milliseconds()
	return a
}

func (s *Sender) send(ctx context.Context, m Message, at, begin time.Time, a *Attempt) {
	u, err := m.target()
	if err != nil {
		a.fail(CodeURL, "Invalid URL: it "+urlReason(err))
		return
	}
	if !validID(m.ID) {
		a.fail(CodeMessage, "Invalid message id")
		return
	}
	header, err := s.header(m, at)
	if err != nil {
		a.fail(CodeSecret, "Invalid signing secret")
		return
	}

	timeout := m.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, stop := context.WithTimeoutCause(ctx, timeout, &timeoutError{timeout})
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if m.ConnectTimeout > 0 {
		connecting := time.AfterFunc(m.ConnectTimeout, func() { cancel(&timeoutError{m.ConnectTimeout}) })
		defer connecting.Stop()
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { connecting.Stop() },
		})
	}
	var answered atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotFirstResponseByte: func() { answered.Store(true) },
	})

	// The URL was parsed, so a request can be made of it.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		a.fail(CodeURL, "Invalid URL: it "+ErrURLSyntax.Reason)
		return
	}
	req.Header = header
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}

	// A round trip is one request and its answer: unlike an http.Client it
	// doesn't even look at where a redirect points.
	resp, err := s.transport(ctx, m.Trusted).RoundTrip(req)
	if err != nil {
		f := failure{err: err, ctx: ctx, elapsed: time.Since(begin), answered: answered.Load()}
		a.fail(f.words())
		return
	}
	defer func() { _ = resp.Body.Close() }()
	s.record(resp, newRedactor(u, m.Secret), cancel, a)
}

// transport returns what a message is sent through. URLs from requests get one
// of their own each, under the attempt's context, with nothing to share.
func (s *Sender) transport(ctx context.Context, trusted bool) *http.Transport {
	if trusted {
		return s.trusted
	}
	g := &guardedDial{ctx: ctx, guard: s.guard, dialer: s.dialer}
	t := newTransport(g.dial, s.roots)
	t.DisableKeepAlives = true
	return t
}

// header returns the request's header; its error is that of CheckSecret.
func (s *Sender) header(m Message, at time.Time) (http.Header, error) {
	h := http.Header{}
	h.Set("User-Agent", s.userAgent)
	h.Set("Content-Type", m.ContentType)
	if m.ContentType == "" {
		h.Set("Content-Type", "application/json")
	}
	h.Set(standardwebhooks.HeaderWebhookID, m.ID)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	if m.Secret == "" {
		return h, nil
	}
	if err := CheckSecret(m.Secret); err != nil {
		return nil, err
	}
	signer, err := standardwebhooks.NewWebhook(m.Secret)
	if err != nil {
		return nil, err
	}
	signature, err := signer.Sign(m.ID, at, m.Body)
	if err != nil {
		return nil, err
	}
	h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return h, nil
}

// record notes the answer. What goes wrong while its body is read doesn't
// change what the status says: the receiver has decided by then.
func (s *Sender) record(resp *http.Response, r *redactor, cancel context.CancelCauseFunc, a *Attempt) {
	a.Status = resp.StatusCode
	a.ResponseHeaders = r.header(resp.Header)
	if !a.Delivered() {
		a.failStatus()
	}
	if a.Status == http.StatusSwitchingProtocols {
		return // the "body" would be the bare connection
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, s.maxResponse))
	if err == nil {
		hangUp := time.AfterFunc(discardTime, func() { cancel(nil) })
		defer hangUp.Stop()
		var rest int64
		rest, err = io.CopyN(io.Discard, resp.Body, discardBytes)
		a.Truncated = rest > 0 || !errors.Is(err, io.EOF)
	} else {
		a.Truncated = true
	}
	a.Response = r.text(body, s.maxResponse, a.Truncated)
}

// target returns the parsed URL, or one of the ErrURL… values.
func (m Message) target() (*url.URL, error) {
	if !m.Trusted {
		if err := CheckURL(m.URL); err != nil {
			return nil, err
		}
	}
	return parseURL(m.URL)
}

func urlReason(err error) string {
	if ue := (*URLError)(nil); errors.As(err, &ue) {
		return ue.Reason
	}
	return ErrURLSyntax.Reason
}

// validID: a dot would make the signed content ambiguous (id.timestamp.body).
func validID(id string) bool {
	return id != "" && strings.IndexFunc(id, func(r rune) bool { return notLDH(r) || r == '.' }) < 0
}
