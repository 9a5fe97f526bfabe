package cloudflare_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/cloudflare"
	"switchyard/configs"
	sim "switchyard/sim/cloudflare"
	"switchyard/tasks"
)

// Ensure addresses and ranges of every kind are blocked, found and released, by
// rules of the right kind that name the job; and that doing it again is a success
// that says so.
func TestDo(t *testing.T) {
	t.Parallel()
	for ip, kind := range map[string]string{
		"192.0.2.1": "ip", "198.51.0.0/16": "ip_range", "192.0.2.0/24": "ip_range",
		"2001:db8::1": "ip6", "2001:db8::/32": "ip_range", "2001:db8:1::/48": "ip_range", "2001:db8:1:2::/64": "ip_range",
	} {
		for _, padded := range []bool{false, true} {
			t.Run(ip+" "+strconv.FormatBool(padded), func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, sim.Options{Token: token, Accounts: []string{account}, Padded: padded})
				b.done(t, tasks.CFSearch, ip, tasks.CFNotFound)
				b.done(t, tasks.CFRelease, ip, tasks.CFNotBlocked)
				r := b.done(t, tasks.CFBlock, ip, tasks.CFBlocked)
				rules := b.sim.Rules()
				if len(rules) != 1 || rules[0].Mode != "block" || rules[0].Configuration.Target != kind || rules[0].Notes != "switchyard j_1" || rules[0].ID != r.Scopes[0].RuleID {
					t.Fatalf("rules %+v, result %+v", rules, r)
				}
				again, err := b.client.Do(b.ctx, cloudflare.Job{Type: tasks.CFBlock, Target: target(t, ip), ID: "j_2"}, cloudflare.Hooks{})
				if err != nil || again.Outcome != tasks.CFAlreadyBlocked || again.Scopes[0].RuleID != rules[0].ID {
					t.Errorf("again: %+v, %v", again, err)
				}
				found := b.done(t, tasks.CFSearch, ip, tasks.CFFound)
				if got := found.Scopes[0].Rules; len(got) != 1 || got[0].IP != ip || got[0].Mode != "block" || got[0].Scope != "account" || got[0].Note != "switchyard j_1" || got[0].CreatedAt == nil {
					t.Errorf("found %+v", got)
				}
				b.done(t, tasks.CFRelease, ip, tasks.CFReleased)
				b.done(t, tasks.CFRelease, ip, tasks.CFNotBlocked)
				if left := b.rules(); left != "" {
					t.Errorf("left: %s", left)
				}
			})
		}
	}
}

// Ensure a search finds the rules of the address and of all ranges that it lies
// in, of every mode, and no others, through as many pages as there are.
func TestDo_search(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 250 {
		b.add(t, "block", "198.51."+strconv.Itoa(i)+".0/24", "")
		b.add(t, "block", "2001:db8:"+strconv.FormatInt(int64(i)+0x100, 16)+"::/48", "")
	}
	b.add(t, "block", "192.0.0.0/16", "wide")
	b.add(t, "whitelist", "192.0.2.7", "narrow")
	b.add(t, "managed_challenge", "192.0.2.0/24", "between")
	b.add(t, "block", "2001:db8::/32", "wide")
	b.add(t, "challenge", "2001:db8:1ff:5::/64", "between")
	b.add(t, "block", "2001:db8:1ff:5::7", "narrow")
	for ip, want := range map[string]string{
		"192.0.2.7":              "whitelist 192.0.2.7 narrow, managed_challenge 192.0.2.0/24 between, block 192.0.0.0/16 wide",
		"192.0.2.8":              "managed_challenge 192.0.2.0/24 between, block 192.0.0.0/16 wide",
		"192.0.2.0/24":           "managed_challenge 192.0.2.0/24 between, block 192.0.0.0/16 wide",
		"192.0.0.0/16":           "block 192.0.0.0/16 wide",
		"203.0.113.1":            "",
		"2001:db8:1ff:5::7":      "block 2001:db8:1ff:5::7 narrow, challenge 2001:db8:1ff:5::/64 between, block 2001:db8::/32 wide",
		"2001:db8:1ff:5::8":      "challenge 2001:db8:1ff:5::/64 between, block 2001:db8::/32 wide",
		"2001:db8:105::8":        "block 2001:db8:105::/48 , block 2001:db8::/32 wide",
		"2001:db8:105:ffff::/64": "block 2001:db8:105::/48 , block 2001:db8::/32 wide",
		"2001:db9::1":            "",
	} {
		r, err := b.do(t, tasks.CFSearch, ip)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range r.Scopes[0].Rules {
			got = append(got, x.Mode+" "+x.IP+" "+x.Note)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s: %s\nwant %s", ip, s, want)
		}
	}
}

