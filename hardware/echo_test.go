package hardware_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"switchyard/hardware"
)

// fakeNetwork answers by its function fields. Where they are nil its interface
// is there, and nothing is behind it.
type fakeNetwork struct {
	InterfaceFn func() (string, error)
	DialFn      func(ctx context.Context, network, addr string) (net.Conn, error)
}

var _ hardware.Network = (*fakeNetwork)(nil)

func (n *fakeNetwork) Interface() (string, error) {
	if n.InterfaceFn == nil {
		return "eth16", nil
	}
	return n.InterfaceFn()
}

func (n *fakeNetwork) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if n.DialFn == nil {
		return deadEnd(ctx)
	}
	return n.DialFn(ctx, network, addr)
}

// deadEnd is a dial whose packets nobody answers.
func deadEnd(ctx context.Context) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

var errRefused = errors.New("connection refused")

// answering returns a connection to an HTTP server of one request, in memory.
func answering(h http.HandlerFunc) net.Conn {
	client, server := net.Pipe()
	go serveOne(server, h)
	return client
}

// answeringTLS is answering behind TLS, with a certificate for host; where that
// is empty for whatever host is asked for.
func answeringTLS(host string, h http.HandlerFunc) net.Conn {
	client, server := net.Pipe()
	go serveOne(tls.Server(server, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if host == "" {
			return testCA.issue(hello.ServerName)
		}
		return testCA.issue(host)
	}}), h)
	return client
}

func serveOne(conn net.Conn, h http.HandlerFunc) {
	defer conn.Close()
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return // the client has gone
	}
	w := &response{header: http.Header{}, status: http.StatusOK}
	h(w, req)
	res := http.Response{
		StatusCode: w.status, ProtoMajor: 1, ProtoMinor: 1, Header: w.header, Request: req, Close: true,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
	}
	_ = res.Write(conn) // the client may have gone
}

// says answers with a status and a body.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://elsewhere.example/")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// authority signs the certificates of this package's servers.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var testCA authority

// trustTestCA has this process trust testCA alone. It must be called before
// anything asks for the system's certificates.
func trustTestCA() (undo func(), err error) {
	if testCA.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	t := template()
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, testCA.key.Public(), testCA.key)
	if err != nil {
		return nil, err
	}
	if testCA.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "switchyard-test-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return nil, err
	}
	return func() { _ = os.RemoveAll(dir) }, errors.Join(os.Setenv("SSL_CERT_FILE", file), os.Setenv("SSL_CERT_DIR", dir))
}

// template is valid on the clock of a synctest bubble, which begins in 2000.
func template() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "switchyard test"},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

func (a authority) issue(host string) (*tls.Certificate, error) {
	t := template()
	t.SerialNumber, t.DNSNames = big.NewInt(2), []string{host}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, a.key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}, nil
}

// response collects an answer.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *response) Header() http.Header         { return r.header }
func (r *response) WriteHeader(status int)      { r.status = status }
func (r *response) Write(b []byte) (int, error) { return r.body.Write(b) }
