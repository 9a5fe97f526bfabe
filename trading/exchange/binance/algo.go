package binance

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// algoDocument is an algo order. Once triggered, the order it became has an id and a
// life of its own.
type algoDocument struct {
	AlgoID        wire.Text   `json:"algoId"`
	ClientAlgoID  string      `json:"clientAlgoId"`
	OrderType     string      `json:"orderType"`
	Symbol        string      `json:"symbol"`
	Side          string      `json:"side"`
	PositionSide  string      `json:"positionSide"`
	Quantity      wire.Number `json:"quantity"`
	Status        string      `json:"algoStatus"`
	ActualOrderID wire.Text   `json:"actualOrderId"`
	TriggerPrice  wire.Number `json:"triggerPrice"`
	Price         wire.Number `json:"price"`
	ReduceOnly    bool        `json:"reduceOnly"`
	UpdateTime    int64       `json:"updateTime"`
}

// triggered returns the id of the order it became.
func (d algoDocument) triggered() (string, bool) {
	id := string(d.ActualOrderID)
	return id, id != "" && id != "0"
}

// state is what the algo order alone says. FINISHED says nothing of how.
func (d algoDocument) state() exchange.State {
	status, ok := map[string]exchange.Status{
		"NEW": exchange.Pending, "TRIGGERING": exchange.Pending, "TRIGGERED": exchange.Pending,
		"CANCELED": exchange.CancelledOrder, "EXPIRED": exchange.CancelledOrder, "REJECTED": exchange.Failed,
	}[d.Status]
	if !ok {
		status = exchange.Unknown
	}
	s := exchange.State{
		Order: exchange.Order{
			ClientID: d.ClientAlgoID, Symbol: d.Symbol, Side: exchange.Side(strings.ToLower(d.Side)), Type: typeOf(exchange.Futures, d.OrderType),
			PositionSide: positionSide(d.PositionSide), Quantity: d.Quantity.Decimal, Price: d.Price.Decimal, StopPrice: d.TriggerPrice.Decimal,
			ReduceOnly: d.ReduceOnly,
		},
		ID: string(d.AlgoID), Status: status, Updated: stamp(d.UpdateTime),
	}
	if !s.Type.Limited() {
		s.Price = decimal.Decimal{}
	}
	return s
}

func (m futures) placeAlgo(ctx context.Context, o exchange.Order) (exchange.State, error) {
	up, err := m.rising(ctx, o)
	if err != nil {
		return exchange.State{}, err
	}
	kind := "TAKE_PROFIT"
	if up == (o.Side == exchange.Buy) {
		kind = "STOP"
	}
	p := append(wire.Query{{"algoType", "CONDITIONAL"}}, m.common(o)...)
	if o.Type == exchange.StopLimit {
		p = append(p, [2]string{"timeInForce", "GTC"}, [2]string{"price", o.Price.String()})
	} else {
		kind += "_MARKET"
	}
	p = append(p, [2]string{"type", kind}, [2]string{"triggerPrice", o.StopPrice.String()}, [2]string{"clientAlgoId", o.ClientID})
	r := request{op: "placing " + o.ClientID, method: http.MethodPost, path: "/fapi/v1/algoOrder", orders: 1, params: p, signed: true, changes: true}
	var d algoDocument
	if err := m.call(ctx, r, &d); err != nil {
		return exchange.State{}, err
	}
	r.settled = m.settled()
	if d.AlgoID == "" || d.ClientAlgoID != o.ClientID {
		return exchange.State{}, r.failure(nil, true, "Binance's answer is about another order", nil)
	}
	s := d.state()
	s.Order = o
	return s, nil
}

func (m futures) algo(ctx context.Context, r exchange.Ref) (algoDocument, error) {
	var d algoDocument
	err := m.call(ctx, request{op: "asking for " + r.ClientID, method: http.MethodGet, path: "/fapi/v1/algoOrder", weight: 1, signed: true,
		params: wire.Query{{"clientAlgoId", r.ClientID}}}, &d)
	return d, err
}

// queryAlgo follows an algo order to the order it became.
func (m futures) queryAlgo(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	d, err := m.algo(ctx, r)
	if err != nil {
		return exchange.State{}, err
	}
	s := d.state()
	id, ok := d.triggered()
	if !ok {
		return s, nil
	}
	became, err := m.queryOrder(ctx, r, "orderId", id)
	if errors.Is(err, exchange.ErrNotFound) {
		return s, nil // not there yet, or too long ago
	}
	if err != nil {
		return exchange.State{}, err
	}
	s.Status, s.Filled, s.AveragePrice, s.Updated = became.Status, became.Filled, became.AveragePrice, became.Updated
	return s, nil
}

func (m futures) openAlgos(ctx context.Context, p wire.Query, weight int) ([]exchange.State, error) {
	var list []algoDocument
	err := m.call(ctx, request{op: "open stops", method: http.MethodGet, path: "/fapi/v1/openAlgoOrders", weight: weight, params: p, signed: true}, &list)
	if err != nil {
		return nil, err
	}
	out := make([]exchange.State, 0, len(list))
	for _, d := range list {
		out = append(out, d.state())
	}
	return out, nil
}

// cancelAlgo takes an algo order back, or the order that it became.
func (m futures) cancelAlgo(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	var gone struct{}
	err := m.call(ctx, request{op: "cancelling " + r.ClientID, method: http.MethodDelete, path: "/fapi/v1/algoOrder", weight: 1, signed: true, changes: true,
		params: wire.Query{{"clientAlgoId", r.ClientID}}}, &gone)
	switch {
	case err == nil:
		return exchange.State{Order: exchange.Order{ClientID: r.ClientID, Symbol: r.Symbol, Type: r.Type}, Status: exchange.CancelledOrder}, nil
	case !errors.Is(err, exchange.ErrNotFound):
		return exchange.State{}, err
	}
	d, asked := m.algo(ctx, r)
	if asked != nil {
		return exchange.State{}, asked
	}
	if id, ok := d.triggered(); ok {
		return m.cancelOrder(ctx, r, "orderId", id)
	}
	return exchange.State{}, err
}
