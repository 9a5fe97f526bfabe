// Package okx is OKX (API v5) as an exchange.Exchange: spot and USDT-margined swaps,
// over HTTP and JSON.
//
// OKX trades swaps in contracts. Quantities here are in the base asset, as everywhere,
// and are translated by the size of the contract, which comes with the rules.
//
// Stops are algo orders, with endpoints, ids and states of their own. When one is
// triggered it becomes an order; asking for the stop follows it there, and so does
// cancelling it.
//
// A stop that buys spot at the market is sent with a limit 1 % above its price: of an
// order at the market, a trigger's size would be in the quote coin.
//
// OKX only acknowledges orders and cancellations, each in a list with a code of its own,
// so they are asked for afterwards, for two seconds at most. Orders carry the time after
// which OKX is to drop them (expTime); algo orders can't, and are refused 30 s after
// their timestamp.
//
// Requests that place or cancel are sent once. The only exception is one that OKX
// refused because of the clock: it is sent again with the right time.
//
// Source: https://www.okx.com/docs-v5/en/.
package okx
