package access

import "net/http"

// ForeignPage reports whether a browser sent the request for a page of another
// site. acts tells that the request starts or changes something, whatever its
// method.
//
// What acts may come from an own page or an allowed origin only; what reads may
// also be a link that somebody followed. Programs that are no browsers don't
// say where a request comes from, and are never foreign.
func (g *Guard) ForeignPage(r *http.Request, acts bool) bool {
	rules := g.rules.Load()
	if acts {
		q := *r
		q.Method = http.MethodPost // a GET that acts is none of the safe methods
		return rules.pages.Check(&q) != nil
	}
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Mode") != "navigate" &&
		!rules.origins[r.Header.Get("Origin")]
}

// AllowsOrigins reports whether pages of any other origin may use the API.
func (g *Guard) AllowsOrigins() bool { return len(g.rules.Load().origins) > 0 }

// AllowsOrigin reports whether pages of this origin may.
func (g *Guard) AllowsOrigin(origin string) bool { return g.rules.Load().origins[origin] }
