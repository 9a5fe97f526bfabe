// Package app wires the roles of a process from its configuration: api, worker,
// scheduler, in any combination. It is what the command runs, and what tests
// run with addresses of their own.
//
// An App is started and stopped once. Start returns when every role is ready,
// waiting for Redis if it is away; a second Stop and a Stop before Start do
// nothing. Nothing here reads the environment, handles signals or exits.
//
// # Stopping
//
// The order keeps promises to those outside first: /readyz turns off; requests
// that wait for a job are answered and the HTTP servers end; what happens by
// the clock stops; the worker stops as its package says; the host says that it
// is gone; Redis is closed.
//
// The demo (StartDemo) is an App with everything it talks to simulated beside
// it in the same process.
package app
