package hardware

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ErrNames: this host can't resolve the names of the echo services, so nothing
// can be said of any of its dongles.
var ErrNames = errors.New("this host can't resolve the names of the echo services: see to its DNS, or give addresses in host.echo_urls")

// Names resolves the names of the echo services by the host's own resolver, and
// knows for how long it likes what it once said: with the host's DNS away, all of
// its dongles would look dead, and be reset and power cycled one after the other.
// One is shared by the dongles of a host. It is safe for concurrent use.
type Names struct {
	lookup func(ctx context.Context, name string) ([]netip.Addr, error)
	limit  time.Duration

	mu    sync.Mutex
	known map[string][]netip.Addr
}

// nameLimit is how long the resolver may take: less than a probe, so that what is
// known is still of use to it.
const nameLimit = time.Second

// NewNames asks the host's resolver.
func NewNames() *Names {
	return newNames(func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip4", name)
	}, nameLimit)
}

func newNames(lookup func(context.Context, string) ([]netip.Addr, error), limit time.Duration) *Names {
	return &Names{lookup: lookup, limit: limit, known: map[string][]netip.Addr{}}
}

// Resolve returns the IPv4 addresses of a name: what the resolver says now, else
// what it said last. Error: ErrNames.
func (n *Names) Resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{ip}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.limit)
	defer cancel()
	found, err := n.lookup(ctx, name)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil && len(found) > 0 {
		n.known[name] = found
		return found, nil
	}
	if known := n.known[name]; len(known) > 0 {
		return known, nil
	}
	return nil, fmt.Errorf("%w: %w", ErrNames, errors.Join(err, ctx.Err()))
}

// dial connects to the first of a name's addresses that takes it.
func (n *Names) dial(ctx context.Context, d net.Dialer, network, addr string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dialling %s: %w", addr, err)
	}
	addrs, err := n.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, ip := range addrs {
		conn, err := d.DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}
