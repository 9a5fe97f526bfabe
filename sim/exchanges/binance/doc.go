// Package binance is a Binance for the demo and for tests: accounts with balances and
// positions, spot and USD-M futures under one address, prices that a test sets. It is
// stricter than the original where a client's mistake would show nowhere else:
// parameters that an endpoint doesn't have are refused on futures too.
//
// What goes wrong can be told to it: answers lost before or after the request was
// done, errors of any code, 429 and 418 with Retry-After, a clock that is off, orders
// that fill in part. A ledger has every order that was taken. All of it is there for
// programs and over HTTP, below /_sim/.
//
// Left out: fees, funding, liquidation, order lists, trailing stops, the percent-price
// filters. A Server is safe for concurrent use.
package binance
