package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// niceness of the program's processes: whatever else runs here goes first.
const niceness = 10

// ticks is how many of them the kernel counts in a second (USER_HZ); it is 100 on
// every architecture that Go knows.
const ticks = 100

// watched starts the program and waits for its end, and for that of all it started.
// The error says why it didn't succeed.
func watched(ctx context.Context, cmd *exec.Cmd, s Spec, mark string, out *results) error {
	g := &gang{mark: []byte(Mark + "=" + mark), known: map[int]member{}, page: int64(os.Getpagesize())}
	if err := g.end(ctx); err != nil { // what an earlier try left
		return err
	}
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		// The parent of the program is a thread, at whose end it gets its signal.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("starting the strategy's program: %w", err)
	}
	g.leader = cmd.Process.Pid
	if err := s.bound(g.leader); err != nil {
		// It was killed because of this: how it ended is told, but is not the reason.
		endErr := g.end(context.WithoutCancel(ctx))
		return errors.Join(fmt.Errorf("%w (it ended with %v)", err, <-ended), endErr)
	}
	cause := s.watch(ctx, g, out, ended)
	if err := g.end(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if errors.Is(cause, errGoing) {
		cause = nil
	} else if err := <-ended; cause == nil {
		cause = err
	}
	return cause
}

// bound sets the limits of the kernel. The program has not come far by now.
func (s Spec) bound(pid int) error {
	cpu := uint64(max(1, (s.CPU+time.Second-1)/time.Second))
	for _, l := range []struct {
		what       int
		soft, hard uint64
	}{{unix.RLIMIT_DATA, uint64(s.Memory), uint64(s.Memory)}, {unix.RLIMIT_CPU, cpu, cpu + 1}, {unix.RLIMIT_CORE, 0, 0}} {
		err := unix.Prlimit(pid, l.what, &unix.Rlimit{Cur: l.soft, Max: l.hard}, nil)
		if err != nil && !errors.Is(err, unix.ESRCH) { // it may have ended
			return fmt.Errorf("bounding the strategy's program: %w", err)
		}
	}
	// A courtesy: where a service manager forbids it (SystemCallFilter=~@resources), the
	// program runs all the same.
	_ = unix.Setpriority(unix.PRIO_PGRP, pid, niceness)
	return nil
}

// errGoing: the program ended by itself, with success.
var errGoing = errors.New("ended")

// watch returns when the program has ended, or has to: errGoing or why.
func (s Spec) watch(ctx context.Context, g *gang, out *results, ended chan error) error {
	timeout := time.NewTimer(s.Timeout)
	defer timeout.Stop()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			switch failed := out.failed(); {
			case failed != nil:
				err = failed
			case err == nil:
				return errGoing
			case signalled(err, syscall.SIGXCPU):
				err = s.tooMuchCPU()
			}
			ended <- nil // for who waits for the end once more
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timeout.C:
			return &LimitError{fmt.Sprintf("took longer than %s, and was ended", s.Timeout)}
		case <-tick.C:
			if err := out.failed(); err != nil {
				return err
			}
			n, memory, cpu, led := g.count()
			if !led && n > 0 {
				// The program has ended, and those it left behind may hold its output.
				if err := g.end(context.WithoutCancel(ctx)); err != nil {
					return err
				}
				continue
			}
			switch {
			case memory > s.Memory:
				return &LimitError{fmt.Sprintf("used more than %d MiB of memory, and was ended", s.Memory>>20)}
			case cpu > s.CPU:
				return s.tooMuchCPU()
			case n > maxProcesses:
				return &LimitError{fmt.Sprintf("had more than %d processes, and was ended", maxProcesses)}
			}
		}
	}
}

func (s Spec) tooMuchCPU() error {
	return &LimitError{fmt.Sprintf("used more than %s of processor time, and was ended", s.CPU)}
}

func signalled(err error, sig syscall.Signal) bool {
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == sig
}

// gang is the program and all that it started.
type gang struct {
	mark   []byte
	leader int // and the number of its process group; 0: there is none
	page   int64
	// known says of processes, by number, whether they belong to it.
	known map[int]member
	// gone is the processor time of those that have ended.
	gone time.Duration
}

