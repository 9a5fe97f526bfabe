package okx

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// A stop that buys spot at the market can't be said to OKX: its size would be one of
// the quote coin, as of any such order without tgtCcy, which triggers don't take. So it
// becomes a limit order, of which sizes are in the base coin, at a price that is met at
// once: this much of the stop price. The tag tells it from a stop with a limit.
var dearest = decimal.RequireFromString("1.01")

const touchTag = "touch"

// placeAlgo places a stop. OKX takes it on either side of the price.
func (c *Client) placeAlgo(ctx context.Context, o exchange.Order, body newOrder) (exchange.State, error) {
	last, err := c.Price(ctx, o.Symbol)
	if err != nil {
		return exchange.State{}, err
	}
	r := request{op: "placing " + o.ClientID, path: "/api/v5/trade/order-algo", kind: exchange.KindAlgo, signed: true, places: true}
	if _, err := o.Rises(last); err != nil {
		return exchange.State{}, err
	}
	body.OrdType, body.TriggerPx, body.TriggerPxType, body.OrderPx, body.AlgoClOrdID = "trigger", o.StopPrice.String(), "last", "-1", o.ClientID
	body.TgtCcy = "" // refused of them (51281)
	switch {
	case o.Type.Limited():
		body.OrderPx = o.Price.String()
	case c.spot() && o.Side == exchange.Buy:
		rules, err := c.Rules(ctx, o.Symbol)
		if err != nil {
			return exchange.State{}, err
		}
		body.OrderPx, body.Tag = rules.RoundPrice(o.StopPrice.Mul(dearest)).String(), touchTag
	}
	r.body = body
	var list []acknowledgement
	if err := c.call(ctx, r, &list); err != nil {
		return exchange.State{}, err
	}
	if len(list) != 1 || list[0].AlgoID == "" || list[0].AlgoClOrdID != o.ClientID {
		r.settled = c.settled(r)
		return exchange.State{}, r.failure(nil, true, "OKX's answer is about another order", nil)
	}
	return exchange.State{Order: o, ID: list[0].AlgoID, Status: exchange.Pending, Updated: time.Now().UTC()}, nil
}

// algoDocument is an algo order in an answer.
type algoDocument struct {
	InstID      string      `json:"instId"`
	AlgoID      string      `json:"algoId"`
	AlgoClOrdID string      `json:"algoClOrdId"`
	OrdID       string      `json:"ordId"`
	OrdIDs      []string    `json:"ordIdList"`
	Side        string      `json:"side"`
	PosSide     string      `json:"posSide"`
	Sz          wire.Number `json:"sz"`
	TriggerPx   wire.Number `json:"triggerPx"`
	OrdPx       wire.Number `json:"ordPx"`
	State       string      `json:"state"`
	ReduceOnly  wire.Text   `json:"reduceOnly"`
	Tag         string      `json:"tag"`
	UTime       wire.Text   `json:"uTime"`
}

// became is the id of the order that a triggered one became.
func (d algoDocument) became() string {
	if len(d.OrdIDs) > 0 {
		return d.OrdIDs[0]
	}
	if d.OrdID == "0" {
		return ""
	}
	return d.OrdID
}

// algoStates by OKX's words. What effective says of the order, the order says.
var algoStates = map[string]exchange.Status{
	"live": exchange.Pending, "pause": exchange.Pending, "effective": exchange.Pending, "partially_effective": exchange.Pending,
	"canceled": exchange.CancelledOrder, "order_failed": exchange.Failed,
}

// algoState is what the algo order alone says.
func (c *Client) algoState(ctx context.Context, d algoDocument) (exchange.State, error) {
	symbol := symbolOf(d.InstID)
	unit, err := c.unit(ctx, symbol)
	if err != nil {
		return exchange.State{}, err
	}
	s := exchange.State{
		Order: exchange.Order{ClientID: d.AlgoClOrdID, Symbol: symbol, Side: exchange.Side(d.Side), Type: exchange.StopLimit, PositionSide: positionSide(d.PosSide),
			Quantity: d.Sz.Mul(unit), Price: d.OrdPx.Decimal, StopPrice: d.TriggerPx.Decimal, ReduceOnly: d.ReduceOnly == "true"},
		ID: d.AlgoID, Status: exchange.Unknown, Updated: d.UTime.Millis(),
	}
	if !d.OrdPx.IsPositive() || d.Tag == touchTag {
		s.Type, s.Price = exchange.StopMarket, decimal.Decimal{}
	}
	if known, ok := algoStates[d.State]; ok {
		s.Status = known
	}
	return s, nil
}

