package cloudflare

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rule is one IP Access Rule, as the API shows it.
type Rule struct {
	ID            string        `json:"id"`
	Notes         string        `json:"notes"`
	AllowedModes  []string      `json:"allowed_modes"`
	Mode          string        `json:"mode"`
	Configuration configuration `json:"configuration"`
	CreatedOn     string        `json:"created_on"`
	ModifiedOn    string        `json:"modified_on"`
	Scope         ruleScope     `json:"scope"`
}

type configuration struct {
	Target string `json:"target"`
	Value  string `json:"value"`
}

type ruleScope struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// modes are those that a rule may have.
var modes = []string{"whitelist", "block", "challenge", "js_challenge", "managed_challenge"}

// newRule is the body that makes a rule, or changes one.
type newRule struct {
	Mode          *string        `json:"mode"`
	Notes         string         `json:"notes"`
	Configuration *configuration `json:"configuration"`
}

// guess is the target of a value that somebody typed in.
func guess(value string) string {
	switch a, err := netip.ParseAddr(value); {
	case strings.Contains(value, "/"):
		return "ip_range"
	case err == nil && a.Is6():
		return "ip6"
	}
	return "ip"
}

const invalid = "firewallaccessrules.api.validation_error:"

// settle checks a configuration and returns it as it is kept.
func (s *Server) settle(c configuration) (configuration, *refusal) {
	bad := &refusal{400, 10001, invalid + "invalid ip provided"}
	switch c.Target {
	case "ip", "ip6":
		a, err := netip.ParseAddr(c.Value)
		if err != nil || a.Zone() != "" || a.Is4In6() || c.Target == "ip6" && a.Is4() {
			return c, bad
		}
		if a.Is6() {
			return configuration{"ip6", s.spell(a)}, nil // whatever it was called
		}
		return configuration{"ip", a.String()}, nil
	case "ip_range":
		p, err := netip.ParsePrefix(c.Value)
		sizes := []int{16, 24}
		if err == nil && p.Addr().Is6() {
			sizes = []int{32, 48, 64}
		}
		if err != nil || p != p.Masked() || !slices.Contains(sizes, p.Bits()) {
			return c, bad
		}
		return configuration{"ip_range", fmt.Sprintf("%s/%d", s.spell(p.Addr()), p.Bits())}, nil
	}
	return c, &refusal{400, 10001, invalid + "unsupported target received: " + c.Target}
}

func (s *Server) spell(a netip.Addr) string {
	if s.opt.Padded {
		return a.StringExpanded()
	}
	return a.String()
}

// make makes a rule.
func (s *Server) make(p place, x newRule, now time.Time) (*Rule, *refusal) {
	if x.Configuration == nil || x.Mode == nil {
		return nil, &refusal{400, 10001, invalid + "mode and configuration are required"}
	}
	if !slices.Contains(modes, *x.Mode) {
		return nil, &refusal{400, 10001, invalid + "invalid mode received: " + *x.Mode}
	}
	c, refused := s.settle(*x.Configuration)
	if refused != nil {
		return nil, refused
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	of := scopeOf(p)
	for _, r := range s.rules {
		if r.Scope == of && r.Configuration == c {
			return nil, &refusal{400, 10009, "firewallaccessrules.api.duplicate_of_existing"}
		}
	}
	s.made++
	sum := sha256.Sum256([]byte(strconv.Itoa(s.made)))
	at := written(now)
	r := &Rule{
		ID: hex.EncodeToString(sum[:16]), Notes: x.Notes, AllowedModes: modes, Mode: *x.Mode, Configuration: c, CreatedOn: at, ModifiedOn: at, Scope: of,
	}
	s.rules = append(s.rules, r)
	out := *r
	return &out, nil
}

// written is a time as the original writes it.
func written(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func scopeOf(p place) ruleScope {
	if p.kind == "zones" {
		return ruleScope{p.id, "zone"}
	}
	return ruleScope{p.id, "organization"}
}

// find returns a rule of the place itself.
func (s *Server) find(p place) (int, *refusal) {
	for i, r := range s.rules {
		if r.ID == p.rule && r.Scope == scopeOf(p) {
			return i, nil
		}
	}
	return 0, &refusal{404, 10001, "firewallaccessrules.api.not_found"}
}

// change gives a rule another mode or note.
func (s *Server) change(p place, x newRule, now time.Time) (*Rule, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, refused := s.find(p)
	if refused != nil {
		return nil, refused
	}
	r := s.rules[i]
	if x.Configuration != nil && *x.Configuration != r.Configuration {
		return nil, &refusal{400, 10001, invalid + "a rule keeps its configuration"}
	}
	if x.Mode != nil {
		if !slices.Contains(modes, *x.Mode) {
			return nil, &refusal{400, 10001, invalid + "invalid mode received: " + *x.Mode}
		}
		r.Mode = *x.Mode
	}
	r.Notes, r.ModifiedOn = x.Notes, written(now)
	out := *r
	return &out, nil
}

// remove deletes a rule.
func (s *Server) remove(p place) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, refused := s.find(p)
	if refused == nil {
		s.rules = slices.Delete(s.rules, i, i+1)
	}
	return refused
}

// list are the rules that hold in a place and that all conditions are true of: a
// zone has those of its account, too.
func (s *Server) list(p place, conditions []func(*Rule) bool, anyOf bool) []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Rule{}
	for _, r := range s.rules {
		inherited := p.kind == "zones" && s.opt.Zones[p.id] != "" && r.Scope.ID == s.opt.Zones[p.id]
		if r.Scope != scopeOf(p) && !inherited {
			continue
		}
		met := 0
		for _, c := range conditions {
			if c(r) {
				met++
			}
		}
		if met == len(conditions) || anyOf && met > 0 {
			out = append(out, *r)
		}
	}
	return out
}
