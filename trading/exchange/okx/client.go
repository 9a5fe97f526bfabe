package okx

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

// URL is where OKX's API is. Accounts of the EEA and the US have other addresses. Demo
// trading is at the same one.
const URL = "https://www.okx.com"

// Options of a Client.
type Options struct {
	// Market is what the client trades on; Futures are USDT-margined swaps.
	Market exchange.Market
	// BaseURL defaults to the real exchange's.
	BaseURL                 string
	Key, Secret, Passphrase configs.Secret
	// Demo: the key is one of demo trading.
	Demo bool
	// Transport defaults to one of the client's own.
	Transport http.RoundTripper
	// Timeout of one request; 10 s by default.
	Timeout time.Duration
	// ExpireAfter is how late an order may reach OKX and still be executed; 5 s by
	// default. For algo orders it is OKX's own 30 s.
	ExpireAfter time.Duration
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
	instType string
	sender   *wire.Sender
	clock    wire.Clock
	memory   *wire.Memory
	units    units
}

var (
	_ exchange.Exchange  = (*Client)(nil)
	_ exchange.Permitted = (*Client)(nil)
	_ exchange.Enduring  = (*Client)(nil)
)

// New returns a client. It sends nothing before it is asked something.
func New(opt Options) (*Client, error) {
	instType, ok := map[exchange.Market]string{exchange.Spot: "SPOT", exchange.Futures: "SWAP"}[opt.Market]
	if !ok {
		return nil, fmt.Errorf("OKX: no such market: %q", opt.Market)
	}
	if opt.BaseURL == "" {
		opt.BaseURL = URL
	}
	opt.BaseURL = strings.TrimSuffix(opt.BaseURL, "/")
	for _, d := range []struct {
		of    *time.Duration
		usual time.Duration
	}{{&opt.Timeout, 10 * time.Second}, {&opt.ExpireAfter, 5 * time.Second}, {&opt.SeenWithin, 2 * time.Second}, {&opt.RulesFor, time.Hour}} {
		if *d.of <= 0 {
			*d.of = d.usual
		}
	}
	return &Client{opt: opt, instType: instType, sender: wire.NewSender(opt.Transport, opt.Timeout), memory: wire.NewMemory(opt.RulesFor)}, nil
}

// Close lets go of the connections. Requests under way are not waited for.
func (c *Client) Close() { c.sender.Close() }

func (c *Client) spot() bool { return c.opt.Market == exchange.Spot }

// Price implements exchange.Exchange.
func (c *Client) Price(ctx context.Context, symbol string) (decimal.Decimal, error) {
	op := "price of " + symbol
	id, err := c.instrumentID(op, symbol)
	if err != nil {
		return decimal.Decimal{}, err
	}
	var list []struct {
		ID   string      `json:"instId"`
		Last wire.Number `json:"last"`
	}
	err = c.call(ctx, request{op: op, path: "/api/v5/market/ticker", kind: exchange.KindPublic, query: wire.Query{{"instId", id}}}, &list)
	if err != nil {
		return decimal.Decimal{}, err
	}
	for _, t := range list {
		if t.ID == id && t.Last.IsPositive() {
			return t.Last.Decimal, nil
		}
	}
	return decimal.Decimal{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: op, Message: "OKX's answer has no price"}
}

// ServerTime implements exchange.Exchange.
func (c *Client) ServerTime(ctx context.Context) (time.Time, error) {
	return c.clock.Set(ctx, c.askTime)
}

func (c *Client) askTime(ctx context.Context) (time.Time, error) {
	var list []struct {
		At wire.Text `json:"ts"`
	}
	if err := c.call(ctx, request{op: "server time", path: "/api/v5/public/time", kind: exchange.KindPublic}, &list); err != nil {
		return time.Time{}, err
	}
	if len(list) == 0 || list[0].At.Millis().IsZero() {
		return time.Time{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: "server time", Message: "OKX's answer has no time"}
	}
	return list[0].At.Millis(), nil
}

// Balance implements exchange.Exchange.
func (c *Client) Balance(ctx context.Context, asset string) (exchange.Balance, error) {
	var list []struct {
		Details []struct {
			Asset     string      `json:"ccy"`
			Cash      wire.Number `json:"cashBal"`
			Available wire.Number `json:"availBal"`
			Equity    wire.Number `json:"availEq"` // what there is for margin
		} `json:"details"`
	}
	err := c.call(ctx, request{op: "balance of " + asset, path: "/api/v5/account/balance", kind: exchange.KindQuestion, signed: true, query: wire.Query{{"ccy", asset}}}, &list)
	if err != nil {
		return exchange.Balance{}, err
	}
	out := exchange.Balance{Asset: asset}
	for _, account := range list {
		for _, b := range account.Details {
			if b.Asset != asset {
				continue
			}
			out.Total, out.Free = b.Cash.Decimal, b.Available.Decimal
			if !c.spot() {
				out.Free = b.Equity.Decimal
			}
		}
	}
	out.Free = decimal.Max(out.Free, decimal.Decimal{})
	return out, nil
}

