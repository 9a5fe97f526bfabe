package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"switchyard/hosts"
	"switchyard/sim/hilink"
)

const (
	workerDongles = 8
	workerMemory  = 40.0 // MB
	workerReady   = 300 * time.Millisecond
	// workerIdle is how long it runs, after it has read its dongles, before its
	// memory is read.
	workerIdle  = 3 * time.Second
	workerPoll  = 20 * time.Millisecond
	workerLimit = 20 * time.Second
)

// idleWorker measures the real program as the worker of a host with eight
// dongles: the time from its exec until it fetches jobs ("worker started" in
// its log, behind which its registration lies), and the memory it holds after
// it has read its dongles and been idle for a while.
func idleWorker(ctx context.Context, o options) (rows []row, err error) {
	binary, err := buildProgram(ctx, o)
	if err != nil {
		return nil, err
	}
	modems, stop, err := startModems(ctx, workerDongles)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop(ctx)) }()
	var ready []time.Duration
	var memory []float64
	for range o.rounds {
		r, m, err := workerRound(ctx, o, binary, modems)
		if err != nil {
			return nil, err
		}
		ready, memory = append(ready, r), append(memory, m)
	}
	return []row{
		{
			what: "worker, start to ready", ours: millis(median(ready)), against: fmt.Sprintf("slowest of %d %s", len(ready), millis(percentile(ready, 100))),
			target: "<= " + millis(workerReady), verdict: atMost(median(ready), workerReady),
		},
		{
			what: fmt.Sprintf("worker, memory with %d dongles", workerDongles), ours: fmt.Sprintf("%.1f MB", median(memory)),
			against: fmt.Sprintf("largest of %d %.1f MB", len(memory), percentile(memory, 100)),
			target:  fmt.Sprintf("<= %.0f MB", workerMemory), verdict: atMost(median(memory), workerMemory),
		},
	}, nil
}

// buildProgram compiles the real program as it is released.
func buildProgram(ctx context.Context, o options) (binary string, err error) {
	binary = filepath.Join(o.dir, "switchyard")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "switchyard/cmd/switchyard")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return binary, nil
}

func workerRound(ctx context.Context, o options, binary string, modems []*hilink.Modem) (ready time.Duration, memory float64, err error) {
	srv, err := freshRedis(ctx, o)
	if err != nil {
		return 0, 0, err
	}
	defer srv.Stop()
	config := filepath.Join(o.dir, "worker.yaml")
	if err := os.WriteFile(config, []byte(workerConfig(o, srv.Addr(), modems)), 0o600); err != nil {
		return 0, 0, fmt.Errorf("writing the configuration: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, workerLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "serve", "-c", config, "--role", "worker")
	log, err := cmd.StderrPipe()
	if err != nil {
		return 0, 0, fmt.Errorf("starting the worker: %w", err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, fmt.Errorf("starting the worker: %w", err)
	}
	defer func() { err = errors.Join(err, endWorker(cmd)) }()
	if err := awaitLine(log, `msg="worker started"`); err != nil {
		return 0, 0, err
	}
	ready = time.Since(began)
	go func() { _, _ = io.Copy(io.Discard, log) }() // until it ends
	rdb := newClient(srv.Addr(), 1)
	defer rdb.Close()
	if err := awaitCollected(ctx, hosts.New(rdb, time.Hour)); err != nil {
		return 0, 0, err
	}
	if err := pause(ctx, workerIdle); err != nil {
		return 0, 0, err
	}
	memory, err = residentMB(cmd.Process.Pid)
	return ready, memory, err
}

// workerConfig is the configuration file of the worker.
func workerConfig(o options, redis string, modems []*hilink.Modem) string {
	name, ip := benchHost(0)
	var b strings.Builder
	fmt.Fprintf(&b, "redis: {addr: %q}\nhost:\n  name: %s\n  server_ip: %s\n  state_dir: %q\n  echo_urls: [\"http://ip.example.com/\"]\n  dongles:\n",
		redis, name, ip, filepath.Join(o.dir, "state"))
	for _, d := range dongles(modems) {
		fmt.Fprintf(&b, "    - {subnet: %d, modem: %q, gateway: %q}\n", d.Subnet, d.Modem, d.Gateway)
	}
	return b.String()
}

// awaitLine reads until a line holds want.
func awaitLine(r io.Reader, want string) error {
	lines := bufio.NewReader(r)
	said := ""
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return fmt.Errorf("the worker ended, or said too much: %w\n%s", err, said)
		}
		if said += line; strings.Contains(line, want) {
			return nil
		}
	}
}

// awaitCollected waits until every dongle was read once.
func awaitCollected(ctx context.Context, registry *hosts.Registry) error {
	name, _ := benchHost(0)
	t := time.NewTicker(workerPoll)
	defer t.Stop()
	for {
		s, err := registry.State(ctx, name)
		if err != nil {
			return err
		}
		if len(s.Dongles) == workerDongles {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the dongles to be read: %w", context.Cause(ctx))
		case <-t.C:
		}
	}
}

// endWorker ends it as an operator would.
func endWorker(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending the worker: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("ending the worker: %w", err)
	}
	return nil
}
