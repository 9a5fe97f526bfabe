package binance

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

// Where Binance's APIs are. Test networks and demo trading differ in nothing else.
const (
	SpotURL           = "https://api.binance.com"
	SpotTestnetURL    = "https://testnet.binance.vision"
	SpotDemoURL       = "https://demo-api.binance.com"
	FuturesURL        = "https://fapi.binance.com"
	FuturesTestnetURL = "https://testnet.binancefuture.com"
	FuturesDemoURL    = "https://demo-fapi.binance.com"
)

// Options of a Client.
type Options struct {
	// Market is what the client trades on.
	Market exchange.Market
	// BaseURL defaults to the real exchange's for the market.
	BaseURL     string
	Key, Secret configs.Secret
	// Transport defaults to one of the client's own.
	Transport http.RoundTripper
	// Timeout of one request; 10 s by default, as long as Binance tries itself.
	Timeout time.Duration
	// RecvWindow is how late a request may reach Binance and still be executed; 5 s
	// by default, 60 s at most.
	RecvWindow time.Duration
	// RulesFor is how long the rules of symbols are kept; an hour by default. A
	// refusal because of them has them read anew.
	RulesFor  time.Duration
	UserAgent string
	exchange.Hooks
}

// Client is one account on one market. Make one with New, and Close it.
type Client struct {
	opt    Options
	market market
	sender *wire.Sender
	clock  wire.Clock
	memory *wire.Memory
}

// market is what differs between the two.
type market interface {
	paths() paths
	place(ctx context.Context, o exchange.Order) (exchange.State, error)
	query(ctx context.Context, r exchange.Ref) (exchange.State, error)
	open(ctx context.Context, symbol string) ([]exchange.State, error)
	cancel(ctx context.Context, r exchange.Ref) (exchange.State, error)
	cancelAll(ctx context.Context, symbol string) error
	balance(ctx context.Context, asset string) (exchange.Balance, error)
	positions(ctx context.Context, symbol string) ([]exchange.Position, error)
	hedged(ctx context.Context) (bool, error)
	readRules(ctx context.Context, symbol string) error
}

// paths of what both markets have.
type paths struct{ time, price string }

var _ exchange.Exchange = (*Client)(nil)

// New returns a client. It sends nothing before it is asked something.
func New(opt Options) (*Client, error) {
	c := &Client{opt: opt}
	base := ""
	switch opt.Market {
	case exchange.Spot:
		c.market, base = spot{c}, SpotURL
	case exchange.Futures:
		c.market, base = futures{c}, FuturesURL
	default:
		return nil, fmt.Errorf("Binance: no such market: %q", opt.Market) //nolint:staticcheck // a name
	}
	if c.opt.BaseURL == "" {
		c.opt.BaseURL = base
	}
	c.opt.BaseURL = strings.TrimSuffix(c.opt.BaseURL, "/")
	if c.opt.Timeout <= 0 {
		c.opt.Timeout = 10 * time.Second
	}
	if c.opt.RecvWindow <= 0 {
		c.opt.RecvWindow = 5 * time.Second
	}
	if c.opt.RulesFor <= 0 {
		c.opt.RulesFor = time.Hour
	}
	c.sender, c.memory = wire.NewSender(c.opt.Transport, c.opt.Timeout), wire.NewMemory(c.opt.RulesFor)
	return c, nil
}

// Close lets go of the connections. Requests under way are not waited for.
func (c *Client) Close() { c.sender.Close() }

// Place implements exchange.Exchange.
func (c *Client) Place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	if err := o.Validate(); err != nil {
		return exchange.State{}, err
	}
	s, err := c.market.place(ctx, o)
	switch {
	case staleRules(err):
		c.memory.Forget(o.Symbol)
	case errors.Is(err, exchange.ErrPositionMode):
		c.memory.ForgetMode() // somebody has changed it
	}
	return s, err
}

// Query implements exchange.Exchange.
func (c *Client) Query(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	return c.market.query(ctx, r)
}

// OpenOrders implements exchange.Exchange.
func (c *Client) OpenOrders(ctx context.Context, symbol string) ([]exchange.State, error) {
	return c.market.open(ctx, symbol)
}

// Cancel implements exchange.Exchange.
func (c *Client) Cancel(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	return c.market.cancel(ctx, r)
}

// CancelOurs implements exchange.Exchange.
func (c *Client) CancelOurs(ctx context.Context, ours []exchange.Ref) ([]exchange.Cancelled, error) {
	return exchange.CancelEach(ctx, c, ours)
}

// CancelAll takes back every open order of a symbol, stops included, whoever placed
// them. It is no part of exchange.Exchange: what is shared with a person's own
// orders is cancelled by CancelOurs.
func (c *Client) CancelAll(ctx context.Context, symbol string) error {
	return c.market.cancelAll(ctx, symbol)
}

// Balance implements exchange.Exchange.
func (c *Client) Balance(ctx context.Context, asset string) (exchange.Balance, error) {
	return c.market.balance(ctx, asset)
}

// Positions implements exchange.Exchange.
func (c *Client) Positions(ctx context.Context, symbol string) ([]exchange.Position, error) {
	return c.market.positions(ctx, symbol)
}

// Hedged implements exchange.Exchange.
func (c *Client) Hedged(ctx context.Context) (bool, error) {
	if hedged, ok := c.memory.Hedged(); ok {
		return hedged, nil
	}
	now := time.Now()
	hedged, err := c.market.hedged(ctx)
	if err == nil {
		c.memory.KeepMode(hedged, now)
	}
	return hedged, err
}

// Price implements exchange.Exchange.
func (c *Client) Price(ctx context.Context, symbol string) (decimal.Decimal, error) {
	var d struct {
		Price wire.Number `json:"price"`
	}
	weight := 2
	if c.opt.Market == exchange.Futures {
		weight = 1
	}
	err := c.call(ctx, request{op: "price of " + symbol, method: http.MethodGet, path: c.market.paths().price, weight: weight,
		params: wire.Query{{"symbol", symbol}}}, &d)
	if err == nil && !d.Price.IsPositive() {
		err = &exchange.Error{Kind: exchange.ErrUnavailable, Op: "price of " + symbol, Message: "Binance's answer has no price"}
	}
	return d.Price.Decimal, err
}

// ServerTime implements exchange.Exchange.
func (c *Client) ServerTime(ctx context.Context) (time.Time, error) {
	return c.clock.Set(ctx, c.askTime)
}
