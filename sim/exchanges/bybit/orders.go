package bybit

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

var (
	plain = regexp.MustCompile(`^[0-9]{1,20}(\.[0-9]{1,20})?$`)
	legal = regexp.MustCompile(`^[A-Za-z0-9_-]{1,36}$`)
)

// create takes an order, and only acknowledges it.
func (s *Server) create(q query) (any, *refusal) {
	o, no := s.read(q)
	if no != nil {
		return nil, no
	}
	last := s.Book.Price(o.Place)
	for _, check := range []func() *refusal{
		func() *refusal { return s.symbols[o.Symbol].check(o, last) },
		func() *refusal { return s.name(o, q) },
		func() *refusal { return aim(o, q.number("triggerDirection"), last) },
		func() *refusal { return s.afford(o) },
	} {
		if no := check(); no != nil {
			return nil, no
		}
	}
	x := &extra{}
	s.extra[o] = x
	if q.fault != nil {
		x.hidden, x.reason = q.fault.Hidden, q.fault.Reject
	}
	if x.reason != "" {
		o.Triggered, o.Conditional = false, true // nothing of it is executed
		s.Book.Enter(o, decimal.Decimal{})
		s.Book.End(o, matching.Rejected)
	} else {
		s.Book.Enter(o, q.fill())
	}
	return acknowledged(o), nil
}

func acknowledged(o *matching.Order) map[string]string {
	return map[string]string{"orderId": strconv.FormatInt(o.ID, 10), "orderLinkId": o.ClientID}
}

// read reads an order, and refuses what its type doesn't have.
func (s *Server) read(q query) (*matching.Order, *refusal) {
	x, spot := s.symbols[q.text("symbol")], q.market() == matching.Spot
	o := &matching.Order{Account: q.account.Account, Place: matching.Place{Market: q.market(), Symbol: x.Name}, Base: x.Base, Quote: x.Quote, Kind: q.text("orderType"),
		Step: x.step(q.market()), Created: q.now, Updated: q.now}
	invalid := func(name string) *refusal { return refuse(10001, "params error: "+name+" invalid") }
	switch q.text("side") {
	case "Buy":
		o.Buy = true
	case "Sell":
	default:
		return nil, refuse(10001, "Side invalid")
	}
	if o.Kind != "Limit" && o.Kind != "Market" {
		return nil, refuse(10001, "OrderType invalid")
	}
	o.Limited, o.Conditional = o.Kind == "Limit", q.text("triggerPrice") != ""
	for _, p := range []struct {
		name string
		into *decimal.Decimal
		want bool
	}{{"qty", &o.Qty, true}, {"price", &o.Price, o.Limited}, {"triggerPrice", &o.Stop, o.Conditional}} {
		v := q.text(p.name)
		if !p.want && v == "" {
			continue
		}
		if !p.want || !plain.MatchString(v) {
			return nil, invalid(p.name)
		}
		*p.into = dec(v)
	}
	if tif := q.text("timeInForce"); tif != "" && (tif != "GTC" || !o.Limited) {
		return nil, invalid("timeInForce")
	}
	for name, wrong := range map[string]bool{
		// A quantity at the market is of the quote coin where spot isn't told otherwise:
		// that nobody means, who trades here.
		"marketUnit":       spot && !o.Limited && q.text("marketUnit") != "baseCoin" || (!spot || o.Limited) && q.params["marketUnit"] != nil,
		"orderFilter":      (spot && o.Conditional) != (q.text("orderFilter") == "StopOrder"),
		"triggerDirection": (!spot && o.Conditional) != (q.number("triggerDirection") == 1 || q.number("triggerDirection") == 2),
		"triggerBy":        q.params["triggerBy"] != nil && (spot || !o.Conditional || q.text("triggerBy") != "LastPrice"),
		"reduceOnly":       q.params["reduceOnly"] != nil && spot,
		"positionIdx":      spot && q.number("positionIdx") != 0,
	} {
		if wrong {
			return nil, invalid(name)
		}
	}
	o.ReduceOnly = q.params["reduceOnly"] == true
	idx := q.number("positionIdx")
	if !spot && q.account.Hedge != (idx == 1 || idx == 2) || idx < 0 || idx > 2 {
		return nil, refuse(10001, "position idx not match position mode")
	}
	o.PositionSide = []string{"", matching.Long, matching.Short}[idx]
	return o, nil
}

