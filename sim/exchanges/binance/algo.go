package binance

import (
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// newAlgoOrder takes a stop of futures. It binds no margin until it is triggered.
func (s *Server) newAlgoOrder(q query) (any, *refusal) {
	if q.params["algoType"] != "CONDITIONAL" {
		return nil, refuse(-1130, "Data sent for parameter 'algoType' is not valid.")
	}
	o := &order{algo: true}
	if no := q.take(o, "triggerPrice", []string{"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"}); no != nil {
		return nil, no
	}
	if no := s.ready(q, o, q.params["clientAlgoId"]); no != nil {
		return nil, no
	}
	if no := s.aim(o); no != nil {
		return nil, no
	}
	s.enter(o, q.fill)
	return o.algoDocument(), nil
}

// becomes has a triggered algo order become an order of its own, with an id of
// Binance's. Whether there is margin for it is looked at only now.
func (s *Server) becomes(o *order) {
	kind := "LIMIT"
	if strings.HasSuffix(o.kind, "_MARKET") {
		kind = "MARKET"
	}
	x := &order{account: o.account, market: o.market, symbol: o.symbol, side: o.side, kind: kind, tif: o.tif, positionSide: o.positionSide,
		price: o.price, qty: o.qty, reduceOnly: o.reduceOnly, status: "NEW", from: o.id, created: s.now(), updated: s.now()}
	o.updated = s.now()
	if s.afford(x) != nil {
		o.status = "REJECTED"
		return
	}
	x.clientID = "simalgo" + strconv.FormatInt(o.id, 10)
	o.status, o.became = "FINISHED", x
	s.enter(x, decimal.NewFromInt(1))
}

// algoDocument is an algo order as Binance shows it.
func (o *order) algoDocument() map[string]any {
	actual := ""
	if o.became != nil {
		actual = strconv.FormatInt(o.became.id, 10)
	}
	return map[string]any{
		"algoId": o.id, "clientAlgoId": o.clientID, "algoType": "CONDITIONAL", "orderType": o.kind, "symbol": o.symbol, "side": o.side, "positionSide": o.positionSide,
		"timeInForce": "GTC", "quantity": o.qty.String(), "algoStatus": o.status, "actualOrderId": actual, "actualPrice": "0.00000",
		"triggerPrice": o.stop.String(), "price": o.price.String(), "icebergQuantity": "null", "workingType": "CONTRACT_PRICE", "priceMatch": "NONE",
		"closePosition": false, "priceProtect": false, "reduceOnly": o.reduceOnly, "createTime": o.created.UnixMilli(), "updateTime": o.updated.UnixMilli(),
		"triggerTime": 0, "goodTillDate": 0,
	}
}

func (s *Server) queryAlgo(q query) (any, *refusal) {
	o, no := s.find(q, "algoId", "clientAlgoId", true)
	switch {
	case no != nil:
		return nil, no
	case o == nil:
		return nil, refuse(-2013, "Order does not exist.")
	}
	return o.algoDocument(), nil
}

func (s *Server) openAlgos(q query) (any, *refusal) {
	out := []any{}
	for _, o := range s.list(q, true) {
		out = append(out, o.algoDocument())
	}
	return out, nil
}

// cancelAlgo answers with a code that is text here, and a number everywhere else.
func (s *Server) cancelAlgo(q query) (any, *refusal) {
	o, no := s.find(q, "algoId", "clientAlgoId", true)
	switch {
	case no != nil:
		return nil, no
	case o == nil || !o.open():
		return nil, refuse(-2011, "Unknown order sent.")
	}
	s.cancel(o)
	return map[string]any{"algoId": o.id, "clientAlgoId": o.clientID, "code": "200", "msg": "success"}, nil
}
