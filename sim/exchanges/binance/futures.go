package binance

import (
	"slices"

	"github.com/shopspring/decimal"
)

// newFuturesOrder takes an order of futures that isn't a stop.
func (s *Server) newFuturesOrder(q query) (any, *refusal) {
	if slices.Contains([]string{"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}, q.params["type"]) {
		return nil, refuse(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
	}
	o := &order{}
	if no := q.take(o, "stopPrice", []string{"LIMIT", "MARKET"}); no != nil {
		return nil, no
	}
	if no := s.ready(q, o, q.params["newClientOrderId"]); no != nil {
		return nil, no
	}
	if no := s.afford(o); no != nil {
		return nil, no
	}
	before := *o
	s.enter(o, q.fill)
	if q.params["newOrderRespType"] == "RESULT" {
		return o.futuresDocument(), nil
	}
	before.id = o.id
	return before.futuresDocument(), nil
}

// ready checks what orders and algo orders have in common.
func (s *Server) ready(q query, o *order, clientID string) *refusal {
	o.positionSide = q.params["positionSide"]
	if o.positionSide == "" {
		o.positionSide = "BOTH"
	}
	o.reduceOnly = q.params["reduceOnly"] == "true"
	switch {
	case !slices.Contains([]string{"BOTH", "LONG", "SHORT"}, o.positionSide):
		return refuse(-1130, "Data sent for parameter 'positionSide' is not valid.")
	case q.account.hedge != (o.positionSide != "BOTH"):
		return refuse(-4061, "Order's position side does not match user's setting.")
	case q.account.hedge && q.params["reduceOnly"] != "":
		return refuse(-1106, "Parameter 'reduceonly' sent when not required.")
	}
	if no := s.symbols[o.symbol].check(o, s.prices[place{o.market, o.symbol}]); no != nil {
		return no
	}
	return s.name(o, clientID)
}

// afford checks the margin, and that an order that reduces has something to reduce.
func (s *Server) afford(o *order) *refusal {
	opens, closes := o.opening()
	if o.reduceOnly || opens.IsZero() {
		if closes.IsZero() || o.account.hedge && o.qty.GreaterThan(closes) {
			return refuse(-2022, "ReduceOnly Order is rejected.")
		}
		return nil
	}
	price := o.price
	if !o.limited() {
		price = s.prices[place{o.market, o.symbol}]
	}
	if opens.Mul(price).Div(decimal.NewFromInt(int64(s.opt.Leverage))).GreaterThan(s.available(o.account, s.symbols[o.symbol].Quote)) {
		return refuse(-2019, "Margin is insufficient.")
	}
	return nil
}

// futuresDocument is an order as futures show it.
func (o *order) futuresDocument() map[string]any {
	average := "0.00000"
	if o.filled.IsPositive() {
		average = o.quote.Div(o.filled).StringFixed(5)
	}
	return map[string]any{
		"avgPrice": average, "clientOrderId": o.clientID, "cumQty": o.filled.String(), "cumQuote": o.quote.String(), "executedQty": o.filled.String(), "orderId": o.id,
		"origQty": o.qty.String(), "origType": o.kind, "price": o.price.String(), "reduceOnly": o.reduceOnly, "side": o.side, "positionSide": o.positionSide,
		"status": o.status, "stopPrice": "0", "closePosition": false, "symbol": o.symbol, "time": o.created.UnixMilli(), "timeInForce": "GTC", "type": o.kind,
		"updateTime": o.updated.UnixMilli(), "workingType": "CONTRACT_PRICE", "priceProtect": false, "priceMatch": "NONE", "selfTradePreventionMode": "NONE", "goodTillDate": 0,
	}
}

func (s *Server) cancelAllFutures(q query, algo bool) (any, *refusal) {
	for _, o := range s.list(q, algo) {
		s.cancel(o)
	}
	return map[string]any{"code": 200, "msg": "The operation of cancel all open order is done."}, nil
}

func (s *Server) futuresBalance(q query) (any, *refusal) {
	out := []any{}
	for asset, b := range q.account.wallet {
		out = append(out, map[string]any{"accountAlias": "sim", "asset": asset, "balance": b.StringFixed(8), "crossWalletBalance": b.StringFixed(8), "crossUnPnl": "0.00000000",
			"availableBalance": s.available(q.account, asset).StringFixed(8), "maxWithdrawAmount": b.StringFixed(8), "marginAvailable": true, "updateTime": q.now.UnixMilli()})
	}
	return out, nil
}

// futuresAccount is what other clients ask for instead.
func (s *Server) futuresAccount(q query) (any, *refusal) {
	assets, positions := []any{}, []any{}
	for asset, b := range q.account.wallet {
		left := s.available(q.account, asset)
		assets = append(assets, map[string]any{"asset": asset, "walletBalance": b.StringFixed(8), "marginBalance": b.StringFixed(8), "unrealizedProfit": "0.00000000",
			"initialMargin": b.Sub(left).StringFixed(8), "maintMargin": "0.00000000", "crossWalletBalance": b.StringFixed(8), "availableBalance": left.StringFixed(8),
			"maxWithdrawAmount": left.StringFixed(8), "updateTime": q.now.UnixMilli()})
	}
	for k, p := range q.account.positions {
		positions = append(positions, map[string]any{"symbol": k.symbol, "positionSide": k.side, "positionAmt": p.amount.String(), "unrealizedProfit": "0.00000000",
			"isolatedMargin": "0.00000000", "notional": p.amount.Mul(p.entry).String(), "isolatedWallet": "0", "initialMargin": "0", "maintMargin": "0", "updateTime": q.now.UnixMilli()})
	}
	return map[string]any{"assets": assets, "positions": positions}, nil
}

func (s *Server) positionRisk(q query) (any, *refusal) {
	out := []any{}
	for k, p := range q.account.positions {
		if q.params["symbol"] == "" || q.params["symbol"] == k.symbol {
			out = append(out, map[string]any{"symbol": k.symbol, "positionSide": k.side, "positionAmt": p.amount.String(), "entryPrice": p.entry.String(),
				"markPrice": s.prices[place{Futures, k.symbol}].String(), "marginAsset": s.symbols[k.symbol].Quote, "updateTime": q.now.UnixMilli()})
		}
	}
	return out, nil
}

func (s *Server) positionMode(q query) (any, *refusal) {
	return map[string]bool{"dualSidePosition": q.account.hedge}, nil
}
