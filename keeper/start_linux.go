package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// processName is the keeper's, by which the executable knows that it is one.
const processName = "switchyard-keeper"

// What the keeper has beside the program's own standard files.
const (
	controlFD = 3 // an order, then bytes; its end is the order to end
	reportFD  = 4
	holdFD    = 5 // where there is one to hold
)

// Start starts a program; it runs by now. Whoever starts it waits for it (Wait). Errors:
// why it can't be started, those of the kernel as syscall.Errno.
func Start(c Command) (*Process, error) {
	text, err := json.Marshal(order{Argv: c.Argv, Env: c.Env, Dir: c.Dir, Nice: c.Nice, Limits: c.Limits})
	if err != nil {
		return nil, fmt.Errorf("writing the keeper's order: %w", err)
	}
	theirControl, control, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making the keeper's pipes: %w", err)
	}
	defer theirControl.Close() //nolint:errcheck // the keeper has its own copy
	reports, theirReports, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the keeper's pipes: %w", err), control.Close())
	}
	defer theirReports.Close() //nolint:errcheck // the keeper has its own copy

	p := &Process{control: control, done: make(chan struct{})}
	cmd := exec.Command("/proc/self/exe") //nolint:noctx // it ends with the pipe, and ends its children first
	cmd.Args, cmd.Env = []string{processName}, []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, p.guarded(c.Stdout), p.guarded(c.Stderr)
	cmd.ExtraFiles = []*os.File{theirControl, theirReports}
	if c.Hold != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, c.Hold)
	}
	// Away from the terminal, whose Ctrl-C is for this process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// Once the keeper is gone all that could hold the output has ended, or can't be.
	cmd.WaitDelay = endLimit
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the keeper: %w", err), control.Close(), reports.Close())
	}
	decoder := json.NewDecoder(reports)
	var first report
	if _, err = control.Write(append(text, '\n')); err == nil {
		_ = theirReports.Close() // so that the keeper's end is that of the reports
		err = decoder.Decode(&first)
	}
	if err == nil && first.PID == 0 {
		err = first.startError(c.Argv)
	}
	if err != nil {
		closeErr := errors.Join(control.Close(), reports.Close())
		if waitErr := cmd.Wait(); first.PID == 0 && first.Error == "" {
			err = fmt.Errorf("starting the keeper: %w", errors.Join(err, waitErr))
		}
		return nil, errors.Join(err, closeErr)
	}
	p.PID = first.PID
	go p.await(decoder, reports, cmd.Wait)
	return p, nil
}
