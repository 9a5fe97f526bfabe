package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"switchyard/keeper"
)

// Spec is how a program is run.
type Spec struct {
	// Argv is the program, as a path from the root, and its arguments.
	Argv []string
	// Dir is its working directory; empty: one of its own.
	Dir string
	// Environment are the variables that it gets, as NAME=value.
	Environment []string
	// Timeout of a run.
	Timeout time.Duration
	// CPU is the processor time that all its processes may use together.
	CPU time.Duration
	// Memory, in bytes.
	Memory int64
}

// Input is what a program reads.
type Input struct {
	Execution  int64           `json:"execution_id"`
	Strategy   string          `json:"strategy"`
	Version    string          `json:"version"`
	Parameters json.RawMessage `json:"parameters"`
}

// Output is what came of it.
type Output struct {
	// Result is a JSON object.
	Result json.RawMessage
	// Errors is the end of what it wrote to its standard error.
	Errors string
}

const (
	// maxResult is the largest result, in bytes: it is kept in Redis, and posted.
	maxResult = 256 << 10
	// maxOutput is the most that is read of its standard output.
	maxOutput = 4 << 20
	// keptErrors is how much is kept of its standard error.
	keptErrors = 4 << 10
	// maxProcesses is the most that it may have at once.
	maxProcesses = 64
	// niceness of its processes: whatever else runs here goes first.
	niceness = 10
)

// LimitError: the program was ended because it went too far.
type LimitError struct{ Words string }

// Error implements error.
func (e *LimitError) Error() string { return "the strategy's program " + e.Words }

// Run runs a program to its end. report hears of its progress, in percent. Output has
// what it wrote to its standard error in any case. Errors: a *LimitError, what is wrong
// with the program or its answer in words, or that of ctx.
func Run(ctx context.Context, s Spec, in Input, report func(percent int)) (Output, error) {
	input, err := json.Marshal(in)
	if err != nil {
		return Output{}, fmt.Errorf("writing the program's input: %w", err)
	}
	dir := s.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "switchyard-strategy-"); err != nil {
			return Output{}, fmt.Errorf("making the program's directory: %w", err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // what is left of it is the system's to clean up
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.Timeout, &LimitError{fmt.Sprintf("took longer than %s, and was ended", s.Timeout)})
	defer cancel()
	stderr := &tail{most: keptErrors}
	stdout := &results{report: report}
	err = keeper.Run(ctx, keeper.Command{
		Argv: s.Argv, Dir: dir, Env: s.Environment, Stdin: bytes.NewReader(input), Stdout: stdout, Stderr: stderr, Nice: niceness,
		Limits: keeper.Limits{CPU: s.CPU, Memory: s.Memory, Processes: maxProcesses},
	})
	out := Output{Errors: stderr.String()}
	if failed := stdout.failed(); failed != nil {
		return out, failed
	}
	if err != nil {
		return out, s.explain(err, out.Errors)
	}
	out.Result, err = stdout.last()
	return out, err
}

// explain says a failure in words: a limit with its figure, an exit with what the
// program said itself, the last line of it.
func (s Spec) explain(err error, said string) error {
	var limit *keeper.LimitError
	if errors.As(err, &limit) {
		switch limit.Limit {
		case keeper.CPU:
			return &LimitError{fmt.Sprintf("used more than %s of processor time, and was ended", s.CPU)}
		case keeper.Memory:
			return &LimitError{fmt.Sprintf("used more than %d MiB of memory, and was ended", s.Memory>>20)}
		case keeper.Processes:
			return &LimitError{fmt.Sprintf("had more than %d processes, and was ended", maxProcesses)}
		}
	}
	var exit *keeper.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	words := "the strategy's program has failed: " + exit.Error()
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		words += ": " + last
	}
	return errors.New(words)
}

// tail keeps the end of what is written to it.
type tail struct {
	most int

	mu   sync.Mutex
	kept []byte
	cut  bool
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if n > t.most {
		p = p[n-t.most:]
		t.cut = true
	}
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.most; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
	return n, nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := strings.ToValidUTF8(string(t.kept), "")
	if t.cut {
		s = "…" + s
	}
	return s
}

// results reads a program's standard output as it comes.
type results struct {
	report func(percent int)

	mu     sync.Mutex
	unread []byte
	total  int
	result json.RawMessage
	err    error
	heard  []int // progress that report is still to hear of, without mu: it may take its time
}

// errTooMuch ends a program that doesn't stop talking.
var errTooMuch = &LimitError{fmt.Sprintf("has written more than %d MiB, and was ended", maxOutput>>20)}

// Write implements io.Writer. An error from here ends the copying, so the program gets
// SIGPIPE with its next write.
func (r *results) Write(p []byte) (int, error) {
	n, heard, err := r.add(p)
	for _, percent := range heard {
		r.report(percent)
	}
	return n, err
}

func (r *results) add(p []byte) (n int, heard []int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { heard, r.heard = r.heard, nil }()
	if r.err != nil {
		return 0, nil, r.err
	}
	if r.total += len(p); r.total > maxOutput {
		r.err = errTooMuch
		return 0, nil, r.err
	}
	r.unread = append(r.unread, p...)
	r.read(false)
	if r.err != nil {
		return 0, nil, r.err
	}
	return len(p), nil, nil
}

// read takes whole documents from what is unread. A document is whole when its line
// has ended, or the output has.
func (r *results) read(end bool) {
	d := json.NewDecoder(bytes.NewReader(r.unread))
	for read := int64(0); ; {
		var doc json.RawMessage
		err := d.Decode(&doc)
		switch {
		case errors.Is(err, io.EOF):
			r.unread = nil
			return
		case errors.Is(err, io.ErrUnexpectedEOF) && !end:
			if r.unread = bytes.Clone(r.unread[read:]); len(r.unread) > maxResult {
				r.err = fmt.Errorf("the strategy's program has written a document of more than %d KiB", maxResult>>10)
			}
			return
		case err != nil:
			r.err = errors.New("the strategy's program has written something to its standard output that is no JSON; what is for people belongs on standard error")
			return
		}
		read = d.InputOffset()
		if r.take(doc); r.err != nil {
			return
		}
	}
}

func (r *results) take(doc json.RawMessage) {
	var members map[string]json.RawMessage
	if doc[0] != '{' || json.Unmarshal(doc, &members) != nil {
		r.err = errors.New("the strategy's program has written a JSON value that is no object")
		return
	}
	var percent float64
	if p, ok := members["progress"]; ok && len(members) == 1 && json.Unmarshal(p, &percent) == nil {
		r.heard = append(r.heard, int(min(max(percent, 0), 100)))
		return
	}
	r.result = doc
}

// failed is what is wrong with what was written so far.
func (r *results) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// last is the result, once the program has ended.
func (r *results) last() (json.RawMessage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read(true)
	switch {
	case r.err != nil:
		return nil, r.err
	case r.result == nil:
		return nil, errors.New("the strategy's program has written no result: a JSON object on its standard output")
	case len(r.result) > maxResult:
		return nil, fmt.Errorf("the strategy's program has written a result of more than %d KiB", maxResult>>10)
	}
	return r.result, nil
}
