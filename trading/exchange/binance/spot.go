package binance

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// spot is the market of spot.
type spot struct{ *Client }

func (spot) paths() paths { return paths{time: "/api/v3/time", price: "/api/v3/ticker/price"} }

// rising reports on which side of the price a stop is.
func (c *Client) rising(ctx context.Context, o exchange.Order) (bool, error) {
	last, err := c.Price(ctx, o.Symbol)
	if err != nil {
		return false, err
	}
	return o.Rises(last)
}

func (m spot) place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	if o.PositionSide != exchange.OneWay || o.ReduceOnly {
		return exchange.State{}, &exchange.Error{Kind: exchange.ErrPositionMode, Op: "placing " + o.ClientID, Message: "spot has no positions"}
	}
	kind := string(o.Type)
	if o.Type.Stop() {
		up, err := m.rising(ctx, o)
		if err != nil {
			return exchange.State{}, err
		}
		// A stop loss buys above the price and sells below it; a take-profit the
		// other way round.
		kind = "TAKE_PROFIT"
		if up == (o.Side == exchange.Buy) {
			kind = "STOP_LOSS"
		}
		if o.Type == exchange.StopLimit {
			kind += "_LIMIT"
		}
	}
	p := wire.Query{{"symbol", o.Symbol}, {"side", strings.ToUpper(string(o.Side))}, {"type", kind}}
	if o.Type.Limited() {
		p = append(p, [2]string{"timeInForce", "GTC"})
	}
	p = append(p, [2]string{"quantity", o.Quantity.String()})
	if o.Type.Limited() {
		p = append(p, [2]string{"price", o.Price.String()})
	}
	if o.Type.Stop() {
		p = append(p, [2]string{"stopPrice", o.StopPrice.String()})
	}
	p = append(p, [2]string{"newClientOrderId", o.ClientID}, [2]string{"newOrderRespType", "RESULT"})
	return m.placed(ctx, request{op: "placing " + o.ClientID, method: http.MethodPost, path: "/api/v3/order", weight: 1, orders: 1,
		params: p, signed: true, changes: true}, o)
}

// placed sends an order and reads what became of it. An answer that isn't about this
// order leaves its outcome unknown.
func (c *Client) placed(ctx context.Context, r request, o exchange.Order) (exchange.State, error) {
	var d orderDocument
	if err := c.call(ctx, r, &d); err != nil {
		return exchange.State{}, err
	}
	r.settled = c.settled()
	if d.OrderID == "" || d.ClientOrderID != o.ClientID {
		return exchange.State{}, r.failure(nil, true, "Binance's answer is about another order", nil)
	}
	s := d.state(c.opt.Market)
	s.Order = o
	return s, nil
}

func (m spot) query(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	var d orderDocument
	err := m.call(ctx, request{op: "asking for " + r.ClientID, method: http.MethodGet, path: "/api/v3/order", weight: 4, signed: true,
		params: wire.Query{{"symbol", r.Symbol}, {"origClientOrderId", r.ClientID}}}, &d)
	if err != nil {
		return exchange.State{}, err
	}
	return d.state(exchange.Spot), nil
}

func (m spot) open(ctx context.Context, symbol string) ([]exchange.State, error) {
	p, weight := wire.Query{}, 80
	if symbol != "" {
		p, weight = wire.Query{{"symbol", symbol}}, 6
	}
	var list []orderDocument
	err := m.call(ctx, request{op: "open orders", method: http.MethodGet, path: "/api/v3/openOrders", weight: weight, params: p, signed: true}, &list)
	return states(exchange.Spot, list), err
}

func (m spot) cancel(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	var d orderDocument
	err := m.call(ctx, request{op: "cancelling " + r.ClientID, method: http.MethodDelete, path: "/api/v3/order", weight: 1, signed: true, changes: true,
		params: wire.Query{{"symbol", r.Symbol}, {"origClientOrderId", r.ClientID}}}, &d)
	if err != nil {
		return exchange.State{}, err
	}
	return d.state(exchange.Spot), nil
}

// cancelAll has nothing to do where nothing is open, which Binance calls an error.
func (m spot) cancelAll(ctx context.Context, symbol string) error {
	var list []struct{}
	err := m.call(ctx, request{op: "cancelling all of " + symbol, method: http.MethodDelete, path: "/api/v3/openOrders", weight: 1, signed: true, changes: true,
		params: wire.Query{{"symbol", symbol}}}, &list)
	if errors.Is(err, exchange.ErrNotFound) {
		return nil
	}
	return err
}

func (m spot) balance(ctx context.Context, asset string) (exchange.Balance, error) {
	var d struct {
		Balances []struct {
			Asset  string      `json:"asset"`
			Free   wire.Number `json:"free"`
			Locked wire.Number `json:"locked"`
		} `json:"balances"`
	}
	err := m.call(ctx, request{op: "balance of " + asset, method: http.MethodGet, path: "/api/v3/account", weight: 20, signed: true,
		params: wire.Query{{"omitZeroBalances", "true"}}}, &d)
	if err != nil {
		return exchange.Balance{}, err
	}
	for _, b := range d.Balances {
		if b.Asset == asset {
			return exchange.Balance{Asset: asset, Free: b.Free.Decimal, Total: b.Free.Add(b.Locked.Decimal)}, nil
		}
	}
	return exchange.Balance{Asset: asset}, nil
}

func (m spot) positions(ctx context.Context, symbol string) ([]exchange.Position, error) {
	rules, err := m.Rules(ctx, symbol)
	if err != nil {
		return nil, err
	}
	b, err := m.balance(ctx, rules.Base)
	if err != nil || !b.Total.IsPositive() {
		return nil, err
	}
	return []exchange.Position{{Symbol: symbol, Quantity: b.Total, Available: decimal.Max(b.Free, decimal.Decimal{})}}, nil
}

func (spot) hedged(context.Context) (bool, error) { return false, nil }

func (m spot) readRules(ctx context.Context, symbol string) error {
	return m.readSymbols(ctx, "/api/v3/exchangeInfo", 20, wire.Query{{"symbol", symbol}})
}

// Permissions implements exchange.Permitted. Test networks have no such request.
func (c *Client) Permissions(ctx context.Context) (exchange.Permissions, error) {
	if c.opt.Market != exchange.Spot {
		return exchange.Permissions{}, &exchange.Error{Kind: exchange.ErrNotFound, Op: "permissions of the key", Message: "Binance tells them on spot"}
	}
	var d struct {
		IPRestrict  bool  `json:"ipRestrict"`
		Withdrawals bool  `json:"enableWithdrawals"`
		Spot        bool  `json:"enableSpotAndMarginTrading"`
		Futures     bool  `json:"enableFutures"`
		Ends        int64 `json:"tradingAuthorityExpirationTime"`
	}
	err := c.call(ctx, request{op: "permissions of the key", method: http.MethodGet, path: "/sapi/v1/account/apiRestrictions", weight: 1, signed: true}, &d)
	out := exchange.Permissions{Spot: d.Spot, Futures: d.Futures, Withdraw: d.Withdrawals, Bound: d.IPRestrict}
	if d.Ends > 0 {
		out.Expires = time.UnixMilli(d.Ends).UTC()
	}
	return out, err
}
