package cloudflare

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"switchyard/sim/backstage"
)

// Options of a Server.
type Options struct {
	// Token that requests have to bring.
	Token string
	// Accounts are the ids that the token is good for.
	Accounts []string
	// Zones are further ids, each with the account that it is in, "" for one that
	// is not among Accounts.
	Zones map[string]string
	// Denied are ids that exist and that the token has no right to.
	Denied []string
	// Padded: addresses of IPv6 are kept and compared in their long spelling, as
	// the original has done for years.
	Padded bool
	// Limit is how many requests are taken in Per; beyond it everything is
	// answered with 429 until as much time has passed. 0: no limit.
	Limit int
	// Per is the time of Limit. Defaults to 5 minutes.
	Per time.Duration
}

// Call is one request, as the ledger has it.
type Call struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	// Path is without what stands in front of accounts/ or zones/.
	Path  string `json:"path"`
	Query string `json:"query,omitempty"`
	Body  string `json:"body,omitempty"`
	// Status of the answer; 0 where none was sent.
	Status int `json:"status"`
	// Code is Cloudflare's, in an answer that says no.
	Code int `json:"code,omitempty"`
}

// Server is the simulated Cloudflare. Make one with Start.
type Server struct {
	opt    Options
	door   *backstage.Server
	ledger backstage.Ledger[Call]
	faults backstage.Faults[Fault]

	mu     sync.Mutex
	rules  []*Rule // the oldest first
	made   int
	recent []time.Time // of requests that count against the limit
	closed time.Time   // until then everything is refused
}

// base is the path that the original's API is under.
const base = "/client/v4"

// Start listens on addr (host:port, port 0 for a free one).
func Start(ctx context.Context, addr string, opt Options) (*Server, error) {
	if opt.Per == 0 {
		opt.Per = 5 * time.Minute
	}
	s := &Server{opt: opt}
	var err error
	if s.door, err = backstage.Serve(ctx, addr, s.serve, s.control()); err != nil {
		return nil, fmt.Errorf("simulated Cloudflare: %w", err)
	}
	return s, nil
}

// URL is the base URL of its API.
func (s *Server) URL() string { return s.door.URL() + base }

// Close ends it at once.
func (s *Server) Close() error {
	s.Recover()
	return s.door.Close()
}

// Ledger returns all requests so far, in the order they were answered.
func (s *Server) Ledger() []Call { return s.ledger.All() }

// WaitFor waits until cond holds for the ledger.
func (s *Server) WaitFor(ctx context.Context, cond func([]Call) bool) error {
	if err := s.ledger.WaitFor(ctx, cond); err != nil {
		return fmt.Errorf("simulated Cloudflare: %w", err)
	}
	return nil
}

// Rules returns all rules, the oldest first.
func (s *Server) Rules() []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		out[i] = *r
	}
	return out
}

// limited reports whether the limit is reached, and for how long.
func (s *Server) limited(now time.Time) (time.Duration, bool) {
	if s.opt.Limit == 0 {
		return 0, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.closed) {
		return s.closed.Sub(now), true
	}
	for len(s.recent) > 0 && now.Sub(s.recent[0]) > s.opt.Per {
		s.recent = s.recent[1:]
	}
	if len(s.recent) >= s.opt.Limit {
		s.closed = now.Add(s.opt.Per)
		return s.opt.Per, true
	}
	s.recent = append(s.recent, now)
	return 0, false
}

// place is where a request goes: an account's or zone's rules, or one of them.
type place struct {
	kind, id, rule string
}

// placeOf reads the path of a request; ok is false where there is nothing.
func placeOf(path string) (p place, ok bool) {
	rest, ok := strings.CutPrefix(path, base+"/")
	if !ok {
		return place{}, false
	}
	parts := strings.Split(rest, "/")
	if len(parts) < 5 || len(parts) > 6 || strings.Join(parts[2:5], "/") != "firewall/access_rules/rules" || parts[0] != "accounts" && parts[0] != "zones" {
		return place{}, false
	}
	p = place{kind: parts[0], id: parts[1]}
	if len(parts) == 6 {
		p.rule = parts[5]
	}
	return p, true
}
