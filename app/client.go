package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"switchyard/configs"
)

// clientName is how connections of ours stand in CLIENT LIST.
const clientName = "switchyard"

// dialler makes every client of the configured Redis: by its address, or by its
// Sentinels, which tell the master's; with TLS or without. Clients by Sentinel
// move over to another master by themselves.
//
// It is an asynq.RedisConnOpt too, for what of asynq connects by itself.
type dialler struct {
	cfg configs.Redis
	tls *tls.Config // nil: without
}

var _ asynq.RedisConnOpt = (*dialler)(nil)

// newDialler reads the files that TLS needs.
func newDialler(cfg configs.Redis) (*dialler, error) {
	d := &dialler{cfg: cfg}
	if !cfg.TLS.Enabled {
		return d, nil
	}
	d.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cfg.TLS.ServerName}
	if cfg.TLS.CA != "" {
		pem, err := os.ReadFile(cfg.TLS.CA)
		if err != nil {
			return nil, fmt.Errorf("reading redis.tls.ca: %w", err)
		}
		d.tls.RootCAs = x509.NewCertPool()
		if !d.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("redis.tls.ca: %s holds no certificate in PEM form", cfg.TLS.CA)
		}
	}
	if cfg.TLS.Cert == "" {
		return d, nil
	}
	read := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(cfg.TLS.Cert, cfg.TLS.Key)
		if err != nil {
			return nil, fmt.Errorf("reading redis.tls.cert and redis.tls.key: %w", err)
		}
		return &c, nil
	}
	if _, err := read(); err != nil {
		return nil, err
	}
	// For every connection: certificates are renewed while we run.
	d.tls.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return read() }
	return d, nil
}

// sentinel reports whether the master is found by Sentinels.
func (d *dialler) sentinel() bool { return d.cfg.Sentinel.Master != "" }

// where is Redis, in words.
func (d *dialler) where() string {
	if d.sentinel() {
		return fmt.Sprintf("%s by sentinel %v", d.cfg.Sentinel.Master, d.cfg.Sentinel.Addrs)
	}
	return d.cfg.Addr
}

// refusal says what to look at when Redis, or a Sentinel, won't have us.
func (d *dialler) refusal(err error) error {
	if d.sentinel() && errors.Is(err, redis.Nil) {
		return fmt.Errorf("is unknown there (redis.sentinel.master): %w", err)
	}
	if tlsRefusal(err) {
		return fmt.Errorf("can't be spoken to by TLS (redis.tls): %w", err)
	}
	keys := "redis.username, redis.password, redis.db"
	if d.sentinel() {
		keys += ", redis.sentinel.username, redis.sentinel.password"
	}
	return fmt.Errorf("refuses us (%s): %w", keys, err)
}

// client returns a client with a pool for so many users at once. It dials
// nothing yet.
func (d *dialler) client(pool int) *redis.Client {
	r := d.cfg
	if r.PoolSize > 0 {
		pool = max(r.PoolSize, pool)
	}
	// No CLIENT SETINFO, no maintenance notices: Redis 7.0 knows neither, and a
	// user of ours is not allowed what it needs not.
	if d.sentinel() {
		return redis.NewFailoverClient(&redis.FailoverOptions{
			MasterName: r.Sentinel.Master, SentinelAddrs: r.Sentinel.Addrs,
			SentinelUsername: r.Sentinel.Username, SentinelPassword: r.Sentinel.Password.Reveal(),
			DB: r.DB, Username: r.Username, Password: r.Password.Reveal(), TLSConfig: d.tls,
			PoolSize: pool, DialTimeout: r.DialTimeout.Std(), ReadTimeout: r.ReadTimeout.Std(), WriteTimeout: r.ReadTimeout.Std(),
			ContextTimeoutEnabled: true, ClientName: clientName, DisableIdentity: true,
		})
	}
	return redis.NewClient(&redis.Options{
		Addr: r.Addr, DB: r.DB, Username: r.Username, Password: r.Password.Reveal(), TLSConfig: d.tls,
		PoolSize: pool, DialTimeout: r.DialTimeout.Std(), ReadTimeout: r.ReadTimeout.Std(), WriteTimeout: r.ReadTimeout.Std(),
		ContextTimeoutEnabled: true, ClientName: clientName, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// sentinelClient asks one Sentinel.
func (d *dialler) sentinelClient(addr string) *redis.SentinelClient {
	s := d.cfg.Sentinel
	return redis.NewSentinelClient(&redis.Options{
		Addr: addr, Username: s.Username, Password: s.Password.Reveal(), TLSConfig: d.tls, MaxRetries: -1,
		DialTimeout: d.cfg.DialTimeout.Std(), ReadTimeout: d.cfg.ReadTimeout.Std(), WriteTimeout: d.cfg.ReadTimeout.Std(),
		ContextTimeoutEnabled: true, ClientName: clientName, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// MakeRedisClient implements asynq.RedisConnOpt.
func (d *dialler) MakeRedisClient() any { return d.client(defaultPool) }

// refused reports whether Redis, or every Sentinel, did answer and won't have
// us: trying again doesn't help then. An answer for now only is none.
func refused(err error) bool {
	if tlsRefusal(err) {
		return true
	}
	var answer redis.Error
	switch e := err.(type) { //nolint:errorlint // walks the tree itself: all of it has to be a refusal
	case redis.Error:
		answer = e
	case interface{ Unwrap() []error }:
		all := e.Unwrap()
		return len(all) > 0 && !slices.ContainsFunc(all, func(err error) bool { return !refused(err) })
	case interface{ Unwrap() error }:
		return refused(e.Unwrap())
	default:
		return false
	}
	passing := []string{"LOADING", "MASTERDOWN", "READONLY", "NOREPLICAS", "BUSY", "TRYAGAIN", "max number of clients"}
	return !slices.ContainsFunc(passing, func(word string) bool { return redis.HasErrorPrefix(answer, word) })
}

// tlsRefusal reports whether one side didn't take the other's certificate.
func tlsRefusal(err error) bool {
	var theirs *tls.CertificateVerificationError
	var ours *net.OpError // crypto/tls shows an alert of the other side as this
	return errors.As(err, &theirs) || errors.As(err, &ours) && ours.Op == "remote error"
}
