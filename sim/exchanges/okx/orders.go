package okx

import (
	"regexp"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

var (
	plain = regexp.MustCompile(`^[0-9]{1,20}(\.[0-9]{1,20})?$`)
	legal = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)
)

func wrong(name string) *refusal { return refuse("51000", "Parameter "+name+" error") }

// newOrder takes an order, and only acknowledges it.
func (s *Server) newOrder(q query) (map[string]any, *refusal) {
	kind := q.text("ordType")
	if kind != "market" && kind != "limit" {
		return nil, wrong("ordType")
	}
	o, x, no := s.read(q, kind == "limit", "px", "clOrdId")
	if no != nil {
		return nil, no
	}
	for _, check := range []func() *refusal{
		func() *refusal { return s.inTime(q) },
		func() *refusal { return x.check(o) },
		func() *refusal { return s.unused(o, "51016", "Duplicated client order ID") },
		func() *refusal { return s.afford(o) },
	} {
		if no := check(); no != nil {
			return nil, no
		}
	}
	s.extra[o] = &extra{tag: q.text("tag")}
	if q.fault != nil {
		s.extra[o].hidden = q.fault.Hidden
	}
	s.Book.Enter(o, q.fill())
	return map[string]any{"ordId": strconv.FormatInt(o.ID, 10), "clOrdId": o.ClientID}, nil
}

// inTime drops an order that arrives after the time that it named.
func (s *Server) inTime(q query) *refusal {
	if !q.expires.IsZero() && q.now.After(q.expires) {
		return refuse("50036", "The expTime can't be earlier than the current system time. Please adjust the expTime and try again.")
	}
	return nil
}

