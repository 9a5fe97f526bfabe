package exchange

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Range is what a quantity or a price has to keep to. Zero members don't limit.
type Range struct {
	Min, Max, Step decimal.Decimal
}

// Rules are what orders of a symbol have to keep to.
type Rules struct {
	Symbol, Base, Quote string
	// Trading: orders are accepted at present.
	Trading bool
	Price   Range
	// Quantity of all orders, and MarketQuantity of those executed at the market.
	Quantity, MarketQuantity Range
	// MinNotional is the least value of an order in the quote asset, and
	// MinNotionalMarket that of one without a price.
	MinNotional, MinNotionalMarket decimal.Decimal
	// StopCost is how many times its stop price a buy at the market behind a stop has to
	// be paid with, at an exchange that makes a limit order of it; zero: once.
	StopCost decimal.Decimal
	// ReduceBelowMinimum: orders that only reduce may be of any value.
	ReduceBelowMinimum bool
}

// quantity returns the range for a type of order.
func (r Rules) quantity(t Type) Range {
	if t.Limited() {
		return r.Quantity
	}
	return r.MarketQuantity
}

// RoundQuantity rounds a quantity down to the step.
func (r Rules) RoundQuantity(t Type, q decimal.Decimal) decimal.Decimal {
	return floor(q, r.quantity(t).Step)
}

// RoundPrice rounds a price to the nearest step.
func (r Rules) RoundPrice(p decimal.Decimal) decimal.Decimal {
	step := r.Price.Step
	if !step.IsPositive() {
		return p
	}
	return floor(p.Add(step.Div(decimal.NewFromInt(2))), step)
}

// Check says what an order has against the rules, with ErrPrecision, ErrMinimum or
// ErrSymbol. last is the price that the value of orders without one is reckoned by.
func (r Rules) Check(o Order, last decimal.Decimal) error {
	fault := func(kind error, format string, a ...any) error {
		return &Error{Kind: kind, Op: "checking an order of " + o.Symbol, Message: fmt.Sprintf(format, a...)}
	}
	if !r.Trading {
		return fault(ErrSymbol, "%s is not traded at present", r.Symbol)
	}
	q := r.quantity(o.Type)
	switch {
	case !o.Quantity.IsPositive(), o.Quantity.LessThan(q.Min):
		return fault(ErrMinimum, "quantity %s, the minimum is %s %s", o.Quantity, q.Min, r.Base)
	case q.Max.IsPositive() && o.Quantity.GreaterThan(q.Max):
		return fault(ErrPrecision, "quantity %s, the maximum is %s %s", o.Quantity, q.Max, r.Base)
	case !onStep(o.Quantity, q.Step):
		return fault(ErrPrecision, "quantity %s is not a multiple of %s", o.Quantity, q.Step)
	}
	prices := map[string]decimal.Decimal{}
	if o.Type.Limited() {
		prices["price"] = o.Price
	}
	if o.Type.Stop() {
		prices["stop price"] = o.StopPrice
	}
	for name, p := range prices {
		switch {
		case !p.IsPositive(), p.LessThan(r.Price.Min):
			return fault(ErrPrecision, "%s %s, the minimum is %s", name, p, r.Price.Min)
		case r.Price.Max.IsPositive() && p.GreaterThan(r.Price.Max):
			return fault(ErrPrecision, "%s %s, the maximum is %s", name, p, r.Price.Max)
		case !onStep(p, r.Price.Step):
			return fault(ErrPrecision, "%s %s is not a multiple of %s", name, p, r.Price.Step)
		}
	}
	price, least := last, r.MinNotionalMarket
	switch {
	case o.Type.Limited():
		price, least = o.Price, r.MinNotional
	case o.Type == StopMarket:
		price = o.StopPrice
	}
	if value := price.Mul(o.Quantity); value.LessThan(least) && !(o.ReduceOnly && r.ReduceBelowMinimum) {
		return fault(ErrMinimum, "value %s %s, the minimum is %s", value, r.Quote, least)
	}
	return nil
}

func floor(x, step decimal.Decimal) decimal.Decimal {
	if !step.IsPositive() {
		return x
	}
	return x.Sub(x.Mod(step))
}

func onStep(x, step decimal.Decimal) bool {
	return !step.IsPositive() || x.Mod(step).IsZero()
}
