package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// expiresSoon is how long before its end a certificate is worth a word.
const expiresSoon = 14 * 24 * time.Hour

// encryption looks at how the way to Redis is protected.
func (e *redisExam) encryption(ctx context.Context) Finding {
	addr, err := e.address(ctx)
	if err != nil {
		return fail(err.Error(), "see the Sentinels")
	}
	t := e.dial.cfg.TLS
	switch {
	case !t.Enabled && (t.CA != "" || t.Cert != "" || t.ServerName != ""):
		return warn("redis.tls has files, but is off", "set redis.tls.enabled: true")
	case !t.Enabled && local(addr):
		return ok("off, on this machine")
	case !t.Enabled:
		return warn("off: passwords and jobs can be read on the way to "+addr, "turn it on (redis.tls), or see that the network is private")
	}
	conn, err := (&tls.Dialer{Config: e.dial.tls}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return fail("no TLS to "+addr+": "+err.Error(), "see redis.tls")
	}
	defer func() { _ = conn.Close() }() // it has only been looked at
	secure, isTLS := conn.(*tls.Conn)
	if !isTLS || len(secure.ConnectionState().PeerCertificates) == 0 {
		return fail(addr+" showed no certificate", "see tls-cert-file there")
	}
	state := secure.ConnectionState()
	until := state.PeerCertificates[0].NotAfter
	says := fmt.Sprintf("%s, certificate good until %s", tls.VersionName(state.Version), until.UTC().Format(time.DateOnly))
	if time.Until(until) < expiresSoon {
		return warn(says, "renew Redis' certificate")
	}
	return ok(says)
}

// address is where the master is now.
func (e *redisExam) address(ctx context.Context) (string, error) {
	if !e.dial.sentinel() {
		return e.dial.cfg.Addr, nil
	}
	var last error
	for _, s := range e.dial.cfg.Sentinel.Addrs {
		c := e.dial.sentinelClient(s)
		master, err := c.GetMasterAddrByName(ctx, e.dial.cfg.Sentinel.Master).Result()
		_ = c.Close() // it has only asked
		if err == nil && len(master) == 2 {
			return net.JoinHostPort(master[0], master[1]), nil
		}
		last = err
	}
	return "", fmt.Errorf("no Sentinel tells where the master is: %w", last)
}

func local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}
