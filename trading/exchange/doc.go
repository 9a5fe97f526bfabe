// Package exchange is what trading needs of an exchange: one interface, orders and
// rules in decimals, and errors that say what happened to an order. An Exchange is
// one account on one market, so nothing that belongs to another can be touched
// through it.
//
// The one rule that everything else serves: no order is ever sent twice. A call that
// changes something ends in one of three ways. It returns what the exchange made
// of it; it returns ErrUnknownOutcome, and then nobody knows and the exchange has
// to be asked by client order id (Query) before anything is sent again; or it returns
// another error, and then nothing was done. Implementations never send a second
// time by themselves unless the exchange said that it refused the first.
package exchange
