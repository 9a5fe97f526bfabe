package binance

import (
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

// newAlgoOrder takes a stop of futures. It binds no margin until it is triggered.
func (s *Server) newAlgoOrder(q query) (any, *refusal) {
	if q.params["algoType"] != "CONDITIONAL" {
		return nil, refuse(-1130, "Data sent for parameter 'algoType' is not valid.")
	}
	o := &matching.Order{Apart: true}
	if no := s.read(q, o, "triggerPrice", []string{"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"}); no != nil {
		return nil, no
	}
	if no := s.ready(q, o, q.params["clientAlgoId"]); no != nil {
		return nil, no
	}
	if no := s.aim(o); no != nil {
		return nil, no
	}
	s.Book.Enter(o, q.fill)
	return algoDocument(o), nil
}

// triggered has an algo order become an order of its own, with an id of Binance's.
// Whether there is margin for it is looked at only now. Other stops are executed as they
// are.
func (s *Server) triggered(o *matching.Order) bool {
	if !o.Apart {
		return true
	}
	kind := "LIMIT"
	if strings.HasSuffix(o.Kind, "_MARKET") {
		kind = "MARKET"
	}
	x := &matching.Order{Account: o.Account, Place: o.Place, Base: o.Base, Quote: o.Quote, Buy: o.Buy, Kind: kind, Limited: kind == "LIMIT", PositionSide: o.PositionSide,
		Price: o.Price, Qty: o.Qty, Step: o.Step, ReduceOnly: o.ReduceOnly, From: o.ID, Created: s.Now(), Updated: s.Now()}
	if s.afford(x) != nil {
		s.Book.End(o, matching.Rejected)
		return false
	}
	x.ClientID = "simalgo" + strconv.FormatInt(o.ID, 10)
	s.Book.End(o, matching.Finished)
	o.Became = x
	s.Book.Enter(x, decimal.NewFromInt(1))
	return false
}

// algoDocument is an algo order as Binance shows it.
func algoDocument(o *matching.Order) map[string]any {
	actual := ""
	if o.Became != nil {
		actual = strconv.FormatInt(o.Became.ID, 10)
	}
	return map[string]any{
		"algoId": o.ID, "clientAlgoId": o.ClientID, "algoType": "CONDITIONAL", "orderType": o.Kind, "symbol": o.Symbol, "side": o.Side(), "positionSide": positionSide(o.PositionSide),
		"timeInForce": "GTC", "quantity": o.Qty.String(), "algoStatus": o.Status.String(), "actualOrderId": actual, "actualPrice": "0.00000",
		"triggerPrice": o.Stop.String(), "price": o.Price.String(), "icebergQuantity": "null", "workingType": "CONTRACT_PRICE", "priceMatch": "NONE",
		"closePosition": false, "priceProtect": false, "reduceOnly": o.ReduceOnly, "createTime": o.Created.UnixMilli(), "updateTime": o.Updated.UnixMilli(),
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
	return algoDocument(o), nil
}

func (s *Server) openAlgos(q query) (any, *refusal) {
	out := []any{}
	for _, o := range s.list(q, true) {
		out = append(out, algoDocument(o))
	}
	return out, nil
}

// cancelAlgo answers with a code that is text here, and a number everywhere else.
func (s *Server) cancelAlgo(q query) (any, *refusal) {
	o, no := s.find(q, "algoId", "clientAlgoId", true)
	switch {
	case no != nil:
		return nil, no
	case o == nil || !o.Open():
		return nil, refuse(-2011, "Unknown order sent.")
	}
	s.Book.End(o, matching.Cancelled)
	return map[string]any{"algoId": o.ID, "clientAlgoId": o.ClientID, "code": "200", "msg": "success"}, nil
}
