// Package deploy brings a project up to date by the steps of its pipeline, each a program,
// and undoes them when one fails (Deployer). Pipelines come from the configuration of the
// worker; what came of each step stands in a journal (tasks.DeploymentProgress), its
// output in a log without secrets, of which the end is kept.
//
// # Interruptions
//
// Before a step's program is started the journal says that it is in progress, and is
// written where the next worker finds it (Hooks.Note). So a worker that takes a deployment
// up after another knows what may have happened. A step that was in progress then was
// interrupted: how far it came nobody knows, so it is run again only if its pipeline calls
// it safe, and a few times at most. If not, the deployment has failed and is rolled back,
// as after any other failure. A step of the roll-back is no different: one that was
// interrupted and is not safe ends the roll-back, which has failed.
//
// # How it ends
//
// A step fails by its exit status, its timeout or a limit. What was not begun is skipped,
// and if anything was, the steps of the roll-back follow, in their order; the first that
// fails ends it. A deployment that is cancelled has its program ended, politely first
// (SIGTERM), and is rolled back likewise; a roll-back can't be cancelled. When the worker
// stops, the program is ended and the deployment left to the next one.
//
// With a step's program ends all that it has started (package keeper). While a deployment
// works it holds a lock on the project's directory, and so do the keepers of its programs:
// what a worker that died has left behind is gone before anybody else begins. A deployment
// doesn't go on on another machine: what it did there can't be undone here.
//
// # Concurrency
//
// A Deployer is safe for concurrent use. That the deployments of one project run one after
// the other is seen to by the order of their jobs, and the lock.
package deploy
