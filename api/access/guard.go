package access

import (
	"errors"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"switchyard/configs"
)

// Guard applies the rules of a configuration. Make it with New.
type Guard struct {
	rules   atomic.Pointer[rules]
	buckets buckets
}

// New returns a guard with the rules of c, which has been validated.
func New(c *configs.Config) *Guard {
	g := &Guard{}
	g.Use(c)
	return g
}

// Use replaces the rules by those of c. Rate limits that change begin anew.
func (g *Guard) Use(c *configs.Config) {
	g.rules.Store(newRules(c))
	g.buckets.limit(c.HTTP.RateLimit)
}

// Caller is who sent a request.
type Caller struct {
	// Addr is where the request comes from. It is invalid where a trusted
	// proxy passed on something that is no address.
	Addr netip.Addr
	// Name says who it is, for logs and records: "key:ops",
	// "network:192.0.2.0/24 192.0.2.7", "loopback 127.0.0.1". Empty where the
	// caller has no rights at all.
	Name string
	// Key is the name of its API key; empty where its right is by address.
	Key string

	scopes  scopeSet
	wrong   bool // it brought a credential that nobody knows
	foreign bool // its right is by address, and it asked for another server
}

// Reasons of May.
var (
	// ErrUnknown: the caller brought no credential, or one that nobody knows.
	ErrUnknown = errors.New("unknown caller")
	// ErrForeignHost: the caller's address would do, but the request is for
	// another server's name.
	ErrForeignHost = errors.New("request for another host")
	// ErrScope: the caller is known and lacks the scope.
	ErrScope = errors.New("scope is missing")
)

// May returns nil if the caller may do what the scope stands for. What is open
// to all has the empty scope.
func (c *Caller) May(scope configs.Scope) error {
	switch {
	case scope == "":
		return nil
	case c.wrong || c.Name == "":
		return ErrUnknown
	case c.foreign:
		return ErrForeignHost
	case !c.scopes.has(scope):
		return ErrScope
	}
	return nil
}

// BroughtWrongKey reports whether the caller sent a credential that nobody
// knows.
func (c *Caller) BroughtWrongKey() bool { return c.wrong }

// Identify finds out who sent a request. With basic, HTTP basic authentication
// counts too, its password being the key: browsers send that by themselves, so
// it is for pages only.
func (g *Guard) Identify(r *http.Request, basic bool) Caller {
	return g.rules.Load().identify(r, basic)
}

// Wait takes one request off the caller's rate limit. It returns how long to
// wait where there is none left, else 0.
func (g *Guard) Wait(c *Caller) time.Duration { return g.buckets.take(c) }

// scopeSet holds scopes as bits.
type scopeSet uint64

var bits = func() map[configs.Scope]scopeSet {
	m := map[configs.Scope]scopeSet{}
	for i, s := range configs.Scopes() {
		m[s] = 1 << i
	}
	return m
}()

const everything = ^scopeSet(0)

func setOf(list []configs.Scope) (s scopeSet) {
	for _, scope := range list {
		if scope == configs.Admin {
			return everything
		}
		s |= bits[scope]
	}
	return s
}

func (s scopeSet) has(scope configs.Scope) bool { return s&bits[scope] != 0 }
