// Package bybit is Bybit (API v5, unified account) as an exchange.Exchange: spot and
// linear contracts, over HTTP and JSON.
//
// Bybit only acknowledges orders and cancellations, so each is asked for afterwards,
// until it is to be seen and, for an order at the market and a cancellation, until it
// has ended; for two seconds at most. An order that was acknowledged is never taken for
// refused because it can't be seen. An order that the matching engine refused comes
// back as an error.
//
// Errors come with HTTP 200 and a retCode. Where Bybit has one code for many things
// (10001), its words tell them apart.
//
// Requests that place or cancel are sent once. The only exception is one that Bybit
// refused because of the clock: it is sent again with the right time.
//
// Source: https://bybit-exchange.github.io/docs/v5/.
package bybit
