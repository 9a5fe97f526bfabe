package exchange

import (
	"context"
	"time"

	"github.com/shopspring/decimal"
)

// Exchange is one account on one market of an exchange. Its methods may be called
// from many goroutines; the order of orders is the caller's to keep.
type Exchange interface {
	// Place sends an order that is in accordance with the rules; nothing is rounded.
	Place(ctx context.Context, o Order) (State, error)
	// Query asks for an order by its client order id; ErrNotFound says for certain
	// that the exchange has none.
	Query(ctx context.Context, r Ref) (State, error)
	// OpenOrders returns what rests at the exchange, stops included. Without a
	// symbol: on the whole market.
	OpenOrders(ctx context.Context, symbol string) ([]State, error)
	// Cancel takes an order back; ErrNotFound where it isn't open (any more).
	Cancel(ctx context.Context, r Ref) (State, error)
	// CancelOurs takes back those of our orders that are still open, one by one, and
	// nobody else's. Those that aren't open any more are left out of the answer.
	CancelOurs(ctx context.Context, ours []Ref) ([]Cancelled, error)
	// Balance returns what the account has of an asset.
	Balance(ctx context.Context, asset string) (Balance, error)
	// Positions returns what the account holds of a symbol: on futures its open
	// positions (two at most, in hedge mode), on spot the base asset. None: empty.
	Positions(ctx context.Context, symbol string) ([]Position, error)
	// Hedged reports whether long and short positions are kept apart, so that
	// orders need a PositionSide. Always false on spot.
	Hedged(ctx context.Context) (bool, error)
	// Rules returns what orders of a symbol have to keep to.
	Rules(ctx context.Context, symbol string) (Rules, error)
	// Price returns the last price.
	Price(ctx context.Context, symbol string) (decimal.Decimal, error)
	// ServerTime returns the exchange's clock.
	ServerTime(ctx context.Context) (time.Time, error)
}

// Market is where at an exchange something is traded.
type Market string

// The markets.
const (
	Spot    Market = "SPOT"
	Futures Market = "FUTURES"
)

// Side is the direction of an order.
type Side string

// The sides.
const (
	Buy  Side = "buy"
	Sell Side = "sell"
)

// Type is how an order is executed.
type Type string

// The order types. A stop is a touch: it is executed once the price reaches
// StopPrice, from whichever side it stands now.
const (
	MarketOrder Type = "MARKET"
	LimitOrder  Type = "LIMIT"
	StopLimit   Type = "STOP_LIMIT"
	StopMarket  Type = "STOP_MARKET"
)

// Stop reports whether an order of this type waits for its StopPrice.
func (t Type) Stop() bool { return t == StopLimit || t == StopMarket }

// Limited reports whether an order of this type has a Price.
func (t Type) Limited() bool { return t == LimitOrder || t == StopLimit }

// Trigger is from where the price comes to a StopPrice.
type Trigger string

// The triggers.
const (
	Rise Trigger = "RISE"
	Fall Trigger = "FALL"
)

// PositionSide is which position an order is for, in hedge mode.
type PositionSide string

// The sides of a position. OneWay stands for the only one.
const (
	OneWay PositionSide = ""
	Long   PositionSide = "LONG"
	Short  PositionSide = "SHORT"
)

// Status is where an order stands. The words are those of the webhook's answers.
type Status string

// The states of an order. An order that expired counts as cancelled; Filled says
// how much of it was executed before.
const (
	Pending         Status = "PENDING"
	PartiallyFilled Status = "PARTIALLY_FILLED"
	Filled          Status = "FILLED"
	CancelledOrder  Status = "CANCELLED"
	Failed          Status = "FAILED"
	// Unknown: the exchange answered, with something that can't be told apart.
	Unknown Status = "UNKNOWN"
)

// Open reports whether an order in this state can still be executed.
func (s Status) Open() bool { return s == Pending || s == PartiallyFilled }

// Order is what is asked for.
type Order struct {
	// ClientID is ours, 1 to 32 of [A-Za-z0-9]: what every exchange takes.
	ClientID string
	// Symbol is as in the webhook, BTCUSDT.
	Symbol       string
	Side         Side
	Type         Type
	PositionSide PositionSide
	// Quantity is in the base asset.
	Quantity decimal.Decimal
	// Price of limited types.
	Price decimal.Decimal
	// StopPrice of stop types.
	StopPrice decimal.Decimal
	// Trigger is from where the price was to come when the stop was asked for; where it
	// has passed StopPrice since, the stop was touched. Empty: from where it stands.
	Trigger Trigger
	// ReduceOnly: never more than closes the position. Futures only. Where a
	// PositionSide is named it follows from the Side.
	ReduceOnly bool
}

// Ref names an order of ours.
type Ref struct {
	Symbol, ClientID string
	// Type, where known, saves a request: some exchanges keep stops elsewhere.
	Type Type
}

// Ref returns the name of the order.
func (o Order) Ref() Ref { return Ref{Symbol: o.Symbol, ClientID: o.ClientID, Type: o.Type} }

// State is an order as the exchange has it.
type State struct {
	Order
	// ID is the exchange's own.
	ID     string
	Status Status
	// Filled is how much was executed.
	Filled decimal.Decimal
	// AveragePrice of what was executed; zero where nothing was, or where the
	// exchange doesn't say (Query does).
	AveragePrice decimal.Decimal
	// Updated is when the exchange last changed it.
	Updated time.Time
}

// Cancelled is what came of one order of CancelOurs.
type Cancelled struct {
	Ref   Ref
	State State
	// Err is nil where the order was taken back.
	Err error
}

// Balance is what an account has of an asset.
type Balance struct {
	Asset string
	// Free can be used for orders; Total includes what is bound in them, and on
	// futures in positions.
	Free, Total decimal.Decimal
}

// Position is what an account holds.
type Position struct {
	Symbol string
	Side   PositionSide
	// Quantity is negative for a short position.
	Quantity decimal.Decimal
	// Available is how much of it can be sold or closed, never negative.
	Available decimal.Decimal
	// EntryPrice; zero on spot.
	EntryPrice decimal.Decimal
}

// Call is a request that is about to be sent, for whoever limits or guards them.
type Call struct {
	// Name is method and path.
	Name string
	// Weight and Orders are what it costs at the exchange.
	Weight, Orders int
	// Changes: it places or cancels; it isn't only a question.
	Changes bool
	// Kind of request, where an exchange limits each kind by itself.
	Kind string
}

// The kinds of requests.
const (
	KindOrder    = "order"
	KindLookup   = "lookup" // of an order, where that is apart
	KindAlgo     = "algo"   // stops, where they are apart
	KindCancel   = "cancel"
	KindQuestion = "question" // about the account
	KindSetup    = "setup"    // how the account is set up
	KindPublic   = "public"   // about the market
)

// Usage is what the exchange says has been used of a limit.
type Usage struct {
	// Limit is "weight" (by address) or "orders" (by account).
	Limit string
	// Per is the interval of the limit, and Used what counts in the current one.
	Per  time.Duration
	Used int
}
