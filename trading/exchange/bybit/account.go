package bybit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// modeSymbol is the contract whose position mode stands for that of all: Bybit switches
// it by coin.
const modeSymbol = "BTCUSDT"

// coin is one asset of a wallet.
type coin struct {
	Coin       string      `json:"coin"`
	Balance    wire.Number `json:"walletBalance"`
	Locked     wire.Number `json:"locked"`
	Borrowed   wire.Number `json:"spotBorrow"`
	OrderIM    wire.Number `json:"totalOrderIM"`
	PositionIM wire.Number `json:"totalPositionIM"`
}

// Balance implements exchange.Exchange. On contracts what is free is what the whole
// account has for margin, which is told in USD; in isolated margin, where that isn't
// told, what the asset has. (availableToWithdraw isn't it.)
func (c *Client) Balance(ctx context.Context, asset string) (exchange.Balance, error) {
	var d struct {
		List []struct {
			Available wire.Text `json:"totalAvailableBalance"`
			Coins     []coin    `json:"coin"`
		} `json:"list"`
	}
	op := "balance of " + asset
	err := c.call(ctx, request{op: op, path: "/v5/account/wallet-balance", kind: exchange.KindQuestion, signed: true,
		query: wire.Query{{"accountType", "UNIFIED"}, {"coin", asset}}}, &d)
	if err != nil {
		return exchange.Balance{}, err
	}
	out := exchange.Balance{Asset: asset}
	for _, account := range d.List {
		i := slices.IndexFunc(account.Coins, func(x coin) bool { return x.Coin == asset })
		if i < 0 {
			continue
		}
		x := account.Coins[i]
		out.Total = x.Balance.Decimal
		out.Free = x.Balance.Sub(x.Locked.Decimal).Sub(x.Borrowed.Decimal)
		if c.spot() {
			break
		}
		out.Free = out.Free.Sub(x.OrderIM.Decimal).Sub(x.PositionIM.Decimal)
		if account.Available != "" {
			if out.Free, err = exchange.ParseDecimal(string(account.Available)); err != nil {
				return exchange.Balance{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: op, Message: "Bybit's answer can't be read", Err: err}
			}
		}
		break
	}
	out.Free = decimal.Max(out.Free, decimal.Decimal{})
	return out, nil
}

// position is one of position/list.
type position struct {
	Idx    int         `json:"positionIdx"`
	Symbol string      `json:"symbol"`
	Side   string      `json:"side"`
	Size   wire.Number `json:"size"`
	Entry  wire.Number `json:"avgPrice"`
}

func (c *Client) positions(ctx context.Context, op, symbol string) ([]position, error) {
	var d struct {
		List []position `json:"list"`
	}
	err := c.call(ctx, request{op: op, path: "/v5/position/list", kind: exchange.KindQuestion, signed: true,
		query: wire.Query{{"category", c.category}, {"symbol", symbol}}}, &d)
	return d.List, err
}

// Positions implements exchange.Exchange.
func (c *Client) Positions(ctx context.Context, symbol string) ([]exchange.Position, error) {
	if c.spot() {
		rules, err := c.Rules(ctx, symbol)
		if err != nil {
			return nil, err
		}
		b, err := c.Balance(ctx, rules.Base)
		if err != nil || !b.Total.IsPositive() {
			return nil, err
		}
		return []exchange.Position{{Symbol: symbol, Quantity: b.Total, Available: b.Free}}, nil
	}
	list, err := c.positions(ctx, "position in "+symbol, symbol)
	if err != nil {
		return nil, err
	}
	var out []exchange.Position
	for _, p := range list {
		if !p.Size.IsPositive() || p.Symbol != symbol || p.Idx < 0 || p.Idx >= len(sides) {
			continue
		}
		x := exchange.Position{Symbol: symbol, Side: sides[p.Idx], Quantity: p.Size.Decimal, Available: p.Size.Decimal, EntryPrice: p.Entry.Decimal}
		if p.Side == "Sell" {
			x.Quantity = x.Quantity.Neg()
		}
		out = append(out, x)
	}
	return out, nil
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
	list, err := c.positions(ctx, "position mode", modeSymbol)
	if err != nil {
		return false, err
	}
	if len(list) == 0 {
		return false, &exchange.Error{Kind: exchange.ErrUnavailable, Op: "position mode", Message: "Bybit's answer doesn't say"}
	}
	hedged := slices.ContainsFunc(list, func(p position) bool { return p.Idx != 0 })
	c.memory.KeepMode(hedged, now)
	return hedged, nil
}

// noDemo is what Bybit answers to what demo trading hasn't got.
const noDemo = "10032"

// Permissions implements exchange.Permitted. Demo trading has no such request.
func (c *Client) Permissions(ctx context.Context) (exchange.Permissions, error) {
	var d struct {
		ReadOnly    int      `json:"readOnly"`
		IPs         []string `json:"ips"`
		Expires     string   `json:"expiredAt"`
		Permissions struct {
			Contract []string `json:"ContractTrade"`
			Spot     []string `json:"Spot"`
			Wallet   []string `json:"Wallet"`
		} `json:"permissions"`
	}
	op := "permissions of the key"
	if err := c.call(ctx, request{op: op, path: "/v5/user/query-api", kind: exchange.KindSetup, signed: true}, &d); err != nil {
		if e, ok := errors.AsType[*exchange.Error](err); ok && e.Code == noDemo {
			err = &exchange.Error{Kind: exchange.ErrNotFound, Op: op, Message: "Bybit tells them outside of demo trading"}
		}
		return exchange.Permissions{}, err
	}
	out := exchange.Permissions{
		Spot: d.ReadOnly == 0 && slices.Contains(d.Permissions.Spot, "SpotTrade"), Futures: d.ReadOnly == 0 && slices.Contains(d.Permissions.Contract, "Order"),
		Withdraw: slices.Contains(d.Permissions.Wallet, "Withdraw"), Bound: len(d.IPs) > 0 && !slices.Contains(d.IPs, "*"),
	}
	// A key that doesn't expire has the year 1970.
	if at, err := time.Parse(time.RFC3339, d.Expires); err == nil && at.Year() > 2000 {
		out.Expires = at.UTC()
	}
	return out, nil
}