// name sets the client's id of an order.
func (s *Server) name(o *matching.Order, q query) *refusal {
	o.ClientID = q.text("orderLinkId")
	if o.ClientID == "" {
		return nil
	}
	if !legal.MatchString(o.ClientID) {
		return refuse(10001, "orderLinkId invalid")
	}
	twin := s.Book.Find(func(x *matching.Order) bool {
		return x.Account == o.Account && x.Market == o.Market && x.ClientID == o.ClientID && x.Open()
	})
	switch {
	case twin == nil:
		return nil
	case o.Market == matching.Spot:
		return refuse(170141, "Duplicate clientOrderId")
	}
	return refuse(110072, "OrderLinkedID is duplicate")
}

// aim finds out from which side a stop is reached, and refuses it on the wrong one.
func aim(o *matching.Order, direction int, last decimal.Decimal) *refusal {
	if !o.Conditional {
		return nil
	}
	o.Rising = o.Stop.GreaterThan(last)
	switch {
	case o.Market == matching.Spot && o.Stop.Equal(last):
		return refuse(170130, "Data sent for parameter 'triggerPrice' is not valid.")
	case direction == 1 && !o.Rising:
		return refuse(110092, fmt.Sprintf("expect Rising, but trigger_price[%s] <= current[%s]", o.Stop, last))
	case direction == 2 && !o.Stop.LessThan(last):
		return refuse(110093, fmt.Sprintf("expect Falling, but trigger_price[%s] >= current[%s]", o.Stop, last))
	}
	return nil
}

// afford checks that there is enough for an order. Stops need nothing before they are
// triggered.
func (s *Server) afford(o *matching.Order) *refusal {
	if o.Waits() {
		return nil
	}
	if o.Market == matching.Spot {
		if !s.Book.Bind(o) {
			return refuse(170131, "Insufficient balance.")
		}
		return nil
	}
	switch s.Book.Afford(o) {
	case matching.NoFunds:
		return refuse(110007, "ab not enough for new order")
	case matching.NothingToReduce:
		return refuse(110017, "current position is zero, cannot fix reduce-only order qty")
	}
	return nil
}

// triggered has a stop that can't be afforded be cancelled.
func (s *Server) triggered(o *matching.Order) bool {
	if s.afford(o) != nil {
		s.Book.End(o, matching.Cancelled)
		return false
	}
	return true
}

// status is Bybit's word.
func (o shown) status() string {
	switch o.Status {
	case matching.New:
		if o.Waits() {
			return "Untriggered"
		}
		return "New"
	case matching.PartlyFilled:
		return "PartiallyFilled"
	case matching.Filled:
		return "Filled"
	case matching.Rejected:
		return "Rejected"
	}
	if o.Waits() {
		return "Deactivated"
	}
	if o.Market == matching.Spot && o.Filled.IsPositive() {
		return "PartiallyFilledCanceled"
	}
	return "Cancelled"
}

// shown is an order as answers show it.
type shown struct {
	*matching.Order
	*extra
}

func (o shown) document() map[string]any {
	idx := map[string]int{"": 0, matching.Long: 1, matching.Short: 2}[o.PositionSide]
	out := map[string]any{
		"orderId": strconv.FormatInt(o.ID, 10), "orderLinkId": o.ClientID, "symbol": o.Symbol, "price": o.Price.String(), "qty": o.Qty.String(), "side": "Sell",
		"positionIdx": idx, "orderStatus": o.status(), "rejectReason": "EC_NoError", "avgPrice": "", "leavesQty": o.Left().String(), "cumExecQty": o.Filled.String(),
		"cumExecValue": o.Paid.String(), "cumExecFee": "0", "timeInForce": "GTC", "orderType": o.Kind, "stopOrderType": "", "triggerPrice": "", "triggerDirection": 0,
		"triggerBy": "", "reduceOnly": o.ReduceOnly, "closeOnTrigger": false, "createdTime": strconv.FormatInt(o.Created.UnixMilli(), 10),
		"updatedTime": strconv.FormatInt(o.Updated.UnixMilli(), 10),
	}
	if o.Buy {
		out["side"] = "Buy"
	}
	if o.Filled.IsPositive() {
		out["avgPrice"] = o.Average().String()
	}
	if !o.Limited {
		out["timeInForce"] = "IOC"
	}
	if !o.Stop.IsZero() {
		out["stopOrderType"], out["triggerPrice"] = "Stop", o.Stop.String()
		if o.Market == matching.Futures {
			out["triggerBy"], out["triggerDirection"] = "LastPrice", 2
			if o.Rising {
				out["triggerDirection"] = 1
			}
		}
	}
	if o.reason != "" {
		out["rejectReason"] = o.reason
	}
	return out
}

