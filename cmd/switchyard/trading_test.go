package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"switchyard/configs"
	sim "switchyard/sim/exchanges/binance"
	simbybit "switchyard/sim/exchanges/bybit"
	simokx "switchyard/sim/exchanges/okx"
)

var printedToken = regexp.MustCompile(`(?m)^swt_[A-Za-z0-9_-]{43}$`)

// Ensure a new token is printed once, beside lines that a configuration takes as they
// stand, and that wrong arguments are refused.
func TestTradingTokenNew(t *testing.T) {
	t.Parallel()
	p := run(t, options{}, "trading", "token", "new", "--group", "my: strategy", "--expires", "90d")
	p.exits(t, 0)
	silent(t, p.stderr)
	token := printedToken.FindString(p.stdout.String())
	_, lines, found := strings.Cut(p.stdout.String(), "(two at most):\n")
	if token == "" || !found || strings.Contains(lines, token) || !strings.Contains(lines, configs.HashAPIKey(token)) {
		t.Fatalf("printed %s", p.stdout)
	}
	q := run(t, options{stdin: lines}, "trading", "groups", "-c", "/dev/stdin")
	q.exits(t, 0)
	says(t, q.stdout, "my: strategy", "active", "(until 20")
	for args, want := range map[string]string{
		"trading":                                   "choose what to do: 'switchyard trading --help' lists it",
		"trading token new":                         "name the group with --group",
		"trading token new --group a -x":            "unknown shorthand flag",
		"trading token new --group a b":             "takes no argument",
		"trading token new --group a --expires 1":   "has no unit",
		"trading token new --group a --expires 0d":  "is not a number of days",
		"trading token new --group a --expires -1h": "is no time to come",
	} {
		p := run(t, options{}, strings.Fields(args)...)
		p.exits(t, 2)
		says(t, p.stderr, want)
		silent(t, p.stdout)
	}
}

// Ensure accounts are listed without their keys, and a check says of each whether it
// can be traded with, and of a key that may withdraw that it can't.
func TestTradingCheck(t *testing.T) {
	t.Parallel()
	s, err := sim.Start(t.Context(), "127.0.0.1:0", sim.Options{
		Accounts: []sim.Account{
			{Key: "good-key", Secret: "good-secret", Spot: map[string]string{"USDT": "100"}, Futures: map[string]string{"USDT": "200"}},
			{Key: "bad-key", Secret: "bad-secret", Hedge: true, Withdraw: true},
			{Key: "third-key", Secret: "third-secret"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	path := filepath.Join(t.TempDir(), "switchyard.yaml")
	account := func(id, name, key, secret string) string {
		return "    - {id: " + id + ", name: " + name + ", exchange: binance, mode: live, key: " + key + ", secret: " + secret + ", spot_url: '" + s.URL() + "', futures_url: '" + s.URL() + "'}\n"
	}
	text := "trading:\n  accounts:\n" + account("1", "Good", "good-key", "good-secret") + account("2", "Greedy", "bad-key", "bad-secret") +
		account("3", "Wrong", "third-key", "other-secret") + "    - {id: 4, name: Paper, exchange: binance, mode: paper, state: paused}\n" +
		"  groups:\n    - {name: g, accounts: [{id: 1, capital: 500}, {id: 4}]}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list := run(t, options{}, "trading", "accounts", "-c", path)
	list.exits(t, 0)
	says(t, list.stdout, "1   Good", "paused", "live")
	groups := run(t, options{}, "trading", "groups", "-c", path)
	groups.exits(t, 0)
	says(t, groups.stdout, "1 Good up to 500, 4 Paper (paused)")

	good := run(t, options{}, "trading", "check", "-c", path, "--account", "1")
	good.exits(t, 0)
	says(t, good.stdout, "reached; this machine's clock is off by", "accepted; 100 USDT free of 100", "accepted; 200 USDT free of 200; one-way mode", "spot yes, futures yes, no withdrawals, bound to addresses")
	all := run(t, options{}, "trading", "check", "-c", path)
	all.exits(t, 1)
	says(t, all.stdout, "hedge mode", "the key may withdraw", "API key not accepted", "exists here only, on paper")
	for _, p := range []*program{list, groups, good, all} {
		for _, secret := range []string{"good-secret", "bad-secret", "other-secret", "good-key"} {
			if strings.Contains(p.stdout.String()+p.stderr.String(), secret) {
				t.Errorf("%s is shown", secret)
			}
		}
	}
	none := run(t, options{}, "trading", "check", "-c", path, "--account", "9")
	none.exits(t, 1)
	says(t, none.stdout, "there is none to check")
}

// Ensure accounts at the other exchanges are checked as well.
func TestTradingCheckOfOthers(t *testing.T) {
	t.Parallel()
	coins := map[string]string{"USDT": "300"}
	bybit, err := simbybit.Start(t.Context(), "127.0.0.1:0", simbybit.Options{Accounts: []simbybit.Account{{Key: "bybit-key", Secret: "bybit-secret", Balances: coins, Withdraw: true}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bybit.Close() })
	okx, err := simokx.Start(t.Context(), "127.0.0.1:0", simokx.Options{Accounts: []simokx.Account{{Key: "okx-key", Secret: "okx-secret", Passphrase: "okx-phrase", Demo: true, Hedge: true, Balances: coins}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = okx.Close() })
	path := filepath.Join(t.TempDir(), "switchyard.yaml")
	text := "trading:\n  accounts:\n" +
		"    - {id: 1, name: One, exchange: bybit, mode: live, key: bybit-key, secret: bybit-secret, spot_url: '" + bybit.URL() + "', futures_url: '" + bybit.URL() + "'}\n" +
		"    - {id: 2, name: Two, exchange: okx, mode: demo, key: okx-key, secret: okx-secret, passphrase: okx-phrase, spot_url: '" + okx.URL() + "', futures_url: '" + okx.URL() + "'}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	one := run(t, options{}, "trading", "check", "-c", path, "--account", "1")
	one.exits(t, 1)
	says(t, one.stdout, "accepted; 300 USDT free of 300", "one-way mode", "the key may withdraw")
	two := run(t, options{}, "trading", "check", "-c", path, "--account", "2")
	two.exits(t, 0)
	says(t, two.stdout, "accepted; 300 USDT free of 300; hedge mode", "spot yes, futures yes, no withdrawals, bound to addresses")
	for _, secret := range []string{"bybit-secret", "okx-secret", "okx-phrase", "okx-key"} {
		if strings.Contains(one.stdout.String()+one.stderr.String()+two.stdout.String()+two.stderr.String(), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}