// read reads what orders and algo orders have in common, and refuses what they can't
// have.
func (s *Server) read(q query, limited bool, priceName, idName string) (*matching.Order, Symbol, *refusal) {
	x, m, ok := s.instrument(q.text("instId"))
	if !ok {
		return nil, x, refuse("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
	}
	spot := m == matching.Spot
	o := &matching.Order{Account: q.account.Account, Place: matching.Place{Market: m, Symbol: x.Name}, Base: x.Base, Quote: x.Quote, Kind: q.text("ordType"), Limited: limited,
		ClientID: q.text(idName), Buy: q.text("side") == "buy", ReduceOnly: q.params["reduceOnly"] == true, Step: dec(x.on(m).Lot).Mul(x.size(m)), Created: q.now, Updated: q.now}
	if side := q.text("side"); side != "buy" && side != "sell" {
		return nil, x, wrong("side")
	}
	if mode := q.text("tdMode"); spot != (mode == "cash") || !spot && mode != "cross" && mode != "isolated" {
		return nil, x, wrong("tdMode")
	}
	for _, p := range []struct {
		name string
		into *decimal.Decimal
		want bool
	}{{"sz", &o.Qty, true}, {priceName, &o.Price, limited}} {
		v := q.text(p.name)
		if !p.want && (v == "" || v == "-1") {
			continue
		}
		if !p.want || !plain.MatchString(v) {
			return nil, x, wrong(p.name)
		}
		*p.into = dec(v)
	}
	o.Qty = o.Qty.Mul(x.size(m))
	if o.ClientID != "" && !legal.MatchString(o.ClientID) {
		return nil, x, wrong(idName)
	}
	// What a size at the market is of, a buy's would be the quote coin. Nobody here
	// means that.
	if target := q.text("tgtCcy"); spot && !limited && priceName == "px" && target != "base_ccy" || !spot && target != "" || target != "" && target != "base_ccy" {
		return nil, x, wrong("tgtCcy")
	}
	if spot && q.params["reduceOnly"] != nil {
		return nil, x, wrong("reduceOnly")
	}
	side := q.text("posSide")
	if spot && side != "" || !spot && q.account.Hedge != (side == "long" || side == "short") || !slices.Contains([]string{"", "net", "long", "short"}, side) {
		return nil, x, wrong("posSide")
	}
	o.PositionSide = map[string]string{"long": matching.Long, "short": matching.Short}[side]
	return o, x, nil
}

// unused refuses a client's id that an open order has.
func (s *Server) unused(o *matching.Order, code, message string) *refusal {
	if o.ClientID == "" {
		return nil
	}
	if s.Book.Find(func(x *matching.Order) bool {
		return x.Account == o.Account && x.ClientID == o.ClientID && x.Apart == o.Apart && x.Open()
	}) != nil {
		return refuse(code, message)
	}
	return nil
}

// afford checks that there is enough for an order.
func (s *Server) afford(o *matching.Order) *refusal {
	if o.Market == matching.Spot {
		if !s.Book.Bind(o) {
			return refuse("51008", "Order failed. Insufficient "+o.Quote+" balance in account.")
		}
		return nil
	}
	switch s.Book.Afford(o) {
	case matching.NoFunds:
		return refuse("51008", "Order failed. Insufficient USDT margin in account")
	case matching.NothingToReduce:
		return refuse("51169", "Order failed because you don't have any positions in this direction for this contract to reduce or close.")
	}
	return nil
}

// states are OKX's words.
var states = map[matching.Status]string{matching.New: "live", matching.PartlyFilled: "partially_filled", matching.Filled: "filled", matching.Cancelled: "canceled", matching.Expired: "canceled"}

// document is an order as answers show it, with sizes as they were sent.
func (s *Server) document(o *matching.Order) map[string]any {
	x := s.symbols[o.Symbol]
	unit := x.size(o.Market)
	out := map[string]any{"instType": instType(o.Market), "instId": x.id(o.Market), "ordId": strconv.FormatInt(o.ID, 10), "clOrdId": o.ClientID, "tag": "", "px": "", "sz": o.Qty.Div(unit).String(),
		"ordType": "market", "side": "sell", "posSide": posSide(o), "tdMode": tdMode(o), "accFillSz": o.Filled.Div(unit).String(), "fillPx": "", "fillSz": "", "avgPx": "", "state": states[o.Status],
		"lever": strconv.Itoa(s.opt.Leverage), "reduceOnly": strconv.FormatBool(o.ReduceOnly), "tgtCcy": "", "fee": "0", "feeCcy": o.Quote, "rebate": "0", "rebateCcy": "", "pnl": "0",
		"category": "normal", "algoId": "", "algoClOrdId": "", "cTime": strconv.FormatInt(o.Created.UnixMilli(), 10), "uTime": strconv.FormatInt(o.Updated.UnixMilli(), 10)}
	if o.Buy {
		out["side"] = "buy"
	}
	if o.Limited {
		out["ordType"], out["px"] = "limit", o.Price.String()
	} else if o.Market == matching.Spot {
		out["tgtCcy"] = "base_ccy"
	}
	if o.Filled.IsPositive() {
		out["avgPx"] = o.Average().String()
	}
	if o.From != 0 {
		out["algoId"] = strconv.FormatInt(o.From, 10)
	}
	return out
}

func posSide(o *matching.Order) string {
	switch {
	case o.Market == matching.Spot:
		return ""
	case o.PositionSide == matching.Long:
		return "long"
	case o.PositionSide == matching.Short:
		return "short"
	}
	return "net"
}

func tdMode(o *matching.Order) string {
	if o.Market == matching.Spot {
		return "cash"
	}
	return "cross"
}

// named returns the newest order that a request names. Without any id it is refused.
func (s *Server) named(q query, apart bool, byID, byClient string) (*matching.Order, *refusal) {
	id, client, instrument := q.text(byID), q.text(byClient), q.text("instId")
	if id == "" && client == "" {
		return nil, refuse("51000", "Either parameter "+byID+" or "+byClient+" is required")
	}
	return s.Book.Find(func(o *matching.Order) bool {
		return o.Account == q.account.Account && o.Apart == apart && (instrument == "" || instrument == s.symbols[o.Symbol].id(o.Market)) &&
			(id == "" || id == strconv.FormatInt(o.ID, 10)) && (client == "" || client == o.ClientID)
	}), nil
}

func (s *Server) order(q query) (any, *refusal) {
	o, no := s.named(q, false, "ordId", "clOrdId")
	if no != nil {
		return nil, no
	}
	if o == nil || s.hides(o) {
		return nil, refuse("51603", "Order does not exist")
	}
	return []any{s.document(o)}, nil
}

// hides reports whether an order isn't to be seen yet, and brings it nearer to it.
func (s *Server) hides(o *matching.Order) bool {
	x := s.extra[o]
	if x == nil || x.hidden == 0 {
		return false
	}
	x.hidden--
	return true
}

// open are the open orders that a request is about, the newest first, from behind the
// id in after on.
func (s *Server) open(q query, apart bool) (out []*matching.Order) {
	limit, before := 100, int64(1<<62)
	if n, err := strconv.Atoi(q.text("limit")); err == nil && n > 0 && n < limit {
		limit = n
	}
	if n, err := strconv.ParseInt(q.text("after"), 10, 64); err == nil {
		before = n
	}
	for _, o := range slices.Backward(s.Book.All(func(o *matching.Order) bool {
		return o.Account == q.account.Account && o.Apart == apart && o.Open() && o.ID < before && (q.text("instType") == "" || q.market() == o.Market) &&
			(q.text("instId") == "" || q.text("instId") == s.symbols[o.Symbol].id(o.Market))
	})) {
		if len(out) < limit {
			out = append(out, o)
		}
	}
	return out
}

func (s *Server) pending(q query) (any, *refusal) {
	list := []any{}
	for _, o := range s.open(q, false) {
		list = append(list, s.document(o))
	}
	return list, nil
}

// cancelOrder acknowledges a cancellation, which is done at once here.
func (s *Server) cancelOrder(q query) (map[string]any, *refusal) {
	o, no := s.named(q, false, "ordId", "clOrdId")
	switch {
	case no != nil:
		return nil, no
	case o == nil:
		return nil, refuse("51603", "Order does not exist")
	case o.Status == matching.Filled:
		return nil, refuse("51402", "Cancellation failed as the order has been completed")
	case !o.Open():
		return nil, refuse("51401", "Cancellation failed as the order has been canceled")
	}
	s.Book.End(o, matching.Cancelled)
	return map[string]any{"ordId": strconv.FormatInt(o.ID, 10), "clOrdId": o.ClientID}, nil
}
