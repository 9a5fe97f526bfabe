package okx

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// newOrder is the body of an order or an algo order. Numbers are text to OKX.
type newOrder struct {
	InstID  string `json:"instId"`
	TdMode  string `json:"tdMode"`
	Side    string `json:"side"`
	OrdType string `json:"ordType"`
	// Sz is in the base asset on spot, for which TgtCcy sees to, and in contracts of
	// swaps.
	Sz         string `json:"sz"`
	TgtCcy     string `json:"tgtCcy,omitempty"`
	Px         string `json:"px,omitempty"`
	ClOrdID    string `json:"clOrdId,omitempty"`
	PosSide    string `json:"posSide,omitempty"`
	ReduceOnly bool   `json:"reduceOnly,omitempty"`
	// Of algo orders. OrderPx is -1 for one at the market.
	TriggerPx     string `json:"triggerPx,omitempty"`
	TriggerPxType string `json:"triggerPxType,omitempty"`
	OrderPx       string `json:"orderPx,omitempty"`
	Tag           string `json:"tag,omitempty"`
	AlgoClOrdID   string `json:"algoClOrdId,omitempty"`
}

// acknowledgement is the answer to what places or cancels.
type acknowledgement struct {
	OrdID       string `json:"ordId"`
	ClOrdID     string `json:"clOrdId"`
	AlgoID      string `json:"algoId"`
	AlgoClOrdID string `json:"algoClOrdId"`
}

// Place implements exchange.Exchange.
func (c *Client) Place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	if err := o.Validate(); err != nil {
		return exchange.State{}, err
	}
	s, err := c.place(ctx, o)
	c.forget(o.Symbol, err)
	return s, err
}

func (c *Client) place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	op := "placing " + o.ClientID
	if c.spot() && (o.PositionSide != exchange.OneWay || o.ReduceOnly) {
		return exchange.State{}, &exchange.Error{Kind: exchange.ErrPositionMode, Op: op, Message: "spot has no positions"}
	}
	id, err := c.instrumentID(op, o.Symbol)
	if err != nil {
		return exchange.State{}, err
	}
	unit, err := c.unit(ctx, o.Symbol)
	if err != nil {
		return exchange.State{}, err
	}
	body := newOrder{InstID: id, TdMode: "cross", Side: string(o.Side), OrdType: "market", Sz: o.Quantity.Div(unit).String()}
	if c.spot() {
		body.TdMode, body.TgtCcy = "cash", "base_ccy"
	} else {
		body.PosSide = strings.ToLower(string(o.PositionSide))
		body.ReduceOnly = o.ReduceOnly && o.PositionSide == exchange.OneWay // OKX has it in net mode alone; else the side says it
	}
	if o.Type.Stop() {
		return c.placeAlgo(ctx, o, body)
	}
	body.ClOrdID = o.ClientID
	if o.Type.Limited() {
		body.OrdType, body.Px = "limit", o.Price.String()
	}
	r := request{op: op, path: "/api/v5/trade/order", kind: exchange.KindOrder, body: body, signed: true, places: true, expires: true}
	var list []acknowledgement
	if err := c.call(ctx, r, &list); err != nil {
		return exchange.State{}, err
	}
	if len(list) != 1 || list[0].OrdID == "" || list[0].ClOrdID != o.ClientID {
		r.settled = c.settled(r)
		return exchange.State{}, r.failure(nil, true, "OKX's answer is about another order", nil)
	}
	out := exchange.State{Order: o, ID: list[0].OrdID, Status: exchange.Pending, Updated: time.Now().UTC()}
	if s, ok := c.watch(ctx, o.Ref(), func(s exchange.State) bool { return o.Type != exchange.MarketOrder || !s.Status.Open() }); ok {
		s.Order = o
		return s, nil
	}
	return out, nil // it is there, whatever went wrong with asking
}

// watch asks for an order until it is as it is expected, for Options.SeenWithin.
func (c *Client) watch(ctx context.Context, r exchange.Ref, enough func(exchange.State) bool) (exchange.State, bool) {
	return wire.Watch(ctx, c.opt.SeenWithin, func(ctx context.Context) (exchange.State, error) { return c.Query(ctx, r) }, enough)
}

