// Package bybit is a Bybit (API v5, unified account) for the demo and for tests: spot
// and linear contracts under one address, one wallet for both, prices that a test
// sets. It is stricter than the original where a client's mistake would show nowhere
// else: members that a request doesn't have are refused, and numbers that aren't sent
// as text. It is laxer in one thing: a client's id may be used again once its order
// has ended, so that sending an order twice is not saved by the exchange.
//
// As with the original, orders and cancellations are only acknowledged; what became of
// them has to be asked for, and errors come with HTTP 200.
//
// What goes wrong can be told to it: answers lost before or after the request was
// done, errors of any code, 403 and 429, a clock that is off, orders that fill in part,
// that are refused after they were acknowledged, or that aren't to be seen at first. A
// ledger has every order that was taken. All of it is there for programs and over
// HTTP, below /_sim/.
//
// Left out: fees, funding, liquidation, margin trading, orders with take-profit and
// stop-loss attached. A Server is safe for concurrent use.
package bybit
