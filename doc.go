// Package switchyard is the root of the module and holds no code: it is the
// map of the house. Switchyard replaces five separate systems (proxy
// callbacks, a WebSocket, strategy execution, an infrastructure API and a
// trading webhook) by one: requests become jobs in Redis, workers execute
// them, and everyone who waits for an outcome hears of it by event.
//
//	cmd/switchyard/   main: flags, signals, one sub-command a file
//	app/              wires a role (api, worker, scheduler, all); what tests run
//	api/              HTTP: requests → jobs, results ← jobs; WebSocket, pages
//	worker/           asynq servers; task → domain call → result
//	scheduler/        what happens by the clock, as records like any other
//	hardware/         a proxy host and its LTE dongles
//	delivery/         outgoing HTTP: signing, address guard, recording
//	cloudflare/       IP Access Rules: block, release, search
//	telegram/         messages to chats, and commands from them
//	trading/          the webhook's orders (signal/), how much of what (sizing/),
//	                  carrying them out (execution/) on accounts (venue/) at
//	                  exchanges (exchange/), paced (pace/), and kept (book/)
//	webhooks/         what Discord, Slack and others are posted, and in which words
//	strategy/         backtests over daily prices, and programs of one's own
//	vitals/           how the machine is
//	deploy/           projects brought up to date by the steps of their pipelines
//	services/         to come
//	tasks/            the contract between producers and workers; no I/O
//	jobs/             the record of every job in Redis
//	hosts/            the registry of proxy hosts, the state of their dongles
//	orders/           what clients ask for, checked and made drafts of
//	notices/          what chats are told of jobs, in words
//	intake/           what the trading webhook was sent: a memory, a log
//	executions/       of strategies: their numbers, the document that others see
//	steplogs/         what the steps of deployments have written
//	keeper/           runs programs; nothing that they start outlives them
//	alerts/           what people should know of: since when, and whether it is over
//	limits/           rates that all processes share, in Redis
//	events/           event types, Redis streams, in-process hub
//	metrics/          every metric: name, help, labels
//	logs/             the log files of a process, beside standard error
//	configs/          configuration: load, validate, defaults
//	sim/              the outside world for the demo and for tests
//	deployments/      what it is run by: container and systemd files, their checks
//	bench/  chaos/    measurements and fault injection; never part of the tests
//	lab/              a proxy host with a real USB, emulated, and its repairs
//
// Dependencies run one way:
//
//	cmd → app → {api, worker, scheduler} → domain → {tasks, jobs, orders, notices, intake, executions, steplogs, keeper, alerts, limits, events, hosts, configs, metrics, logs}
//
// The api accepts work and never does it, so it imports no domain package but
// pure catalogs. Domain packages know neither asynq nor HTTP servers, so each
// can be read, tested and replaced without the machinery around it. The table
// that says all of this exactly stands in house_test.go, which enforces it.
package switchyard
