package access

import (
	"net/http"
	"net/url"
	"strings"
)

// ForeignPage reports whether a browser sent the request for a page of another
// site. acts tells that the request starts or changes something, whatever its
// method.
//
// What acts may come from an own page or an allowed origin only; what reads may
// also be a link that somebody followed. Programs that are no browsers don't
// say where a request comes from, and are never foreign. Neither does a browser
// over plain HTTP, but to loopback, of a GET: then the page has to be known by
// its Referer, which no page can make up.
func (g *Guard) ForeignPage(r *http.Request, acts bool) bool {
	rules := g.rules.Load()
	if acts {
		q := *r
		q.Method = http.MethodPost // a GET that acts is none of the safe methods
		return rules.pages.Check(&q) != nil || mute(r) && !rules.ownReferer(r)
	}
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" &&
		!rules.origins[r.Header.Get("Origin")]
}

// mute reports whether a browser sent the request without a word about where
// from, and without a key, which no page could send along unasked. Programs that
// pass for a browser rarely do so in more than one header.
func mute(r *http.Request) bool {
	h := r.Header
	return h.Get("Sec-Fetch-Site") == "" && h.Get("Origin") == "" && len(h["Authorization"])+len(h["X-Api-Key"]) == 0 &&
		strings.HasPrefix(h.Get("User-Agent"), "Mozilla/") && len(h["Accept-Language"]) > 0
}

// ownReferer reports whether the request comes from a page of this server, or of
// an allowed origin.
func (r *rules) ownReferer(q *http.Request) bool {
	u, err := url.Parse(q.Header.Get("Referer"))
	return err == nil && u.Host != "" && (strings.EqualFold(u.Host, q.Host) || r.origins[u.Scheme+"://"+u.Host])
}

// AllowsOrigins reports whether pages of any other origin may use the API.
func (g *Guard) AllowsOrigins() bool { return len(g.rules.Load().origins) > 0 }

// AllowsOrigin reports whether pages of this origin may.
func (g *Guard) AllowsOrigin(origin string) bool { return g.rules.Load().origins[origin] }
