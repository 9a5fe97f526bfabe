// Package wire is what the clients of exchanges have in common below their protocols:
// a request's turn, with all that has to be asked before it is signed, a request that
// tells whether it can have arrived, the exchange's clock, numbers as answers have them,
// and a memory of the rules. Nothing in it knows an exchange: signing, paths, codes and
// what they mean are each client's own.
package wire
