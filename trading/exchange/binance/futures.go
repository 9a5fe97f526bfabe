package binance

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// futures is the market of USD-M futures.
type futures struct{ *Client }

func (futures) paths() paths { return paths{time: "/fapi/v1/time", price: "/fapi/v1/ticker/price"} }

func (m futures) place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	if o.Type.Stop() {
		return m.placeAlgo(ctx, o)
	}
	p := append(m.common(o), [2]string{"type", string(o.Type)})
	if o.Type.Limited() {
		p = append(p, [2]string{"timeInForce", "GTC"}, [2]string{"price", o.Price.String()})
	}
	p = append(p, [2]string{"newClientOrderId", o.ClientID}, [2]string{"newOrderRespType", "RESULT"})
	return m.placed(ctx, request{op: "placing " + o.ClientID, method: http.MethodPost, path: "/fapi/v1/order", orders: 1,
		params: p, signed: true, changes: true}, o)
}

// common is what orders of both kinds have. In hedge mode Binance refuses reduceOnly:
// the position's side says it already.
func (futures) common(o exchange.Order) wire.Query {
	p := wire.Query{{"symbol", o.Symbol}, {"side", strings.ToUpper(string(o.Side))}, {"quantity", o.Quantity.String()}}
	switch {
	case o.PositionSide != exchange.OneWay:
		p = append(p, [2]string{"positionSide", string(o.PositionSide)})
	case o.ReduceOnly:
		p = append(p, [2]string{"reduceOnly", "true"})
	}
	return p
}

// query asks where orders of the type are, and where that isn't known at both places.
func (m futures) query(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	if r.Type.Stop() {
		return m.queryAlgo(ctx, r)
	}
	s, err := m.queryOrder(ctx, r, "origClientOrderId", r.ClientID)
	if r.Type == "" && errors.Is(err, exchange.ErrNotFound) {
		return m.queryAlgo(ctx, r)
	}
	return s, err
}

func (m futures) queryOrder(ctx context.Context, r exchange.Ref, by, id string) (exchange.State, error) {
	var d orderDocument
	err := m.call(ctx, request{op: "asking for " + r.ClientID, method: http.MethodGet, path: "/fapi/v1/order", weight: 1, signed: true,
		params: wire.Query{{"symbol", r.Symbol}, {by, id}}}, &d)
	if err != nil {
		return exchange.State{}, err
	}
	return d.state(exchange.Futures), nil
}

func (m futures) open(ctx context.Context, symbol string) ([]exchange.State, error) {
	p, weight := wire.Query{}, 40
	if symbol != "" {
		p, weight = wire.Query{{"symbol", symbol}}, 1
	}
	var list []orderDocument
	err := m.call(ctx, request{op: "open orders", method: http.MethodGet, path: "/fapi/v1/openOrders", weight: weight, params: p, signed: true}, &list)
	if err != nil {
		return nil, err
	}
	algos, err := m.openAlgos(ctx, p, weight)
	if err != nil {
		return nil, err
	}
	return append(states(exchange.Futures, list), algos...), nil
}

func (m futures) cancel(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	if r.Type.Stop() {
		return m.cancelAlgo(ctx, r)
	}
	s, err := m.cancelOrder(ctx, r, "origClientOrderId", r.ClientID)
	if r.Type == "" && errors.Is(err, exchange.ErrNotFound) {
		return m.cancelAlgo(ctx, r)
	}
	return s, err
}

func (m futures) cancelOrder(ctx context.Context, r exchange.Ref, by, id string) (exchange.State, error) {
	var d orderDocument
	err := m.call(ctx, request{op: "cancelling " + r.ClientID, method: http.MethodDelete, path: "/fapi/v1/order", weight: 1, signed: true, changes: true,
		params: wire.Query{{"symbol", r.Symbol}, {by, id}}}, &d)
	if err != nil {
		return exchange.State{}, err
	}
	return d.state(exchange.Futures), nil
}

// cancelAll takes two requests. The second is sent even where the first went wrong:
// what can be taken back is.
func (m futures) cancelAll(ctx context.Context, symbol string) error {
	var all error
	for _, path := range []string{"/fapi/v1/allOpenOrders", "/fapi/v1/algoOpenOrders"} {
		var d struct{}
		err := m.call(ctx, request{op: "cancelling all of " + symbol, method: http.MethodDelete, path: path, weight: 1, signed: true, changes: true,
			params: wire.Query{{"symbol", symbol}}}, &d)
		if !errors.Is(err, exchange.ErrNotFound) {
			all = errors.Join(all, err)
		}
	}
	return all
}

func (m futures) balance(ctx context.Context, asset string) (exchange.Balance, error) {
	var list []struct {
		Asset     string      `json:"asset"`
		Balance   wire.Number `json:"balance"`
		Available wire.Number `json:"availableBalance"`
	}
	err := m.call(ctx, request{op: "balance of " + asset, method: http.MethodGet, path: "/fapi/v3/balance", weight: 5, signed: true}, &list)
	if err != nil {
		return exchange.Balance{}, err
	}
	for _, b := range list {
		if b.Asset == asset {
			return exchange.Balance{Asset: asset, Free: b.Available.Decimal, Total: b.Balance.Decimal}, nil
		}
	}
	return exchange.Balance{Asset: asset}, nil
}

func (m futures) positions(ctx context.Context, symbol string) ([]exchange.Position, error) {
	var list []struct {
		Symbol       string      `json:"symbol"`
		PositionSide string      `json:"positionSide"`
		PositionAmt  wire.Number `json:"positionAmt"`
		EntryPrice   wire.Number `json:"entryPrice"`
	}
	err := m.call(ctx, request{op: "position in " + symbol, method: http.MethodGet, path: "/fapi/v3/positionRisk", weight: 5, signed: true,
		params: wire.Query{{"symbol", symbol}}}, &list)
	if err != nil {
		return nil, err
	}
	var out []exchange.Position
	for _, p := range list {
		if p.PositionAmt.IsZero() {
			continue
		}
		out = append(out, exchange.Position{Symbol: p.Symbol, Side: positionSide(p.PositionSide), Quantity: p.PositionAmt.Decimal,
			Available: p.PositionAmt.Abs(), EntryPrice: p.EntryPrice.Decimal})
	}
	return out, nil
}

func (m futures) hedged(ctx context.Context) (bool, error) {
	var d struct {
		Dual *bool `json:"dualSidePosition"`
	}
	err := m.call(ctx, request{op: "position mode", method: http.MethodGet, path: "/fapi/v1/positionSide/dual", weight: 30, signed: true}, &d)
	if err == nil && d.Dual == nil {
		err = &exchange.Error{Kind: exchange.ErrUnavailable, Op: "position mode", Message: "Binance's answer doesn't say"}
	}
	return err == nil && *d.Dual, err
}

// readRules reads those of all symbols: there is no shorter answer.
func (m futures) readRules(ctx context.Context, _ string) error {
	return m.readSymbols(ctx, "/fapi/v1/exchangeInfo", 1, nil)
}
