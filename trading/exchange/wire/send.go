package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// maxAnswer is how much of an answer is read; the list of all symbols of an exchange,
// by far the longest, is a third of it.
const maxAnswer = 48 << 20

// Sender sends requests. Make one with NewSender.
type Sender struct {
	http    *http.Client
	timeout time.Duration
}

// NewSender returns a sender. Without a transport it has one of its own. Redirects are
// not followed.
func NewSender(transport http.RoundTripper, timeout time.Duration) *Sender {
	if transport == nil {
		t := &http.Transport{}
		if usual, ok := http.DefaultTransport.(*http.Transport); ok { // as it is, unless a program has another one
			t = usual.Clone()
		}
		// An order on a connection that the other side is just closing has an unknown
		// outcome, so idle ones are closed before an exchange does it.
		t.IdleConnTimeout = 30 * time.Second
		transport = t
	}
	return &Sender{timeout: timeout, http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Close lets go of the connections. Requests under way are not waited for.
func (s *Sender) Close() { s.http.CloseIdleConnections() }

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// BrokenError is that no whole answer came.
type BrokenError struct {
	// Sent: the request may have arrived.
	Sent bool
	// Cut: an answer began.
	Cut bool
	Err error
}

func (f *BrokenError) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *BrokenError) Unwrap() error { return f.Err }

// Do sends a request and reads the answer. Error: a *BrokenError, in which the address, with
// what may be signed in it, isn't told.
func (s *Sender) Do(ctx context.Context, method, target string, header http.Header, body string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	// Nothing can have arrived where a connection was asked for and none was had.
	// Without a trace (somebody's own transport) it may have.
	var asked, got atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
	})
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, r)
	if err != nil {
		return Answer{}, &BrokenError{Err: errors.New("the address of the API is no URL")}
	}
	if header != nil {
		req.Header = header
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return Answer{}, &BrokenError{Sent: got.Load() || !asked.Load(), Err: bare(ctx, err)}
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	if a.Body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return a, &BrokenError{Sent: true, Cut: true, Err: bare(ctx, err)}
	}
	return a, nil
}

// bare takes the URL off an error. Where the context ended, why it did is told.
func bare(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// maxMessage is how much of an exchange's words an error repeats.
const maxMessage = 300

// Words are an exchange's in an error: shortened, and without what is secret.
func Words(message string, secrets ...string) string {
	for _, secret := range secrets {
		if secret != "" {
			message = strings.ReplaceAll(message, secret, "[redacted]")
		}
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	return message
}
