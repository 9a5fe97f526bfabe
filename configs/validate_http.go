package configs

import (
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// answerSlack is what a request may take beside its wait for a job.
const answerSlack = 10 * time.Second

func (k *checker) http() {
	h := k.c.HTTP
	if len(h.Listen)+len(h.TLS.Listen) == 0 {
		k.fault("http.listen", "names no address: give at least one, such as 127.0.0.1:8080")
	}
	k.listens("http.listen", h.Listen)
	for i, name := range h.ServerNames {
		if !validHost(name) {
			k.fault(item("http.server_names", i), "must be a host name without scheme, port and path, such as switchyard.example.com")
		}
	}
	k.distinct("http.server_names", h.ServerNames)
	for i, o := range h.AllowedOrigins {
		k.noted(item("http.allowed_origins", i), origin(o))
	}
	k.distinct("http.allowed_origins", h.AllowedOrigins)
	for i, n := range h.TrustedProxies {
		k.noted(item("http.trusted_proxies", i), proxies(n))
	}
	k.distinct("http.trusted_proxies", h.TrustedProxies)
	k.number("http.rate_limit.per_second", int64(h.RateLimit.PerSecond), 0, 1_000_000)
	k.number("http.rate_limit.burst", int64(h.RateLimit.Burst), 1, 1_000_000)
	k.number("http.max_body", h.MaxBody, 1<<10, 1<<30)
	k.number("http.max_header", int64(h.MaxHeader), 4<<10, 1<<20)
	k.atLeast("http.read_header_timeout", h.ReadHeaderTimeout, shortest)
	k.atLeast("http.read_timeout", h.ReadTimeout, shortest)
	k.atLeast("http.write_timeout", h.WriteTimeout, shortest)
	k.between("http.status_wait", h.StatusWait, 0, maxRequestWait)
	k.outlasts("toggle.request_wait", k.c.Toggle.RequestWait)
	k.outlasts("http.status_wait", h.StatusWait)
	k.atLeast("http.idle_timeout", h.IdleTimeout, shortest)
	k.atLeast("http.drain_timeout", h.DrainTimeout, 0)
}

// outlasts checks that there is time to answer a request that waits for so long.
func (k *checker) outlasts(key string, wait Duration) {
	h := k.c.HTTP
	if least := Duration(wait.Std() + answerSlack); h.WriteTimeout < least && k.sound("http.write_timeout", key) {
		k.fault(k.blame("http.write_timeout", key),
			"http.write_timeout is %s and %s %s: the first must be at least %s longer, or who waits for a job gets no answer",
			h.WriteTimeout, key, wait, Duration(answerSlack))
	}
}

// tls checks what is served with TLS, whose addresses are none of those without.
func (k *checker) tls() {
	t := k.c.HTTP.TLS
	k.listens("http.tls.listen", t.Listen)
	for i, address := range t.Listen {
		for j, plain := range k.c.HTTP.Listen {
			if address == plain && portOf(address) != "0" {
				k.fault(item("http.tls.listen", i), "is the same as %s: an address is served with TLS or without", item("http.listen", j))
			}
		}
	}
	for _, f := range []struct{ key, path, what string }{
		{"http.tls.cert", t.Cert, "the file of the certificate"},
		{"http.tls.key", t.Key, "the file of the certificate's private key"},
	} {
		switch {
		case f.path == "" && len(t.Listen) > 0:
			k.fault("http.tls.listen", "needs %s too: %s, in PEM", f.key, f.what)
		case f.path != "" && len(t.Listen) == 0:
			k.fault(f.key, "needs http.tls.listen too: nothing is served with it")
		}
	}
}

// listens checks a list of addresses to serve.
func (k *checker) listens(key string, list []string) {
	a := k.c.Auth
	asked := a.Disabled || len(a.Keys)+len(a.Networks) > 0 || !k.sound("auth.keys", "auth.networks", "auth.disabled")
	var fixed []string
	for i, address := range list {
		key := item(key, i)
		host, problem := listenAddress(address)
		switch {
		case problem != "":
			k.fault(key, "%s", problem)
		case !asked && !loopback(host):
			k.fault(key, "%s can be reached from other machines, and nothing here asks who is calling: "+
				"listen on 127.0.0.1, [::1] or localhost, set auth.keys or auth.networks, or allow everybody everything with auth.disabled: true", address)
		}
		if portOf(address) == "0" {
			address = key // any free port, another one each time
		}
		fixed = append(fixed, address)
	}
	k.distinct(key, fixed)
}

func (k *checker) auth() {
	a := k.c.Auth
	names, hashes := map[string]int{}, map[string]int{}
	for i, key := range a.Keys {
		path := item("auth.keys", i)
		if before, twice := names[key.Name]; twice {
			k.fault(path+".name", "is the same as %s.name: give each key its own", item("auth.keys", before))
		} else if !ValidKeyName(key.Name) {
			k.fault(path+".name", "must be a name of a-z, 0-9, _ and -, which tells in logs who was calling")
		}
		names[key.Name] = i
		// What stands there may be the key itself, so it is not quoted.
		if _, ok := key.Sum(); !ok {
			k.fault(path+".hash", "must be sha256: and 64 hexadecimal digits, as 'switchyard key new' prints it; never the key itself")
		} else if before, twice := hashes[key.Hash]; twice {
			k.fault(path+".hash", "is the same as %s.hash: one key can't have two names", item("auth.keys", before))
		} else {
			hashes[key.Hash] = i
		}
		k.scopes(path+".scopes", key.Scopes)
	}
	cidrs := map[string]int{}
	for i, n := range a.Networks {
		path := item("auth.networks", i)
		if before, twice := cidrs[n.CIDR]; twice {
			k.fault(path+".cidr", "is the same as %s.cidr: put the scopes together", item("auth.networks", before))
		} else {
			k.noted(path+".cidr", network(n.CIDR))
		}
		cidrs[n.CIDR] = i
		k.scopes(path+".scopes", n.Scopes)
	}
	if a.Disabled && len(a.Keys)+len(a.Networks) > 0 {
		k.fault("auth.disabled", "true lets everybody do everything, so auth.keys and auth.networks would mean nothing: take it out, or those")
	}
}

// network returns what is wrong with a CIDR.
func network(s string) string {
	n, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return "is not a network: write it as 192.0.2.0/24 or 2001:db8::/32, one address as 192.0.2.1/32"
	case n.Addr().Is4In6():
		return "is an IPv4 network in the form of IPv6: write it as 192.0.2.0/24"
	case n != n.Masked():
		return "is an address inside a network: write " + n.Masked().String() + " for the network, or the address with /" + bits(n)
	}
	return ""
}

