// Package access says who calls the HTTP API and what they may do. It decides;
// how a refusal is worded and sent is the API's.
//
// A Guard holds the rules of the configuration (auth, and of http the trusted
// proxies, server names, allowed origins and the rate limit). Use replaces them
// as a whole while requests are under way: each question is answered by the old
// rules or by the new ones, never by some of both.
//
// # Who calls
//
// A caller has rights by an API key or by an address, never by both: a request
// with a key that nobody knows is refused although its address alone would do,
// so that a mistyped key shows at once. Keys are compared by their SHA-256, in
// constant time, with each configured one. With neither keys nor networks
// configured nobody is asked, and callers from loopback may do everything; no
// credential is looked at then.
//
// The address is that of the connection. From a trusted proxy it is the last
// one in X-Forwarded-For that is no trusted proxy: what stands left of it was
// written by others and is not looked at.
//
// # Browsers
//
// A browser lends its network address to every page it shows, so a right that
// comes from an address is held against two more things: the Host header must
// name this server (a foreign name that resolves to it is DNS rebinding), and
// what acts must come from an own page or an allowed origin.
//
// Guard is safe for concurrent use.
package access
