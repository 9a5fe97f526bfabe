package configs

import (
	"crypto/subtle"
	"strings"
	"time"
)

// What a group or an account may be.
const (
	TradingActive = "active"
	TradingPaused = "paused"
)

// Trading is about the orders that the webhook takes. The api needs Wait,
// DedupeWindow, Groups and the accounts without their keys; the workers of the queue
// trading need all of it. All of it is taken over by SIGHUP.
type Trading struct {
	// Wait is how long a webhook's answer waits for its orders. Defaults to 2.5s:
	// TradingView gives up after 3s. 0 to 10s.
	Wait Duration `yaml:"wait"`
	// ReservePercent of the free balance is not traded with, for fees and for what a
	// market order pays above the last price. 0 to below 100. Defaults to 0.5.
	ReservePercent Decimal `yaml:"reserve_percent"`
	// MaxAge is how old an order may be when its turn comes: older, it is refused
	// rather than sent.
	MaxAge TradingMaxAge `yaml:"max_age"`
	// DedupeWindow is how long the same token and bytes get the first answer again
	// instead of a second order. 0: no such thing. Defaults to 20s.
	DedupeWindow Duration `yaml:"dedupe_window"`
	// FollowInterval is how often orders that rest at an exchange are looked after.
	// 0: never. Defaults to 15s.
	FollowInterval Duration `yaml:"follow_interval"`
	// Address names the public address that this process calls the exchanges from:
	// processes behind one address share its limits, so they have the same name, and
	// others another. Defaults to default.
	Address string `yaml:"address"`
	// Accounts at the exchanges. Empty by default.
	Accounts []TradingAccount `yaml:"accounts"`
	// Groups of accounts that trade together ("strategies"). Empty by default.
	Groups []TradingGroup `yaml:"groups"`
}

// TradingMaxAge is how old an order may be, by its type.
type TradingMaxAge struct {
	// Market orders. Defaults to 10s.
	Market Duration `yaml:"market"`
	// Other orders. Defaults to 60s.
	Other Duration `yaml:"other"`
}

// TradingAccount is one account at one exchange, with its spot and its futures
// market.
type TradingAccount struct {
	// ID is a number of yours, 1 and up, that never changes: client order ids are
	// made from it.
	ID int `yaml:"id"`
	// Name for people.
	Name string `yaml:"name"`
	// Exchange is binance, bybit or okx.
	Exchange string `yaml:"exchange"`
	// Mode is live, testnet, demo (the exchange's own trading without money) or
	// paper (ours; no exchange is asked).
	Mode string `yaml:"mode"`
	// State is active, or paused, which leaves the account out of its groups.
	// Defaults to active.
	State string `yaml:"state"`
	// Key, Secret and, at OKX, Passphrase of the API. None for paper.
	Key        Secret `yaml:"key"`
	Secret     Secret `yaml:"secret"`
	Passphrase Secret `yaml:"passphrase"`
	// Leverage that futures orders are sized by, in groups with sizing.leverage; it is
	// not set at the exchange. 1 by default.
	Leverage Decimal `yaml:"leverage"`
	// SpotURL and FuturesURL are where the APIs are. Empty by default: the
	// exchange's own for the mode.
	SpotURL    string `yaml:"spot_url"`
	FuturesURL string `yaml:"futures_url"`
	// Paper is for mode paper.
	Paper TradingPaper `yaml:"paper"`
}

// TradingPaper is an account that exists here only.
type TradingPaper struct {
	// Balances to begin with, by asset. USDT: 10000 by default.
	Balances map[string]Decimal `yaml:"balances"`
	// Prices is deterministic (made up, the same at the same time everywhere) or
	// public (the exchange's own). Defaults to public.
	Prices string `yaml:"prices"`
	// Hedge keeps long and short positions apart. Defaults to false.
	Hedge bool `yaml:"hedge"`
	// MakerFee and TakerFee in percent of an order's value. Default to 0.02 and 0.05.
	MakerFee Decimal `yaml:"maker_fee"`
	TakerFee Decimal `yaml:"taker_fee"`
}

