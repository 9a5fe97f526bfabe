package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"
)

// Ensure the failures that no receiver on loopback can bring about have words
// as well, and that no text of an error gets through.
func TestFailure_Words(t *testing.T) {
	t.Parallel()
	dialing := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, tt := range []struct {
		err   error
		code  Code
		words string
	}{
		{dialing(syscall.EHOSTUNREACH), CodeConnect, "No route to host"},
		{dialing(syscall.ENETUNREACH), CodeConnect, "Network unreachable"},
		{dialing(syscall.EACCES), CodeConnect, "Connection not permitted"},
		{dialing(syscall.EPERM), CodeConnect, "Connection not permitted"},
		{dialing(syscall.EADDRNOTAVAIL), CodeConnect, "Connection failed"},
		{dialing(syscall.ETIMEDOUT), CodeTimeout, "Timed out after 7.1s"},
		{dialing(os.ErrDeadlineExceeded), CodeTimeout, "Timed out after 7.1s"},
		{errNoAddress, CodeConnect, "Connection failed"},
		{&net.DNSError{Err: "i/o timeout", Name: "secret.test", IsTimeout: true}, CodeLookup, "Name lookup timed out"},
		{&net.DNSError{Err: "server misbehaving", Name: "secret.test"}, CodeLookup, "Name lookup failed"},
		{&tls.CertificateVerificationError{Err: errors.New("secret")}, CodeTLS, "TLS: certificate is not valid"},
		{x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign, Detail: "secret"}, CodeTLS, "TLS: certificate is not valid"},
		{fmt.Errorf("x: %w", errors.New("tls: secret")), CodeTLS, "TLS: handshake failed"},
		{&url.Error{Op: "Post", URL: "http://secret", Err: errors.New("secret")}, CodeOther, "Request failed"},
	} {
		f := failure{err: tt.err, ctx: t.Context(), elapsed: 7123 * time.Millisecond}
		if code, words := f.words(); code != tt.code || words != tt.words {
			t.Errorf("%v: got %q (%s), want %q (%s)", tt.err, words, code, tt.words, tt.code)
		}
	}
}

// Ensure a socket whose deadline passes a moment before its context's is taken
// for what it is.
func TestFailure_EarlySocketDeadline(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Millisecond, &timeoutError{5 * time.Second})
	defer cancel()
	f := failure{err: os.ErrDeadlineExceeded, ctx: ctx}
	if code, words := f.words(); code != CodeTimeout || words != "Timed out after 5s" {
		t.Errorf("got %q (%s)", words, code)
	}
}