type member struct {
	started string // in ticks since boot: with the number it names a process for good
	ours    bool
	looks   int // at its environment
	cpu     time.Duration
}

// looks is how often the environment of a process is read that isn't ours: it can't
// become so, but just after its start it may not be readable yet.
const looks = 3

// process is what the kernel says of one.
type process struct {
	pid     int
	parent  int
	zombie  bool
	started string
	cpu     time.Duration
	pages   int64
}

// members reads /proc.
func (g *gang) members() []process {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // only a bad pattern is an error
	var all []process
	alive := map[int]bool{}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		p, group, ok := stat(dir)
		if !ok {
			continue // it has just ended
		}
		p.pid = pid
		m := g.known[pid]
		if m.started != p.started {
			m = member{started: p.started}
		}
		m.ours = m.ours || g.leader != 0 && group == g.leader
		if !m.ours && m.looks < looks {
			m.looks++
			m.ours = g.marked(dir)
		}
		alive[pid] = true
		m.cpu = p.cpu
		g.known[pid] = m
		all = append(all, p)
	}
	g.adopt(all)
	var out []process
	for _, p := range all {
		if g.known[p.pid].ours && !p.zombie {
			out = append(out, p)
		}
	}
	for pid, m := range g.known {
		if !alive[pid] {
			if m.ours {
				g.gone += m.cpu
			}
			delete(g.known, pid)
		}
	}
	return out
}

// adopt takes in the children of those that belong to it, whatever they have made of
// their group and their environment.
func (g *gang) adopt(all []process) {
	for more := true; more; {
		more = false
		for _, p := range all {
			if m := g.known[p.pid]; !m.ours && g.known[p.parent].ours {
				m.ours, more = true, true
				g.known[p.pid] = m
			}
		}
	}
}

func (g *gang) marked(dir string) bool {
	env, err := os.ReadFile(filepath.Join(dir, "environ"))
	if err != nil {
		return false // of the kernel, or of somebody else
	}
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if bytes.Equal(v, g.mark) {
			return true
		}
	}
	return false
}

// stat reads /proc/N/stat (proc_pid_stat(5)): the name in brackets may hold anything,
// so what counts begins behind the last one.
func stat(dir string) (p process, group int, ok bool) {
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return p, 0, false
	}
	end := strings.LastIndexByte(string(text), ')')
	if end < 0 {
		return p, 0, false
	}
	f := strings.Fields(string(text[end+1:]))
	const ( // their numbers in the manual, less the three in front
		state, ppid, pgrp, utime, stime, starttime, rss = 0, 1, 2, 11, 12, 19, 21
	)
	if len(f) <= rss {
		return p, 0, false
	}
	number := func(i int) int64 { n, _ := strconv.ParseInt(f[i], 10, 64); return n }
	p = process{
		parent: int(number(ppid)), zombie: f[state] == "Z" || f[state] == "X", started: f[starttime], pages: number(rss),
		cpu: time.Duration(number(utime)+number(stime)) * time.Second / ticks,
	}
	return p, int(number(pgrp)), true
}

// count is how many processes there are, what they use, and whether the program itself
// is among them.
func (g *gang) count() (n int, memory int64, cpu time.Duration, led bool) {
	for _, p := range g.members() {
		n++
		led = led || p.pid == g.leader
		memory += p.pages * g.page
		cpu += p.cpu
	}
	return n, memory, cpu + g.gone, led
}

// endPause is the pause between two looks at who is left.
const endPause = 5 * time.Millisecond

// end ends all of them. What is started while they are ended is ended, too.
func (g *gang) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	tick := time.NewTicker(endPause)
	defer tick.Stop()
	for {
		if g.leader != 0 {
			// One signal for the group as it is: none of them can slip away by forking.
			_ = syscall.Kill(-g.leader, syscall.SIGKILL) // who is gone needs none
		}
		left := g.members()
		for _, p := range left {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d processes of the strategy's program can't be ended", len(left))
		}
	}
}
