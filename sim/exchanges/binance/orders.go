package binance

import (
	"regexp"
	"strconv"

	"github.com/shopspring/decimal"

	"switchyard/sim/exchanges/matching"
)

// limited reports whether an order of a kind has a price. TAKE_PROFIT has one on futures
// alone.
func limited(m matching.Market, kind string) bool {
	switch kind {
	case "LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT", "STOP":
		return true
	}
	return kind == "TAKE_PROFIT" && m == Futures
}

// Order is an order as the ledger has it.
type Order = matching.Entry

var plain = regexp.MustCompile(`^([0-9]{1,20})(\.[0-9]{1,20})?$`)

// read reads the parameters of a new order, and refuses what its type doesn't have.
func (s *Server) read(q query, o *matching.Order, stopName string, limit []string) *refusal {
	x, kind, tif := s.symbols[q.params["symbol"]], q.params["type"], q.params["timeInForce"]
	o.Account, o.Place, o.Base, o.Quote, o.Kind = q.account.Account, matching.Place{Market: q.market, Symbol: x.Name}, x.Base, x.Quote, kind
	o.Buy, o.Limited, o.Conditional = q.params["side"] == "BUY", limited(q.market, kind), kind != "LIMIT" && kind != "MARKET"
	o.Step, o.Created, o.Updated = dec(x.on(q.market).Step), q.now, q.now
	if side := q.params["side"]; side != "BUY" && side != "SELL" {
		return refuse(-1117, "Invalid side.")
	}
	known := false
	for _, k := range limit {
		known = known || k == kind
	}
	if !known {
		return refuse(-1116, "Invalid orderType.")
	}
	for _, p := range []struct {
		name string
		into *decimal.Decimal
		want bool
	}{{"quantity", &o.Qty, true}, {"price", &o.Price, o.Limited}, {stopName, &o.Stop, o.Conditional}} {
		v := q.params[p.name]
		switch {
		case p.want && v == "":
			return missing(p.name)
		case !p.want && v != "":
			return refuse(-1106, "Parameter '"+p.name+"' sent when not required.")
		case v == "":
			continue
		case !plain.MatchString(v):
			return refuse(-1100, "Illegal characters found in parameter '"+p.name+"'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.")
		}
		*p.into = dec(v)
	}
	switch {
	case o.Limited && tif == "" && o.Apart: // GTC unless said otherwise
	case o.Limited && tif == "":
		return missing("timeInForce")
	case !o.Limited && tif != "":
		return refuse(-1106, "Parameter 'timeInForce' sent when not required.")
	case o.Limited && tif != "GTC":
		return refuse(-1115, "Invalid timeInForce.")
	}
	switch q.params["newOrderRespType"] {
	case "", "ACK", "RESULT", "FULL":
	default:
		return refuse(-1100, "Illegal characters found in parameter 'newOrderRespType'.")
	}
	return nil
}

// name sets the client's id of an order. An id may be used again once the order that
// has it isn't open any more: so it is with Binance.
func (s *Server) name(o *matching.Order, id string) *refusal {
	if id == "" {
		id = "sim" + strconv.FormatInt(s.Book.Next(), 36)
	}
	if !legal.MatchString(id) {
		return refuse(-1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[.A-Z:/a-z0-9_-]{1,36}$'.")
	}
	o.ClientID = id
	twin := s.Book.Find(func(x *matching.Order) bool {
		return x.Account == o.Account && x.Market == o.Market && x.Apart == o.Apart && x.ClientID == id && x.Open()
	})
	switch {
	case twin == nil:
		return nil
	case o.Market == Spot:
		return refuse(-2010, "Duplicate order sent.")
	}
	return refuse(-4116, "ClientOrderId is duplicated.")
}

// aim finds out from which side a stop is reached, and refuses it on the wrong one.
func (s *Server) aim(o *matching.Order) *refusal {
	if !o.Conditional {
		return nil
	}
	last := s.Book.Price(o.Place)
	o.Rising = o.Buy
	switch o.Kind {
	case "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "TAKE_PROFIT_MARKET":
		o.Rising = !o.Rising
	}
	if o.Rising && o.Stop.GreaterThan(last) || !o.Rising && o.Stop.LessThan(last) {
		return nil
	}
	if o.Market == Spot {
		return refuse(-2010, "Order would trigger immediately.")
	}
	return refuse(-2021, "Order would immediately trigger.")
}

// find returns the newest order that a request names, nil for none.
func (s *Server) find(q query, byID, byClient string, algo bool) (*matching.Order, *refusal) {
	id, client := q.params[byID], q.params[byClient]
	if id == "" && client == "" {
		return nil, refuse(-1102, "Param '"+byClient+"' or '"+byID+"' must be sent, but both were empty/null!")
	}
	return s.Book.Find(func(o *matching.Order) bool {
		return o.Account == q.account.Account && o.Market == q.market && o.Apart == algo && (algo || o.Symbol == q.params["symbol"]) &&
			(id == "" || id == strconv.FormatInt(o.ID, 10)) && (client == "" || client == o.ClientID)
	}), nil
}

// list returns the open orders that a request is about.
func (s *Server) list(q query, algo bool) []*matching.Order {
	return s.Book.All(func(o *matching.Order) bool {
		return o.Account == q.account.Account && o.Market == q.market && o.Apart == algo && o.Open() && (q.params["symbol"] == "" || q.params["symbol"] == o.Symbol)
	})
}
