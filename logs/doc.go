// Package logs writes the log files of a process into the directory logs.dir:
//
//	app.log                the whole log, as standard error has it
//	toggle_api.log         toggles: what was asked for, started, tried, and came of it
//	push_status.log        health pushes, one line for each push and receiver
//	last_push_status.json  the last document that was pushed
//
// Logs are rotated at 10 MiB; the document is replaced as a whole, so that a
// reader has the one before or this one. A process has its directory to itself:
// two that rotate one file would lose lines, so the second doesn't start.
//
// A *Files may be nil, which is what Open returns where logs.dir is empty: it
// writes nothing, and everything can be called. All of it is safe for use by
// several goroutines.
//
// Files serve people, and nothing waits for them or fails because of them: a
// line that can't be written (the disk is full) is lost, which is said once on
// standard error, and once more when lines are written again.
package logs
