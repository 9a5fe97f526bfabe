// Package crossover is the moving average crossover: it buys when a short average of
// the closes crosses above a long one, and sells, or goes short, when it crosses below.
//
// The averages cross when the short one was strictly on one side of the long one at the
// close before and is strictly on the other at this one. The first decision is made at
// the day with the index of the long window (counted from 0), when both averages have
// two values. What is decided at a close is done at the next open, with as many whole
// shares as the money allows, commission included; a position is closed at that open
// before the opposite one is opened. A position that is open at the end is closed at
// the open of the last day. All of these follow the example strategy SmaCross of
// backtesting.py, whose published figures it meets.
package crossover
