package configs

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

const (
	// longestTradingWait is the longest that an answer to a webhook may wait.
	longestTradingWait = 10 * time.Second
	// longestDedupe bounds the memory of what was accepted; a client that sends
	// again later means it.
	longestDedupe = 10 * time.Minute
	// mostTokens: one that is used, and one to change to.
	mostTokens = 2
	// longestGroupName is what a table, an index and a message can show.
	longestGroupName = 64
	// mostAccountID keeps ids readable, and within what every JSON reader takes.
	mostAccountID = 1_000_000_000
)

// chatID is how a chat is named.
var chatID = regexp.MustCompile(`^(-?[1-9][0-9]{0,19}|@[A-Za-z][A-Za-z0-9_]{3,31})$`)

var (
	hundred         = decimal.NewFromInt(100)
	mostLeverage    = decimal.NewFromInt(125)
	accountModes    = []string{"live", "testnet", "demo", "paper"}
	accountVenues   = []string{"binance", "bybit", "okx"}
	tradingStates   = []string{TradingActive, TradingPaused}
	paperPriceKinds = []string{"deterministic", "public"}
)

func (k *checker) trading() {
	t := k.c.Trading
	k.between("trading.wait", t.Wait, 0, longestTradingWait)
	if p := t.ReservePercent.Value(); p.IsNegative() || p.GreaterThanOrEqual(hundred) {
		k.fault("trading.reserve_percent", "is %s: it must be 0 or more, and below 100", p)
	}
	k.between("trading.max_age.market", t.MaxAge.Market, time.Second, time.Hour)
	k.between("trading.max_age.other", t.MaxAge.Other, time.Second, time.Hour)
	k.between("trading.dedupe_window", t.DedupeWindow, 0, longestDedupe)
	if t.FollowInterval != 0 {
		k.between("trading.follow_interval", t.FollowInterval, time.Second, time.Hour)
	}
	if !receiverName.MatchString(t.Address) {
		k.fault("trading.address", "must be a name of a-z, 0-9, _ and -: workers that call from one address share it")
	}
	known := k.tradingAccounts(t.Accounts)
	k.tradingGroups(t.Groups, known)
}

// tradingAccounts returns the ids there are.
func (k *checker) tradingAccounts(list []TradingAccount) map[int]bool {
	ids := map[int]int{}
	known := map[int]bool{}
	for i, a := range list {
		path := item("trading.accounts", i)
		if before, twice := ids[a.ID]; twice {
			k.fault(path+".id", "is the same as %s.id: give each account its own", item("trading.accounts", before))
		} else {
			k.number(path+".id", int64(a.ID), 1, mostAccountID)
		}
		ids[a.ID], known[a.ID] = i, true
		if strings.TrimSpace(a.Name) == "" || len(a.Name) > longestGroupName {
			k.fault(path+".name", "must be 1 to %d characters, which answers and logs show", longestGroupName)
		}
		k.oneOf(path+".exchange", "exchange", a.Exchange, accountVenues...)
		k.oneOf(path+".mode", "mode", a.Mode, accountModes...)
		if a.State != "" {
			k.oneOf(path+".state", "state", a.State, tradingStates...)
		}
		if l := a.Leverage; l.Given() && (!l.Value().IsPositive() || l.Value().GreaterThan(mostLeverage)) {
			k.fault(path+".leverage", "is %s: it must be above 0, and %s at most", l, mostLeverage)
		}
		k.accountKeys(path, a)
		if j := slices.IndexFunc(list[:i], a.isSame); j >= 0 {
			k.fault(path+".key", "is that of %s: what is one account at the exchange has to be one here, so that its orders keep their turn and its limits are counted once", item("trading.accounts", j))
		}
		for key, url := range map[string]string{path + ".spot_url": a.SpotURL, path + ".futures_url": a.FuturesURL} {
			if url != "" {
				k.noted(key, tokenAddress(url, "must be the address alone, such as https://api.example.com"))
			}
		}
		k.paper(path+".paper", a)
	}
	return known
}

