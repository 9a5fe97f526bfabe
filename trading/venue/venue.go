// Package venue opens the accounts of the configuration at their exchanges: for each
// account and market one client, which all jobs share, with the hooks that have its
// requests wait for their turn. An account whose configuration has changed gets a new
// client; requests of the old one that are under way go on.
package venue

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/binance"
	"switchyard/trading/exchange/bybit"
	"switchyard/trading/exchange/okx"
	"switchyard/trading/exchange/paper"
)

// Options of Venues.
type Options struct {
	// Hooks for the clients of an account on a market; nil: exchange.Guard alone
	// stands before each request.
	Hooks func(configs.TradingAccount, exchange.Market) exchange.Hooks
	// Redis is where paper accounts live.
	Redis redis.Cmdable
	// Now is the clock of paper accounts; nil: this machine's.
	Now       func() time.Time
	UserAgent string
}

// Venues are the accounts that are open. It is safe for concurrent use.
type Venues struct {
	opt  Options
	mu   sync.Mutex
	open map[key]client
}

type key struct {
	account int
	market  exchange.Market
}

type client struct {
	exchange.Exchange
	account configs.TradingAccount
	close   func()
}

// New returns venues, none of which is open.
func New(opt Options) *Venues { return &Venues{opt: opt, open: map[key]client{}} }

// Open returns the account on the market. It asks nobody yet. Error: there is no such
// exchange.
func (v *Venues) Open(a configs.TradingAccount, m exchange.Market) (exchange.Exchange, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	k := key{a.ID, m}
	before, ok := v.open[k]
	if ok && reflect.DeepEqual(before.account, a) {
		return before.Exchange, nil
	}
	x, closing, err := v.dial(a, m)
	if err != nil {
		return nil, fmt.Errorf("opening account %d: %w", a.ID, err)
	}
	if ok {
		before.close()
	}
	v.open[k] = client{x, a, closing}
	return x, nil
}

// Close lets go of all connections.
func (v *Venues) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.open {
		c.close()
	}
	clear(v.open)
}

func (v *Venues) hooks(a configs.TradingAccount, m exchange.Market) exchange.Hooks {
	if v.opt.Hooks == nil {
		return exchange.Hooks{Before: exchange.Guard}
	}
	return v.opt.Hooks(a, m)
}

func (v *Venues) dial(a configs.TradingAccount, m exchange.Market) (exchange.Exchange, func(), error) {
	if a.Mode == "paper" {
		return v.paper(a, m)
	}
	return v.real(a, m, v.hooks(a, m))
}

func (v *Venues) paper(a configs.TradingAccount, m exchange.Market) (exchange.Exchange, func(), error) {
	opt := paper.Options{Account: a, Market: m, Redis: v.opt.Redis, Now: v.opt.Now, Hooks: exchange.Hooks{Before: exchange.Guard}}
	closing := func() {}
	if a.Paper.Prices != "deterministic" {
		public := a
		public.Mode = "live"
		x, done, err := v.real(public, m, v.hooks(a, m))
		if err != nil {
			return nil, nil, err
		}
		opt.Prices, closing = x, done
	}
	return paper.New(opt), closing, nil
}

func (v *Venues) real(a configs.TradingAccount, m exchange.Market, h exchange.Hooks) (exchange.Exchange, func(), error) {
	url := a.SpotURL
	if m == exchange.Futures {
		url = a.FuturesURL
	}
	switch a.Exchange {
	case "binance":
		if url == "" {
			url = binanceURLs[a.Mode][m]
		}
		c, err := binance.New(binance.Options{Market: m, BaseURL: url, Key: a.Key, Secret: a.Secret, UserAgent: v.opt.UserAgent, Hooks: h})
		if err != nil {
			return nil, nil, err
		}
		return c, c.Close, nil
	case "bybit":
		if url == "" {
			url = bybitURLs[a.Mode]
		}
		c, err := bybit.New(bybit.Options{Market: m, BaseURL: url, Key: a.Key, Secret: a.Secret, UserAgent: v.opt.UserAgent, Hooks: h})
		if err != nil {
			return nil, nil, err
		}
		return c, c.Close, nil
	case "okx": // its demo is at the same address
		c, err := okx.New(okx.Options{Market: m, BaseURL: url, Key: a.Key, Secret: a.Secret, Passphrase: a.Passphrase, Demo: a.Mode == "demo", UserAgent: v.opt.UserAgent, Hooks: h})
		if err != nil {
			return nil, nil, err
		}
		return c, c.Close, nil
	default:
		return nil, nil, fmt.Errorf("no such exchange: %q", a.Exchange)
	}
}

// Bybit has both markets at one address.
var bybitURLs = map[string]string{"live": bybit.URL, "testnet": bybit.TestnetURL, "demo": bybit.DemoURL}

var binanceURLs = map[string]map[exchange.Market]string{
	"live":    {exchange.Spot: binance.SpotURL, exchange.Futures: binance.FuturesURL},
	"testnet": {exchange.Spot: binance.SpotTestnetURL, exchange.Futures: binance.FuturesTestnetURL},
	"demo":    {exchange.Spot: binance.SpotDemoURL, exchange.Futures: binance.FuturesDemoURL},
}