// Ensure a rule of another mode is made one that blocks, with what it was kept in
// the outcome and the note, and that releasing leaves such rules alone.
func TestDo_otherModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"challenge", "js_challenge", "managed_challenge", "whitelist"} {
		b := setup(t)
		b.add(t, mode, "192.0.2.1", "a partner")
		r := b.done(t, tasks.CFRelease, "192.0.2.1", tasks.CFNotBlocked)
		if left := r.Scopes[0].Rules; len(left) != 1 || left[0].Mode != mode {
			t.Errorf("%s: still there %+v", mode, left)
		}
		r = b.done(t, tasks.CFBlock, "192.0.2.1", tasks.CFBlocked)
		if r.Scopes[0].Was != mode {
			t.Errorf("%s: was %q", mode, r.Scopes[0].Was)
		}
		if got, want := b.rules(), "organization block ip 192.0.2.1 switchyard j_1 (before, "+mode+": a partner)"; got != want {
			t.Errorf("%s: rules %s", mode, got)
		}
	}
}

// Ensure releasing an address tells of the ranges that block it still, and
// leaves them.
func TestDo_releaseTellsOfRanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add(t, "block", "192.0.2.0/24", "range")
	b.done(t, tasks.CFBlock, "192.0.2.1", tasks.CFBlocked)
	r := b.done(t, tasks.CFRelease, "192.0.2.1", tasks.CFReleased)
	if left := r.Scopes[0].Rules; len(left) != 1 || left[0].IP != "192.0.2.0/24" {
		t.Errorf("left: %+v", left)
	}
	if got := b.rules(); got != "organization block ip_range 192.0.2.0/24 range" {
		t.Errorf("rules: %s", got)
	}
}

// Ensure a job is done in every scope, and that what fails in one is told beside
// what was done in the others; another try does what is left, and that alone.
func TestDo_zones(t *testing.T) {
	t.Parallel()
	b := setup(t, inZones)
	b.sim.Fail(sim.Fault{Path: other, Status: 500, Times: 1})
	j := cloudflare.Job{Type: tasks.CFBlock, Target: target(t, "192.0.2.1"), ID: "j_1"}
	r, err := b.client.Do(b.ctx, j, cloudflare.Hooks{})
	var several *cloudflare.ScopesError
	if _, temporary := cloudflare.Temporary(err); !temporary || !errors.As(err, &several) || len(several.Errs) != 1 || !strings.HasPrefix(err.Error(), "in 1 of 2 scopes: Cloudflare failed") {
		t.Fatalf("got %v", err)
	}
	want := []tasks.CFOutcome{tasks.CFBlocked, tasks.CFPending}
	if diff := cmp.Diff(want, outcomes(r)); diff != "" || r.Outcome != tasks.CFPending || r.Scopes[1].Error == "" {
		t.Fatalf("%+v\n%s", r, diff)
	}
	before := len(b.sim.Ledger())
	j.So = r
	if r, err = b.client.Do(b.ctx, j, cloudflare.Hooks{}); err != nil || r.Outcome != tasks.CFBlocked || r.Scopes[1].Error != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, c := range b.sim.Ledger()[before:] {
		if !strings.Contains(c.Path, other) {
			t.Errorf("the second try asked %s %s", c.Method, c.Path)
		}
	}
	if got := b.rules(); got != "zone block ip 192.0.2.1 switchyard j_1\nzone block ip 192.0.2.1 switchyard j_1" {
		t.Errorf("rules: %s", got)
	}
	b.done(t, tasks.CFRelease, "192.0.2.1", tasks.CFReleased)
	b.done(t, tasks.CFBlock, "192.0.2.2", tasks.CFBlocked)
	// What one zone can never do doesn't undo the other, and stays an error.
	b.sim.Fail(sim.Fault{Path: other, Status: 403, Code: 9109, Message: "Unauthorized to access requested resource"})
	r, err = b.do(t, tasks.CFBlock, "192.0.2.3")
	if _, temporary := cloudflare.Temporary(err); temporary || err == nil || r.Scopes[0].Outcome != tasks.CFBlocked || !strings.Contains(err.Error(), "code 9109") {
		t.Errorf("%+v, %v", r, err)
	}
}

func outcomes(r tasks.CFResult) (all []tasks.CFOutcome) {
	for _, s := range r.Scopes {
		all = append(all, s.Outcome)
	}
	return all
}

// Ensure a zone's own rules are told apart from those of its account, which it
// shows and can't change.
func TestDo_inherited(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Cloudflare) { c.ZoneIDs = []string{zone} })
	b.add(t, "block", "192.0.2.1", "account's")
	r := b.done(t, tasks.CFRelease, "192.0.2.1", tasks.CFNotBlocked)
	if left := r.Scopes[0].Rules; len(left) != 1 || left[0].Scope != "account" {
		t.Errorf("left %+v", left)
	}
	own := b.done(t, tasks.CFBlock, "192.0.2.1", tasks.CFBlocked)
	if again := b.done(t, tasks.CFBlock, "192.0.2.1", tasks.CFBlocked); again.Scopes[0].RuleID != own.Scopes[0].RuleID {
		t.Errorf("the rule is %s, then %s", own.Scopes[0].RuleID, again.Scopes[0].RuleID)
	}
	b.done(t, tasks.CFRelease, "192.0.2.1", tasks.CFReleased)
	if got := b.rules(); got != "organization block ip 192.0.2.1 account's" {
		t.Errorf("rules: %s", got)
	}
}

