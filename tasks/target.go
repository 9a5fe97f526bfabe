package tasks

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// Target is what an IP Access Rule of Cloudflare's can be for: one address, or a
// range of a size that Cloudflare takes. The zero Target is none.
type Target struct{ p netip.Prefix }

// rangeBits are the sizes of ranges that Cloudflare takes, the narrowest first.
var rangeBits = map[bool][]int{true: {24, 16}, false: {64, 48, 32}} // by whether it is IPv4

// ErrTarget is what can't be a Target; its words say why.
var (
	ErrTarget      = errors.New("an IPv4 or IPv6 address, or a range: /16 or /24 of IPv4, /32, /48 or /64 of IPv6")
	errInsideRange = errors.New("a range without anything behind its prefix, such as 192.0.2.0/24")
)

// ParseTarget reads an address or range, in any spelling. Errors say what it has
// to be.
func ParseTarget(s string) (Target, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return Target{}, ErrTarget
		}
		a = a.Unmap()
		return Target{netip.PrefixFrom(a, a.BitLen())}, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return Target{}, ErrTarget
	}
	switch {
	case p.IsSingleIP():
	case !slices.Contains(rangeBits[p.Addr().Is4()], p.Bits()):
		return Target{}, ErrTarget
	case p != p.Masked():
		return Target{}, errInsideRange
	}
	return Target{p}, nil
}

// Prefix is the target as a network; one address is one of its full length.
func (t Target) Prefix() netip.Prefix { return t.p }

// Single reports whether it is one address.
func (t Target) Single() bool { return t.p.IsSingleIP() }

// String is the target in its one spelling: an address without a slash.
func (t Target) String() string {
	if t.Single() {
		return t.p.Addr().String()
	}
	return t.p.String()
}

// Wider are the ranges that a rule covering the target may be for, but for the
// target itself, the narrowest first.
func (t Target) Wider() []Target {
	var out []Target
	for _, bits := range rangeBits[t.p.Addr().Is4()] {
		if bits < t.p.Bits() {
			out = append(out, Target{netip.PrefixFrom(t.p.Addr(), bits).Masked()})
		}
	}
	return out
}

// special are the networks, beside those that netip knows, whose addresses reach
// no server as a visitor's: this network, shared, and reserved ones.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/127"), netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
}

// Public reports whether the target lies, as a whole, where visitors of web sites
// come from: it is not private, loopback, link-local, multicast, unspecified or
// reserved.
func (t Target) Public() bool { return t.p.IsValid() && !t.Overlaps(special) }

// Overlaps reports whether the target has an address in common with any of
// networks.
func (t Target) Overlaps(networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, t.p.Overlaps)
}
