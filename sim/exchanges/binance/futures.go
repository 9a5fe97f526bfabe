package binance

import (
	"slices"

	"switchyard/sim/exchanges/matching"
)

// newFuturesOrder takes an order of futures that isn't a stop.
func (s *Server) newFuturesOrder(q query) (any, *refusal) {
	if slices.Contains([]string{"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}, q.params["type"]) {
		return nil, refuse(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
	}
	o := &matching.Order{}
	if no := s.read(q, o, "stopPrice", []string{"LIMIT", "MARKET"}); no != nil {
		return nil, no
	}
	if no := s.ready(q, o, q.params["newClientOrderId"]); no != nil {
		return nil, no
	}
	if no := s.afford(o); no != nil {
		return nil, no
	}
	before := *o
	s.Book.Enter(o, q.fill)
	if q.params["newOrderRespType"] == "RESULT" {
		return futuresDocument(o), nil
	}
	before.ID = o.ID
	return futuresDocument(&before), nil
}

// ready checks what orders and algo orders have in common.
func (s *Server) ready(q query, o *matching.Order, clientID string) *refusal {
	side := q.params["positionSide"]
	if side == "" {
		side = "BOTH"
	}
	if side != "BOTH" {
		o.PositionSide = side
	}
	o.ReduceOnly = q.params["reduceOnly"] == "true"
	switch {
	case !slices.Contains([]string{"BOTH", "LONG", "SHORT"}, side):
		return refuse(-1130, "Data sent for parameter 'positionSide' is not valid.")
	case q.account.Hedge != (side != "BOTH"):
		return refuse(-4061, "Order's position side does not match user's setting.")
	case q.account.Hedge && q.params["reduceOnly"] != "":
		return refuse(-1106, "Parameter 'reduceonly' sent when not required.")
	}
	if no := s.symbols[o.Symbol].check(o, s.Book.Price(o.Place)); no != nil {
		return no
	}
	return s.name(o, clientID)
}

// afford checks the margin, and that an order that reduces has something to reduce.
func (s *Server) afford(o *matching.Order) *refusal {
	switch s.Book.Afford(o) {
	case matching.NothingToReduce:
		return refuse(-2022, "ReduceOnly Order is rejected.")
	case matching.NoFunds:
		return refuse(-2019, "Margin is insufficient.")
	}
	return nil
}

// futuresDocument is an order as futures show it.
func futuresDocument(o *matching.Order) map[string]any {
	average := "0.00000"
	if o.Filled.IsPositive() {
		average = o.Average().StringFixed(5)
	}
	return map[string]any{
		"avgPrice": average, "clientOrderId": o.ClientID, "cumQty": o.Filled.String(), "cumQuote": o.Paid.String(), "executedQty": o.Filled.String(), "orderId": o.ID,
		"origQty": o.Qty.String(), "origType": o.Kind, "price": o.Price.String(), "reduceOnly": o.ReduceOnly, "side": o.Side(), "positionSide": positionSide(o.PositionSide),
		"status": o.Status.String(), "stopPrice": "0", "closePosition": false, "symbol": o.Symbol, "time": o.Created.UnixMilli(), "timeInForce": "GTC", "type": o.Kind,
		"updateTime": o.Updated.UnixMilli(), "workingType": "CONTRACT_PRICE", "priceProtect": false, "priceMatch": "NONE", "selfTradePreventionMode": "NONE", "goodTillDate": 0,
	}
}

func (s *Server) cancelAllFutures(q query, algo bool) (any, *refusal) {
	for _, o := range s.list(q, algo) {
		s.Book.End(o, matching.Cancelled)
	}
	return map[string]any{"code": 200, "msg": "The operation of cancel all open order is done."}, nil
}

func (s *Server) futuresBalance(q query) (any, *refusal) {
	out := []any{}
	for asset, p := range q.account.Futures {
		b := p.Total()
		out = append(out, map[string]any{"accountAlias": "sim", "asset": asset, "balance": b.StringFixed(8), "crossWalletBalance": b.StringFixed(8), "crossUnPnl": "0.00000000",
			"availableBalance": s.Book.Available(q.account.Account, asset).StringFixed(8), "maxWithdrawAmount": b.StringFixed(8), "marginAvailable": true, "updateTime": q.now.UnixMilli()})
	}
	return out, nil
}

// futuresAccount is what other clients ask for instead.
func (s *Server) futuresAccount(q query) (any, *refusal) {
	assets, positions := []any{}, []any{}
	for asset, p := range q.account.Futures {
		b := p.Total()
		left := s.Book.Available(q.account.Account, asset)
		assets = append(assets, map[string]any{"asset": asset, "walletBalance": b.StringFixed(8), "marginBalance": b.StringFixed(8), "unrealizedProfit": "0.00000000",
			"initialMargin": b.Sub(left).StringFixed(8), "maintMargin": "0.00000000", "crossWalletBalance": b.StringFixed(8), "availableBalance": left.StringFixed(8),
			"maxWithdrawAmount": left.StringFixed(8), "updateTime": q.now.UnixMilli()})
	}
	for k, p := range q.account.Positions {
		positions = append(positions, map[string]any{"symbol": k.Symbol, "positionSide": positionSide(k.Side), "positionAmt": p.Amount.String(), "unrealizedProfit": "0.00000000",
			"isolatedMargin": "0.00000000", "notional": p.Amount.Mul(p.Entry).String(), "isolatedWallet": "0", "initialMargin": "0", "maintMargin": "0", "updateTime": q.now.UnixMilli()})
	}
	return map[string]any{"assets": assets, "positions": positions}, nil
}

func (s *Server) positionRisk(q query) (any, *refusal) {
	out := []any{}
	for k, p := range q.account.Positions {
		if q.params["symbol"] == "" || q.params["symbol"] == k.Symbol {
			out = append(out, map[string]any{"symbol": k.Symbol, "positionSide": positionSide(k.Side), "positionAmt": p.Amount.String(), "entryPrice": p.Entry.String(),
				"markPrice": s.Book.Price(matching.Place{Market: Futures, Symbol: k.Symbol}).String(), "marginAsset": s.symbols[k.Symbol].Quote, "updateTime": q.now.UnixMilli()})
		}
	}
	return out, nil
}

func (s *Server) positionMode(q query) (any, *refusal) {
	return map[string]bool{"dualSidePosition": q.account.Hedge}, nil
}