// orderDocument is an order in an answer.
type orderDocument struct {
	InstID     string      `json:"instId"`
	OrdID      string      `json:"ordId"`
	ClOrdID    string      `json:"clOrdId"`
	Side       string      `json:"side"`
	PosSide    string      `json:"posSide"`
	OrdType    string      `json:"ordType"`
	Px         wire.Number `json:"px"`
	Sz         wire.Number `json:"sz"`
	Filled     wire.Number `json:"accFillSz"`
	AvgPx      wire.Number `json:"avgPx"`
	State      string      `json:"state"`
	ReduceOnly wire.Text   `json:"reduceOnly"`
	UTime      wire.Text   `json:"uTime"`
}

// statuses by OKX's words.
var statuses = map[string]exchange.Status{
	"live": exchange.Pending, "partially_filled": exchange.PartiallyFilled, "filled": exchange.Filled,
	"canceled": exchange.CancelledOrder, "mmp_canceled": exchange.CancelledOrder,
}

func positionSide(s string) exchange.PositionSide {
	switch s {
	case "long":
		return exchange.Long
	case "short":
		return exchange.Short
	}
	return exchange.OneWay
}

// state translates an order.
func (c *Client) state(ctx context.Context, d orderDocument) (exchange.State, error) {
	symbol := symbolOf(d.InstID)
	unit, err := c.unit(ctx, symbol)
	if err != nil {
		return exchange.State{}, err
	}
	s := exchange.State{
		Order: exchange.Order{ClientID: d.ClOrdID, Symbol: symbol, Side: exchange.Side(d.Side), Type: exchange.Type(d.OrdType), PositionSide: positionSide(d.PosSide),
			Quantity: d.Sz.Mul(unit), Price: d.Px.Decimal, ReduceOnly: d.ReduceOnly == "true"},
		ID: d.OrdID, Status: exchange.Unknown, Filled: d.Filled.Mul(unit), AveragePrice: d.AvgPx.Decimal, Updated: d.UTime.Millis(),
	}
	switch d.OrdType {
	case "market":
		s.Type = exchange.MarketOrder
	case "limit":
		s.Type = exchange.LimitOrder
	}
	if known, ok := statuses[d.State]; ok {
		s.Status = known
	}
	if !s.Type.Limited() {
		s.Price = decimal.Decimal{}
	}
	return s, nil
}

// Query implements exchange.Exchange. It asks where orders of the type are, and where
// that isn't known at both places.
func (c *Client) Query(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	if r.Type.Stop() {
		return c.queryAlgo(ctx, r)
	}
	s, err := c.queryOrder(ctx, r, "clOrdId", r.ClientID)
	if r.Type == "" && errors.Is(err, exchange.ErrNotFound) {
		return c.queryAlgo(ctx, r)
	}
	return s, err
}

func (c *Client) queryOrder(ctx context.Context, r exchange.Ref, by, id string) (exchange.State, error) {
	op := "asking for " + r.ClientID
	instrument, err := c.instrumentID(op, r.Symbol)
	if err != nil {
		return exchange.State{}, err
	}
	var list []orderDocument
	err = c.call(ctx, request{op: op, path: "/api/v5/trade/order", kind: exchange.KindLookup, signed: true, query: wire.Query{{"instId", instrument}, {by, id}}}, &list)
	if err != nil {
		return exchange.State{}, err
	}
	if len(list) == 0 {
		return exchange.State{}, &exchange.Error{Kind: exchange.ErrNotFound, Op: op, Message: "OKX has none of this id"}
	}
	if list[0].InstID != instrument {
		return exchange.State{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: op, Message: "OKX's answer is about another order"}
	}
	return c.state(ctx, list[0])
}

// pageOf is how many orders OKX lists at once, and mostPages bounds a list.
const (
	pageOf    = 100
	mostPages = 40
)

