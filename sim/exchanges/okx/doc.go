// Package okx is an OKX (API v5) for the demo and for tests: spot and USDT-margined
// swaps under one address, one wallet for both, prices that a test sets. It is stricter
// than the original where a client's mistake would show nowhere else: members that a
// request doesn't have are refused, and numbers that aren't sent as text. It is laxer
// in one thing: a client's id may be used again once its order has ended, so that
// sending an order twice is not saved by the exchange.
//
// As with the original, orders and cancellations are only acknowledged, one by one in a
// list with codes of their own; stops are algo orders with ids of their own, that become
// orders when they are triggered; swaps are traded in contracts, not in coins; and an
// order whose expTime has passed is dropped.
//
// What goes wrong can be told to it: answers lost before or after the request was
// done, errors of any code, a clock that is off, orders that fill in part or aren't to be
// seen at first. A ledger has every order that was taken. All of it is there for
// programs and over HTTP, below /_sim/.
//
// Left out: fees, funding, liquidation, margin trading on spot, orders with take-profit
// and stop-loss attached, the limits of rate but for those of orders. A Server is safe
// for concurrent use.
package okx
