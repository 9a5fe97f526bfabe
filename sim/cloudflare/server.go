package cloudflare

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
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
	opt  Options
	l    net.Listener
	srv  *http.Server
	done sync.WaitGroup

	mu      sync.Mutex
	rules   []*Rule // the oldest first
	made    int
	faults  []Fault
	ledger  []Call
	recent  []time.Time   // of requests that count against the limit
	closed  time.Time     // until then everything is refused
	changed chan struct{} // closed and replaced with every entry of the ledger
	freed   chan struct{} // closed and replaced when faults are cleared
}

// base is the path that the original's API is under.
const base = "/client/v4"

// Start listens on addr (host:port, port 0 for a free one).
func Start(ctx context.Context, addr string, opt Options) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("simulated Cloudflare: %w", err)
	}
	if opt.Per == 0 {
		opt.Per = 5 * time.Minute
	}
	s := &Server{opt: opt, l: l, changed: make(chan struct{}), freed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.Handle("/_sim/", s.control())
	mux.HandleFunc("/", s.serve)
	s.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	s.done.Go(func() {
		// It ends when it is closed; there is nobody to tell of anything else.
		_ = s.srv.Serve(l)
	})
	return s, nil
}

// URL is the base URL of its API.
func (s *Server) URL() string { return "http://" + s.l.Addr().String() + base }

// Close ends it at once.
func (s *Server) Close() error {
	s.Recover()
	err := s.srv.Close()
	s.done.Wait()
	return err
}

// Ledger returns all requests so far, in the order they were answered.
func (s *Server) Ledger() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.ledger...)
}

// WaitFor waits until cond holds for the ledger.
func (s *Server) WaitFor(ctx context.Context, cond func([]Call) bool) error {
	for {
		s.mu.Lock()
		all, changed := append([]Call(nil), s.ledger...), s.changed
		s.mu.Unlock()
		if cond(all) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for requests to the simulated Cloudflare, after %d: %w", len(all), context.Cause(ctx))
		}
	}
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

// note writes a request down.
func (s *Server) note(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger = append(s.ledger, c)
	close(s.changed)
	s.changed = make(chan struct{})
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
