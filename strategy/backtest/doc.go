// Package backtest counts what a portfolio would have come to: one that is rebalanced
// at the end of each month (Monthly), and what is said of any curve of values
// (Measure).
//
// A strategy sees prices through a View, which ends at the day of the decision: there
// is no way to look ahead. What is decided at a close is bought and sold at that close,
// for a cost that is a part of the amount; money that isn't allocated is cash, without
// interest. Fractions of a share are held.
package backtest
