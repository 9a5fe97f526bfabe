// Package ws is the WebSocket of the API: everything that happens, live, to whoever may
// see it (Server), and a few commands the other way. Its messages are those of the
// dashboards that were there before: docs/websocket.md has them all.
//
// # How an event gets to a client
//
// The streams in Redis reach every process by events.Hub, whoever wrote them. A Server
// gathers them (broadcast.go) and flushes at most a few times a second: of figures the
// newest of each host, lines of the log together, every other event as a message of its
// own, none left out. A message is put into the queue of each connection whose
// subscription asks for it (subscription.go). Nobody waits for a connection: one whose
// queue is full is closed, and may come back and ask for what it missed (resume.go).
//
// # How a message of a client's is handled
//
// One goroutine reads a connection, checks each message (message.go) and answers it
// (handle.go); one writes. What is wrong with a message is told by an error message and
// leaves the connection as it is; what is wrong with the protocol closes it.
package ws
