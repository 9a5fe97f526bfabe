package binance

import (
	"regexp"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

// order is one that was taken. An algo order that was triggered has become another.
type order struct {
	id                              int64
	account                         *account
	market, symbol, side, kind      string
	clientID, tif, positionSide     string
	price, stop, qty, filled, quote decimal.Decimal
	lock                            decimal.Decimal // what it binds of
	bound                           *purse          // a spot balance
	status                          string
	algo, reduceOnly                bool
	rising, triggered               bool // of stops
	became                          *order
	from                            int64 // the algo order it was
	created, updated                time.Time
}

// limited reports whether it has a price. TAKE_PROFIT has one on futures alone.
func (o *order) limited() bool {
	switch o.kind {
	case "LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT", "STOP":
		return true
	}
	return o.kind == "TAKE_PROFIT" && o.market == Futures
}

// conditional reports whether it is a stop of some kind.
func (o *order) conditional() bool { return o.kind != "LIMIT" && o.kind != "MARKET" }

// waits reports whether it is a stop that wasn't triggered yet.
func (o *order) waits() bool { return o.conditional() && !o.triggered }

func (o *order) open() bool { return o.status == "NEW" || o.status == "PARTIALLY_FILLED" }

// Order is an order as the ledger has it.
type Order struct {
	ID       int64  `json:"id"`
	Account  string `json:"account"`
	Market   string `json:"market"`
	Symbol   string `json:"symbol"`
	Side     string `json:"side"`
	Type     string `json:"type"`
	ClientID string `json:"client_id"`
	Status   string `json:"status"`
	Quantity string `json:"quantity"`
	Filled   string `json:"filled"`
	Price    string `json:"price"`
	Stop     string `json:"stop"`
	// From is the algo order that was triggered, for the order it became.
	From int64     `json:"from,omitempty"`
	At   time.Time `json:"at"`
}

// Ledger returns every order that was taken, the oldest first.
func (s *Server) Ledger() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Order, 0, len(s.orders))
	for _, o := range s.orders {
		out = append(out, Order{ID: o.id, Account: o.account.key, Market: o.market, Symbol: o.symbol, Side: o.side, Type: o.kind, ClientID: o.clientID,
			Status: o.status, Quantity: o.qty.String(), Filled: o.filled.String(), Price: o.price.String(), Stop: o.stop.String(), From: o.from, At: o.created})
	}
	return out
}

var plain = regexp.MustCompile(`^([0-9]{1,20})(\.[0-9]{1,20})?$`)

