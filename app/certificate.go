package app

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
)

// certificate is what HTTPS is served with: a pair of files, as they are now.
// They are looked at when a client connects, which costs nothing beside the
// handshake, and needs neither a clock nor a watcher that could miss a file
// that is replaced by a link.
type certificate struct {
	log *slog.Logger

	mu        sync.Mutex
	cert, key string            // the files
	seen      [sha256.Size]byte // what stood in them when they were last tried
	failed    string            // why that didn't work; empty: it did
	pair      *tls.Certificate
}

// newCertificate reads the pair, which has to be usable at the start.
func newCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{log: log}
	return c, c.use(cert, key)
}

// use changes the files. Where they can't be used, those before stay.
func (c *certificate) use(cert, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pair, seen, err := readPair(cert, key)
	if err != nil {
		return err
	}
	c.cert, c.key = cert, key
	c.take(pair, seen)
	return nil
}

// config is that of a TLS listener.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(), nil
		},
	}
}

// current is the pair as it is on disk, or was when it last could be used.
func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	pair, seen, err := readPair(c.cert, c.key)
	switch {
	case err == nil:
		c.take(pair, seen)
	case seen != c.seen || err.Error() != c.failed: // said once
		c.seen, c.failed = seen, err.Error()
		c.log.Error("the certificate can't be used; the one before stays (http.tls.cert, http.tls.key)", "err", err)
	}
	return c.pair
}

func (c *certificate) take(pair *tls.Certificate, seen [sha256.Size]byte) {
	if seen == c.seen && c.failed == "" {
		return
	}
	c.seen, c.failed = seen, ""
	if c.pair == nil || !slices.EqualFunc(c.pair.Certificate, pair.Certificate, bytes.Equal) {
		c.log.Info("certificate in use", "file", c.cert, "expires", pair.Leaf.NotAfter)
	}
	c.pair = pair
}

// readPair also returns the hash of what it read.
func readPair(cert, key string) (*tls.Certificate, [sha256.Size]byte, error) {
	var seen [sha256.Size]byte
	chain, err := os.ReadFile(cert)
	if err != nil {
		return nil, seen, fmt.Errorf("reading the certificate: %w", err)
	}
	private, err := os.ReadFile(key)
	if err != nil {
		return nil, seen, fmt.Errorf("reading its private key: %w", err)
	}
	seen = sha256.Sum256(slices.Concat(chain, []byte{0}, private))
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return nil, seen, fmt.Errorf("certificate %s with key %s: %w", cert, key, err)
	}
	return &pair, seen, nil
}
