// Package backstage is what a simulator of somebody's HTTP API has that the
// original has not: a ledger of the requests, faults that are set while it runs,
// and an API of its own for both, under /_sim/.
//
// Ledger and Faults are ready as their zero values, and safe for concurrent use.
package backstage