// Positions implements exchange.Exchange.
func (c *Client) Positions(ctx context.Context, symbol string) ([]exchange.Position, error) {
	rules, err := c.Rules(ctx, symbol)
	if err != nil {
		return nil, err
	}
	if c.spot() {
		b, err := c.Balance(ctx, rules.Base)
		if err != nil || !b.Total.IsPositive() {
			return nil, err
		}
		return []exchange.Position{{Symbol: symbol, Quantity: b.Total, Available: b.Free}}, nil
	}
	op := "position in " + symbol
	id, err := c.instrumentID(op, symbol)
	if err != nil {
		return nil, err
	}
	unit, err := c.unit(ctx, symbol)
	if err != nil {
		return nil, err
	}
	var list []struct {
		ID        string      `json:"instId"`
		Side      string      `json:"posSide"`
		Size      wire.Number `json:"pos"`
		Available wire.Text   `json:"availPos"`
		Entry     wire.Number `json:"avgPx"`
	}
	if err := c.call(ctx, request{op: op, path: "/api/v5/account/positions", kind: exchange.KindQuestion, signed: true, query: wire.Query{{"instType", c.instType}, {"instId", id}}}, &list); err != nil {
		return nil, err
	}
	var out []exchange.Position
	for _, p := range list {
		if p.ID != id || p.Size.IsZero() {
			continue
		}
		x := exchange.Position{Symbol: symbol, Side: positionSide(p.Side), Quantity: p.Size.Mul(unit), EntryPrice: p.Entry.Decimal}
		if x.Side == exchange.Short {
			x.Quantity = x.Quantity.Abs().Neg()
		}
		// What can be closed is told in long/short mode alone.
		x.Available = x.Quantity.Abs()
		if n, err := exchange.ParseDecimal(string(p.Available)); err == nil && p.Available != "" {
			x.Available = n.Abs().Mul(unit)
		}
		out = append(out, x)
	}
	return out, nil
}

// setup is how an account is set up, and what the key may do.
type setup struct {
	Mode  string `json:"posMode"`
	Level string `json:"acctLv"`
	Perm  string `json:"perm"`
	IP    string `json:"ip"`
}

func (c *Client) setup(ctx context.Context, op string) (setup, error) {
	var list []setup
	if err := c.call(ctx, request{op: op, path: "/api/v5/account/config", kind: exchange.KindSetup, signed: true}, &list); err != nil {
		return setup{}, err
	}
	if len(list) == 0 {
		return setup{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: op, Message: "OKX's answer is empty"}
	}
	return list[0], nil
}

// Hedged implements exchange.Exchange.
func (c *Client) Hedged(ctx context.Context) (bool, error) {
	if c.spot() {
		return false, nil
	}
	if hedged, ok := c.memory.Hedged(); ok {
		return hedged, nil
	}
	now := time.Now()
	s, err := c.setup(ctx, "position mode")
	if err != nil {
		return false, err
	}
	if s.Mode != "long_short_mode" && s.Mode != "net_mode" {
		return false, &exchange.Error{Kind: exchange.ErrUnavailable, Op: "position mode", Message: "OKX's answer doesn't say"}
	}
	c.memory.KeepMode(s.Mode == "long_short_mode", now)
	return s.Mode == "long_short_mode", nil
}

// Permissions implements exchange.Permitted. Swaps need an account that isn't of the
// spot kind (acctLv 1), whatever the key may do.
func (c *Client) Permissions(ctx context.Context) (exchange.Permissions, error) {
	s, err := c.setup(ctx, "permissions of the key")
	if err != nil {
		return exchange.Permissions{}, err
	}
	out := exchange.Permissions{Bound: s.IP != ""}
	for perm := range strings.SplitSeq(s.Perm, ",") {
		switch strings.TrimSpace(perm) {
		case "trade":
			out.Spot, out.Futures = true, s.Level != "1"
		case "withdraw":
			out.Withdraw = true
		}
	}
	return out, nil
}

// forget has what may have changed read anew.
func (c *Client) forget(symbol string, err error) {
	for _, kind := range []error{exchange.ErrPrecision, exchange.ErrMinimum, exchange.ErrSymbol} {
		if errors.Is(err, kind) {
			c.memory.Forget(symbol)
		}
	}
	if errors.Is(err, exchange.ErrPositionMode) {
		c.memory.ForgetMode()
	}
}
