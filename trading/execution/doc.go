// Package execution carries the orders of a signal out on one account, and takes back
// what a group has opened there.
//
// # Nothing twice
//
// Before anything is sent there is a plan: which orders, with which ids, quantities
// and prices, sized from one look at the account. It is written down, and so is that
// an order is about to be sent, before it is. Whoever takes the job up again, because
// a worker died or an answer was lost, goes by the plan, and asks the exchange for an
// order by its id before sending it once more. Only a definite "there is no such
// order", given when none could be on its way any more, has it sent again. Directly
// before each request the hold on the job is checked.
//
// # Nothing late
//
// An order is refused when it is older than it may be at the moment it would go out:
// after it has waited for the orders before it, for a turn within the exchange's
// limits, and for an exchange that was out of reach. Cancellations are never too late.
//
// # Nothing lost
//
// One order that fails doesn't stop those behind it. What became of each stands in the
// progress of the job as soon as it is known. An order is UNKNOWN only if the exchange
// could not be asked, or could not say, until the job ran out of time; it stays in the
// book then and is looked after.
//
// # Nothing guessed
//
// What the exchange refuses for good (funds, key, minimum, precision, symbol) fails in
// its words; only a stop whose price was reached on the way becomes the order behind
// it, since a stop is a touch.
package execution
