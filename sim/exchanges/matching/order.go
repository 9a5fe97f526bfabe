package matching

import (
	"time"

	"github.com/shopspring/decimal"
)

// Market is what something is traded on.
type Market string

// The markets.
const (
	Spot    Market = "spot"
	Futures Market = "futures"
)

// Place is a symbol on a market.
type Place struct {
	Market Market
	Symbol string
}

// Status is where an order stands.
type Status int

// The states of an order. One that became another has Became beside Finished.
const (
	New Status = iota
	PartlyFilled
	Filled
	Cancelled
	Expired
	Rejected
	Finished
)

// Order is one that was taken, or is about to be.
type Order struct {
	// ID is given by Enter.
	ID      int64
	Account *Account
	Place
	// Base and Quote are the assets.
	Base, Quote string
	Buy         bool
	// Kind is the exchange's word for the type of order.
	Kind, ClientID string
	// PositionSide is as in Held.
	PositionSide string
	ReduceOnly   bool
	// Limited: it has a Price. Conditional: it has a Stop, which is reached from below
	// if Rising, and was once Triggered.
	Limited, Conditional, Rising, Triggered bool
	// Apart: it isn't executed itself, but becomes another order.
	Apart       bool
	Became      *Order
	From        int64 // what it was before
	Price, Stop decimal.Decimal
	// Qty is in the base asset, a multiple of Step.
	Qty, Step decimal.Decimal
	// Filled is how much was executed, and Paid for what in the quote asset.
	Filled, Paid     decimal.Decimal
	Status           Status
	Created, Updated time.Time

	lock  decimal.Decimal // what it binds of
	bound *Purse          // a balance
}

// Open reports whether it can still be executed.
func (o *Order) Open() bool { return o.Status == New || o.Status == PartlyFilled }

// Waits reports whether it is a stop that wasn't triggered yet.
func (o *Order) Waits() bool { return o.Conditional && !o.Triggered }

// Left is how much isn't executed.
func (o *Order) Left() decimal.Decimal { return o.Qty.Sub(o.Filled) }

// Average is the price of what was executed, zero for nothing.
func (o *Order) Average() decimal.Decimal {
	if !o.Filled.IsPositive() {
		return decimal.Decimal{}
	}
	return o.Paid.Div(o.Filled)
}

func (o *Order) held() Held { return Held{o.Symbol, o.PositionSide} }

// Opening returns how much of an order opens a position, and how much there is to
// close by it.
func (o *Order) Opening() (opens, closes decimal.Decimal) {
	p := o.Account.Positions[o.held()]
	if p == nil {
		p = &Position{}
	}
	against := p.Amount.IsPositive() && !o.Buy || p.Amount.IsNegative() && o.Buy
	if o.Account.Hedge && (o.PositionSide == Long) != o.Buy {
		return decimal.Decimal{}, p.Amount.Abs()
	}
	if !against {
		return o.Left(), decimal.Decimal{}
	}
	return decimal.Max(o.Left().Sub(p.Amount.Abs()), decimal.Decimal{}), p.Amount.Abs()
}
