package bybit

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"switchyard/trading/exchange"
	"switchyard/trading/exchange/wire"
)

// create is the body of a new order. Numbers are text to Bybit, but for those that
// stand for a choice.
type create struct {
	Symbol      string `json:"symbol"`
	Side        string `json:"side"`
	OrderType   string `json:"orderType"`
	OrderLinkID string `json:"orderLinkId"`
	Category    string `json:"category"`
	// MarketUnit has the quantity of a spot order at the market be of the base coin;
	// a buy would be of the quote coin.
	MarketUnit  string `json:"marketUnit,omitempty"`
	Qty         string `json:"qty"`
	TimeInForce string `json:"timeInForce,omitempty"`
	Price       string `json:"price,omitempty"`
	// OrderFilter makes a stop of a spot order. A stop of a contract has a direction,
	// 1 for rising and 2 for falling.
	OrderFilter      string `json:"orderFilter,omitempty"`
	TriggerPrice     string `json:"triggerPrice,omitempty"`
	TriggerDirection int    `json:"triggerDirection,omitempty"`
	TriggerBy        string `json:"triggerBy,omitempty"`
	// PositionIdx is 0 in one-way mode, in hedge mode 1 for the long and 2 for the
	// short position.
	PositionIdx *int `json:"positionIdx,omitempty"`
	ReduceOnly  bool `json:"reduceOnly,omitempty"`
}

// Place implements exchange.Exchange.
func (c *Client) Place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	if err := o.Validate(); err != nil {
		return exchange.State{}, err
	}
	s, err := c.place(ctx, o)
	switch {
	case staleRules(err):
		c.memory.Forget(o.Symbol)
	case errors.Is(err, exchange.ErrPositionMode):
		c.memory.ForgetMode() // somebody has changed it
	}
	return s, err
}

func (c *Client) place(ctx context.Context, o exchange.Order) (exchange.State, error) {
	op := "placing " + o.ClientID
	if c.spot() && (o.PositionSide != exchange.OneWay || o.ReduceOnly) {
		return exchange.State{}, &exchange.Error{Kind: exchange.ErrPositionMode, Op: op, Message: "spot has no positions"}
	}
	body := create{Symbol: o.Symbol, Side: "Sell", OrderType: "Market", OrderLinkID: o.ClientID, Category: c.category, Qty: o.Quantity.String()}
	if o.Side == exchange.Buy {
		body.Side = "Buy"
	}
	if o.Type.Limited() {
		body.OrderType, body.Price, body.TimeInForce = "Limit", o.Price.String(), "GTC"
	} else if c.spot() {
		body.MarketUnit = "baseCoin"
	}
	if o.Type.Stop() {
		last, err := c.Price(ctx, o.Symbol)
		if err != nil {
			return exchange.State{}, err
		}
		up, err := o.Rises(last)
		if err != nil {
			return exchange.State{}, err
		}
		body.TriggerPrice = o.StopPrice.String()
		if c.spot() {
			body.OrderFilter = "StopOrder"
		} else {
			body.TriggerBy, body.TriggerDirection = "LastPrice", 2
			if up {
				body.TriggerDirection = 1
			}
		}
	}
	if !c.spot() {
		idx := map[exchange.PositionSide]int{exchange.OneWay: 0, exchange.Long: 1, exchange.Short: 2}[o.PositionSide]
		body.PositionIdx, body.ReduceOnly = &idx, o.ReduceOnly
	}
	r := request{op: op, path: "/v5/order/create", kind: exchange.KindOrder, body: body, signed: true}
	var d acknowledgement
	if err := c.call(ctx, r, &d); err != nil {
		return exchange.State{}, err
	}
	if d.OrderID == "" || d.LinkID != o.ClientID {
		r.settled = c.settled()
		return exchange.State{}, r.failure(nil, true, "Bybit's answer is about another order", nil)
	}
	return c.placed(ctx, o, d)
}

// acknowledgement is the answer to an order or a cancellation.
type acknowledgement struct {
	OrderID wire.Text `json:"orderId"`
	LinkID  string    `json:"orderLinkId"`
}

// placed finds out what became of an order that was acknowledged. Whatever goes wrong
// on the way, it is there.
func (c *Client) placed(ctx context.Context, o exchange.Order, a acknowledgement) (exchange.State, error) {
	out := exchange.State{Order: o, ID: string(a.OrderID), Status: exchange.Pending, Updated: time.Now().UTC()}
	seen, ok := c.watch(ctx, o.Ref(), func(d orderDocument) bool {
		return o.Type != exchange.MarketOrder || !d.state().Status.Open()
	})
	if !ok {
		return out, nil
	}
	if seen.Status == "Rejected" {
		return exchange.State{}, rejected("placing "+o.ClientID, seen.RejectReason)
	}
	s := seen.state()
	s.Order = o
	return s, nil
}

// watch asks for an order until it is as it is expected, for Options.SeenWithin.
func (c *Client) watch(ctx context.Context, r exchange.Ref, enough func(orderDocument) bool) (orderDocument, bool) {
	return wire.Watch(ctx, c.opt.SeenWithin, func(ctx context.Context) (orderDocument, error) { return c.find(ctx, r) }, enough)
}

