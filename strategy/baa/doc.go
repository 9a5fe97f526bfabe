// Package baa is Bold Asset Allocation by Wouter J. Keller ("Relative and Absolute
// Momentum in Times of Rising/Low Yields: Bold Asset Allocation", 2022, SSRN 4166845):
// at each month's end, the best assets of an offensive universe by slow momentum, or,
// as soon as one canary asset has a negative fast momentum, those of a defensive
// universe, where what is worse than cash is cash.
//
// Where implementations differ, this one follows the paper: the slow momentum takes 13
// closes, the present one among them (footnote 5); the canary is bad below zero, not at
// zero; a defensive asset gives way to BIL when its momentum is less than BIL's.
package baa
