// Package signal reads what arrives at the trading webhook: the body of a request
// becomes a Signal, in which every field has one name, every value one spelling
// and every number its exact decimals. It does no I/O and knows no account, group
// or exchange.
//
// The checks have an order that clients know (a wrong token is not told which
// side is unknown), and no caller can get it wrong, because each stage is made by
// the one before:
//
//	message, err := signal.Parse(body)     // JSON, then the required fields
//	admitted, err := message.Admit(groups) // the group, then its token
//	sig, err := admitted.Values()          // the values, then the number of orders
//
// What is left to the caller is to find the accounts of sig.Exchange, and to
// answer ErrNoAccounts where there are none. Every error is an *Error, with the
// status and the words of the answer.
//
// # Nothing is guessed
//
// Spelling is forgiven, contradiction isn't: a field that stands there twice with
// two values is refused, under whichever of its names, as is an order of a batch
// that names another side or symbol than the batch. Fields that nobody knows are
// passed over, since clients send their own notes along, and named in
// Signal.Ignored.
//
// # Secrets
//
// A Message holds the token, and prints as a word. An Admitted and a Signal have
// none. Mask is what may be kept of a body, also of one that Parse refuses.
package signal
