package okx

import (
	"strconv"

	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

// newAlgo takes a stop. It binds nothing until it is triggered.
func (s *Server) newAlgo(q query) (map[string]any, *refusal) {
	if q.text("ordType") != "trigger" {
		return nil, wrong("ordType")
	}
	if q.text("tgtCcy") != "" {
		return nil, refuse("51281", "Trigger order do not support the tgtCcy parameter.")
	}
	limited := q.text("orderPx") != "-1"
	id := "algoClOrdId"
	if q.text(id) == "" { // some clients name it so, and OKX takes it for the same
		id = "clOrdId"
	}
	o, x, no := s.read(q, limited, "orderPx", id)
	if no != nil {
		return nil, no
	}
	// Without tgtCcy the size would be of the quote coin. Nobody here means that.
	if !limited && o.Buy && o.Market == matching.Spot {
		return nil, wrong("orderPx")
	}
	if !plain.MatchString(q.text("triggerPx")) {
		return nil, wrong("triggerPx")
	}
	if t := q.text("triggerPxType"); t != "" && t != "last" {
		return nil, wrong("triggerPxType")
	}
	o.Stop, o.Conditional, o.Apart = dec(q.text("triggerPx")), true, true
	last := s.Book.Price(o.Place)
	if o.Stop.Equal(last) {
		return nil, refuse("51279", "Trigger price must differ from the last price")
	}
	o.Rising = o.Stop.GreaterThan(last)
	if no := x.check(o); no != nil {
		return nil, no
	}
	if no := s.unused(o, "51065", "algoClOrdId already exists"); no != nil {
		return nil, no
	}
	s.extra[o] = &extra{tag: q.text("tag")}
	s.Book.Enter(o, decimal.NewFromInt(1))
	return map[string]any{"algoId": strconv.FormatInt(o.ID, 10), "algoClOrdId": o.ClientID, "clOrdId": o.ClientID}, nil
}

// triggered has an algo order become an order of its own, with an id of OKX's. Whether
// there is enough for it is looked at only now.
func (s *Server) triggered(o *matching.Order) bool {
	x := &matching.Order{Account: o.Account, Place: o.Place, Base: o.Base, Quote: o.Quote, Buy: o.Buy, Kind: "market", PositionSide: o.PositionSide, ReduceOnly: o.ReduceOnly,
		Limited: o.Limited, Price: o.Price, Qty: o.Qty, Step: o.Step, From: o.ID, Created: s.Now(), Updated: s.Now()}
	if x.Limited {
		x.Kind = "limit"
	}
	if no := s.afford(x); no != nil {
		s.extra[o].failed = no.code
		s.Book.End(o, matching.Rejected)
		return false
	}
	s.Book.End(o, matching.Finished)
	o.Became = x
	s.extra[x] = &extra{}
	s.Book.Enter(x, decimal.NewFromInt(1))
	return false
}

// algoDocument is an algo order as answers show it.
func (s *Server) algoDocument(o *matching.Order) map[string]any {
	out := s.document(o)
	state := map[matching.Status]string{matching.New: "live", matching.Cancelled: "canceled", matching.Rejected: "order_failed", matching.Finished: "effective"}[o.Status]
	price := "-1"
	if o.Limited {
		price = o.Price.String()
	}
	doc := map[string]any{"algoId": strconv.FormatInt(o.ID, 10), "algoClOrdId": o.ClientID, "clOrdId": "", "ordId": "", "ordIdList": []string{}, "ordType": "trigger", "triggerPx": o.Stop.String(),
		"triggerPxType": "last", "ordPx": price, "state": state, "failCode": s.extra[o].failed, "actualSz": "", "actualPx": "", "triggerTime": ""}
	if o.Became != nil {
		id := strconv.FormatInt(o.Became.ID, 10)
		doc["ordId"], doc["ordIdList"] = id, []string{id}
	}
	for _, name := range []string{"instType", "instId", "sz", "side", "posSide", "tdMode", "reduceOnly", "cTime", "uTime", "lever"} {
		doc[name] = out[name]
	}
	doc["tgtCcy"], doc["tag"] = "", s.extra[o].tag
	return doc
}

func (s *Server) algo(q query) (any, *refusal) {
	o, no := s.named(q, true, "algoId", "algoClOrdId")
	if no != nil {
		return nil, no
	}
	if o == nil {
		return nil, refuse("51603", "Order does not exist")
	}
	return []any{s.algoDocument(o)}, nil
}

func (s *Server) algosPending(q query) (any, *refusal) {
	list := []any{}
	if q.text("ordType") != "trigger" {
		return list, nil
	}
	for _, o := range s.open(q, true) {
		list = append(list, s.algoDocument(o))
	}
	return list, nil
}

func (s *Server) cancelAlgo(q query) (map[string]any, *refusal) {
	o, no := s.named(q, true, "algoId", "algoClOrdId")
	switch {
	case no != nil:
		return nil, no
	case o == nil || !o.Open():
		return nil, refuse("51400", "Cancellation failed as the order has been filled, canceled or does not exist")
	}
	s.Book.End(o, matching.Cancelled)
	return map[string]any{"algoId": strconv.FormatInt(o.ID, 10), "algoClOrdId": o.ClientID}, nil
}
