// Package strategy executes strategies: the built-in backtests over daily prices, and
// the commands of an installation's own (Runner).
//
//	catalog/    which strategies there are, and their parameters; no I/O
//	prices/     daily prices: generated, of a folder, of an HTTP server
//	backtest/   a portfolio that is rebalanced monthly, and measures of a curve
//	baa/        Bold Asset Allocation
//	crossover/  moving average crossover
//	command/    a strategy that is a program of its own, within limits
//
// An execution has no effect on the world (a command's is its own), so one whose worker
// died is simply executed again. What it is told, and what comes of it, is JSON:
// package catalog has read the parameters, and the callers know the documents.
package strategy
