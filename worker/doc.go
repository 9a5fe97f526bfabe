// Package worker executes jobs: it fetches asynq's tasks, claims the attempts
// they name, runs the handlers and records the outcomes.
//
// # Fetching
//
// Each queue has an asynq.Server of its own, so that a full queue never holds
// up another. asynq polls; the doorbell makes that cheap and prompt: a hook on
// the servers' Redis client holds an idle fetch back until the queue's bell is
// rung (by the script that put a task there), or a few seconds have passed. If
// a version of asynq fetched in a way that the hook doesn't recognise, Start
// notices and lets it poll.
//
// For a moment after an outage of Redis nothing is claimed: jobs whose requests
// had to be refused meanwhile are withdrawn first (package jobs).
//
// # Handlers
//
// A Handler gets a context of ours, not asynq's: asynq's ends when Redis is
// away for half a minute, and a modem must not be left half switched because
// of that. Ours ends when the job's limit is reached, when the job is
// cancelled or when the worker stops; context.Cause tells which (ErrLimit,
// jobs.ErrCancelAsked, ErrStopping). The handler then leaves things in order
// and returns. It says what became of the job by its Outcome; a panic is a
// failure. Directly before every effect on the outside world it calls
// Run.Check.
//
// # Stopping
//
// In this order: fetching stops; handlers are cancelled and have
// ShutdownTimeout to end; what they didn't finish is released as its next
// attempt; the asynq servers shut down; the process says that it is gone. A
// second Stop, and one before Start, do nothing.
//
// One file a domain turns tasks into calls of the domain's package and their
// answers into results.
package worker
