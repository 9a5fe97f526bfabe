// Package api is the HTTP API: it turns requests into jobs and jobs' results
// into answers. It executes nothing itself.
//
// One router serves every listen address. A request is checked, becomes a job
// (package jobs) and is answered with 202; an endpoint that answers with the
// outcome waits for the job by event, up to a limit, and falls back to 202.
// When Redis is out of reach the answer is 503 with Retry-After within
// redis.command_timeout, and nothing was accepted.
//
// Errors are RFC 9457 problem documents (see Problem) with a code for programs
// and the field at fault, but for the endpoints of the older proxy API, which
// keep that API's own {"error": "…"}. One file a domain holds its operations,
// with their OpenAPI description from the types of input and output.
//
// Every route states the scope that it takes, and New panics where one doesn't;
// package access finds out who calls and whether they have it. Each request has
// an id, and a line in the log that says how it went and for whom.
//
// Server is safe for concurrent use. StopWaiting answers everybody who waits,
// which is the first thing a stopping process does.
package api
