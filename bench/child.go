package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime/pprof"
	"time"
)

// Parts that run in a process of their own are this same program, started
// again as "bench child KIND". The parent writes what is to be done to its
// standard input as one line of JSON, the child answers with one line once it
// runs, and ends when its input does, so that none outlives its parent.

// childArg is the name under which this program starts itself.
const childArg = "child"

// children by kind. Each starts what it is told and returns where it listens,
// if it does, and how to end it.
var children = map[string]func(context.Context, childSpec) (addr string, stop func(context.Context) error, err error){
	"api":       apiChild,
	"noop":      noopChild,
	"workers":   workersChild,
	"scheduler": schedulerChild,
	"plain":     plainChild,
	"socket":    socketChild,
	"hub":       hubChild,
}

// childSpec is what a child is told.
type childSpec struct {
	Redis   string
	Dir     string
	Count   int    // of hosts or servers
	Profile string // where its CPU profile goes, if anywhere
}

type childReady struct{ Addr string }

// leaveLimit bounds a child's end.
const leaveLimit = 30 * time.Second

func runChild(ctx context.Context, kind string, in io.Reader, out io.Writer) error {
	f := children[kind]
	if f == nil {
		return fmt.Errorf("no such child: %q", kind)
	}
	input := bufio.NewReader(in)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading what to do: %w", err)
	}
	var spec childSpec
	if err := json.Unmarshal(line, &spec); err != nil {
		return fmt.Errorf("reading what to do: %w", err)
	}
	addr, stop, err := f(ctx, spec)
	if err != nil {
		return err
	}
	endProfile, err := profileTo(spec.Profile)
	if err != nil {
		return errors.Join(err, stop(ctx))
	}
	b, err := json.Marshal(childReady{addr})
	if err == nil {
		_, err = fmt.Fprintf(out, "%s\n", b)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, input) // until the parent wants no more
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveLimit)
	defer cancel()
	return errors.Join(err, endProfile(), stop(ctx))
}

// child is the parent's side of one.
type child struct {
	addr string
	pid  int
	cmd  *exec.Cmd
	in   io.Closer
}

func startChild(ctx context.Context, kind string, spec childSpec) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("looking for this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, childArg, kind)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", kind, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", kind, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", kind, err)
	}
	c := &child{cmd: cmd, in: in, pid: cmd.Process.Pid}
	var ready childReady
	line, err := json.Marshal(spec)
	if err == nil {
		_, err = fmt.Fprintf(in, "%s\n", line)
	}
	if err == nil {
		err = json.NewDecoder(out).Decode(&ready)
	}
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", kind, errors.Join(err, c.stop()))
	}
	c.addr = ready.Addr
	return c, nil
}

// stop has the child end and waits for it.
func (c *child) stop() error {
	t := time.AfterFunc(leaveLimit, func() { _ = c.cmd.Process.Kill() })
	defer t.Stop()
	// Its own end of the pipe may be gone already.
	_ = c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("child process: %w", err)
	}
	return nil
}

// profileTo starts a CPU profile, unless path is empty, and returns how to end
// it.
func profileTo(path string) (end func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("creating the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, fmt.Errorf("starting the profile: %w", errors.Join(err, f.Close()))
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}

// newLog returns a log that costs what the product's does and that nobody
// reads.
func newLog() (*slog.Logger, io.Closer, error) {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the log: %w", err)
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelInfo})), f, nil
}
