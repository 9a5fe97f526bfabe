package bybit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/configs"
	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// Where Bybit's API is. The test network and demo trading differ in nothing else.
const (
	URL        = "https://api.bybit.com"
	TestnetURL = "https://api-testnet.bybit.com"
	DemoURL    = "https://api-demo.bybit.com"
)

// Options of a Client.
type Options struct {
	// Market is what the client trades on; Futures are linear contracts.
	Market exchange.Market
	// BaseURL defaults to the real exchange's.
	BaseURL     string
	Key, Secret configs.Secret
	// Transport defaults to one of the client's own.
	Transport http.RoundTripper
	// Timeout of one request; 10 s by default.
	Timeout time.Duration
	// RecvWindow is how late a request may reach Bybit and still be executed; 5 s by
	// default.
	RecvWindow time.Duration
	// SeenWithin is how long an order that was acknowledged is asked for; 2 s by
	// default.
	SeenWithin time.Duration
	// RulesFor is how long the rules of symbols are kept; an hour by default. A
	// refusal because of them has them read anew.
	RulesFor  time.Duration
	UserAgent string
	exchange.Hooks
}

// Client is one account on one market. Make one with New, and Close it.
type Client struct {
	opt      Options
	category string
	sender   *wire.Sender
	clock    wire.Clock
	memory   *wire.Memory
}

var (
	_ exchange.Exchange  = (*Client)(nil)
	_ exchange.Permitted = (*Client)(nil)
)

// New returns a client. It sends nothing before it is asked something.
func New(opt Options) (*Client, error) {
	category, ok := map[exchange.Market]string{exchange.Spot: "spot", exchange.Futures: "linear"}[opt.Market]
	if !ok {
		return nil, fmt.Errorf("Bybit: no such market: %q", opt.Market) //nolint:staticcheck // a name
	}
	if opt.BaseURL == "" {
		opt.BaseURL = URL
	}
	opt.BaseURL = strings.TrimSuffix(opt.BaseURL, "/")
	for _, d := range []struct {
		of    *time.Duration
		usual time.Duration
	}{{&opt.Timeout, 10 * time.Second}, {&opt.RecvWindow, 5 * time.Second}, {&opt.SeenWithin, 2 * time.Second}, {&opt.RulesFor, time.Hour}} {
		if *d.of <= 0 {
			*d.of = d.usual
		}
	}
	return &Client{opt: opt, category: category, sender: wire.NewSender(opt.Transport, opt.Timeout), memory: wire.NewMemory(opt.RulesFor)}, nil
}

// Close lets go of the connections. Requests under way are not waited for.
func (c *Client) Close() { c.sender.Close() }

func (c *Client) spot() bool { return c.opt.Market == exchange.Spot }

// Price implements exchange.Exchange.
func (c *Client) Price(ctx context.Context, symbol string) (decimal.Decimal, error) {
	var d struct {
		List []struct {
			Symbol string      `json:"symbol"`
			Last   wire.Number `json:"lastPrice"`
		} `json:"list"`
	}
	op := "price of " + symbol
	err := c.call(ctx, request{op: op, path: "/v5/market/tickers", kind: exchange.KindPublic, query: wire.Query{{"category", c.category}, {"symbol", symbol}}}, &d)
	if err != nil {
		return decimal.Decimal{}, err
	}
	for _, t := range d.List {
		if t.Symbol == symbol && t.Last.IsPositive() {
			return t.Last.Decimal, nil
		}
	}
	return decimal.Decimal{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: op, Message: "Bybit's answer has no price"}
}

// ServerTime implements exchange.Exchange.
func (c *Client) ServerTime(ctx context.Context) (time.Time, error) {
	return c.clock.Set(ctx, c.askTime)
}

