package app_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchyard/app"
	"switchyard/configs"
)

// pair is the files of a certificate for 127.0.0.1, and who trusts it.
type pair struct {
	cert, key string
	trusted   *x509.CertPool
}

// issue writes a new certificate of this number over the files in dir.
func issue(t *testing.T, dir string, number int64) pair {
	t.Helper()
	return issueFor(t, dir, number, time.Hour)
}

// issueFor writes one that is good for so long, or is over.
func issueFor(t *testing.T, dir string, number int64, left time.Duration) pair {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	form := &x509.Certificate{
		SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "switchyard"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(left),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	p := pair{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), trusted: x509.NewCertPool()}
	must(t, os.WriteFile(p.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(p.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	p.trusted.AddCert(leaf)
	return p
}

// withTLS has an app serve the pair on a free port, too.
func (p pair) withTLS(c *configs.Config) {
	c.HTTP.TLS = configs.HTTPTLS{Listen: []string{"127.0.0.1:0"}, Cert: p.cert, Key: p.key}
}

// serial is the number of the certificate that a new connection is given.
func (b *bundle) serial(t *testing.T, p *process) int64 {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	c, err := d.DialContext(b.ctx, "tcp", p.TLSAddrs()[0])
	must(t, err)
	defer c.Close()
	conn, ok := c.(*tls.Conn)
	if !ok {
		t.Fatalf("%T", c)
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// Ensure HTTPS stands beside HTTP with HTTP/2 and nothing older than TLS 1.2.
func TestTLS(t *testing.T) {
	t.Parallel()
	b := setup(t)
	issued := issue(t, t.TempDir(), 1)
	p := b.start(t, b.config(issued.withTLS), app.API)
	b.wants(t, p, http.MethodGet, "/healthz", "", 200, "ok")

	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: issued.trusted}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, "https://"+p.TLSAddrs()[0]+"/healthz", http.NoBody)
	must(t, err)
	res, err := (&http.Client{Transport: tr}).Do(req)
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != 200 || res.ProtoMajor != 2 {
		t.Errorf("answer %s by %s", res.Status, res.Proto)
	}
	for version, taken := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		d := tls.Dialer{Config: &tls.Config{RootCAs: issued.trusted, MinVersion: tls.VersionTLS10, MaxVersion: version}}
		c, err := d.DialContext(b.ctx, "tcp", p.TLSAddrs()[0])
		if (err == nil) != taken {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			c.Close()
		}
	}
}

// Ensure a certificate that changes on disk is what the next connection gets,
// without a restart; that a pair which can't be used is told once and leaves
// the one before in place; and that a start without a usable pair fails and
// names the key.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dir := t.TempDir()
	issued := issue(t, dir, 1)
	p := b.start(t, b.config(issued.withTLS), app.API)
	if n := b.serial(t, p); n != 1 {
		t.Errorf("certificate %d, want 1", n)
	}
	issue(t, dir, 2)
	if n := b.serial(t, p); n != 2 {
		t.Errorf("certificate %d, want 2", n)
	}
	second, err := os.ReadFile(issued.cert)
	must(t, err)
	for _, broken := range []string{"", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", string(second[:len(second)/2])} {
		must(t, os.WriteFile(issued.cert, []byte(broken), 0o600))
		for range 3 {
			if n := b.serial(t, p); n != 2 {
				t.Errorf("with a broken file: certificate %d, want 2", n)
			}
		}
	}
	must(t, os.Remove(issued.key))
	if n := b.serial(t, p); n != 2 {
		t.Errorf("without a file: certificate %d, want 2", n)
	}
	if n := strings.Count(p.log.String(), "the certificate can't be used"); n != 4 {
		t.Errorf("told %d times, want 4", n)
	}
	issue(t, dir, 3)
	if n := b.serial(t, p); n != 3 {
		t.Errorf("certificate %d, want 3", n)
	}
	// A new pair of which one file is there already.
	other := t.TempDir()
	issue(t, other, 4)
	must(t, os.Rename(filepath.Join(other, "cert.pem"), issued.cert))
	if n := b.serial(t, p); n != 3 {
		t.Errorf("between two files: certificate %d, want 3", n)
	}
	must(t, os.Rename(filepath.Join(other, "key.pem"), issued.key))
	if n := b.serial(t, p); n != 4 {
		t.Errorf("certificate %d, want 4", n)
	}

	// A reload may name other files; broken ones change nothing.
	moved := issue(t, other, 5)
	p.Reload(b.config(moved.withTLS))
	if n := b.serial(t, p); n != 5 {
		t.Errorf("certificate %d, want 5", n)
	}
	must(t, os.WriteFile(issued.cert, []byte("no certificate"), 0o600))
	p.Reload(b.config(issued.withTLS))
	if n := b.serial(t, p); n != 5 || !strings.Contains(p.log.String(), "http.tls.cert: certificate ") {
		t.Errorf("certificate %d, want 5", n)
	}

	if log := p.log.String(); strings.Count(log, `changed="[http.tls.`) != 1 || strings.Contains(log, "restart") {
		t.Error("the log doesn't tell the pair that was taken from the one that wasn't")
	}
	// One without TLS waits for a restart, and is no fault.
	told := strings.Count(p.log.String(), "the certificate can't be used")
	p.Reload(b.config())
	if log := p.log.String(); strings.Count(log, "the certificate can't be used") != told ||
		!strings.Contains(log, `need a restart" keys="[http.tls.listen http.tls.cert http.tls.key]"`) {
		t.Error("the log doesn't say that TLS ends with a restart")
	}
	if n := b.serial(t, p); n != 5 {
		t.Errorf("certificate %d, want 5", n)
	}

	q := b.make(t, b.config(issued.withTLS), app.API)
	var fault configs.Fault
	if err := q.Start(b.ctx); !errors.As(err, &fault) || fault.Key != "http.tls.cert" {
		t.Errorf("started without a certificate: %v", err)
	}
}

// Ensure a header that is too large is refused, and one that never ends is cut
// off, so that no client can hold a connection by sending slowly.
func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(func(c *configs.Config) {
		c.HTTP.MaxHeader, c.HTTP.ReadHeaderTimeout = 8<<10, configs.Duration(200*time.Millisecond)
		c.HTTP.ReadTimeout = configs.Duration(10 * time.Minute) // not what ends it
	}), app.API)
	send := func(text string) string {
		t.Helper()
		var d net.Dialer
		c, err := d.DialContext(b.ctx, "tcp", p.Addrs()[0])
		must(t, err)
		defer c.Close()
		_, err = c.Write([]byte(text))
		must(t, err)
		must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
		line, err := bufio.NewReader(c).ReadString('\n')
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			t.Errorf("after %.20q the connection stays open", text)
		}
		return line
	}
	start := "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Filler: "
	if line := send(start + strings.Repeat("x", 4<<10) + "\r\n\r\n"); !strings.HasPrefix(line, "HTTP/1.1 200 ") {
		t.Errorf("4 KiB: %s", line)
	}
	if line := send(start + strings.Repeat("x", 32<<10) + "\r\n\r\n"); !strings.HasPrefix(line, "HTTP/1.1 431 ") {
		t.Errorf("32 KiB: %s", line)
	}
	if line := send(start); strings.Contains(line, " 200 ") {
		t.Errorf("a header without an end: %s", line)
	}
}
