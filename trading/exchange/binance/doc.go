// Package binance is Binance as an exchange.Exchange: spot and USD-M futures, over
// HTTP and JSON. The libraries there are lose what matters here (status,
// Retry-After, whether a request was sent at all), so this is a client of its own for
// the dozen requests that trading needs.
//
// Stops on futures are algo orders, at endpoints of their own and by other names;
// spot has them among the others. A stop is sent as a stop or as a take-profit,
// whichever Binance takes for the side that the price is on.
//
// Requests that place or cancel are sent once. The only exception is one that
// Binance refused because of the clock: it is sent again with the right time.
package binance
