package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// A timeoutError is the cause of a context that a time limit of ours ended.
type timeoutError struct{ limit time.Duration }

func (e *timeoutError) Error() string { return timedOut(e.limit) }

func timedOut(after time.Duration) string { return "Timed out after " + after.String() }

// A failure is what is known when no answer came.
type failure struct {
	err      error           // the transport's
	ctx      context.Context // the attempt's
	elapsed  time.Duration
	answered bool // the first byte of an answer had come
}

// words says what happened to a user. Errors of the standard library quote
// URLs, certificates and answers, and may come to quote more: none of their
// text gets out, it is only used to choose among fixed sentences.
func (f failure) words() (Code, string) {
	if refused := (*addressError)(nil); errors.As(f.err, &refused) {
		return CodeAddress, refused.Error()
	}
	timeout := net.Error(nil)
	isTimeout := errors.As(f.err, &timeout) && timeout.Timeout()
	if deadline, ok := f.ctx.Deadline(); ok && isTimeout && time.Until(deadline) < 100*time.Millisecond {
		// Sockets carry the same deadline, and may be a little earlier.
		<-f.ctx.Done()
	}
	if f.ctx.Err() != nil {
		return f.ended()
	}
	if dns := (*net.DNSError)(nil); errors.As(f.err, &dns) {
		switch {
		case dns.IsNotFound:
			return CodeLookup, "No such host"
		case dns.IsTimeout:
			return CodeLookup, "Name lookup timed out"
		}
		return CodeLookup, "Name lookup failed"
	}
	if words, ok := tlsWords(f.err); ok {
		return CodeTLS, "TLS: " + words
	}
	if code, words, ok := f.errno(); ok {
		return code, words
	}
	if isTimeout {
		// The handshake's own limit, for one.
		return CodeTimeout, timedOut(f.elapsed.Round(100 * time.Millisecond))
	}
	return f.protocol()
}

// ended is the failure of an attempt whose context ended.
func (f failure) ended() (Code, string) {
	cause := context.Cause(f.ctx)
	if limit := (*timeoutError)(nil); errors.As(cause, &limit) {
		return CodeTimeout, limit.Error()
	}
	if errors.Is(f.ctx.Err(), context.DeadlineExceeded) {
		// A deadline of the caller's, whose length isn't known here.
		return CodeTimeout, timedOut(f.elapsed.Round(time.Millisecond))
	}
	return CodeCancelled, "Cancelled"
}

func (f failure) errno() (Code, string, bool) {
	if errors.Is(f.err, errNoAddress) {
		return CodeConnect, "Connection failed", true
	}
	var errno syscall.Errno
	if !errors.As(f.err, &errno) {
		return "", "", false
	}
	switch errno {
	case syscall.ECONNREFUSED:
		return CodeConnect, "Connection refused", true
	case syscall.EHOSTUNREACH:
		return CodeConnect, "No route to host", true
	case syscall.ENETUNREACH:
		return CodeConnect, "Network unreachable", true
	case syscall.EACCES, syscall.EPERM:
		return CodeConnect, "Connection not permitted", true
	case syscall.ETIMEDOUT:
		return CodeTimeout, timedOut(f.elapsed.Round(100 * time.Millisecond)), true
	case syscall.ECONNRESET, syscall.EPIPE:
		return CodeClosed, "Connection reset", true
	}
	return CodeConnect, "Connection failed", true
}

// protocol is the failure of a connection that stood.
func (f failure) protocol() (Code, string) {
	text := f.err.Error()
	switch {
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "header list too large"):
		return CodeBadAnswer, "Answer header too large"
	case errors.Is(f.err, io.EOF), errors.Is(f.err, io.ErrUnexpectedEOF),
		errors.Is(f.err, net.ErrClosed),
		strings.Contains(text, "server closed idle connection"):
		if f.answered {
			return CodeClosed, "Connection closed in the middle of the answer"
		}
		return CodeClosed, "Connection closed without an answer"
	case f.answered, strings.Contains(text, "malformed HTTP"):
		return CodeBadAnswer, "Answer is not valid HTTP"
	case strings.Contains(text, "http2:"), strings.Contains(text, "stream error:"),
		strings.Contains(text, "connection error:"):
		return CodeBadAnswer, "HTTP/2 error"
	}
	return CodeOther, "Request failed"
}

// tlsWords says what went wrong in the handshake; ok is false for an error of
// another kind.
func tlsWords(err error) (words string, ok bool) {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		op        *net.OpError
	)
	switch {
	case errors.As(err, &authority):
		return "certificate signed by unknown authority", true
	case errors.As(err, &hostname):
		return "certificate is for another host name", true
	case errors.As(err, &invalid):
		if invalid.Reason == x509.Expired {
			return "certificate has expired or is not yet valid", true
		}
		return "certificate is not valid", true
	case errors.As(err, &verify):
		return "certificate is not valid", true
	case errors.As(err, &record):
		return "the server does not speak TLS", true
	case errors.As(err, &op) && op.Op == "remote error":
		// An alert. Its text is one of a fixed list, or a number.
		return "refused by the server (" + strings.TrimPrefix(fmt.Sprint(op.Err), "tls: ") + ")", true
	case strings.HasPrefix(innermost(err).Error(), "tls: "):
		return "handshake failed", true
	}
	return "", false
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