// list returns the orders that a request is about. Those that are hidden come nearer to
// being seen by it.
func (s *Server) list(q query, fits func(*matching.Order) bool) map[string]any {
	list := []any{}
	id, link := q.text("orderId"), q.text("orderLinkId")
	for _, o := range s.Book.All(func(o *matching.Order) bool {
		return o.Account == q.account.Account && o.Market == q.market() && (q.text("symbol") == "" || q.text("symbol") == o.Symbol) &&
			(id == "" || id == strconv.FormatInt(o.ID, 10)) && (link == "" || link == o.ClientID) && of(o, q.text("orderFilter"))
	}) {
		x := s.extra[o]
		if x.hidden > 0 {
			x.hidden--
			continue
		}
		if fits(o) {
			list = append([]any{shown{o, x}.document()}, list...)
		}
	}
	return map[string]any{"category": q.text("category"), "list": list, "nextPageCursor": ""}
}

// of reports whether an order is one of a filter: a stop is one until it is triggered.
func of(o *matching.Order, filter string) bool {
	switch filter {
	case "Order":
		return !o.Waits()
	case "StopOrder":
		return o.Waits()
	}
	return true
}

// realtime has the orders that are open, or with openOnly=1 those that were. Who names
// an id, and not which of the two, gets either.
func (s *Server) realtime(q query) (any, *refusal) {
	if q.market() == matching.Futures && q.text("symbol") == "" && q.text("settleCoin") == "" && q.text("orderLinkId") == "" && q.text("orderId") == "" {
		return nil, refuse(10001, "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin")
	}
	closed, either := q.text("openOnly") == "1", q.params["openOnly"] == nil && (q.text("orderId") != "" || q.text("orderLinkId") != "")
	return s.list(q, func(o *matching.Order) bool { return either || o.Open() != closed }), nil
}

func (s *Server) history(q query) (any, *refusal) {
	return s.list(q, func(o *matching.Order) bool { return !o.Open() }), nil
}

// cancel acknowledges a cancellation, which is done at once here. On spot a stop is
// only found by its filter.
func (s *Server) cancel(q query) (any, *refusal) {
	id, link, filter := q.text("orderId"), q.text("orderLinkId"), q.text("orderFilter")
	if id == "" && link == "" {
		return nil, refuse(10001, "params error: orderId or orderLinkId is missing")
	}
	if q.market() == matching.Spot && filter == "" {
		filter = "Order"
	}
	o := s.Book.Find(func(o *matching.Order) bool {
		return o.Account == q.account.Account && o.Market == q.market() && o.Symbol == q.text("symbol") && o.Open() &&
			(id == "" || id == strconv.FormatInt(o.ID, 10)) && (link == "" || link == o.ClientID) && of(o, filter)
	})
	switch {
	case o == nil && q.market() == matching.Spot:
		return nil, refuse(170213, "Order does not exist.")
	case o == nil:
		return nil, refuse(110001, "order not exists or too late to cancel")
	}
	s.Book.End(o, matching.Cancelled)
	return acknowledged(o), nil
}

// cancelAll takes back every open order. On spot those that aren't stops, unless the
// filter says so.
func (s *Server) cancelAll(q query) (any, *refusal) {
	filter, list := q.text("orderFilter"), []any{}
	switch {
	case q.market() == matching.Spot && filter == "":
		filter = "Order"
	case q.market() == matching.Futures && q.text("symbol") == "" && q.text("settleCoin") == "":
		return nil, refuse(10001, "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin")
	}
	for _, o := range s.Book.All(func(o *matching.Order) bool {
		return o.Account == q.account.Account && o.Market == q.market() && o.Open() && (q.text("symbol") == "" || q.text("symbol") == o.Symbol) && of(o, filter)
	}) {
		s.Book.End(o, matching.Cancelled)
		list = append(list, acknowledged(o))
	}
	return map[string]any{"list": list, "success": "1"}, nil
}
