package sizing

import (
	"fmt"

	"github.com/shopspring/decimal"

	"switchyard/trading/signal"
)

// Snapshot is an account and the market at one moment. All orders of a signal are
// sized from the same one.
type Snapshot struct {
	// Last price of the market.
	Last decimal.Decimal
	// Free is how much of the currency is.
	Free decimal.Decimal
	// Held is how much of the coin is free on the spot market.
	Held decimal.Decimal
	// Long and Short are the open futures positions, neither below 0. In one-way
	// mode at least one of them is 0.
	Long, Short decimal.Decimal
	// Hedge: the account keeps a long and a short position apart.
	Hedge bool
	// Leverage of the account in this market. It counts only where Capital says so.
	Leverage decimal.Decimal
}

// Capital is how much of an account a group may use.
type Capital struct {
	// Fixed amount in the currency; 0 is what is free, less the reserve.
	Fixed decimal.Decimal
	// ReservePercent of what is free stays there, for fees and for what a market
	// order pays above the last price.
	ReservePercent decimal.Decimal
	// Leverage: what may be opened is the capital times the account's leverage.
	Leverage bool
}

// Position is the side of a position in hedge mode.
type Position string

// The sides; without hedge mode there is no telling them apart.
const (
	NoSide    Position = ""
	LongSide  Position = "LONG"
	ShortSide Position = "SHORT"
)

// Order is one to send.
type Order struct {
	// Index of the signal's order.
	Index int `json:"order_index"`
	// Type is the signal's, unless its stop has been touched already.
	Type signal.OrderType `json:"order_type"`
	// Buy or sell.
	Buy bool `json:"buy"`
	// Position that the order is about, in hedge mode.
	Position Position `json:"position,omitempty"`
	// Reduces: a futures order that may only reduce a position.
	Reduces bool `json:"reduces,omitempty"`
	// Quantity in the coin, a multiple of the market's step.
	Quantity decimal.Decimal `json:"quantity"`
	// Price and StopPrice are multiples of the tick, where the type has them.
	Price     decimal.Decimal `json:"price,omitzero"`
	StopPrice decimal.Decimal `json:"stop_price,omitzero"`
	// Trigger says from where the price comes to StopPrice.
	Trigger Trigger `json:"trigger,omitempty"`
}

// Result is what became of one order of the signal: an Order, or the reason why
// there is none.
type Result struct {
	Order Order
	Err   error
}

// Size returns a result for each order of the signal, in its order. An order that
// fails takes nothing from those behind it.
func Size(s *signal.Signal, at Snapshot, c Capital, r Rules) []Result {
	results := make([]Result, len(s.Orders))
	left := hundred
	for i, asked := range s.Orders {
		o, err := size(s, asked, at, c, r)
		if p := share(asked); err == nil && !o.Reduces {
			// The exchange sees to it that reducing orders share what is held; a
			// target and a stop may each be about all of it.
			if p.GreaterThan(left) {
				err = &AllottedError{Asked: p, Left: left}
			} else {
				left = left.Sub(p)
			}
		}
		if err != nil {
			results[i].Order.Index, results[i].Err = asked.Index, err
			continue
		}
		results[i].Order = o
	}
	return results
}

// share is how much an order is about, in percent.
func share(o signal.Order) decimal.Decimal {
	if o.Closes() {
		return hundred
	}
	return o.Percent
}

func size(s *signal.Signal, asked signal.Order, at Snapshot, c Capital, r Rules) (o Order, err error) {
	o = Order{Index: asked.Index, Type: s.Type}
	held, opens, err := o.direct(s, asked.Closes(), at)
	if err != nil {
		return o, err
	}
	if o.Type.HasPrice() {
		if o.Price, err = r.limitPrice(asked.Price, o.Buy, s.Currency); err != nil {
			return o, err
		}
	}
	if err := o.stop(asked.StopPrice, at.Last, r, s.Currency); err != nil {
		return o, err
	}
	pays, least, err := o.prices(at.Last)
	if err != nil {
		return o, err
	}
	if o.Type == signal.StopMarket && o.Buy && r.StopCost.IsPositive() {
		pays = pays.Mul(r.StopCost)
	}
	part := held.Mul(share(asked))
	whole := hundred
	if opens {
		capital, err := c.of(at, s.Market)
		if err != nil {
			return o, err
		}
		part, whole = capital.Mul(share(asked)), hundred.Mul(pays)
	}
	if o.Quantity, err = r.lot(o.Type.HasPrice()).quantity(part, whole, s.Base); err != nil {
		return o, err
	}
	value := o.Quantity.Mul(least)
	if value.LessThan(r.MinValue) && !(o.Reduces && r.ReduceAnyValue) {
		return o, &MinimumError{What: "value", Got: value, Minimum: r.MinValue, Unit: s.Currency}
	}
	return o, nil
}

// direct decides what the order does: it buys or sells, opens or takes from what
// is held.
func (o *Order) direct(s *signal.Signal, closes bool, at Snapshot) (held decimal.Decimal, opens bool, err error) {
	o.Buy = s.Side.Buys()
	if s.Market == signal.Spot {
		held, opens = at.Held, o.Buy
	} else {
		held, opens = o.position(s.Side, closes, at)
	}
	if opens && closes || !opens && !held.IsPositive() {
		return held, opens, fmt.Errorf("%s %s: %w", s.Side, s.Symbol, ErrNothingHeld)
	}
	return held, opens, nil
}

// position is direct for futures.
func (o *Order) position(side signal.Side, closes bool, at Snapshot) (held decimal.Decimal, opens bool) {
	own, other := LongSide, ShortSide
	held = at.Short
	if !o.Buy {
		own, other = ShortSide, LongSide
		held = at.Long
	}
	named := at.Hedge && (side == signal.Long || side == signal.Short)
	switch {
	case named && closes: // The position that the side names, which the opposite trade closes.
		held = at.Long
		if o.Buy = !o.Buy; o.Buy {
			held = at.Short
		}
		other, opens = own, false
	case named:
		opens = true
	default:
		opens = !held.IsPositive()
	}
	o.Reduces = !opens
	if at.Hedge {
		if o.Position = own; o.Reduces {
			o.Position = other
		}
	}
	return held, opens
}

// prices returns the most that the order's coin may cost, and the price by which
// the market counts the least value.
func (o Order) prices(last decimal.Decimal) (pays, least decimal.Decimal, err error) {
	market := last // The price when the order comes to the market.
	if o.Trigger != None {
		market = o.StopPrice
	}
	switch {
	case o.Type.HasPrice() && o.Buy:
		return o.Price, o.Price, nil
	case o.Type.HasPrice():
		return decimal.Max(o.Price, market), o.Price, nil
	case !market.IsPositive():
		return pays, least, fmt.Errorf("dividing by the price: %w", ErrNoPrice)
	}
	return market, market, nil
}

// of is the capital allotted to the account.
func (c Capital) of(at Snapshot, m signal.Market) (decimal.Decimal, error) {
	capital := c.Fixed
	if capital.IsZero() {
		capital = at.Free.Mul(hundred.Sub(c.ReservePercent)).Shift(-2)
	}
	if c.Leverage && m == signal.Futures {
		if !at.Leverage.IsPositive() {
			return capital, ErrNoLeverage
		}
		capital = capital.Mul(at.Leverage)
	}
	if !capital.IsPositive() {
		return capital, ErrNoFunds
	}
	return capital, nil
}