// listed asks for a list page by page: each goes on behind the last id.
func listed[T any](ctx context.Context, c *Client, path, kind string, q wire.Query, id func(T) string) ([]T, error) {
	var out []T
	for range mostPages {
		at := q
		if len(out) > 0 {
			at = slices.Concat(q, wire.Query{{"after", id(out[len(out)-1])}})
		}
		var page []T
		if err := c.call(ctx, request{op: "open orders", path: path, kind: kind, signed: true, query: at}, &page); err != nil {
			return nil, err
		}
		out = append(out, page...)
		if len(page) < pageOf {
			break
		}
	}
	return out, nil
}

// OpenOrders implements exchange.Exchange.
func (c *Client) OpenOrders(ctx context.Context, symbol string) ([]exchange.State, error) {
	q := wire.Query{{"instType", c.instType}}
	if symbol != "" {
		id, err := c.instrumentID("open orders", symbol)
		if err != nil {
			return nil, err
		}
		q = append(q, [2]string{"instId", id})
	}
	list, err := listed(ctx, c, "/api/v5/trade/orders-pending", exchange.KindLookup, q, func(d orderDocument) string { return d.OrdID })
	if err != nil {
		return nil, err
	}
	out := []exchange.State{}
	for _, d := range list {
		s, err := c.state(ctx, d)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	algos, err := c.openAlgos(ctx, q)
	return append(out, algos...), err
}

// cancelOrder is the body of a cancellation.
type cancelOrder struct {
	InstID      string `json:"instId"`
	OrdID       string `json:"ordId,omitempty"`
	ClOrdID     string `json:"clOrdId,omitempty"`
	AlgoID      string `json:"algoId,omitempty"`
	AlgoClOrdID string `json:"algoClOrdId,omitempty"`
}

// Cancel implements exchange.Exchange.
func (c *Client) Cancel(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	if r.Type.Stop() {
		return c.cancelAlgo(ctx, r)
	}
	s, err := c.cancelOrder(ctx, r, cancelOrder{ClOrdID: r.ClientID}, func(ctx context.Context) (exchange.State, error) {
		return c.queryOrder(ctx, r, "clOrdId", r.ClientID)
	})
	if r.Type == "" && errors.Is(err, exchange.ErrNotFound) {
		return c.cancelAlgo(ctx, r)
	}
	return s, err
}

func (c *Client) cancelOrder(ctx context.Context, r exchange.Ref, body cancelOrder, ask func(context.Context) (exchange.State, error)) (exchange.State, error) {
	req := request{op: "cancelling " + r.ClientID, path: "/api/v5/trade/cancel-order", kind: exchange.KindCancel, signed: true}
	var err error
	if body.InstID, err = c.instrumentID(req.op, r.Symbol); err != nil {
		return exchange.State{}, err
	}
	req.body = body
	var list []acknowledgement
	if err := c.call(ctx, req, &list); err != nil {
		return exchange.State{}, err
	}
	return c.cancelled(ctx, req, ask)
}

// cancelled waits until a cancellation that was acknowledged is to be seen.
func (c *Client) cancelled(ctx context.Context, req request, ask func(context.Context) (exchange.State, error)) (exchange.State, error) {
	s, ok := wire.Watch(ctx, c.opt.SeenWithin, ask, func(s exchange.State) bool { return !s.Status.Open() })
	switch {
	case !ok || s.Status.Open():
		return exchange.State{}, &exchange.Error{Kind: exchange.ErrUnknownOutcome, Op: req.op, Message: "OKX acknowledged it, and the order is still to be seen as open", Settled: c.settled(req)}
	case s.Status != exchange.CancelledOrder:
		return exchange.State{}, &exchange.Error{Kind: exchange.ErrNotFound, Op: req.op, Message: "it ended before: " + string(s.Status)}
	}
	return s, nil
}

// CancelOurs implements exchange.Exchange.
func (c *Client) CancelOurs(ctx context.Context, ours []exchange.Ref) ([]exchange.Cancelled, error) {
	return exchange.CancelEach(ctx, c, ours)
}
