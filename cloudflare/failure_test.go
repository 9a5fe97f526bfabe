package cloudflare_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"switchyard/cloudflare"
	"switchyard/configs"
	sim "switchyard/sim/cloudflare"
	"switchyard/tasks"
)

// Ensure every status that refuses says in words what it means, with Cloudflare's
// own code and words, and whether another try makes sense; and that the client
// itself tries once.
func TestStatuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tt := range []struct {
		fault     sim.Fault
		temporary bool
		after     time.Duration
		words     string
	}{
		{sim.Fault{Status: 400, Code: 10001, Message: "firewallaccessrules.api.validation_error:invalid ip provided"}, false, 0,
			"Cloudflare refused the request: firewallaccessrules.api.validation_error:invalid ip provided (status 400, code 10001"},
		{sim.Fault{Status: 400, Code: 7003, Message: "Could not route"}, false, 0, "Cloudflare knows no such account or zone: Could not route (status 400, code 7003"},
		{sim.Fault{Status: 401, Code: 10000, Message: "Authentication error"}, false, 0, "Cloudflare refused the token: it is not valid, or lacks the right"},
		{sim.Fault{Status: 403, Code: 9109, Message: "Unauthorized to access requested resource"}, false, 0, "Cloudflare refused the token"},
		{sim.Fault{Status: 404, Code: 7003, Message: "Could not route"}, false, 0, "Cloudflare knows no such account or zone"},
		{sim.Fault{Status: 405}, false, 0, "Cloudflare refused the request (status 405"},
		{sim.Fault{Status: 408}, true, 0, "Cloudflare refused the request (status 408"},
		{sim.Fault{Status: 409}, false, 0, "Cloudflare refused the request (status 409"},
		{sim.Fault{Status: 422}, false, 0, "Cloudflare refused the request (status 422"},
		{sim.Fault{Status: 429, Code: 971, Message: "Please wait", RetryAfter: "17"}, true, 17 * time.Second, "Cloudflare was asked too often: Please wait (status 429, code 971"},
		{sim.Fault{Status: 429, RetryAfter: "99999999"}, true, time.Hour, "Cloudflare was asked too often (status 429"},
		{sim.Fault{Status: 429}, true, 5 * time.Minute, "Cloudflare was asked too often"},
		{sim.Fault{Status: 429, HTML: true}, true, 5 * time.Minute, "Cloudflare was asked too often"},
		{sim.Fault{Status: 500, Code: 10013, Message: "internal"}, true, 0, "Cloudflare failed: internal (status 500, code 10013"},
		{sim.Fault{Status: 502, HTML: true, Message: "bad gateway"}, true, 0, "Cloudflare failed (status 502"},
		{sim.Fault{Status: 503, RetryAfter: "3"}, true, 3 * time.Second, "Cloudflare failed (status 503"},
		{sim.Fault{Status: 520, HTML: true}, true, 0, "Cloudflare failed (status 520"},
		{sim.Fault{HTML: true, Message: "log in to the guest network"}, true, 0, "the answer is none of Cloudflare's"},
		{sim.Fault{Status: 200}, true, 0, "the answer is none of Cloudflare's"},
		{sim.Fault{Status: 302, HTML: true}, false, 0, "a redirect came where Cloudflare should be"},
		{sim.Fault{Drop: true}, true, 0, "Cloudflare can't be reached: EOF"},
	} {
		for _, typ := range []tasks.Type{tasks.CFBlock, tasks.CFRelease, tasks.CFSearch} {
			b.sim.Recover()
			b.sim.Fail(tt.fault)
			before := len(b.sim.Ledger())
			r, err := b.do(t, typ, "192.0.2.1")
			after, temporary := cloudflare.Temporary(err)
			var e *cloudflare.Error
			if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), tt.words) || temporary != tt.temporary || after != tt.after || e.Status != max(tt.fault.Status, e.Status) || e.Limited() != (tt.fault.Status == 429) {
				t.Errorf("%+v: %v (temporary %v, after %s)", tt.fault, err, temporary, after)
				continue
			}
			if r.Outcome != tasks.CFPending || r.Scopes[0].Error != err.Error() {
				t.Errorf("%+v: result %+v", tt.fault, r)
			}
			if n := len(b.sim.Ledger()) - before; n != 1 {
				t.Errorf("%+v: %d requests, want 1", tt.fault, n)
			}
		}
	}
}

