package signal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// MaxOrders is how many orders a batch may have.
const MaxOrders = 30

// Action is what a signal asks for, as answers name it.
type Action string

// The actions.
const (
	Single Action = "trading_signal"
	Batch  Action = "batch_trading_signal"
	Cancel Action = "cancel_all_orders"
)

// Signal is a request in its one form.
type Signal struct {
	// Group whose accounts trade.
	Group string `json:"group_name"`
	// Action says how the answer looks.
	Action Action `json:"action"`
	// Exchange, Market and Symbol; when cancelling they are filters, and empty
	// means all.
	Exchange Exchange `json:"exchange,omitempty"`
	Market   Market   `json:"market_type,omitempty"`
	Symbol   string   `json:"symbol,omitempty"`
	// Base is the coin that is traded for Currency; together they are Symbol.
	// Both are empty when cancelling, as are Type and Side.
	Base     string    `json:"base,omitempty"`
	Currency string    `json:"currency,omitempty"`
	Type     OrderType `json:"order_type,omitempty"`
	Side     Side      `json:"side,omitempty"`
	// Orders in the order of the request: one, or those of the batch.
	Orders []Order `json:"orders,omitempty"`
	// Ignored names the fields that nobody knows. One that is nearly right, such
	// as qty_percent, would have had an effect its sender counted on.
	Ignored []string `json:"ignored,omitempty"`
}

// Order is what differs between the orders of a batch.
type Order struct {
	// Index in the request.
	Index int `json:"order_index"`
	// Price of LIMIT and STOP_LIMIT, StopPrice of both STOP types; else 0,
	// whatever the request says.
	Price     decimal.Decimal `json:"price,omitzero"`
	StopPrice decimal.Decimal `json:"stop_price,omitzero"`
	// Percent is above 0 and up to 100, or CloseAll.
	Percent decimal.Decimal `json:"qty_per"`
}

// Closes tells whether the order closes what is held.
func (o Order) Closes() bool { return o.Percent.Equal(CloseAll) }

// Values reads the values. Errors: the first one, in the order of the required
// fields, that is not supported, then ErrTooManyOrders, then those of the orders.
func (a *Admitted) Values() (*Signal, error) {
	m := &a.message
	s := &Signal{Group: m.Group(), Action: Single, Ignored: m.ignored}
	if types[plain(m.fields.trimmed("order_type"))] == CancelAll {
		s.Action = Cancel
		if err := s.filters(m.fields); err != nil {
			return nil, err
		}
		return s, nil
	}
	if m.batch {
		s.Action = Batch
	}
	if err := s.common(m.fields); err != nil {
		return nil, err
	}
	if !m.batch {
		o, err := s.order(0, m.fields, nil, "")
		if err != nil {
			return nil, err
		}
		s.Orders = []Order{o}
		return s, nil
	}
	switch {
	case m.orders == nil:
		return nil, unsupported("orders", text(m.fields["orders"]))
	case len(m.orders) > MaxOrders:
		return nil, ErrTooManyOrders
	}
	for i, e := range m.orders {
		o, err := s.entry(i, e, m.fields)
		if err != nil {
			return nil, err
		}
		s.Orders = append(s.Orders, o)
	}
	return s, nil
}

// common reads what all orders of a request share.
func (s *Signal) common(f fields) (err error) {
	if s.Exchange, err = word(f, "exchange", exchanges); err != nil {
		return err
	}
	if s.Market, err = word(f, "market_type", markets); err != nil {
		return err
	}
	currency, ok := code(f.trimmed("currency"))
	if !ok {
		return unsupported("currency", f.trimmed("currency"))
	}
	s.Currency = currency
	if err := s.pair(f.trimmed("symbol")); err != nil {
		return err
	}
	if s.Type, err = word(f, "order_type", types); err != nil {
		return err
	}
	if s.Side, err = word(f, "side", sides); err != nil {
		return err
	}
	if s.Market == Spot {
		switch s.Side {
		case Short: // Nothing to borrow with: there is no such order.
			return unsupported("side", f.trimmed("side"))
		case Long:
			s.Side = Buy
		}
	}
	return nil
}

// pair reads the symbol, which has to be one that is paid for in the currency:
// otherwise one coin's balance would be divided by another one's price.
func (s *Signal) pair(given string) error {
	name, quote, ok := symbol(given)
	if !ok {
		return unsupported("symbol", given)
	}
	base, ok := strings.CutSuffix(name, s.Currency)
	if !ok || base == "" || quote != "" && quote != s.Currency {
		return unsupported("symbol", given+" (currency="+s.Currency+")")
	}
	s.Symbol, s.Base = name, base
	return nil
}

// filters reads what a cancellation is limited to.
func (s *Signal) filters(f fields) (err error) {
	if f.has("exchange") {
		if s.Exchange, err = word(f, "exchange", exchanges); err != nil {
			return err
		}
	}
	if f.has("market_type") {
		if s.Market, err = word(f, "market_type", markets); err != nil {
			return err
		}
	}
	if f.has("symbol") {
		name, _, ok := symbol(f.trimmed("symbol"))
		if !ok {
			return unsupported("symbol", f.trimmed("symbol"))
		}
		s.Symbol = name
	}
	return nil
}

// entry reads one order of a batch. It may repeat a common field; what it says
// must be the same, since orders of a batch differ in price and quantity alone.
func (s *Signal) entry(i int, e entry, common fields) (Order, error) {
	if e.fields == nil {
		return Order{}, unsupported(fmt.Sprintf("orders[%d]", i), e.text)
	}
	for _, name := range shared {
		switch {
		case !e.fields.has(name):
		case name == "token": // Checked, and no longer known.
			return Order{}, unsupported(place(i)+name, "***")
		case plain(e.fields.trimmed(name)) != plain(common.trimmed(name)):
			return Order{}, unsupported(place(i)+name, e.fields.trimmed(name))
		}
	}
	return s.order(i, e.fields, common, place(i))
}

// shared are the fields that an order of a batch has no other value of.
var shared = append(slices.Clone(required), "orders")

// order reads the prices and the quantity. Of the common fields a batch's order
// takes the stop price and the quantity that it doesn't give itself, never a
// price.
func (s *Signal) order(i int, f, common fields, prefix string) (Order, error) {
	o := Order{Index: i, Percent: whole}
	var ok bool
	if s.Type.HasPrice() {
		if o.Price, ok = amount(text(f["price"])); !ok {
			return Order{}, unsupported(prefix+"price", text(f["price"]))
		}
	}
	if s.Type.HasStop() {
		name, value := own(f, common, prefix, "stop_price")
		if o.StopPrice, ok = amount(value); !ok {
			return Order{}, unsupported(name, value)
		}
	}
	if f.has("qty_per") || common.has("qty_per") {
		name, value := own(f, common, prefix, "qty_per")
		if o.Percent, ok = percent(value); !ok {
			return Order{}, unsupported(name, value)
		}
	}
	return o, nil
}

// own is an order's field, or else the common one, and what it is called.
func own(f, common fields, prefix, field string) (name, value string) {
	if f.has(field) {
		return prefix + field, text(f[field])
	}
	return field, text(common[field])
}
