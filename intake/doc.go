// Package intake keeps, in Redis, what the trading webhook was sent: a memory of what
// was accepted a moment ago, so that a request that is sent again makes no second
// order, and a log of every request for people.
//
// # Memory
//
// The first request under a key is claimed before anything is made of it. Everything
// that is then made of it has ids that follow from the claim, so whoever sends the
// same again, to whichever process, or after one has died in the middle, comes to the
// same jobs. A claim is never taken back: nobody can say for certain that nothing came
// of it.
//
// # Log
//
// Requests of groups and those that were refused are kept apart, 30 days and so many
// of each, so that strangers' requests push out no others. What is kept of a body has
// no token in it.
package intake
