// Package metrics holds every metric of the project in one place: its name, its
// help, its labels, and the method by which a layer reports it. Nothing else
// here knows Prometheus.
//
// Each process has one Metrics with a registry of its own; nothing is global. A
// nil *Metrics may be used and does nothing, so that a part under test needs
// none. Every method is safe for concurrent use and costs well below a
// microsecond: they stand on the way of every request and job.
//
// Labels take their values from sets that the program or its configuration
// fixes (job types, outcomes, route patterns, queues, hosts), never from what
// a request brings: a path that matches no route is "none", a foreign method
// "other". No metric tells a chat, an address or a URL.
//
// What is counted happens in this process. What stands in Redis (queues, hosts,
// debts) is read when somebody asks, at most once in Fresh, by the processes
// that have the whole in view (api and scheduler); each of them tells the same,
// so take max, not sum, over instances.
package metrics
