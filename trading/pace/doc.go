// Package pace keeps all workers together within the limits of the exchanges: what an
// address may ask, by weight, and what an account may order. An order waits for its
// turn, and is told how long it has waited.
//
// The rates stand in Redis (package limits) and are kept below the exchange's own by
// a tenth, since people trade with the same accounts and addresses, too. What the
// exchange says has been used counts more than what was reckoned here. When it says
// that it was too much, everybody stops: for as long as it says, those of the account
// or the address that it means; a ban stops all requests from the address.
package pace
