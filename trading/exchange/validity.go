package exchange

import "time"

// Enduring is what an Exchange can do beside, whose requests may still be executed
// later after they were signed than within some seconds.
type Enduring interface {
	// ValidFor is for how long an order of a type may be executed after it was sent,
	// should it be on its way.
	ValidFor(Type) time.Duration
}
