// Package tasks is the contract between those who produce jobs and those who
// execute them: the job types with their payloads, results, queues and limits.
//
// It does no I/O and knows neither Redis nor HTTP, so every other package may
// import it. A producer (package api) fills a payload and takes queue, key and
// limit from its constructor here; an executor (package worker) reads the same
// payload and returns the same result. Field order and number formats of the
// documents that others receive are fixed here and held by golden tests.
//
// To add a job type: a Type and a row in specs, a payload and a result, and a
// constructor that returns a Draft. Nothing else in the job core changes.
package tasks
