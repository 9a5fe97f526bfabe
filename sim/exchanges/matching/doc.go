// Package matching is what the simulated exchanges have in common: accounts with
// balances and positions, and orders that are executed at the last price, wholly,
// unless they are told to fill in part. How an order is asked for, what is refused
// and how things are shown is each exchange's own.
//
// Left out: fees, funding, liquidation, a depth of the market. A Book does no locking:
// the exchange that has it does.
package matching