// proxies returns what is wrong with a network of reverse proxies.
func proxies(s string) string {
	if n, err := netip.ParsePrefix(s); err == nil && n.Bits() == 0 {
		return "trusts everybody, who could then write any address into X-Forwarded-For, one with rights too: name the proxies"
	}
	return network(s)
}

func bits(n netip.Prefix) string {
	if n.Addr().Is4() {
		return "32"
	}
	return "128"
}

// origin returns what is wrong with the origin of a web page.
func origin(s string) string {
	if problem := webAddress(s); problem != "" {
		return problem
	}
	u, err := url.Parse(s)
	if err != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || s != strings.ToLower(s) {
		return "must be scheme, host and port as browsers send them, in lower case and without a path, such as https://app.example.com"
	}
	return ""
}

func (k *checker) ws() {
	w := k.c.WS
	k.number("ws.max_connections", int64(w.MaxConnections), 1, 100_000)
	k.number("ws.per_client", int64(w.PerClient), 1, 100_000)
	k.number("ws.messages_per_second", int64(w.MessagesPerSecond), 1, 10_000)
	k.number("ws.broadcasts_per_second", int64(w.BroadcastsPerSecond), 1, 100)
	k.number("ws.max_message", w.MaxMessage, 1<<10, 16<<20)
	k.atLeast("ws.idle_timeout", w.IdleTimeout, shortest)
	k.atLeast("ws.ping_interval", w.PingInterval, shortest)
	if k.sound("ws.idle_timeout", "ws.ping_interval") && w.PingInterval >= w.IdleTimeout {
		k.fault(k.blame("ws.ping_interval", "ws.idle_timeout"),
			"ws.ping_interval is %s and ws.idle_timeout %s: the first must be shorter, or clients that only listen are closed", w.PingInterval, w.IdleTimeout)
	}
}