// take reads the parameters of a new order, and refuses what its type doesn't have.
func (q query) take(o *order, stopName string, limit []string) *refusal {
	o.account, o.market, o.symbol, o.side, o.kind = q.account, q.market, q.params["symbol"], q.params["side"], q.params["type"]
	o.tif, o.created, o.updated, o.status = q.params["timeInForce"], q.now, q.now, "NEW"
	if o.side != "BUY" && o.side != "SELL" {
		return refuse(-1117, "Invalid side.")
	}
	known := false
	for _, k := range limit {
		known = known || k == o.kind
	}
	if !known {
		return refuse(-1116, "Invalid orderType.")
	}
	for _, p := range []struct {
		name string
		into *decimal.Decimal
		want bool
	}{{"quantity", &o.qty, true}, {"price", &o.price, o.limited()}, {stopName, &o.stop, o.conditional()}} {
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
	case o.limited() && o.tif == "" && o.algo: // GTC unless said otherwise
	case o.limited() && o.tif == "":
		return missing("timeInForce")
	case !o.limited() && o.tif != "":
		return refuse(-1106, "Parameter 'timeInForce' sent when not required.")
	case o.limited() && o.tif != "GTC":
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
func (s *Server) name(o *order, id string) *refusal {
	if id == "" {
		id = "sim" + strconv.FormatInt(s.made+1, 36)
	}
	if !legal.MatchString(id) {
		return refuse(-1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[.A-Z:/a-z0-9_-]{1,36}$'.")
	}
	for _, x := range s.orders {
		if x.account == o.account && x.market == o.market && x.algo == o.algo && x.clientID == id && x.open() {
			if o.market == Spot {
				return refuse(-2010, "Duplicate order sent.")
			}
			return refuse(-4116, "ClientOrderId is duplicated.")
		}
	}
	o.clientID = id
	return nil
}

// aim finds out from which side a stop is reached, and refuses it on the wrong one.
func (s *Server) aim(o *order) *refusal {
	if !o.conditional() {
		return nil
	}
	last := s.prices[place{o.market, o.symbol}]
	o.rising = o.side == "BUY"
	switch o.kind {
	case "TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "TAKE_PROFIT_MARKET":
		o.rising = !o.rising
	}
	if o.rising && o.stop.GreaterThan(last) || !o.rising && o.stop.LessThan(last) {
		return nil
	}
	if o.market == Spot {
		return refuse(-2010, "Order would trigger immediately.")
	}
	return refuse(-2021, "Order would immediately trigger.")
}

// enter puts an order in the books and executes what can be.
func (s *Server) enter(o *order, fill decimal.Decimal) {
	s.made++
	o.id = 1000 + s.made
	s.orders = append(s.orders, o)
	s.match(o, fill)
}

// match executes an order if the price allows it, the given part of what is left.
func (s *Server) match(o *order, part decimal.Decimal) {
	if !o.open() || o.waits() || o.algo {
		return
	}
	last := s.prices[place{o.market, o.symbol}]
	if o.limited() && (o.side == "BUY" && last.GreaterThan(o.price) || o.side == "SELL" && last.LessThan(o.price)) {
		return
	}
	step := dec(s.symbols[o.symbol].on(o.market).Step)
	qty := o.qty.Sub(o.filled).Mul(part)
	qty = qty.Sub(qty.Mod(step))
	if o.market == Spot {
		s.fillSpot(o, qty, last)
	} else {
		qty = s.fillFutures(o, qty, last)
	}
	o.filled, o.quote, o.updated = o.filled.Add(qty), o.quote.Add(qty.Mul(last)), s.now()
	switch {
	case o.filled.Equal(o.qty):
		o.status = "FILLED"
	case !o.limited():
		o.status = "EXPIRED"
	case o.filled.IsPositive():
		o.status = "PARTIALLY_FILLED"
	}
	o.release()
}

// move executes what a new price sets off, in the order in which it was placed.
func (s *Server) move(at place) {
	last, whole := s.prices[at], decimal.NewFromInt(1)
	for _, o := range append([]*order(nil), s.orders...) {
		if (place{o.market, o.symbol}) != at || !o.open() {
			continue
		}
		if o.waits() {
			if o.rising && last.LessThan(o.stop) || !o.rising && last.GreaterThan(o.stop) {
				continue
			}
			o.triggered = true
			if o.algo {
				s.becomes(o)
				continue
			}
		}
		s.match(o, whole)
	}
}

// cancel ends an open order.
func (s *Server) cancel(o *order) {
	o.status, o.updated = "CANCELED", s.now()
	o.release()
}

// find returns the newest order that a request names, nil for none.
func (s *Server) find(q query, byID, byClient string, algo bool) (*order, *refusal) {
	id, client := q.params[byID], q.params[byClient]
	if id == "" && client == "" {
		return nil, refuse(-1102, "Param '"+byClient+"' or '"+byID+"' must be sent, but both were empty/null!")
	}
	for i := len(s.orders) - 1; i >= 0; i-- {
		o := s.orders[i]
		if o.account != q.account || o.market != q.market || o.algo != algo || !algo && o.symbol != q.params["symbol"] {
			continue
		}
		if (id == "" || id == strconv.FormatInt(o.id, 10)) && (client == "" || client == o.clientID) {
			return o, nil
		}
	}
	return nil, nil
}

// list returns the open orders that a request is about.
func (s *Server) list(q query, algo bool) (out []*order) {
	for _, o := range s.orders {
		if o.account == q.account && o.market == q.market && o.algo == algo && o.open() && (q.params["symbol"] == "" || q.params["symbol"] == o.symbol) {
			out = append(out, o)
		}
	}
	return out
}
