package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"switchyard/configs"
)

// rules are what a configuration says about callers. They don't change.
type rules struct {
	disabled bool // everybody may do everything
	keys     []key
	networks []network // the narrowest first
	proxies  []netip.Prefix
	names    map[string]bool // of this server, in lower case
	origins  map[string]bool
	pages    *http.CrossOriginProtection
}

type key struct {
	name   string
	caller string // its Caller.Name
	sum    [sha256.Size]byte
	scopes scopeSet
}

type network struct {
	prefix netip.Prefix
	caller string // the beginning of its Caller.Name
	scopes scopeSet
}

func newRules(c *configs.Config) *rules {
	r := &rules{disabled: c.Auth.Disabled, names: map[string]bool{"localhost": true}, origins: map[string]bool{}, pages: http.NewCrossOriginProtection()}
	for _, k := range c.Auth.Keys {
		if sum, ok := k.Sum(); ok {
			r.keys = append(r.keys, key{name: k.Name, caller: "key:" + k.Name, sum: sum, scopes: setOf(k.Scopes)})
		}
	}
	for _, n := range c.Auth.Networks {
		if p, err := netip.ParsePrefix(n.CIDR); err == nil {
			r.networks = append(r.networks, network{prefix: p, caller: "network:" + n.CIDR + " ", scopes: setOf(n.Scopes)})
		}
	}
	slices.SortStableFunc(r.networks, func(a, b network) int { return b.prefix.Bits() - a.prefix.Bits() })
	for _, n := range c.HTTP.TrustedProxies {
		if p, err := netip.ParsePrefix(n); err == nil {
			r.proxies = append(r.proxies, p)
		}
	}
	for _, n := range c.HTTP.ServerNames {
		r.names[strings.ToLower(n)] = true
	}
	for _, o := range c.HTTP.AllowedOrigins {
		r.origins[o] = true
		_ = r.pages.AddTrustedOrigin(o) // it has been validated
	}
	return r
}

func (r *rules) identify(q *http.Request, basic bool) Caller {
	c := Caller{Addr: r.client(q)}
	switch {
	case r.disabled:
		c.Name, c.scopes = "anyone "+c.Addr.String(), everything
	case len(r.keys)+len(r.networks) == 0:
		if !c.Addr.IsLoopback() {
			return c
		}
		c.Name, c.scopes = "loopback "+c.Addr.String(), everything
	default:
		if text, brought := credential(q.Header, basic); brought {
			k := r.find(text)
			if k == nil {
				c.wrong = true
				return c
			}
			c.Name, c.Key, c.scopes = k.caller, k.name, k.scopes
			return c
		}
		for _, n := range r.networks {
			if n.prefix.Contains(c.Addr) {
				if c.Name == "" {
					c.Name = n.caller + c.Addr.String()
				}
				c.scopes |= n.scopes
			}
		}
	}
	c.foreign = !r.ours(q.Host)
	return c
}

// find compares with every key, whichever of them it is.
func (r *rules) find(text string) *key {
	sum := sha256.Sum256([]byte(text))
	found := -1
	for i := range r.keys {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], r.keys[i].sum[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return &r.keys[found]
}

// credential returns the key that a request brings. One that is sent twice,
// differently, or in a way that is not known here, is brought and empty: there
// is no such key.
func credential(h http.Header, basic bool) (text string, brought bool) {
	bearer, plain := h["Authorization"], h["X-Api-Key"]
	if len(bearer)+len(plain) == 0 {
		return "", false
	}
	if len(bearer) > 1 || len(plain) > 1 {
		return "", true
	}
	if len(plain) == 1 {
		text = plain[0]
	}
	if len(bearer) == 0 {
		return text, true
	}
	scheme, rest, _ := strings.Cut(bearer[0], " ")
	rest = strings.Trim(rest, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
	case strings.EqualFold(scheme, "Basic") && basic:
		pair, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return "", true
		}
		_, rest, _ = strings.Cut(string(pair), ":")
	default:
		return "", true
	}
	if len(plain) == 1 && text != rest {
		return "", true
	}
	return rest, true
}

// client is the address that the request comes from.
func (r *rules) client(q *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(q.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap().WithZone("")
	if !r.proxy(addr) {
		return addr
	}
	// Each proxy adds the address that it was called from at the right end.
	lines := q.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var entry string
			if at := strings.LastIndexByte(rest, ','); at >= 0 {
				rest, entry = rest[:at], rest[at+1:]
			} else {
				entry, more = rest, false
			}
			if addr = forwarded(strings.TrimSpace(entry)); !r.proxy(addr) {
				return addr
			}
		}
	}
	return addr // of the proxies' own
}

// forwarded reads an entry of X-Forwarded-For; some proxies write the port, too.
func forwarded(entry string) netip.Addr {
	if a, err := netip.ParseAddr(strings.Trim(entry, "[]")); err == nil {
		return a.Unmap().WithZone("")
	}
	if a, err := netip.ParseAddrPort(entry); err == nil {
		return a.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

func (r *rules) proxy(a netip.Addr) bool {
	for _, p := range r.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// ours reports whether a Host header can only mean this server: a page of
// another site can have its own name resolve to our address, but not use a bare
// address or a name of ours.
func (r *rules) ours(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return r.names[strings.TrimSuffix(strings.ToLower(name), ".")]
}
