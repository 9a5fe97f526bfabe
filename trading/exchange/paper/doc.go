// Package paper is an exchange that exists in Redis only: for accounts that trade
// without money. It keeps to the rules of the exchange that the account names, from
// a bundled file, and fills orders when the price crosses them, so what runs against
// it runs against the real one.
//
// # Prices
//
// They are the exchange's own, or made up: then the price is a function of the symbol
// and of the time since the account was begun, the same in every process. Nobody has
// to watch it: whoever looks at the account next goes along the path of the price
// since the last look, and fills what it has crossed. Of public prices only those are
// known that somebody looked at.
//
// # Money
//
// On spot an order binds what it may cost; on futures it binds its margin, stops
// excepted, as at the exchanges. A fee is taken in the quote asset. Market orders are
// filled at once, as a whole, at the last price; orders that rested are filled at
// their own. What positions have won or lost counts when they are closed, and
// positions are never liquidated.
//
// # Concurrency
//
// The state of an account on a market is one document with a version. A change is
// written if the version is still the one that was read, else tried anew, so two
// processes never fill an order twice. A client order id is taken once for all; of
// finished orders the last 10,000 can be asked for.
//
// An account begins anew, with the balances of the configuration, under another id.
package paper
