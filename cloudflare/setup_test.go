package cloudflare_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchyard/cloudflare"
	"switchyard/configs"
	sim "switchyard/sim/cloudflare"
	"switchyard/tasks"
)

// Nothing that a test starts outlives it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token   = "made-for-this-test-4f1c"
	account = "023e105f4ecef8ad9ca31a8372d0c353"
	zone    = "9a7806061c88ada191ed06f989cc3dac"
	other   = "7c5dae5552338874e5053f2534d2767a"
)

// bundle is a client and the Cloudflare that it talks to.
type bundle struct {
	ctx    context.Context
	sim    *sim.Server
	client *cloudflare.Client
}

// inAccount is the configuration of one account.
func inAccount(c *configs.Cloudflare) { c.AccountID = account }

// inZones is that of two zones.
func inZones(c *configs.Cloudflare) { c.ZoneIDs = []string{zone, other} }

func setup(t *testing.T, change ...func(*configs.Cloudflare)) *bundle {
	t.Helper()
	return setupOn(t, sim.Options{Token: token, Accounts: []string{account}, Zones: map[string]string{zone: account, other: ""}}, change...)
}

func setupOn(t *testing.T, opt sim.Options, change ...func(*configs.Cloudflare)) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	s, err := sim.Start(ctx, "127.0.0.1:0", opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b := &bundle{ctx: ctx, sim: s}
	c := configs.Default().Cloudflare
	c.Token, c.BaseURL = configs.NewSecret(token), s.URL()
	if len(change) == 0 {
		change = append(change, inAccount)
	}
	for _, f := range change {
		f(&c)
	}
	b.client = cloudflare.New(c, "switchyard/test")
	t.Cleanup(b.client.Close)
	return b
}

func target(t *testing.T, s string) tasks.Target {
	t.Helper()
	x, err := tasks.ParseTarget(s)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// add makes a rule as somebody does at the dashboard.
func (b *bundle) add(t *testing.T, mode, value, note string) sim.Rule {
	t.Helper()
	r, err := b.sim.Add(account, "", mode, value, note)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// do does a job that nothing is known of yet.
func (b *bundle) do(t *testing.T, typ tasks.Type, ip string) (tasks.CFResult, error) {
	t.Helper()
	return b.client.Do(b.ctx, cloudflare.Job{Type: typ, Target: target(t, ip), ID: "j_1"}, cloudflare.Hooks{})
}

// done does a job that has to succeed, with this outcome.
func (b *bundle) done(t *testing.T, typ tasks.Type, ip string, want tasks.CFOutcome) tasks.CFResult {
	t.Helper()
	r, err := b.do(t, typ, ip)
	if err != nil || r.Outcome != want {
		t.Fatalf("%s %s: %+v, %v; want %s", typ, ip, r, err, want)
	}
	return r
}

// rules are those that there are, in short.
func (b *bundle) rules() string {
	var all []string
	for _, r := range b.sim.Rules() {
		all = append(all, r.Scope.Type+" "+r.Mode+" "+r.Configuration.Target+" "+r.Configuration.Value+" "+r.Notes)
	}
	return strings.Join(all, "\n")
}