// find asks for an order by its client id: among those that are open, those that
// recently were, and then in the history. In this order it can't slip through, since
// orders only go that way.
func (c *Client) find(ctx context.Context, r exchange.Ref) (orderDocument, error) {
	op := "asking for " + r.ClientID
	for _, at := range []struct {
		path string
		more wire.Query
	}{{"/v5/order/realtime", wire.Query{{"openOnly", "0"}}}, {"/v5/order/realtime", wire.Query{{"openOnly", "1"}}}, {"/v5/order/history", nil}} {
		q := append(wire.Query{{"category", c.category}, {"symbol", r.Symbol}, {"orderLinkId", r.ClientID}}, at.more...)
		var d page
		if err := c.call(ctx, request{op: op, path: at.path, kind: exchange.KindQuestion, query: q, signed: true}, &d); err != nil {
			return orderDocument{}, err
		}
		// Of an id that was used twice, the newest counts.
		var found *orderDocument
		for _, o := range d.List {
			if o.LinkID == r.ClientID && (found == nil || o.Created.Millis().After(found.Created.Millis())) {
				found = &o
			}
		}
		if found != nil {
			return *found, nil
		}
	}
	return orderDocument{}, &exchange.Error{Kind: exchange.ErrNotFound, Op: op, Message: "Bybit has none of this orderLinkId"}
}

// Query implements exchange.Exchange.
func (c *Client) Query(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	d, err := c.find(ctx, r)
	if err != nil {
		return exchange.State{}, err
	}
	return d.state(), nil
}

// page is a part of a list.
type page struct {
	List []orderDocument `json:"list"`
	Next string          `json:"nextPageCursor"`
}

// mostPages bounds a list; Bybit takes 500 open orders of a symbol.
const mostPages = 40

// OpenOrders implements exchange.Exchange. Without a symbol: of contracts those that are
// settled in USDT.
func (c *Client) OpenOrders(ctx context.Context, symbol string) ([]exchange.State, error) {
	q := wire.Query{{"category", c.category}, {"openOnly", "0"}, {"limit", "50"}}
	switch {
	case symbol != "":
		q = append(q, [2]string{"symbol", symbol})
	case !c.spot():
		q = append(q, [2]string{"settleCoin", "USDT"})
	}
	out, cursor := []exchange.State{}, ""
	for range mostPages {
		at := q
		if cursor != "" {
			at = slices.Concat(q, wire.Query{{"cursor", cursor}})
		}
		var d page
		if err := c.call(ctx, request{op: "open orders", path: "/v5/order/realtime", kind: exchange.KindQuestion, query: at, signed: true}, &d); err != nil {
			return nil, err
		}
		for _, o := range d.List {
			out = append(out, o.state())
		}
		// Some answers have the cursor encoded already.
		next, err := url.QueryUnescape(d.Next)
		if err != nil {
			next = d.Next
		}
		if len(d.List) == 0 || next == "" || next == cursor {
			break
		}
		cursor = next
	}
	return out, nil
}

// cancel is the body of a cancellation.
type cancel struct {
	Category    string `json:"category"`
	Symbol      string `json:"symbol"`
	OrderLinkID string `json:"orderLinkId,omitempty"`
	OrderFilter string `json:"orderFilter,omitempty"`
}

// filters are where Bybit may have an order: on spot a stop is apart until it is
// triggered.
func (c *Client) filters(t exchange.Type) []string {
	switch {
	case !c.spot():
		return []string{""}
	case t.Stop():
		return []string{"StopOrder", "Order"}
	case t == "":
		return []string{"Order", "StopOrder"}
	}
	return []string{"Order"}
}

// Cancel implements exchange.Exchange.
func (c *Client) Cancel(ctx context.Context, r exchange.Ref) (exchange.State, error) {
	req := request{op: "cancelling " + r.ClientID, path: "/v5/order/cancel", kind: exchange.KindCancel, signed: true}
	var d acknowledgement
	var err error
	for _, filter := range c.filters(r.Type) {
		req.body = cancel{c.category, r.Symbol, r.ClientID, filter}
		if err = c.call(ctx, req, &d); !errors.Is(err, exchange.ErrNotFound) {
			break
		}
	}
	if err != nil {
		return exchange.State{}, err
	}
	seen, ok := c.watch(ctx, r, func(d orderDocument) bool { return !d.state().Status.Open() })
	if !ok || seen.state().Status.Open() {
		return exchange.State{}, &exchange.Error{Kind: exchange.ErrUnknownOutcome, Op: req.op, Message: "Bybit acknowledged it, and the order is still to be seen as open", Settled: c.settled()}
	}
	s := seen.state()
	if s.Status != exchange.CancelledOrder {
		return exchange.State{}, &exchange.Error{Kind: exchange.ErrNotFound, Op: req.op, Message: "it ended before: " + seen.Status}
	}
	return s, nil
}

// CancelOurs implements exchange.Exchange.
func (c *Client) CancelOurs(ctx context.Context, ours []exchange.Ref) ([]exchange.Cancelled, error) {
	return exchange.CancelEach(ctx, c, ours)
}

// CancelAll takes back every open order of a symbol, stops included, whoever placed
// them; on spot by two requests, of which the second is sent even where the first went
// wrong. It is no part of exchange.Exchange: what is shared with a person's own orders
// is cancelled by CancelOurs.
func (c *Client) CancelAll(ctx context.Context, symbol string) error {
	var all error
	for _, filter := range c.filters("") {
		var d struct{}
		body := cancel{Category: c.category, Symbol: symbol, OrderFilter: filter}
		all = errors.Join(all, c.call(ctx, request{op: "cancelling all of " + symbol, path: "/v5/order/cancel-all", kind: exchange.KindCancel, body: body, signed: true}, &d))
	}
	return all
}
