package delivery

import (
	"fmt"
	"net/netip"
	"strings"
)

// A guard decides which addresses URLs from requests may reach. It is
// immutable.
type guard struct {
	nets  []netip.Prefix
	names map[string]struct{}
}

// An addressError is the guard's refusal.
type addressError struct {
	addr  netip.Addr
	class string // for people who read the source of a refusal: "loopback"
}

func (e *addressError) Error() string { return "address not allowed: " + e.addr.String() }

// newGuard reads entries as configured: CIDRs, IP addresses, host names.
func newGuard(allow []string) (*guard, error) {
	g := &guard{names: make(map[string]struct{})}
	for _, entry := range allow {
		if err := g.add(strings.TrimSpace(entry)); err != nil {
			return nil, fmt.Errorf("delivery: allow: %q %w", entry, err)
		}
	}
	return g, nil
}

func (g *guard) add(entry string) error {
	if strings.Contains(entry, "/") {
		p, err := netip.ParsePrefix(entry)
		if err != nil {
			return fmt.Errorf("is not a network such as 10.0.0.0/8")
		}
		// Addresses are unmapped before they are compared, so networks must be.
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		g.nets = append(g.nets, p.Masked())
		return nil
	}
	if addr, err := netip.ParseAddr(entry); err == nil {
		if addr.Zone() != "" {
			return fmt.Errorf("has a zone, which can't be allowed")
		}
		addr = addr.Unmap()
		g.nets = append(g.nets, netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	name := canonicalName(entry)
	if !validName(name) {
		return fmt.Errorf("is neither a network nor an address nor a host name (without port or wildcard)")
	}
	if strings.IndexFunc(name, func(r rune) bool { return r > 0x7f }) >= 0 {
		// Names are compared as they are dialled.
		return fmt.Errorf("must be written in its ASCII form (xn--…)")
	}
	g.names[name] = struct{}{}
	return nil
}

// allowsName reports whether the URL's host name opens every address that it
// resolves to.
func (g *guard) allowsName(host string) bool {
	_, ok := g.names[canonicalName(host)]
	return ok
}

// check returns an *addressError if addr must not be dialled.
func (g *guard) check(addr netip.Addr) error {
	// A zone would keep prefixes from matching, and an IPv4-mapped address
	// reaches the IPv4 one.
	addr = addr.WithZone("").Unmap()
	for _, p := range g.nets {
		if p.Contains(addr) {
			return nil
		}
	}
	if class := blockedClass(addr); class != "" {
		return &addressError{addr: addr, class: class}
	}
	return nil
}

func canonicalName(host string) string {
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// blockedClass names the class that keeps addr from being reached; empty for
// addresses of the public Internet.
func blockedClass(addr netip.Addr) string {
	for _, b := range blocked {
		if b.net.Contains(addr) {
			return b.class
		}
	}
	if addr.Is6() && !globalUnicast6.Contains(addr) {
		// Discard-only, SRv6, IPv4-compatible, what is not assigned yet.
		return "reserved"
	}
	if !addr.IsValid() {
		return "invalid"
	}
	return ""
}

// globalUnicast6 is all of IPv6 that IANA hands out for the public Internet.
var globalUnicast6 = netip.MustParsePrefix("2000::/3")

type blockedNet struct {
	net   netip.Prefix
	class string
}

// blocked follows IANA's special-purpose address registries. The first match
// names the class, so single addresses stand before the networks around them.
var blocked = blockedNets([][2]string{
	// Metadata and instance services of the clouds.
	{"169.254.169.254/32", "metadata"},
	{"100.100.100.200/32", "metadata"}, // Alibaba
	{"168.63.129.16/32", "metadata"},   // Azure; looks public and isn't
	{"192.0.0.192/32", "metadata"},     // Oracle
	{"fd00:ec2::254/128", "metadata"},
	{"fd20:ce::254/128", "metadata"}, // Google

	{"0.0.0.0/32", "unspecified"},
	{"0.0.0.0/8", "this network"},
	{"10.0.0.0/8", "private"},
	{"100.64.0.0/10", "shared (CGNAT)"},
	{"127.0.0.0/8", "loopback"},
	{"169.254.0.0/16", "link-local"},
	{"172.16.0.0/12", "private"},
	{"192.0.0.0/24", "protocol assignments"},
	{"192.0.2.0/24", "documentation"},
	{"192.88.99.0/24", "6to4 relay"},
	{"192.168.0.0/16", "private"},
	{"198.18.0.0/15", "benchmarking"},
	{"198.51.100.0/24", "documentation"},
	{"203.0.113.0/24", "documentation"},
	{"224.0.0.0/4", "multicast"},
	{"255.255.255.255/32", "broadcast"},
	{"240.0.0.0/4", "reserved"},

	{"::/128", "unspecified"},
	{"::1/128", "loopback"},
	{"::/96", "IPv4-compatible"},
	// These carry an IPv4 address in them, which may be any of the above.
	// (IPv4-mapped ones do too, and are unmapped before they get here.)
	{"64:ff9b::/96", "NAT64"},
	{"64:ff9b:1::/48", "NAT64"},
	{"2001::/32", "Teredo"},
	{"2002::/16", "6to4"},

	{"2001::/23", "protocol assignments"},
	{"2001:db8::/32", "documentation"},
	{"3fff::/20", "documentation"},
	{"fc00::/7", "unique local"},
	{"fe80::/10", "link-local"},
	{"fec0::/10", "site-local"},
	{"ff00::/8", "multicast"},
})

func blockedNets(rows [][2]string) []blockedNet {
	out := make([]blockedNet, len(rows))
	for i, row := range rows {
		out[i] = blockedNet{netip.MustParsePrefix(row[0]), row[1]}
	}
	return out
}
