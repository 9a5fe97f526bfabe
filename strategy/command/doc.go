// Package command runs a strategy that is a program of its own: JSON in, JSON out,
// within limits of time, memory, CPU and output (Run).
//
// # What a program sees
//
// On its standard input stands one JSON object (Input), then the end of the file. On
// its standard output it may write objects of the form {"progress": 40} while it works,
// a percentage; the last other object is its result. What it writes to its standard
// error is kept, the end of it. Success is the exit code 0 with a result. Its working
// directory is an empty one that goes when it ends, unless one is configured; its
// environment has the variables that are allowed, and no others.
//
// # How it ends
//
// With the program end all processes that it has started (package keeper): when it ends
// by itself, is too slow or too greedy, or is cancelled, and when the worker is killed.
//
// Memory is bounded twice: each process can't allocate more than the limit, and all
// together may not have more in use. The processes run with a lower priority than the
// worker's own.
package command
