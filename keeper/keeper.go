package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Command is a program and how it is run.
type Command struct {
	// Argv is the program and its arguments. A program without a slash is looked for in
	// the PATH of Env.
	Argv []string
	// Dir is its working directory; empty: that of this process.
	Dir string
	// Env are all its variables, as NAME=value.
	Env []string
	// Stdin is what it reads; nil: nothing.
	Stdin io.Reader
	// Stdout and Stderr get what it writes; nil: nobody does. An error of theirs ends the
	// program.
	Stdout, Stderr io.Writer
	// Nice is its priority, as in nice(1): 0 is that of this process. Where it must not
	// be changed the program runs all the same.
	Nice int
	// Hold stays open until nothing of the program is left, also when this process ends
	// before it: for a file that is locked. The program doesn't have it. nil: none.
	Hold *os.File
	Limits
}

// Limits are what a program and all that it starts may use together. 0 is no limit.
type Limits struct {
	// CPU is processor time.
	CPU time.Duration
	// Memory in bytes: what all have in use, and what each can allocate.
	Memory int64
	// Processes at once.
	Processes int
}

// Limit names a limit.
type Limit string

// The limits.
const (
	CPU       Limit = "cpu"
	Memory    Limit = "memory"
	Processes Limit = "processes"
)

// LimitError: all was ended because it reached a limit.
type LimitError struct{ Limit Limit }

// Error implements error.
func (e *LimitError) Error() string { return "it reached the limit of " + string(e.Limit) }

// ExitError: the program ended without success.
type ExitError struct {
	// Code is its exit status; -1 where a signal ended it.
	Code int
	// Signal is what ended it; 0: it exited.
	Signal syscall.Signal
}

// Error implements error.
func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return "signal: " + e.Signal.String()
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// errKilled: it didn't end by itself, Kill ended it.
var errKilled = errors.New("it was ended")

// endLimit bounds the ending of what a program has started.
const endLimit = 10 * time.Second

// order is what the keeper is told.
type order struct {
	Argv, Env []string
	Dir       string
	Nice      int
	Limits
}

// report is what the keeper tells, twice: at the start and at the end.
type report struct {
	PID int `json:",omitempty"`
	// Error, and its number where the kernel gave one: it didn't start.
	Error  string        `json:",omitempty"`
	Errno  syscall.Errno `json:",omitempty"`
	Code   int
	Signal syscall.Signal
	Killed bool
	Limit  Limit
	CPU    time.Duration
	// Left is how many processes can't be ended.
	Left int
}

// Process is a program that runs.
type Process struct {
	// PID is the number of the program, and of its process group and session.
	PID int

	control *os.File
	once    sync.Once
	done    chan struct{}
	cpu     time.Duration
	err     error
	// broken is the first error of a writer.
	mu     sync.Mutex
	broken error
}

// Run runs a program to its end, or to that of ctx. Errors: what Start and Wait return,
// or the cause of ctx once that ended it.
func Run(ctx context.Context, c Command) error {
	p, err := Start(c)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, p.Kill)()
	err = p.Wait()
	if errors.Is(err, errKilled) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Done is closed when the program and all that it started have ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits for the end of the program and of all it started. It returns nil for exit
// status 0, an *ExitError, a *LimitError, an error of the writers, or another that says
// what is wrong.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// CPU is the processor time that all have used, known once they have ended.
func (p *Process) CPU() time.Duration {
	<-p.done
	return p.cpu
}

// Terminate asks the program's process group to end (SIGTERM); Wait hears of it.
func (p *Process) Terminate() {
	_, _ = p.control.Write([]byte{terminate}) // the keeper may have ended
}

// Kill ends the program and all it started (SIGKILL).
func (p *Process) Kill() { p.once.Do(func() { p.control.Close() }) } //nolint:errcheck // its end is what the keeper waits for

// terminate is what the keeper reads of Terminate.
const terminate = 't'

// guarded ends the program when its output can't be written.
func (p *Process) guarded(w io.Writer) io.Writer {
	if w == nil {
		return nil
	}
	return writer(func(b []byte) (int, error) {
		n, err := w.Write(b)
		if err != nil {
			p.mu.Lock()
			if p.broken == nil {
				p.broken = err
			}
			p.mu.Unlock()
			p.Kill()
		}
		return n, err
	})
}

// writer is a function that is an io.Writer.
type writer func([]byte) (int, error)

// Write implements io.Writer.
func (w writer) Write(b []byte) (int, error) { return w(b) }

// await hears the keeper's second report, and waits for the keeper itself.
func (p *Process) await(reports *json.Decoder, pipe io.Closer, wait func() error) {
	defer close(p.done)
	var r report
	reportErr := reports.Decode(&r)
	waitErr := wait()
	p.Kill()     // nobody is left to control
	pipe.Close() //nolint:errcheck // it was only read
	p.mu.Lock()
	broken := p.broken
	p.mu.Unlock()
	p.cpu = r.CPU
	switch {
	case broken != nil:
		p.err = broken
	case reportErr != nil:
		p.err = fmt.Errorf("what keeps the program has ended: %w", errors.Join(waitErr, reportErr))
	case r.Left > 0:
		p.err = fmt.Errorf("%d processes can't be ended", r.Left)
	case r.Limit != "":
		p.err = &LimitError{r.Limit}
	case r.Killed:
		p.err = errKilled
	case r.Code != 0 || r.Signal != 0:
		p.err = &ExitError{Code: r.Code, Signal: r.Signal}
	default:
		p.err = waitErr
	}
}

// startError is why a program didn't start.
func (r report) startError(argv []string) error {
	name := "no program"
	if len(argv) > 0 {
		name = argv[0]
	}
	if r.Errno != 0 {
		return fmt.Errorf("starting %s: %w", name, r.Errno)
	}
	return fmt.Errorf("starting %s: %s", name, r.Error)
}