// accountKeys checks that an account has the keys that its exchange asks for, and
// none where nobody does.
func (k *checker) accountKeys(path string, a TradingAccount) {
	switch {
	case !slices.Contains(accountModes, a.Mode):
		return // which is at fault already
	case a.Mode == "paper":
		for key, s := range map[string]Secret{"key": a.Key, "secret": a.Secret, "passphrase": a.Passphrase} {
			if !s.IsZero() {
				k.fault(path+"."+key, "has no use in mode paper, where no exchange is asked: take it out")
			}
		}
		return
	}
	for key, s := range map[string]Secret{"key": a.Key, "secret": a.Secret} {
		switch {
		case s.IsZero():
			k.fault(path, "needs %s in mode %s: that of an API key which may trade, and not withdraw", key, a.Mode)
		case strings.ContainsAny(s.Reveal(), " \t\r\n"):
			k.fault(path+"."+key, "is none: there are spaces in it")
		}
	}
	switch okx := a.Exchange == "okx"; {
	case okx && a.Passphrase.IsZero():
		k.fault(path, "needs passphrase too: OKX asks for the one that the API key was made with")
	case !okx && !a.Passphrase.IsZero():
		k.fault(path+".passphrase", "is OKX's alone: take it out")
	}
	if a.Exchange == "okx" && a.Mode == "testnet" {
		k.fault(path+".mode", "OKX has no testnet: write demo")
	}
}

func (k *checker) paper(path string, a TradingAccount) {
	p := a.Paper
	if p.Prices != "" {
		k.oneOf(path+".prices", "kind of prices", p.Prices, paperPriceKinds...)
	}
	for asset, n := range p.Balances {
		if asset == "" || strings.ToUpper(asset) != asset || n.Value().IsNegative() {
			k.fault(child(path+".balances", asset), "must be an asset in capitals, and 0 or more of it, such as USDT: 10000")
		}
	}
	for key, fee := range map[string]Decimal{".maker_fee": p.MakerFee, ".taker_fee": p.TakerFee} {
		if fee.Value().IsNegative() || fee.Value().GreaterThan(decimal.NewFromInt(10)) {
			k.fault(path+key, "is %s percent: it must be 0 to 10", fee)
		}
	}
}

func (k *checker) tradingGroups(list []TradingGroup, accounts map[int]bool) {
	names := map[string]int{}
	for i, g := range list {
		path := item("trading.groups", i)
		folded := strings.ToLower(strings.TrimSpace(g.Name))
		if before, twice := names[folded]; twice {
			k.fault(path+".name", "is the same as %s.name, without regard to case: give each group its own", item("trading.groups", before))
		} else if folded == "" || len(g.Name) > longestGroupName || strings.TrimSpace(g.Name) != g.Name {
			k.fault(path+".name", "must be 1 to %d characters, without spaces around them", longestGroupName)
		}
		names[folded] = i
		if g.State != "" {
			k.oneOf(path+".state", "state", g.State, tradingStates...)
		}
		k.groupTokens(path+".tokens", g.Tokens)
		seen := map[int]bool{}
		for j, share := range g.Accounts {
			at := item(path+".accounts", j)
			switch {
			case !accounts[share.ID]:
				k.fault(at+".id", "%d is none of trading.accounts", share.ID)
			case seen[share.ID]:
				k.fault(at+".id", "%d stands there twice", share.ID)
			}
			seen[share.ID] = true
			if share.Capital.Value().IsNegative() {
				k.fault(at+".capital", "is %s: it must be 0 or more", share.Capital)
			}
		}
		if g.ChatID != "" && !chatID.MatchString(g.ChatID) {
			k.fault(path+".chat_id", "must be a chat's number in quotes, or @ and the name of a channel")
		}
	}
}

// groupTokens checks the tokens of a group; several groups may take the same. What stands there may be a token itself,
// so none is quoted.
func (k *checker) groupTokens(path string, list []TradingToken) {
	hashes := map[string]string{}
	if len(list) > mostTokens {
		k.fault(path, "names %d tokens: %d at most, so that one can be exchanged for another", len(list), mostTokens)
	}
	for i, t := range list {
		at := item(path, i)
		if !hashForm.MatchString(t.Hash) {
			k.fault(at+".hash", "must be sha256: and 64 hexadecimal digits, as 'switchyard trading token new' prints it; never the token itself")
		} else if before, twice := hashes[t.Hash]; twice {
			k.fault(at+".hash", "is the same as %s.hash: name it once", before)
		} else {
			hashes[t.Hash] = at
		}
		if t.Expires != "" {
			if _, err := time.Parse(time.RFC3339, t.Expires); err != nil {
				k.fault(at+".expires", "must be a time such as \"2027-02-24T00:00:00Z\"")
			}
		}
		for j, n := range t.Networks {
			if _, err := netip.ParseAddr(n); err != nil {
				k.noted(item(at+".networks", j), network(n))
			}
		}
		if r := t.RateLimit; r.PerSecond < 0 || r.Burst < 0 || r.PerSecond > 0 && r.Burst == 0 {
			k.fault(at+".rate_limit", "needs per_second and burst of 1 and more, or neither")
		}
	}
}
