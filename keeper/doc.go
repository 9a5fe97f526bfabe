// Package keeper runs programs so that nothing they start outlives them, and so that
// all of it together stays within limits (Start, Run).
//
// # The keeper
//
// Between this process and the program stands a small one, the keeper: this same
// executable, started anew under the name switchyard-keeper, which package init turns
// into one. It is a subreaper (PR_SET_CHILD_SUBREAPER in prctl(2)): whatever the program
// starts stays below the keeper in the tree of processes, also what leaves its process
// group and session, empties its environment and loses its parent. So it can be found,
// counted and ended: when the program ends, when it is told to, when a limit is reached,
// and when this process ends, in whatever way: the keeper hears of that by a pipe. What
// is locked while the program runs the keeper holds, too (Command.Hold), so that whoever
// gets the lock finds nobody left.
//
// One thing gets away: what kills its keeper, which a program can that runs as the same
// user. Programs are configured by the owner; the keeper guards against their mistakes,
// not against their malice.
//
// # Limits
//
// Memory and processor time are bounded twice: for each process by the kernel, and for
// all together by counting ten times a second, so for a moment there may be more. The processor time of those that
// have ended counts too, for the keeper has buried them.
package keeper
