// Package cloudflare blocks addresses by Cloudflare's IP Access Rules, releases
// them, and finds the rules that cover one: in one account, for all of its zones,
// or in single zones, as configured.
//
// # What is promised
//
//   - What was asked for already is a success that says so: blocking an address
//     that is blocked, releasing one that isn't. A rule of another mode (a
//     challenge, whitelist) is made one that blocks, and the outcome tells what
//     it was; releasing leaves it alone.
//   - Every step can be done again. A job that is taken up anew, since its worker
//     died or its try failed, goes on where its result so far ends, and knows a
//     rule that it has made itself by the job's id in the rule's note.
//   - With several scopes, what could be done is done: the result tells scope by
//     scope, the error how many are left.
//   - An error says in words what Cloudflare had against it, and whether another
//     try makes sense (Temporary): 429, 5xx, and what the network does. The token
//     stands in none of them.
//
// # How
//
// The wire is cloudflare-go's package firewall, alone: its root client is a large
// program by itself. It never tries again by itself here; its caller does. Hooks
// are asked before every request, so that who pays for requests and who owns the
// job have their say. A Client is safe for concurrent use.
package cloudflare
