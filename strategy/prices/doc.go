// Package prices is daily prices: from a seeded generator, a folder of CSV files, or
// an HTTP server (Source), and put side by side for a backtest (Align).
//
// # Rules
//
//   - Prices are adjusted: where there is an adjusted close, the open is scaled by the
//     same factor. Without one, the close counts.
//   - A day whose price is blank, "NaN", "null", "N/A" or "-" is a day without a price.
//     What else isn't a number above zero is an error that names file and line, as is
//     a day given twice. The order of the lines doesn't matter.
//   - Of several assets, the days are those on which any of them has a price. One that
//     misses days keeps its last price, for ten days at the most; a longer gap, and a
//     series that ends earlier than the others, is an error that says so (GapError).
//   - An asset has no price before its first one: how a strategy does without is the
//     strategy's to say.
package prices
