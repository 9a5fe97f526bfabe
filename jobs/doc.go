// Package jobs keeps the record of every job in Redis and hands its attempts
// to asynq. It is the one place that decides what happened to a job.
//
// # Promises
//
//   - Accepted means kept. Record, indexes, join key, Idempotency-Key,
//     job_event and asynq's own task are written by one script (accept.lua). A
//     request that was refused or answered 503 left nothing behind; when the
//     reply was lost, Accept reads the record to find out. Where that fails too,
//     it answers "unavailable" and withdraws the job as soon as Redis is back
//     (withdraw.lua); only a worker that is faster than that can still run it.
//   - One handler at a time. asynq's task names a job and an attempt, and
//     claim.lua gives one attempt to one handler: any other is told "stale"
//     (the job moved on) or "held" (somebody has it).
//   - Outcomes are ours. asynq carries work; it never retries for us and its
//     archive is not used. finish.lua ends a job, again.lua makes its next
//     attempt, both only for the handler that owns the attempt, so one that
//     was taken for dead can't overwrite its successor. Both may be repeated
//     after a lost reply.
//   - Nothing is left lying. rescue.lua takes over an unfinished job whose
//     worker is gone or whose task asynq no longer knows; Sweeper runs it over
//     all of them. It holds still for one heartbeat TTL after Redis was away,
//     since an outage makes everybody look dead.
//   - Order by key. Jobs with one order key run one after the other as
//     accepted; the script that ends one (finish.lua) hands out the next.
//     There is no lock that could be left behind.
//   - Join. While a job with a join key is unfinished, the same request joins
//     it (join.lua); each chat and callback URL is served once.
//   - What is owed is written with the fact. When a job that others are told
//     of starts or ends, the same script (claim.lua, finish.lua) notes it in
//     the set of debts (Owed); package delivery turns debts into jobs of their
//     own and strikes them off only then.
//   - What comes by the clock comes once. due.lua makes the job that is due on a
//     host in a period unless there has been one, whoever asks and how often; such
//     a job leaves nothing behind (vanish.lua).
//   - A repeat is answered as the first. Under an Idempotency-Key a request has
//     its turn (begin.lua, turn.lua) and its answer is kept, whatever it asks;
//     and accept.lua remembers the job, which a repeat finds (seen.lua) where no
//     answer was kept.
//   - Cancel and run again: cancel.lua, reopen.lua. Retention: drop.lua. The jobs
//     of a host that is no more are failed, not forgotten (Evict).
//
// Every script is in scripts/, with its keys and answers above it. Every key
// a script touches is passed to it. Scripts get the time as an argument (Redis'
// clock as Store.Now knows it); being alive is a score compared with it, and
// TTLs only collect garbage.
//
// # Homes
//
// The records of a host's jobs live under the host's own prefix
// (sw:v1:h:<host>:…), all others under sw:v1:…, so that Redis' access control
// can keep a proxy host to its own. The index of the job's type tells which.
//
// # Concurrency
//
// Store, Process and Claim are safe for concurrent use; a Sweeper is for one
// goroutine.
package jobs
