package configs

import (
	"testing"
	"time"
)

// Ensure a group is found whatever its case, its token by what is sent, until it
// expires, and its accounts by exchange, without those that are paused.
func TestTrading(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	token, hash := NewTradingToken()
	old, oldHash := NewTradingToken()
	c := Trading{
		Accounts: []TradingAccount{{ID: 1, Exchange: "binance"}, {ID: 2, Exchange: "okx"}, {ID: 3, Exchange: "binance", State: TradingPaused}},
		Groups: []TradingGroup{{
			Name: "My", Tokens: []TradingToken{{Hash: oldHash, Expires: now.Format(time.RFC3339)}, {Hash: hash, Expires: now.Add(time.Second).Format(time.RFC3339)}},
			Accounts: []TradingShare{{ID: 3}, {ID: 2}, {ID: 1}},
		}},
	}
	g := c.Group("mY")
	if g == nil || c.Group("other") != nil || !g.Trades() {
		t.Fatalf("found %+v", g)
	}
	for sent, valid := range map[string]bool{
		token.Reveal(): true, old.Reveal(): false, hash: false, "": false, token.Reveal() + " ": false,
	} {
		if got, ok := g.Token(sent, now); ok != valid || ok && got.Hash != hash {
			t.Errorf("a token is valid: %v, want %v", ok, valid)
		}
	}
	if _, ok := g.Token(old.Reveal(), now.Add(-time.Second)); !ok {
		t.Error("a token is refused before it expires")
	}
	if _, ok := g.Token(token.Reveal(), now.Add(time.Hour)); ok {
		t.Error("a token is taken after it has expired")
	}
	ids := func(members []Share) (out []int) {
		for _, m := range members {
			out = append(out, m.ID)
		}
		return out
	}
	if all, binance := ids(c.Members(*g, "")), ids(c.Members(*g, "binance")); len(all) != 2 || all[0] != 2 || all[1] != 1 || len(binance) != 1 || binance[0] != 1 {
		t.Errorf("members %v, at binance %v", all, binance)
	}
}
