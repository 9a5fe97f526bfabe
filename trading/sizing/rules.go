package sizing

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Rules are what a market says about its orders, counted in the coin that is
// traded and the currency it is paid for; where an exchange counts in contracts,
// its client converts. A zero means that there is no such rule, but a tick and a
// step have to be there.
type Rules struct {
	// Tick is what prices are multiples of.
	Tick decimal.Decimal
	// Lot is about all orders; MarketLot besides about those without a limit
	// price.
	Lot, MarketLot Lot
	// MinValue is the least quantity times price.
	MinValue decimal.Decimal
	// StopCost is how many times its stop price a market order that buys behind a stop
	// has to be paid with, where that is more than once.
	StopCost decimal.Decimal
	// ReduceAnyValue: MinValue is not asked of futures orders that reduce.
	ReduceAnyValue bool
}

// Lot is what quantities have to be.
type Lot struct {
	// Step is what quantities are multiples of.
	Step decimal.Decimal
	// Min and Max bound a quantity.
	Min, Max decimal.Decimal
}

// lot is the one that an order has to satisfy.
func (r Rules) lot(limited bool) Lot {
	l := r.Lot
	if limited {
		return l
	}
	// Binance sends a step of 0 for the second; Max would take that as well.
	l.Step, l.Min = decimal.Max(l.Step, r.MarketLot.Step), decimal.Max(l.Min, r.MarketLot.Min)
	if m := r.MarketLot.Max; m.IsPositive() && (l.Max.IsZero() || m.LessThan(l.Max)) {
		l.Max = m
	}
	return l
}

// quantity is part/whole, rounded down to what the lot takes.
func (l Lot) quantity(part, whole decimal.Decimal, unit string) (decimal.Decimal, error) {
	if !l.Step.IsPositive() {
		return decimal.Zero, fmt.Errorf("rounding the quantity: %w", ErrRules)
	}
	q := steps(part, whole, l.Step)
	switch least := decimal.Max(l.Min, l.Step); {
	case q.LessThan(least):
		got := q
		if q.IsZero() { // Which tells nobody how much is missing.
			got, _ = part.QuoRem(whole, shownDecimals)
		}
		return q, &MinimumError{What: "quantity", Got: got, Minimum: least, Unit: unit}
	case l.Max.IsPositive() && q.GreaterThan(l.Max):
		return q, &MaximumError{Got: q, Maximum: l.Max, Unit: unit}
	}
	return q, nil
}

// shownDecimals is how exactly an error says what was less than a step.
const shownDecimals = 8

// steps returns the largest multiple of step, not above part/whole. It divides
// once, in whole steps, so nothing is rounded on the way.
func steps(part, whole, step decimal.Decimal) decimal.Decimal {
	n, _ := part.QuoRem(whole.Mul(step), 0)
	return n.Mul(step)
}

// Down returns the largest multiple of step that is not above x, for an x that is
// not negative.
func Down(x, step decimal.Decimal) decimal.Decimal { return steps(x, one, step) }

// Up returns the smallest multiple of step that is not below x, for an x that is
// not negative.
func Up(x, step decimal.Decimal) decimal.Decimal {
	if down := Down(x, step); down.LessThan(x) {
		return down.Add(step)
	}
	return x
}

var (
	one     = decimal.NewFromInt(1)
	hundred = decimal.NewFromInt(100)
)

// limitPrice rounds the limit of an order, in favour of who placed it.
func (r Rules) limitPrice(price decimal.Decimal, buy bool, unit string) (decimal.Decimal, error) {
	if !r.Tick.IsPositive() {
		return decimal.Decimal{}, fmt.Errorf("rounding the price: %w", ErrRules)
	}
	if !buy {
		return Up(price, r.Tick), nil
	}
	down := Down(price, r.Tick)
	if !down.IsPositive() {
		return decimal.Decimal{}, &MinimumError{What: "price", Got: price, Minimum: r.Tick, Unit: unit}
	}
	return down, nil
}
