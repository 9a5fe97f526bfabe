package matching

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// Book has the orders of an exchange and its prices.
type Book struct {
	// Leverage of futures.
	Leverage int
	// Now is the exchange's clock.
	Now func() time.Time
	// Triggered, if set, is told of a stop that is reached, and says whether it is to
	// be executed as it is.
	Triggered func(*Order) bool

	prices map[Place]decimal.Decimal
	orders []*Order // the oldest first
	made   int64
}

// Price returns the last price, zero where none was set.
func (b *Book) Price(at Place) decimal.Decimal { return b.prices[at] }

// SetPrice sets it, and executes what it sets off, in the order in which it was
// placed.
func (b *Book) SetPrice(at Place, last decimal.Decimal) {
	if b.prices == nil {
		b.prices = map[Place]decimal.Decimal{}
	}
	b.prices[at] = last
	for _, o := range slices.Clone(b.orders) {
		if o.Place != at || !o.Open() {
			continue
		}
		if o.Waits() {
			if o.Rising && last.LessThan(o.Stop) || !o.Rising && last.GreaterThan(o.Stop) {
				continue
			}
			o.Triggered, o.Updated = true, b.Now()
			if b.Triggered != nil && !b.Triggered(o) {
				continue
			}
		}
		b.match(o, decimal.NewFromInt(1))
	}
}

// Next is the id that the next order gets, if it is taken.
func (b *Book) Next() int64 { return 1001 + b.made }

// Enter puts an order in the book and executes what can be of it: the part fill of
// what the price allows.
func (b *Book) Enter(o *Order, fill decimal.Decimal) {
	o.ID = b.Next()
	b.made++
	b.orders = append(b.orders, o)
	b.match(o, fill)
}

// match executes the part of what is left of an order, if the price allows it. What
// is left of an order without a price expires.
func (b *Book) match(o *Order, part decimal.Decimal) {
	if !o.Open() || o.Waits() || o.Apart {
		return
	}
	last := b.prices[o.Place]
	if o.Limited && (o.Buy && last.GreaterThan(o.Price) || !o.Buy && last.LessThan(o.Price)) {
		return
	}
	qty := o.Left().Mul(part)
	if o.Step.IsPositive() {
		qty = qty.Sub(qty.Mod(o.Step))
	}
	if o.Market == Spot {
		b.fillSpot(o, qty, last)
	} else {
		qty = b.fillFutures(o, qty, last)
	}
	o.Filled, o.Paid, o.Updated = o.Filled.Add(qty), o.Paid.Add(qty.Mul(last)), b.Now()
	switch {
	case o.Filled.Equal(o.Qty):
		o.Status = Filled
	case !o.Limited:
		o.Status = Expired
	case o.Filled.IsPositive():
		o.Status = PartlyFilled
	}
	release(o)
}

// End takes an open order out, as cancelled or for another reason.
func (b *Book) End(o *Order, as Status) {
	o.Status, o.Updated = as, b.Now()
	release(o)
}

// Find returns the newest order that fits, nil for none.
func (b *Book) Find(fits func(*Order) bool) *Order {
	for _, o := range slices.Backward(b.orders) {
		if fits(o) {
			return o
		}
	}
	return nil
}

// All returns the orders that fit, the oldest first.
func (b *Book) All(fits func(*Order) bool) (out []*Order) {
	for _, o := range b.orders {
		if fits(o) {
			out = append(out, o)
		}
	}
	return out
}
