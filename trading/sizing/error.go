package sizing

import (
	"errors"
	"fmt"

	"github.com/shopspring/decimal"
)

// Why an order is not sent. Compare with errors.Is.
var (
	// ErrNothingHeld: the order sells or closes, and there is nothing to.
	ErrNothingHeld = errors.New("nothing is held that the order could close")
	// ErrNoFunds: nothing is allotted, or nothing is free.
	ErrNoFunds = errors.New("no capital is free for the order")
	// ErrNoPrice: the market's last price is needed and not known.
	ErrNoPrice = errors.New("the last price is not known")
	// ErrNoLeverage: the leverage counts, and the account's is not known.
	ErrNoLeverage = errors.New("the leverage of the account is not known")
	// ErrRules: the market's rules lack a tick or a step.
	ErrRules = errors.New("the rules of the market are incomplete")
)

// MinimumError: what the order comes to is less than the market takes.
type MinimumError struct {
	// What is too small: "quantity", "value" or "price".
	What string
	// Got and Minimum in Unit.
	Got, Minimum decimal.Decimal
	Unit         string
}

func (e *MinimumError) Error() string {
	return fmt.Sprintf("the %s of %s %s is below the minimum of %s %s", e.What, e.Got, e.Unit, e.Minimum, e.Unit)
}

// MaximumError: the quantity is more than the market takes in one order. It is
// not cut: half of an order is not what was asked for.
type MaximumError struct {
	// Got and Maximum in Unit.
	Got, Maximum decimal.Decimal
	Unit         string
}

func (e *MaximumError) Error() string {
	return fmt.Sprintf("the quantity of %s %s is above the maximum of %s %s", e.Got, e.Unit, e.Maximum, e.Unit)
}

// AllottedError: earlier orders of the batch leave too little.
type AllottedError struct {
	// Asked and Left in percent of the snapshot.
	Asked, Left decimal.Decimal
}

func (e *AllottedError) Error() string {
	return fmt.Sprintf("the order asks for %s %%, and its batch has left %s %%", e.Asked, e.Left)
}
