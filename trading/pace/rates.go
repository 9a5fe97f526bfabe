package pace

import (
	"strconv"
	"time"

	"switchyard/configs"
	"switchyard/limits"
	"switchyard/trading/exchange"
)

// scope is whom a limit of an exchange counts.
type scope int

const (
	byAddress scope = iota
	byAccount
)

// counts is what of a request counts against a limit.
type counts func(exchange.Call) int

func weight(c exchange.Call) int { return c.Weight }
func orders(c exchange.Call) int { return c.Orders }
func one(exchange.Call) int      { return 1 }

// kind counts requests of one kind, where an exchange limits each kind by itself.
func kind(name string) counts {
	return func(c exchange.Call) int {
		if c.Kind == name {
			return 1
		}
		return 0
	}
}

// limit is one of an exchange's.
type limit struct {
	name   string
	scope  scope
	counts counts
	// events and burst together are below what the exchange takes within per.
	events, burst int
	per           time.Duration
}

// venue is where limits are kept: an exchange, and which of its markets.
type venue struct {
	exchange string
	market   exchange.Market
}

// table is what the exchanges take, less a tenth. Binance: REQUEST_WEIGHT 6000 and
// 2400 a minute by address; ORDERS 100 in 10 s and 200000 a day on spot, 300 in 10 s
// and 1200 a minute on futures by account, as its exchangeInfo says. Bybit: 600
// requests in 5 s by address; orders and cancellations 20 and 10 a second on spot and
// linear, other requests 50, by account. OKX: 60 orders in 2 s and as many
// questions about them, 20 algo orders, 10 other questions and 5 for the account's configuration, by user.
var table = map[venue][]limit{
	{"binance", exchange.Spot}: {
		{"weight", byAddress, weight, 4800, 600, time.Minute},
		whole,
		{"orders10s", byAccount, orders, 50, 40, 10 * time.Second},
		{"orders1d", byAccount, orders, 170_000, 10_000, 24 * time.Hour},
	},
	{"binance", exchange.Futures}: {
		{"weight", byAddress, weight, 1800, 360, time.Minute},
		whole,
		{"orders10s", byAccount, orders, 200, 70, 10 * time.Second},
		{"orders1m", byAccount, orders, 930, 150, time.Minute},
	},
	{"bybit", exchange.Spot}: {
		{"requests", byAddress, one, 450, 90, 5 * time.Second},
		{"orders", byAccount, orders, 12, 6, time.Second},
		{"cancels", byAccount, kind(exchange.KindCancel), 12, 6, time.Second},
		{"questions", byAccount, kind(exchange.KindQuestion), 30, 15, time.Second},
	},
	{"bybit", exchange.Futures}: {
		{"requests", byAddress, one, 450, 90, 5 * time.Second},
		{"orders", byAccount, orders, 6, 3, time.Second},
		{"cancels", byAccount, kind(exchange.KindCancel), 6, 3, time.Second},
		{"questions", byAccount, kind(exchange.KindQuestion), 30, 15, time.Second},
	},
	{"okx", exchange.Spot}:    okx,
	{"okx", exchange.Futures}: okx,
}

// whole counts every request of an address and is no limit, but stands still with the
// others of the address after a 429: Binance shuts out who goes on, and there are
// requests that have no weight.
var whole = limit{"whole", byAddress, one, 1_000_000, 1_000_000, time.Second}

var okx = []limit{
	{"public", byAddress, kind(exchange.KindPublic), 12, 6, 2 * time.Second},
	{"orders", byAccount, kind(exchange.KindOrder), 40, 14, 2 * time.Second},
	{"algos", byAccount, kind(exchange.KindAlgo), 12, 6, 2 * time.Second},
	{"cancels", byAccount, kind(exchange.KindCancel), 40, 14, 2 * time.Second},
	{"lookups", byAccount, kind(exchange.KindLookup), 40, 14, 2 * time.Second},
	{"questions", byAccount, kind(exchange.KindQuestion), 6, 3, 2 * time.Second},
	{"setup", byAccount, kind(exchange.KindSetup), 3, 1, 2 * time.Second},
}

// lane is an account on a market, and what limits it.
type lane struct {
	venue
	account int
	address string
	limits  []limit
}

func laneOf(a configs.TradingAccount, m exchange.Market, address string) lane {
	v := venue{a.Exchange, m}
	return lane{venue: v, account: a.ID, address: address, limits: table[v]}
}

// rate is a limit as package limits keeps it.
func (l lane) rate(x limit, cost int) limits.Rate {
	// Bybit counts an address on all its markets together, Binance on each.
	market := string(l.market)
	if x.scope == byAddress && l.exchange != "binance" {
		market = "all"
	}
	whose := "address:" + l.address
	if x.scope == byAccount {
		whose = "account:" + strconv.Itoa(l.account)
	}
	return limits.Rate{
		Name:   "exchange:" + l.exchange + ":" + market + ":" + whose + ":" + x.name,
		Events: x.events, Per: x.per, Burst: x.burst, Cost: cost,
	}
}

// rates are those that a request counts against.
func (l lane) rates(c exchange.Call) (out []limits.Rate) {
	for _, x := range l.limits {
		if n := x.counts(c); n > 0 {
			out = append(out, l.rate(x, n))
		}
	}
	return append(out, l.ban())
}

// ban is no limit of the exchange's, but stands still while it has shut the address
// out.
func (l lane) ban() limits.Rate {
	return limits.Rate{Name: "exchange:" + l.exchange + ":all:address:" + l.address + ":ban", Events: 1_000_000, Per: time.Second, Burst: 1_000_000}
}

// of returns the limits of a scope, without what counts requests of one kind.
func (l lane) of(s scope) (out []limits.Rate) {
	for _, x := range l.limits {
		if x.scope == s {
			out = append(out, l.rate(x, 1))
		}
	}
	return out
}
