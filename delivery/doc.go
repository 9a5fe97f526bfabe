// Package delivery is all outgoing HTTP: what is owed to whom when a job starts
// or ends, and the attempts at telling them.
//
// A job that others are told of leaves a debt in the script that changes it
// (package jobs). The Settler turns debts into delivery jobs, one for each
// receiver, and into messages, one for each chat that asked, with ids that follow
// from the fact. It strikes a debt off only when they are accepted; so nothing is
// forgotten and nothing doubled, however often it dies in between. It runs where
// deliveries run, never on a proxy host: hosts know neither these receivers nor
// their secrets.
//
// A Deliverer makes one attempt of a delivery job: it finds the receiver's
// address in the configuration (a delivery holds only its name, since the
// address may hold a secret), and has the Sender post the document.
//
// A Pusher posts the status document of a proxy host, on that host, to the
// receivers that are configured there (package worker says when).
//
// # Promises
//
//   - A start is tried once: its job is never run again once a worker has
//     claimed it. A result is tried up to callbacks.max_attempts times under
//     one webhook-id; it can arrive twice only if the worker dies between
//     sending and recording.
//   - A receiver gets the result of a job after its start, or after the try at
//     its start. All receivers are told in parallel; a dead one takes up at
//     most delivery.per_destination handlers.
//   - A push is posted once to each of its receivers, to all at the same time.
//     It is never tried again.
//   - The Sender posts exactly the given bytes, signs them, follows no redirect
//     and is through within its timeout. URLs that came with a request reach no
//     loopback, private, link-local or metadata address, checked on the address
//     that is dialled. Nothing of a URL but its host is ever recorded.
//
// All types are safe for concurrent use.
package delivery