// Ensure a Cloudflare that gives no answer, and one that isn't there, are told
// apart, within the timeout.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	b := setup(t, inAccount, func(c *configs.Cloudflare) { c.Timeout = configs.Duration(30 * time.Millisecond) })
	b.sim.Fail(sim.Fault{Hang: true})
	_, err := b.do(t, tasks.CFBlock, "192.0.2.1")
	if _, temporary := cloudflare.Temporary(err); !temporary || err.Error() != "Cloudflare gave no answer within 30ms" {
		t.Errorf("got %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b = setup(t, inAccount, func(c *configs.Cloudflare) { c.BaseURL = nobody })
	_, err = b.do(t, tasks.CFBlock, "192.0.2.1")
	if _, temporary := cloudflare.Temporary(err); !temporary || !strings.HasPrefix(err.Error(), "Cloudflare can't be reached: ") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
}

// Ensure nothing is asked of anybody where nothing is configured.
func TestNotConfigured(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *configs.Cloudflare) { c.Token = configs.Secret{} })
	for _, typ := range []tasks.Type{tasks.CFBlock, tasks.CFRelease, tasks.CFSearch} {
		_, err := b.do(t, typ, "192.0.2.1")
		if _, temporary := cloudflare.Temporary(err); temporary || !errors.Is(err, cloudflare.ErrNotConfigured) {
			t.Errorf("%s: %v", typ, err)
		}
	}
	if err := b.client.Verify(b.ctx); !errors.Is(err, cloudflare.ErrNotConfigured) || len(b.sim.Ledger()) != 0 {
		t.Errorf("got %v after %d requests", err, len(b.sim.Ledger()))
	}
}

// Ensure Verify tells a token that is good from one that isn't, in every scope,
// and changes nothing.
func TestVerify(t *testing.T) {
	t.Parallel()
	opt := sim.Options{Token: token, Accounts: []string{account}, Zones: map[string]string{zone: account, other: ""}, Denied: []string{other}}
	both := func(c *configs.Cloudflare) { c.AccountID, c.ZoneIDs = account, []string{zone} }
	for name, tt := range map[string]struct {
		change func(*configs.Cloudflare)
		want   string
	}{
		"good":         {both, ""},
		"wrong token":  {func(c *configs.Cloudflare) { inAccount(c); c.Token = configs.NewSecret("x") }, "Cloudflare refused the token"},
		"no right":     {inZones, "in 1 of 2 scopes: Cloudflare refused the token"},
		"unknown zone": {func(c *configs.Cloudflare) { c.ZoneIDs = []string{strings.Repeat("0", 32)} }, "Cloudflare knows no such account or zone"},
	} {
		b := setupOn(t, opt, tt.change)
		err := b.client.Verify(b.ctx)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%s: %v", name, err)
		}
		for _, c := range b.sim.Ledger() {
			if c.Method != http.MethodGet {
				t.Errorf("%s: %s %s", name, c.Method, c.Path)
			}
		}
	}
}

// Ensure the token comes to Cloudflare alone, whatever goes wrong: not to where a
// redirect leads, nor into an error or a result, not even where the other side
// repeats it.
func TestTokenStaysSecret(t *testing.T) {
	t.Parallel()
	stolen := make(chan string, 100)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen <- r.Header.Get("Authorization") }))
	t.Cleanup(thief.Close)
	status := 0
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := r.Header.Get("Authorization")
		w.Header().Set("Location", thief.URL)
		w.Header().Set("Cf-Ray", said)
		w.Header().Set("Retry-After", said)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"success":false,"errors":[{"code":1,"message":%q}],"result":null}`, "no such token: "+said+strings.Repeat("한", 200)+said)
	}))
	t.Cleanup(echo.Close)
	b := setup(t, inAccount, func(c *configs.Cloudflare) { c.BaseURL = echo.URL })
	for _, status = range []int{200, 301, 302, 307, 308, 400, 401, 403, 404, 429, 500} {
		for _, typ := range []tasks.Type{tasks.CFBlock, tasks.CFRelease} {
			r, err := b.do(t, typ, "192.0.2.1")
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%+v", r), fmt.Sprintf("%+v %#v", b.client, b.client)} {
				if strings.Contains(text, token) {
					t.Errorf("%s %d tells the token: %s", typ, status, text)
				}
			}
			if len(err.Error()) > 700 {
				t.Errorf("%s: an error of %d bytes", strconv.Itoa(status), len(err.Error()))
			}
		}
	}
	select {
	case got := <-stolen:
		t.Errorf("a redirect was followed, with %q", got)
	default:
	}
}
