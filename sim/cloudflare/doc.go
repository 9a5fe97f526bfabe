// Package cloudflare is a Cloudflare that has nothing but IP Access Rules, for the
// demo and for tests: accounts and zones, one token, the paths, envelopes, codes
// and quirks of the original. It is stricter than that one where a client's mistake
// would show nowhere else: parameters and members that don't exist are refused.
//
// What goes wrong can be told to it: errors with a code, 429 with or without
// Retry-After, answers that are late, lost or none of Cloudflare's, before the
// request is done or after. A ledger has every request. All of it is there for
// programs (Fail, Ledger, Rules) and over HTTP, below /_sim/.
//
// A Server is safe for concurrent use.
package cloudflare
