package sizing

import (
	"fmt"

	"github.com/shopspring/decimal"

	"switchyard/trading/signal"
)

// Trigger is the way in which the price reaches a stop.
type Trigger string

// The triggers; an order without a stop has none.
const (
	None Trigger = ""
	Rise Trigger = "RISE"
	Fall Trigger = "FALL"
)

// stop rounds the stop price and says from where the market will touch it. One
// that is touched already is no stop any more: its type becomes the type of the
// order behind it, which an exchange would otherwise refuse as one that triggers
// at once.
func (o *Order) stop(price, last decimal.Decimal, r Rules, unit string) error {
	switch {
	case !o.Type.HasStop():
		return nil
	case !last.IsPositive():
		return fmt.Errorf("finding the side of the stop: %w", ErrNoPrice)
	case !r.Tick.IsPositive():
		return fmt.Errorf("rounding the stop price: %w", ErrRules)
	}
	switch price.Cmp(last) {
	case 0:
		if o.Type = signal.MarketOrder; !o.Price.IsZero() {
			o.Type = signal.LimitOrder
		}
	case 1:
		o.StopPrice, o.Trigger = Up(price, r.Tick), Rise
	case -1:
		o.StopPrice, o.Trigger = Down(price, r.Tick), Fall
		if !o.StopPrice.IsPositive() {
			return &MinimumError{What: "price", Got: price, Minimum: r.Tick, Unit: unit}
		}
	}
	return nil
}

// TakesProfit tells which of two types a stop is where an exchange has two: one
// that buys as the price falls or sells as it rises takes a profit, the others
// stop a loss.
func (o Order) TakesProfit() bool {
	return o.Trigger == Fall && o.Buy || o.Trigger == Rise && !o.Buy
}