// algo asks for an algo order.
func (c *Client) algo(ctx context.Context, r exchange.Ref) (algoDocument, error) {
	op := "asking for " + r.ClientID
	instrument, err := c.instrumentID(op, r.Symbol)
	if err != nil {
		return algoDocument{}, err
	}
	var list []algoDocument
	err = c.call(ctx, request{op: op, path: "/api/v5/trade/order-algo", kind: exchange.KindAlgo, signed: true, query: wire.Query{{"algoClOrdId", r.ClientID}}}, &list)
	if err != nil {
		return algoDocument{}, err
	}
	if len(list) == 0 {
		return algoDocument{}, &exchange.Error{Kind: exchange.ErrNotFound, Op: op, Message: "OKX has no algo order of this id"}
	}
	if list[0].InstID != instrument {
		return algoDocument{}, &exchange.Error{Kind: exchange.ErrUnavailable, Op: op, Message: "OKX's answer is about another order"}
	}
	return list[0], nil
}

// queryAlgo follows an algo order to the order it became.
func (c *Client) queryAlgo(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	d, err := c.algo(ctx, r)
	if err != nil {
		return exchange.State{}, err
	}
	s, err := c.algoState(ctx, d)
	if err != nil || d.became() == "" {
		return s, err
	}
	became, err := c.queryOrder(ctx, r, "ordId", d.became())
	if errors.Is(err, exchange.ErrNotFound) {
		return s, nil // not there yet, or too long ago
	}
	if err != nil {
		return exchange.State{}, err
	}
	s.Status, s.Filled, s.AveragePrice, s.Updated = became.Status, became.Filled, became.AveragePrice, became.Updated
	return s, nil
}

func (c *Client) openAlgos(ctx context.Context, q wire.Query) ([]exchange.State, error) {
	list, err := listed(ctx, c, "/api/v5/trade/orders-algo-pending", exchange.KindAlgo, append(wire.Query{{"ordType", "trigger"}}, q...), func(d algoDocument) string { return d.AlgoID })
	if err != nil {
		return nil, err
	}
	out := make([]exchange.State, 0, len(list))
	for _, d := range list {
		s, err := c.algoState(ctx, d)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// cancelAlgo takes back a stop, or the order that it became.
func (c *Client) cancelAlgo(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	d, err := c.algo(ctx, r)
	if err != nil {
		return exchange.State{}, err
	}
	ask := func(ctx context.Context) (exchange.State, error) { return c.queryAlgo(ctx, r) }
	req := request{op: "cancelling " + r.ClientID, path: "/api/v5/trade/cancel-algos", kind: exchange.KindAlgo, signed: true, body: []cancelOrder{{InstID: d.InstID, AlgoID: d.AlgoID}}}
	if d.became() == "" {
		var list []acknowledgement
		switch err := c.call(ctx, req, &list); {
		case err == nil:
			return c.cancelled(ctx, req, ask)
		case !errors.Is(err, exchange.ErrNotFound):
			return exchange.State{}, err
		}
		// It was triggered on the way, or has ended.
		if d, err = c.algo(ctx, r); err != nil {
			return exchange.State{}, err
		}
		if d.became() == "" {
			return exchange.State{}, &exchange.Error{Kind: exchange.ErrNotFound, Op: req.op, Message: "it isn't open any more: " + d.State}
		}
	}
	return c.cancelOrder(ctx, r, cancelOrder{OrdID: d.became()}, ask)
}

// How many orders and algo orders OKX cancels in one request.
const (
	mostOrders = 20
	mostAlgos  = 10
)

// CancelAll takes back every open order of a symbol, stops included, whoever placed
// them: OKX has no request for that, so they are listed and cancelled in batches. An
// order that ended on the way is no error. It is no part of exchange.Exchange: what is
// shared with a person's own orders is cancelled by CancelOurs.
func (c *Client) CancelAll(ctx context.Context, symbol string) error {
	open, err := c.OpenOrders(ctx, symbol)
	if err != nil {
		return err
	}
	id, err := c.instrumentID("cancelling all of "+symbol, symbol)
	if err != nil {
		return err
	}
	var orders, algos []cancelOrder
	for _, s := range open {
		if s.Type.Stop() {
			algos = append(algos, cancelOrder{InstID: id, AlgoID: s.ID})
		} else {
			orders = append(orders, cancelOrder{InstID: id, OrdID: s.ID})
		}
	}
	return errors.Join(c.cancelBatches(ctx, symbol, "/api/v5/trade/cancel-batch-orders", exchange.KindCancel, orders, mostOrders),
		c.cancelBatches(ctx, symbol, "/api/v5/trade/cancel-algos", exchange.KindAlgo, algos, mostAlgos))
}

// cancelBatches goes on when a batch fails: what can be taken back is.
func (c *Client) cancelBatches(ctx context.Context, symbol, path, kind string, list []cancelOrder, most int) (all error) {
	for len(list) > 0 {
		n := min(most, len(list))
		var answers []acknowledgement
		err := c.call(ctx, request{op: "cancelling all of " + symbol, path: path, kind: kind, signed: true, body: list[:n]}, &answers)
		if !errors.Is(err, exchange.ErrNotFound) {
			all = errors.Join(all, err)
		}
		list = list[n:]
	}
	return all
}