func (c *Client) askTime(ctx context.Context) (time.Time, error) {
	var d struct {
		Second wire.Text `json:"timeSecond"`
		Nano   wire.Text `json:"timeNano"`
	}
	if err := c.call(ctx, request{op: "server time", path: "/v5/market/time", kind: exchange.KindPublic}, &d); err != nil {
		return time.Time{}, err
	}
	if nano := string(d.Nano); len(nano) > 6 {
		if at := wire.Text(nano[:len(nano)-6]).Millis(); !at.IsZero() {
			return at, nil
		}
	}
	return time.Time{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: "server time", Message: "Bybit's answer has no time"}
}

// Rules implements exchange.Exchange. They are kept for Options.RulesFor.
func (c *Client) Rules(ctx context.Context, symbol string) (exchange.Rules, error) {
	if r, ok := c.memory.Rules(symbol); ok {
		return r, nil
	}
	c.memory.Forget(symbol) // it may have gone
	op := "rules of " + symbol
	var d struct {
		List []instrument `json:"list"`
	}
	err := c.call(ctx, request{op: op, path: "/v5/market/instruments-info", kind: exchange.KindPublic, query: wire.Query{{"category", c.category}, {"symbol", symbol}}}, &d)
	if err != nil && !errors.Is(err, exchange.ErrSymbol) {
		return exchange.Rules{}, err
	}
	for _, x := range d.List {
		if x.Symbol == symbol {
			r := x.rules(c.opt.Market)
			c.memory.Keep(r)
			return r, nil
		}
	}
	return exchange.Rules{}, &exchange.Error{Kind: exchange.ErrSymbol, Op: op, Message: "Bybit doesn't list it", Err: err}
}

// instrument is a symbol in instruments-info. minOrderQty of spot is left out: it isn't
// kept to any more.
type instrument struct {
	Symbol string `json:"symbol"`
	Base   string `json:"baseCoin"`
	Quote  string `json:"quoteCoin"`
	Status string `json:"status"`
	Price  struct {
		Min  wire.Number `json:"minPrice"`
		Max  wire.Number `json:"maxPrice"`
		Tick wire.Number `json:"tickSize"`
	} `json:"priceFilter"`
	Lot struct {
		Step        wire.Number `json:"qtyStep"`
		Min         wire.Number `json:"minOrderQty"`
		Max         wire.Number `json:"maxOrderQty"`
		MaxMarket   wire.Number `json:"maxMktOrderQty"`
		MinNotional wire.Number `json:"minNotionalValue"`
		// Of spot.
		Precision     wire.Number `json:"basePrecision"`
		MaxLimit      wire.Number `json:"maxLimitOrderQty"`
		MaxMarketSpot wire.Number `json:"maxMarketOrderQty"`
		MinAmount     wire.Number `json:"minOrderAmt"`
	} `json:"lotSizeFilter"`
}

func (d instrument) rules(m exchange.Market) exchange.Rules {
	r := exchange.Rules{Symbol: d.Symbol, Base: d.Base, Quote: d.Quote, Trading: d.Status == "Trading",
		Price: exchange.Range{Min: d.Price.Min.Decimal, Max: d.Price.Max.Decimal, Step: d.Price.Tick.Decimal}}
	if m == exchange.Spot {
		step := d.Lot.Precision.Decimal
		r.Quantity = exchange.Range{Min: step, Max: d.Lot.MaxLimit.Decimal, Step: step}
		r.MarketQuantity = exchange.Range{Min: step, Max: d.Lot.MaxMarketSpot.Decimal, Step: step}
		r.MinNotional, r.MinNotionalMarket = d.Lot.MinAmount.Decimal, d.Lot.MinAmount.Decimal
		return r
	}
	r.ReduceBelowMinimum = true
	r.Quantity = exchange.Range{Min: d.Lot.Min.Decimal, Max: d.Lot.Max.Decimal, Step: d.Lot.Step.Decimal}
	r.MarketQuantity = exchange.Range{Min: d.Lot.Min.Decimal, Max: d.Lot.MaxMarket.Decimal, Step: d.Lot.Step.Decimal}
	r.MinNotional, r.MinNotionalMarket = d.Lot.MinNotional.Decimal, d.Lot.MinNotional.Decimal
	return r
}
