package binance

import "switchyard/sim/exchanges/matching"

// newSpotOrder takes an order of spot.
func (s *Server) newSpotOrder(q query) (any, *refusal) {
	o := &matching.Order{}
	if no := s.read(q, o, "stopPrice", []string{"LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"}); no != nil {
		return nil, no
	}
	for _, check := range []func() *refusal{
		func() *refusal { return s.symbols[o.Symbol].check(o, s.Book.Price(o.Place)) },
		func() *refusal { return s.name(o, q.params["newClientOrderId"]) },
		func() *refusal { return s.aim(o) },
		func() *refusal { return s.bind(o) },
	} {
		if no := check(); no != nil {
			return nil, no
		}
	}
	s.Book.Enter(o, q.fill)
	full := spotDocument(o)
	full["transactTime"] = q.now.UnixMilli()
	kind := q.params["newOrderRespType"]
	if kind == "ACK" || kind == "" && o.Conditional {
		return map[string]any{"symbol": o.Symbol, "orderId": o.ID, "orderListId": -1, "clientOrderId": o.ClientID, "transactTime": q.now.UnixMilli()}, nil
	}
	for _, name := range []string{"time", "updateTime", "isWorking"} {
		delete(full, name)
	}
	return full, nil
}

// spotDocument is an order as spot shows it.
func spotDocument(o *matching.Order) map[string]any {
	out := map[string]any{
		"symbol": o.Symbol, "orderId": o.ID, "orderListId": -1, "clientOrderId": o.ClientID, "price": o.Price.StringFixed(8),
		"origQty": o.Qty.StringFixed(8), "executedQty": o.Filled.StringFixed(8), "origQuoteOrderQty": "0.000000",
		"cummulativeQuoteQty": o.Paid.StringFixed(8), "status": o.Status.String(), "timeInForce": "GTC", "type": o.Kind, "side": o.Side(),
		"time": o.Created.UnixMilli(), "updateTime": o.Updated.UnixMilli(), "isWorking": !o.Waits(), "workingTime": o.Created.UnixMilli(),
		"selfTradePreventionMode": "NONE",
	}
	if o.Conditional {
		out["stopPrice"] = o.Stop.StringFixed(8)
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
	return document(o), nil
}

// document is an order as its market shows it.
func document(o *matching.Order) map[string]any {
	if o.Market == Spot {
		return spotDocument(o)
	}
	return futuresDocument(o)
}

func (s *Server) openOrders(q query) (any, *refusal) {
	out := []any{}
	for _, o := range s.list(q, false) {
		out = append(out, document(o))
	}
	return out, nil
}

// cancelled is a spot order as the answer to its cancellation shows it: what was the
// client's id is another member there.
func cancelled(o *matching.Order, q query) map[string]any {
	d := document(o)
	if o.Market == Spot {
		d["origClientOrderId"], d["clientOrderId"], d["transactTime"] = o.ClientID, "simcancel", q.now.UnixMilli()
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
	case o == nil || !o.Open():
		return nil, refuse(-2011, "Unknown order sent.")
	}
	s.Book.End(o, matching.Cancelled)
	return cancelled(o, q), nil
}

func (s *Server) cancelAllSpot(q query) (any, *refusal) {
	out := []any{}
	for _, o := range s.list(q, false) {
		s.Book.End(o, matching.Cancelled)
		out = append(out, cancelled(o, q))
	}
	if len(out) == 0 {
		return nil, refuse(-2011, "Unknown order sent.")
	}
	return out, nil
}

func (s *Server) spotAccount(q query) (any, *refusal) {
	list := []any{}
	for asset, p := range q.account.Spot {
		if q.params["omitZeroBalances"] == "true" && p.Total().IsZero() {
			continue
		}
		list = append(list, map[string]string{"asset": asset, "free": p.Free.StringFixed(8), "locked": p.Locked.StringFixed(8)})
	}
	return map[string]any{
		"makerCommission": 0, "takerCommission": 0, "canTrade": true, "canWithdraw": false, "canDeposit": true, "accountType": "SPOT",
		"updateTime": q.now.UnixMilli(), "balances": list, "permissions": []string{"SPOT"}, "uid": 1,
	}, nil
}

// restrictions is what the key may do.
func (s *Server) restrictions(q query) (any, *refusal) {
	return map[string]any{
		"ipRestrict": true, "createTime": q.now.UnixMilli(), "enableReading": true, "enableWithdrawals": q.account.withdraw, "enableInternalTransfer": false,
		"enableMargin": false, "enableFutures": true, "permitsUniversalTransfer": false, "enableVanillaOptions": false, "enableSpotAndMarginTrading": true,
	}, nil
}