// TradingGroup is what a webhook names in group_name.
type TradingGroup struct {
	// Name as clients send it.
	Name string `yaml:"name"`
	// State is active, or paused, which has its webhooks refused. Defaults to active.
	State string `yaml:"state"`
	// Tokens that speak for the group; make one with "switchyard trading token new".
	// Two at most, so that one can be exchanged for another.
	Tokens []TradingToken `yaml:"tokens"`
	// Accounts that trade for it.
	Accounts []TradingShare `yaml:"accounts"`
	// Sizing of its orders.
	Sizing TradingSizing `yaml:"sizing"`
	// ChatID is told of every order's outcome by Telegram. Empty by default: nobody.
	ChatID string `yaml:"chat_id"`
}

// TradingToken is one that clients send, as its hash.
type TradingToken struct {
	// Hash as "switchyard trading token new" prints it.
	Hash string `yaml:"hash"`
	// Expires is when it ceases to be valid, in RFC 3339. Empty: never.
	Expires string `yaml:"expires"`
	// Networks that it may come from: CIDRs and addresses. Empty: any.
	Networks []string `yaml:"networks"`
	// RateLimit of its requests; 0 per second: none. Defaults to none.
	RateLimit RateLimit `yaml:"rate_limit"`
}

// TradingShare is one account's part in a group.
type TradingShare struct {
	// ID of the account.
	ID int `yaml:"id"`
	// Capital is the fixed amount, in the currency of the order, that the group may
	// use of the account. 0, the default: what is free, less the reserve.
	Capital Decimal `yaml:"capital"`
}

// TradingSizing is how the orders of a group are sized.
type TradingSizing struct {
	// Leverage: what may be opened on futures is the capital times the account's
	// leverage. Defaults to false.
	Leverage bool `yaml:"leverage"`
}

// Trades reports whether the account takes part.
func (a TradingAccount) Trades() bool { return a.State != TradingPaused }

// isSame reports whether both are one account at the exchange.
func (a TradingAccount) isSame(b TradingAccount) bool {
	return !a.Key.IsZero() && a.Exchange == b.Exchange && a.Mode == b.Mode && a.Key.Equal(b.Key)
}

// Trades reports whether the group's webhooks are taken.
func (g TradingGroup) Trades() bool { return g.State != TradingPaused }

// Account returns the account of this id; ok is false where there is none.
func (t Trading) Account(id int) (a TradingAccount, ok bool) {
	for _, a := range t.Accounts {
		if a.ID == id {
			return a, true
		}
	}
	return TradingAccount{}, false
}

// Group returns the group of this name, whatever its case; nil where there is none.
func (t Trading) Group(name string) *TradingGroup {
	for i, g := range t.Groups {
		if strings.EqualFold(g.Name, name) {
			return &t.Groups[i]
		}
	}
	return nil
}

// Share is an account with its part in a group.
type Share struct {
	TradingAccount
	// Capital as TradingShare has it.
	Capital Decimal
}

// Members are the active accounts of a group at one exchange, in the group's order;
// of all exchanges where none is named.
func (t Trading) Members(g TradingGroup, exchange string) []Share {
	var out []Share
	for _, s := range g.Accounts {
		a, ok := t.Account(s.ID)
		if ok && a.Trades() && (exchange == "" || a.Exchange == exchange) {
			out = append(out, Share{a, s.Capital})
		}
	}
	return out
}

// Token returns the token of the group that was sent, if it is valid now. All of
// them are compared, each in constant time.
func (g TradingGroup) Token(sent string, now time.Time) (token *TradingToken, ok bool) {
	hash := []byte(HashAPIKey(sent))
	for i, t := range g.Tokens {
		if subtle.ConstantTimeCompare([]byte(t.Hash), hash) == 1 && t.Valid(now) {
			token = &g.Tokens[i]
		}
	}
	return token, token != nil
}

// Valid reports whether the token has not expired.
func (t TradingToken) Valid(now time.Time) bool {
	if t.Expires == "" {
		return true
	}
	end, err := time.Parse(time.RFC3339, t.Expires)
	return err == nil && now.Before(end)
}

// NewTradingToken makes a token for webhooks, of 256 random bits, and the hash that
// stands for it in the file.
func NewTradingToken() (token Secret, hash string) { return newKey(tokenPrefix) }
