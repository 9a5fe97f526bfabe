package cloudflare

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/firewall"
	"github.com/cloudflare/cloudflare-go/v7/option"

	"switchyard/tasks"
)

// scope is one account or zone.
type scope struct {
	kind string
	id   string
}

// The kinds of scopes, as results name them; rules may also be a user's.
const (
	kindAccount = "account"
	kindZone    = "zone"
)

// account and zone are the scope as the library takes it.
func (s scope) account() string { return s.only(kindAccount) }
func (s scope) zone() string    { return s.only(kindZone) }

func (s scope) only(kind string) string {
	if s.kind == kind {
		return s.id
	}
	return ""
}

// rule is one of Cloudflare's.
type rule struct {
	id, mode, note    string
	target, value     string
	covers            netip.Prefix // not valid: no address (a country, an AS)
	of                string       // whose it is: account, zone, user
	created, modified time.Time
}

// own reports whether the rule is the scope's to change.
func (r rule) own(s scope) bool { return r.of == s.kind }

// exactly reports whether the rule is for this target and nothing else.
func (r rule) exactly(t tasks.Target) bool { return r.covers == t.Prefix() }

// over reports whether the rule is for the target or for what it lies in.
func (r rule) over(t tasks.Target) bool {
	return r.covers.IsValid() && r.covers.Bits() <= t.Prefix().Bits() && r.covers.Contains(t.Prefix().Addr())
}

func (r rule) document() tasks.CFRule {
	return tasks.CFRule{ID: r.id, Mode: r.mode, IP: r.shown(), Scope: r.of, Note: r.note, CreatedAt: written(r.created), ModifiedAt: written(r.modified)}
}

func (r rule) shown() string {
	switch {
	case !r.covers.IsValid():
		return r.value
	case r.covers.IsSingleIP():
		return r.covers.Addr().String()
	}
	return r.covers.String()
}

func written(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(tasks.MilliTime)
	return &s
}

// The kinds of targets, as Cloudflare names them.
const (
	targetIP    = "ip"
	targetIP6   = "ip6"
	targetRange = "ip_range"
)

func targetOf(t tasks.Target) string {
	switch {
	case !t.Single():
		return targetRange
	case t.Prefix().Addr().Is4():
		return targetIP
	}
	return targetIP6
}

// set puts a value where the library has a field for one.
func set[T any](value *T, present *bool, v T) { *value, *present = v, true }

// create makes a rule that blocks.
func (c *Client) create(ctx context.Context, s scope, h Hooks, t tasks.Target, note string) (id string, err error) {
	var p firewall.AccessRuleNewParams
	var what firewall.AccessRuleNewParamsConfiguration
	set(&what.Target.Value, &what.Target.Present, firewall.AccessRuleNewParamsConfigurationTarget(targetOf(t)))
	set(&what.Value.Value, &what.Value.Present, t.String())
	p.Configuration.Value, p.Configuration.Present = what, true
	set(&p.Mode.Value, &p.Mode.Present, firewall.AccessRuleNewParamsModeBlock)
	set(&p.Notes.Value, &p.Notes.Present, note)
	p.AccountID.Value, p.ZoneID.Value = s.account(), s.zone()
	err = c.call(ctx, h, func(ctx context.Context, o option.RequestOption) error {
		res, err := c.rules.New(ctx, p, o)
		if err == nil {
			id = res.ID
		}
		return err
	})
	return id, err
}

// change makes a rule one that blocks.
func (c *Client) change(ctx context.Context, s scope, h Hooks, r rule, note string) error {
	var p firewall.AccessRuleEditParams
	var what firewall.AccessRuleEditParamsConfiguration
	set(&what.Target.Value, &what.Target.Present, firewall.AccessRuleEditParamsConfigurationTarget(r.target))
	set(&what.Value.Value, &what.Value.Present, r.value)
	p.Configuration.Value, p.Configuration.Present = what, true
	set(&p.Mode.Value, &p.Mode.Present, firewall.AccessRuleEditParamsModeBlock)
	set(&p.Notes.Value, &p.Notes.Present, note)
	p.AccountID.Value, p.ZoneID.Value = s.account(), s.zone()
	return c.call(ctx, h, func(ctx context.Context, o option.RequestOption) error {
		_, err := c.rules.Edit(ctx, r.id, p, o)
		return err
	})
}

// remove deletes a rule. One that isn't there any more is fine.
func (c *Client) remove(ctx context.Context, s scope, h Hooks, id string) error {
	var p firewall.AccessRuleDeleteParams
	p.AccountID.Value, p.ZoneID.Value = s.account(), s.zone()
	err := c.call(ctx, h, func(ctx context.Context, o option.RequestOption) error {
		_, err := c.rules.Delete(ctx, id, p, o)
		return err
	})
	var e *Error
	if errors.As(err, &e) && e.gone() {
		return nil
	}
	return err
}

