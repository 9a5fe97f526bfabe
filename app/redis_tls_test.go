package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
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
	"switchyard/sim/redisserver"
)

// authority signs certificates for a test.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	ca   string // file
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.ca, _ = a.sign(t, "ca", nil, time.Hour)
	return a
}

// sign makes a certificate for this name, good for so long, and returns its
// files. The first one is the authority's own.
func (a *authority) sign(t *testing.T, name string, ips []net.IP, good time.Duration) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(good),
		DNSNames: []string{name}, IPAddresses: ips, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, signer = c, k
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, k.Public(), signer)
	must(t, err)
	if a.cert == nil {
		a.cert, err = x509.ParseCertificate(der)
		must(t, err)
		a.key = k
	}
	kder, err := x509.MarshalECPrivateKey(k)
	must(t, err)
	cert, key = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kder}), 0o600))
	return cert, key
}

// withTLS is a Redis that speaks TLS only, as redis.example.com, and asks its
// clients for a certificate; good is how long its own is so.
func withTLS(t *testing.T, a *authority, good time.Duration) redisserver.Options {
	t.Helper()
	cert, key := a.sign(t, "redis.example.com", nil, good)
	mine, mineKey := a.sign(t, "test.example.com", nil, time.Hour)
	pair, err := tls.LoadX509KeyPair(mine, mineKey)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return redisserver.Options{Fsync: "always", TLS: &redisserver.TLS{
		Cert: cert, Key: key, CA: a.ca, ClientCert: true,
		Client: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, ServerName: "redis.example.com"},
	}}
}

// Ensure that everything an app does with Redis goes by TLS where that is
// configured, and that the other side's certificate is checked: of a foreign
// authority, for another name, without one of our own, Redis isn't spoken to.
func TestRedisByTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	b := setupOn(t, withTLS(t, a, time.Hour))
	b.plug(t)
	cert, key := a.sign(t, "switchyard.example.com", nil, time.Hour)
	secure := func(c *configs.Config) {
		c.Redis.TLS = configs.RedisTLS{Enabled: true, CA: a.ca, Cert: cert, Key: key, ServerName: "redis.example.com"}
	}
	p := b.start(t, b.config(b.asHost, alsoDelivers, secure), app.Roles()...)
	b.wants(t, p, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	b.toldOnce(t)

	foreign := newAuthority(t)
	for _, tt := range []struct {
		name   string
		change func(*configs.RedisTLS)
		want   string
	}{
		{"foreign authority", func(r *configs.RedisTLS) { r.CA = foreign.ca }, "by TLS (redis.tls)"},
		{"system's authorities", func(r *configs.RedisTLS) { r.CA = "" }, "by TLS (redis.tls)"},
		{"another name", func(r *configs.RedisTLS) { r.ServerName = "other.example.com" }, "other.example.com"},
		{"the address as name", func(r *configs.RedisTLS) { r.ServerName = "" }, "127.0.0.1"},
		{"no certificate", func(r *configs.RedisTLS) { r.Cert, r.Key = "", "" }, "by TLS (redis.tls)"},
		{"no such file", func(r *configs.RedisTLS) { r.CA = "/nowhere/ca.pem" }, "reading redis.tls.ca"},
		{"a key as certificate", func(r *configs.RedisTLS) { r.CA = key }, "redis.tls.ca: " + key + " holds no certificate"},
		{"another's key", func(r *configs.RedisTLS) { r.Key = strings.Replace(key, "switchyard", "test", 1) }, "reading redis.tls.cert and redis.tls.key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := b.make(t, b.config(secure, func(c *configs.Config) { tt.change(&c.Redis.TLS) }), app.API)
			if err := p.Start(b.ctx); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

// Ensure a client certificate that was renewed is shown from the next
// connection on, without a restart.
func TestClientCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	b := setupOn(t, withTLS(t, a, time.Hour))
	cert, key := a.sign(t, "switchyard.example.com", nil, time.Hour)
	p := b.start(t, b.config(func(c *configs.Config) {
		c.Redis.TLS = configs.RedisTLS{Enabled: true, CA: a.ca, Cert: cert, Key: key, ServerName: "redis.example.com"}
	}), app.API)
	b.await(t, p, 200, "ok")
	// One that Redis doesn't take, and a restart that ends all connections.
	foreign := newAuthority(t)
	badCert, badKey := foreign.sign(t, "switchyard.example.com", nil, time.Hour)
	replace := func(from, to string) {
		text, err := os.ReadFile(from)
		must(t, err)
		must(t, os.WriteFile(to, text, 0o600))
	}
	replace(badCert, cert)
	replace(badKey, key)
	b.srv.Kill()
	must(t, b.srv.Restart(b.ctx))
	b.await(t, p, 503, "redis is out of reach")
	a.sign(t, "switchyard.example.com", nil, time.Hour)
	b.await(t, p, 200, "ok")
}