// Ensure a job whose worker died in the middle, or whose answer was lost, does
// nothing twice when it is taken up again, and says that it did it.
func TestDo_again(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lost := func(method string, typ tasks.Type, ip string, before tasks.CFResult) (so tasks.CFResult) {
		t.Helper()
		b.sim.Fail(sim.Fault{Method: method, Done: true, Drop: true, Times: 1})
		hooks := cloudflare.Hooks{Progress: func(_ context.Context, r tasks.CFResult) {
			so = r
			so.Scopes = append([]tasks.CFScope(nil), r.Scopes...) // as it is written down then
		}}
		_, err := b.client.Do(b.ctx, cloudflare.Job{Type: typ, Target: target(t, ip), ID: "j_1", So: before}, hooks)
		if _, temporary := cloudflare.Temporary(err); !temporary {
			t.Fatalf("%s %s: %v", method, ip, err)
		}
		return so
	}
	resume := func(typ tasks.Type, ip string, so tasks.CFResult, want tasks.CFOutcome) tasks.CFResult {
		t.Helper()
		r, err := b.client.Do(b.ctx, cloudflare.Job{Type: typ, Target: target(t, ip), ID: "j_1", So: so}, cloudflare.Hooks{})
		if err != nil || r.Outcome != want {
			t.Fatalf("%s %s: %+v, %v", typ, ip, r, err)
		}
		return r
	}
	so := lost(http.MethodPost, tasks.CFBlock, "192.0.2.1", tasks.CFResult{})
	resume(tasks.CFBlock, "192.0.2.1", so, tasks.CFBlocked)
	so = lost(http.MethodDelete, tasks.CFRelease, "192.0.2.1", tasks.CFResult{})
	resume(tasks.CFRelease, "192.0.2.1", so, tasks.CFReleased)
	b.add(t, "whitelist", "192.0.2.2", "")
	so = lost(http.MethodPatch, tasks.CFBlock, "192.0.2.2", tasks.CFResult{})
	if r := resume(tasks.CFBlock, "192.0.2.2", so, tasks.CFBlocked); r.Scopes[0].Was != "whitelist" {
		t.Errorf("%+v", r)
	}
	if got := b.rules(); got != "organization block ip 192.0.2.2 switchyard j_1" {
		t.Errorf("rules: %s", got)
	}
	// One that was done, and could not say so, has nothing left to do.
	before := len(b.sim.Ledger())
	resume(tasks.CFBlock, "192.0.2.9", tasks.CFResult{Action: "block", Scopes: []tasks.CFScope{{Scope: "account", ID: account, Outcome: tasks.CFBlocked}}}, tasks.CFBlocked)
	if n := len(b.sim.Ledger()) - before; n != 0 {
		t.Errorf("%d requests for what was done", n)
	}
}

// Ensure a rule that goes while it is being deleted was released, by whomever.
func TestDo_goneMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, tasks.CFBlock, "192.0.2.1", tasks.CFBlocked)
	b.sim.Fail(sim.Fault{Method: http.MethodDelete, Status: 404, Code: 10001, Message: "firewallaccessrules.api.not_found", Times: 1})
	b.done(t, tasks.CFRelease, "192.0.2.1", tasks.CFReleased)
	// One that Cloudflare has, and doesn't show, is for another try.
	b.sim.Fail(sim.Fault{Method: http.MethodPost, Status: 400, Code: 10009, Message: "firewallaccessrules.api.duplicate_of_existing", Times: 1})
	if _, err := b.do(t, tasks.CFBlock, "192.0.2.9"); err == nil || !strings.Contains(err.Error(), "doesn't show it") {
		t.Errorf("got %v", err)
	} else if _, temporary := cloudflare.Temporary(err); !temporary {
		t.Errorf("final: %v", err)
	}
}

// Ensure whoever is asked before a request keeps it from being made, and has
// their own error back; and that the end of the context ends a job with its cause.
func TestDo_before(t *testing.T) {
	t.Parallel()
	b := setup(t)
	no := errors.New("not now")
	asked := 0
	job := cloudflare.Job{Type: tasks.CFRelease, Target: target(t, "192.0.2.1"), ID: "j_1"}
	_, err := b.client.Do(b.ctx, job, cloudflare.Hooks{Before: func(context.Context) error {
		if asked++; asked == 3 {
			return no
		}
		return nil
	}})
	if _, temporary := cloudflare.Temporary(err); !errors.Is(err, no) || temporary || len(b.sim.Ledger()) != 2 {
		t.Errorf("got %v after %d requests", err, len(b.sim.Ledger()))
	}
	b.sim.Fail(sim.Fault{Hang: true})
	ctx, cancel := context.WithCancelCause(b.ctx)
	time.AfterFunc(20*time.Millisecond, func() { cancel(no) })
	if _, err := b.client.Do(ctx, job, cloudflare.Hooks{}); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
}
