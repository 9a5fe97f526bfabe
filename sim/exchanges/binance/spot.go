package binance

import "github.com/shopspring/decimal"

// newSpotOrder takes an order of spot.
func (s *Server) newSpotOrder(q query) (any, *refusal) {
	o := &order{}
	if no := q.take(o, "stopPrice", []string{"LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"}); no != nil {
		return nil, no
	}
	for _, check := range []func() *refusal{
		func() *refusal { return s.symbols[o.symbol].check(o, s.prices[place{o.market, o.symbol}]) },
		func() *refusal { return s.name(o, q.params["newClientOrderId"]) },
		func() *refusal { return s.aim(o) },
		func() *refusal { return s.bind(o) },
	} {
		if no := check(); no != nil {
			return nil, no
		}
	}
	s.enter(o, q.fill)
	full := o.spotDocument()
	full["transactTime"] = q.now.UnixMilli()
	kind := q.params["newOrderRespType"]
	if kind == "ACK" || kind == "" && o.conditional() {
		return map[string]any{"symbol": o.symbol, "orderId": o.id, "orderListId": -1, "clientOrderId": o.clientID, "transactTime": q.now.UnixMilli()}, nil
	}
	for _, name := range []string{"time", "updateTime", "isWorking"} {
		delete(full, name)
	}
	return full, nil
}

// spotDocument is an order as spot shows it.
func (o *order) spotDocument() map[string]any {
	out := map[string]any{
		"symbol": o.symbol, "orderId": o.id, "orderListId": -1, "clientOrderId": o.clientID, "price": o.price.StringFixed(8),
		"origQty": o.qty.StringFixed(8), "executedQty": o.filled.StringFixed(8), "origQuoteOrderQty": "0.000000",
		"cummulativeQuoteQty": o.quote.StringFixed(8), "status": o.status, "timeInForce": "GTC", "type": o.kind, "side": o.side,
		"time": o.created.UnixMilli(), "updateTime": o.updated.UnixMilli(), "isWorking": !o.waits(), "workingTime": o.created.UnixMilli(),
		"selfTradePreventionMode": "NONE",
	}
	if o.conditional() {
		out["stopPrice"] = o.stop.StringFixed(8)
	}
	return out
}

func (s *Server) queryOrder(q query) (any, *refusal) {
	o, no := s.find(q, "orderId", "origClientOrderId", false)
	switch {
	case no != nil:
		return nil, no
	case o == nil:
		return nil, refuse(-2013, "Order does not exist.")
	}
	return o.document(), nil
}

// document is an order as its market shows it.
func (o *order) document() map[string]any {
	if o.market == Spot {
		return o.spotDocument()
	}
	return o.futuresDocument()
}

func (s *Server) openOrders(q query) (any, *refusal) {
	out := []any{}
	for _, o := range s.list(q, false) {
		out = append(out, o.document())
	}
	return out, nil
}

// cancelled is a spot order as the answer to its cancellation shows it: what was the
// client's id is another member there.
func (o *order) cancelled(q query) map[string]any {
	d := o.document()
	if o.market == Spot {
		d["origClientOrderId"], d["clientOrderId"], d["transactTime"] = o.clientID, "simcancel", q.now.UnixMilli()
		for _, name := range []string{"time", "updateTime", "isWorking", "workingTime"} {
			delete(d, name)
		}
	}
	return d
}

func (s *Server) cancelOrder(q query) (any, *refusal) {
	o, no := s.find(q, "orderId", "origClientOrderId", false)
	switch {
	case no != nil:
		return nil, no
	case o == nil || !o.open():
		return nil, refuse(-2011, "Unknown order sent.")
	}
	s.cancel(o)
	return o.cancelled(q), nil
}

func (s *Server) cancelAllSpot(q query) (any, *refusal) {
	out := []any{}
	for _, o := range s.list(q, false) {
		s.cancel(o)
		out = append(out, o.cancelled(q))
	}
	if len(out) == 0 {
		return nil, refuse(-2011, "Unknown order sent.")
	}
	return out, nil
}

func (s *Server) spotAccount(q query) (any, *refusal) {
	list := []any{}
	for asset, p := range q.account.spot {
		if q.params["omitZeroBalances"] == "true" && p.free.Add(p.locked).Equal(decimal.Decimal{}) {
			continue
		}
		list = append(list, map[string]string{"asset": asset, "free": p.free.StringFixed(8), "locked": p.locked.StringFixed(8)})
	}
	return map[string]any{
		"makerCommission": 0, "takerCommission": 0, "canTrade": true, "canWithdraw": false, "canDeposit": true, "accountType": "SPOT",
		"updateTime": q.now.UnixMilli(), "balances": list, "permissions": []string{"SPOT"}, "uid": 1,
	}, nil
}
