package cloudflare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"switchyard/tasks"
)

// Job is what is to be done.
type Job struct {
	// Type is tasks.CFBlock, CFRelease or CFSearch.
	Type   tasks.Type
	Target tasks.Target
	// ID of the job stands in the notes of the rules that it makes.
	ID string
	// So is what earlier tries came to; the zero value: nothing.
	So tasks.CFResult
}

// Do does the job in every scope where it isn't done yet, and returns what has
// been done, even with an error. Errors: what Hooks.Before said, the cause of
// ctx, ErrNotConfigured, an *Error, or a *ScopesError of several.
func (c *Client) Do(ctx context.Context, j Job, h Hooks) (tasks.CFResult, error) {
	action, ok := tasks.CFAction(j.Type)
	if !ok {
		return tasks.CFResult{}, fmt.Errorf("jobs of type %s are none for Cloudflare", j.Type)
	}
	r := tasks.CFResult{Action: action, IP: j.Target.String(), Outcome: tasks.CFPending, Scopes: []tasks.CFScope{}}
	if !c.Configured() {
		return r, ErrNotConfigured
	}
	for _, s := range c.scopes {
		r.Scopes = append(r.Scopes, before(j.So, s))
	}
	r.Outcome = sum(r.Scopes)
	var errs []error
	for i, s := range c.scopes {
		at := &r.Scopes[i]
		if at.Outcome != tasks.CFPending {
			continue
		}
		err := c.in(ctx, s, j, at, h, func() { h.progress(ctx, r) })
		r.Outcome = sum(r.Scopes)
		var e *Error
		switch {
		case err == nil:
			h.progress(ctx, r)
			continue
		case !errors.As(err, &e): // whoever is asked before has something against it, or there is no more time
			return r, err
		}
		at.Error = e.Error()
		errs = append(errs, e)
		if e.Limited() {
			break // nor would the others be done
		}
	}
	switch {
	case len(errs) == 0:
		return r, nil
	case len(c.scopes) == 1:
		return r, errs[0]
	}
	return r, &ScopesError{Scopes: len(c.scopes), Errs: errs}
}

func (h Hooks) progress(ctx context.Context, so tasks.CFResult) {
	if h.Progress != nil {
		h.Progress(ctx, so)
	}
}

// before is what earlier tries came to in a scope.
func before(so tasks.CFResult, s scope) tasks.CFScope {
	for _, x := range so.Scopes {
		if x.Scope == s.kind && x.ID == s.id {
			x.Error = ""
			return x
		}
	}
	return tasks.CFScope{Scope: s.kind, ID: s.id, Outcome: tasks.CFPending, Rules: []tasks.CFRule{}}
}

// sum is the outcome of all scopes: what was done in one was done.
func sum(scopes []tasks.CFScope) tasks.CFOutcome {
	rank := map[tasks.CFOutcome]int{tasks.CFPending: 3, tasks.CFBlocked: 2, tasks.CFReleased: 2, tasks.CFFound: 2}
	out := scopes[0].Outcome
	for _, s := range scopes[1:] {
		if rank[s.Outcome] > rank[out] {
			out = s.Outcome
		}
	}
	return out
}

// in does the job in one scope; note notes how far it is.
func (c *Client) in(ctx context.Context, s scope, j Job, at *tasks.CFScope, h Hooks, note func()) error {
	switch j.Type {
	case tasks.CFBlock:
		return c.block(ctx, s, j, at, h, note)
	case tasks.CFRelease:
		return c.release(ctx, s, j, at, h, note)
	}
	found, err := c.covering(ctx, s, h, j.Target)
	if err != nil {
		return err
	}
	at.Outcome = tasks.CFNotFound
	if len(found) > 0 {
		at.Outcome = tasks.CFFound
	}
	at.Rules = documents(found)
	return nil
}

const modeBlock = "block"

// block makes a rule, or makes the one that is there block.
func (c *Client) block(ctx context.Context, s scope, j Job, at *tasks.CFScope, h Hooks, note func()) error {
	text := c.note + " " + j.ID
	id, err := c.create(ctx, s, h, j.Target, text)
	if err == nil {
		at.Outcome, at.RuleID = tasks.CFBlocked, id
		return nil
	}
	var refusal *Error
	if !errors.As(err, &refusal) || !refusal.duplicate() {
		return err
	}
	there, err := c.exact(ctx, s, h, j.Target)
	if err != nil {
		return err
	}
	// A zone shows its account's rules, too.
	slices.SortStableFunc(there, func(a, b rule) int { return rank(b, s) - rank(a, s) })
	for _, r := range there {
		if r.mode != modeBlock {
			continue
		}
		at.Outcome, at.RuleID = tasks.CFAlreadyBlocked, r.id
		if strings.Contains(r.note, j.ID) { // an earlier try has made it, and could not say so
			at.Outcome = tasks.CFBlocked
		}
		return nil
	}
	for _, r := range there {
		if !r.own(s) {
			continue
		}
		at.Was, at.RuleID = r.mode, r.id
		note()
		if r.note != "" {
			text += " (before, " + r.mode + ": " + r.note + ")"
		}
		if err := c.change(ctx, s, h, r, text); err != nil {
			return err
		}
		at.Outcome = tasks.CFBlocked
		return nil
	}
	if len(there) > 0 {
		refusal.words = fmt.Sprintf("a rule of the %s, of mode %s, stands in the way", there[0].of, there[0].mode)
		return refusal
	}
	// It went a moment ago, or is not shown: another try will tell.
	return &Error{Code: refusal.Code, words: "Cloudflare has a rule for this already, and doesn't show it"}
}

// rank puts a scope's own rules in front of those that it only has to bear.
func rank(r rule, s scope) int {
	if r.own(s) {
		return 1
	}
	return 0
}

// release deletes the rule that blocks the target, and tells of those that cover
// it still.
func (c *Client) release(ctx context.Context, s scope, j Job, at *tasks.CFScope, h Hooks, note func()) error {
	found, err := c.covering(ctx, s, h, j.Target)
	if err != nil {
		return err
	}
	var left []rule
	began := at.RuleID != "" // an earlier try was about to delete one
	for _, r := range found {
		if !r.exactly(j.Target) || r.mode != modeBlock || !r.own(s) {
			left = append(left, r)
			continue
		}
		at.RuleID = r.id
		note()
		if err := c.remove(ctx, s, h, r.id); err != nil {
			return err
		}
		began = true
	}
	at.Outcome, at.Rules = tasks.CFNotBlocked, documents(left)
	if began {
		at.Outcome = tasks.CFReleased
	}
	return nil
}

func documents(rules []rule) []tasks.CFRule {
	out := make([]tasks.CFRule, len(rules))
	for i, r := range rules {
		out[i] = r.document()
	}
	return out
}
