package exchange

import (
	"context"
	"time"
)

// Permissions are what an API key may do, as far as the exchange says.
type Permissions struct {
	// Spot and Futures may be traded with it.
	Spot, Futures bool
	// Withdraw: it can move money out of the account, which nothing here needs.
	Withdraw bool
	// Bound: it is taken from listed addresses only.
	Bound bool
	// Expires is when it ceases to be valid; zero: never, or that isn't said.
	Expires time.Time
}

// Permitted is what an Exchange can do beside, whose exchange tells of its keys.
type Permitted interface {
	// Permissions asks what the key may do. ErrNotFound: it can't be asked for on this
	// network.
	Permissions(ctx context.Context) (Permissions, error)
}
