// Package sizing turns the orders of a signal into what is sent to an exchange:
// how much of what, in which direction, at prices that the market knows. It
// counts in decimals, does no I/O, and what it returns depends on its arguments
// alone: sizing the same signal on the same snapshot again brings the same orders.
//
// # How much
//
// An order that opens takes its percentage of the capital allotted to the
// account, divided by the price it may have to pay: its limit, its stop price
// when it is a market order behind a stop, else the last price. A sale may be
// filled above its limit; so an opening one is divided by the higher of the
// limit and the price at which it goes to the market. A spot sale, and a futures
// order against an open position, take their percentage of what is held; neither
// can turn a position around. -100 closes what is held and opens nothing.
//
// Quantities are rounded down, so no order is worth more than it was allotted; all
// of a batch's orders together neither: one that would go beyond 100 percent of
// the snapshot fails, and those behind it are tried. What a market order pays
// above the last price is what the reserve is for.
//
// # Prices
//
// A limit price is rounded against the order's wish to be filled: a buyer never
// pays more than he said (down), a seller never takes less (up). A stop price is
// rounded away from the last price: trades happen at ticks alone, so the first
// one at which the price has reached 104000.05 from below is 104000.1.
//
// # Stops
//
// A stop is a touch, from whichever side the price stands now: where the stop
// price is above the last one it waits for a rise, else for a fall. One that
// stands exactly there has been touched, and becomes the order behind it.
package sizing