// exact are the rules for exactly this target. Cloudflare compares as text, and
// has written addresses of IPv6 in two ways.
func (c *Client) exact(ctx context.Context, s scope, h Hooks, t tasks.Target) ([]rule, error) {
	spellings := []string{t.String()}
	if p := t.Prefix(); p.Addr().Is6() {
		long := p.Addr().StringExpanded()
		if !t.Single() {
			long = fmt.Sprintf("%s/%d", long, p.Bits())
		}
		spellings = append(spellings, long)
	}
	for _, value := range spellings {
		found, err := c.list(ctx, s, h, query{target: targetOf(t), value: value}, func(r rule) bool { return r.exactly(t) })
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// covering are the rules for the target and for the ranges that it lies in, the
// narrowest first.
func (c *Client) covering(ctx context.Context, s scope, h Hooks, t tasks.Target) ([]rule, error) {
	all, err := c.exact(ctx, s, h, t)
	if err != nil {
		return nil, err
	}
	if t.Prefix().Addr().Is4() {
		for _, wider := range t.Wider() {
			found, err := c.list(ctx, s, h, query{target: targetRange, value: wider.String()}, func(r rule) bool { return r.exactly(wider) })
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
		return all, nil
	}
	// Asked for one by one, they would have to be in the spelling that
	// Cloudflare has them in.
	wider := t.Wider()
	if len(wider) == 0 {
		return all, nil
	}
	found, err := c.list(ctx, s, h, query{target: targetRange}, func(r rule) bool { return r.over(t) && !r.exactly(t) })
	if err != nil {
		return nil, err
	}
	for _, w := range wider {
		for _, r := range found {
			if r.exactly(w) {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// query is which rules are asked for; what is empty doesn't matter.
type query struct {
	target, value string
	page, perPage int
}

const (
	// perPage is how many rules are asked for at once.
	perPage = 100
	// mostPages is more than hold all rules that an account may have.
	mostPages = 600
)

// list reads all pages of the rules that a query finds, and keeps those that are
// wanted: what it finds is not relied on.
func (c *Client) list(ctx context.Context, s scope, h Hooks, q query, want func(rule) bool) (found []rule, err error) {
	q.perPage = perPage
	first := ""
	for q.page = 1; q.page <= mostPages; q.page++ {
		page, err := c.page(ctx, s, h, q)
		if err != nil {
			return nil, err
		}
		if len(page.rules) == 0 || page.rules[0].id == first {
			return found, nil // behind the last one, or that one again
		}
		first = page.rules[0].id
		for _, r := range page.rules {
			if want(r) {
				found = append(found, r)
			}
		}
		if len(page.rules) < page.size {
			return found, nil
		}
	}
	return nil, &Error{words: fmt.Sprintf("Cloudflare has more than %d pages of rules", mostPages)}
}

// page is some of the rules, of up to size on a page.
type page struct {
	rules []rule
	size  int
}

func (c *Client) page(ctx context.Context, s scope, h Hooks, q query) (out page, err error) {
	var p firewall.AccessRuleListParams
	if q.target != "" {
		set(&p.Configuration.Value.Target.Value, &p.Configuration.Value.Target.Present, firewall.AccessRuleListParamsConfigurationTarget(q.target))
		p.Configuration.Present = true
	}
	if q.value != "" {
		set(&p.Configuration.Value.Value.Value, &p.Configuration.Value.Value.Present, q.value)
	}
	set(&p.Match.Value, &p.Match.Present, firewall.AccessRuleListParamsMatchAll)
	set(&p.Page.Value, &p.Page.Present, float64(max(1, q.page)))
	set(&p.PerPage.Value, &p.PerPage.Present, float64(q.perPage))
	p.AccountID.Value, p.ZoneID.Value = s.account(), s.zone()
	err = c.call(ctx, h, func(ctx context.Context, o option.RequestOption) error {
		res, err := c.rules.List(ctx, p, o)
		if err != nil {
			return err
		}
		out.size = q.perPage
		if n := int(res.ResultInfo.PerPage); n > 0 {
			out.size = min(n, q.perPage)
		}
		for i := range res.Result {
			out.rules = append(out.rules, read(s, &res.Result[i]))
		}
		return nil
	})
	return out, err
}

// read is a rule as the library has it.
func read(s scope, x *firewall.AccessRuleListResponse) rule {
	r := rule{
		id: x.ID, mode: string(x.Mode), note: x.Notes, target: string(x.Configuration.Target), value: x.Configuration.Value,
		of: s.kind, created: x.CreatedOn, modified: x.ModifiedOn,
	}
	switch of := string(x.Scope.Type); of {
	case "organization":
		r.of = kindAccount
	case kindZone, "user":
		r.of = of
	}
	switch r.target {
	case targetIP, targetIP6, targetRange:
		if p, err := netip.ParsePrefix(r.value); err == nil {
			r.covers = p.Masked()
		} else if a, err := netip.ParseAddr(r.value); err == nil {
			r.covers = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
	}
	return r
}
