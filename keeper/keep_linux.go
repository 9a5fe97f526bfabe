package keeper

import (
	"bufio"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// countEvery is how often what a program and all it started use is counted.
	countEvery = 100 * time.Millisecond
	// endPause is the pause between two looks at who is left.
	endPause = 5 * time.Millisecond
)

// init makes a keeper of a process that was started as one, before it becomes anything
// else: a server, or somebody's test.
func init() {
	if len(os.Args) > 0 && os.Args[0] == processName {
		// Not os.Exit, which under the race detector waits a second for reports.
		syscall.Exit(keep(os.NewFile(controlFD, "control"), os.NewFile(reportFD, "report")))
	}
}

// keep is the life of a keeper; it returns its exit status.
func keep(control, reports *os.File) int {
	syscall.CloseOnExec(controlFD)
	syscall.CloseOnExec(reportFD)
	syscall.CloseOnExec(holdFD)
	// And whatever who started us was started with (a kernel before 5.11 can't).
	_ = unix.CloseRange(reportFD+1, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	// A service manager may signal all processes of a unit. The keeper ends with the pipe;
	// ignoring the signals would make the program ignore them.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	tell := json.NewEncoder(reports)
	in := bufio.NewReader(control)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return 1 // who started it has ended
	}
	var o order
	if err := json.Unmarshal(line, &o); err != nil {
		return 1
	}
	pid, err := o.start()
	first := report{PID: pid}
	if err != nil {
		first.Error = err.Error()
		if !errors.As(err, &first.Errno) {
			first.Errno = 0
		}
	}
	tellErr := tell.Encode(first)
	if err != nil {
		return 1
	}
	k := &kept{order: o, pid: pid, stop: make(chan struct{}), ended: make(chan syscall.WaitStatus, 1), empty: make(chan struct{})}
	go k.listen(in)
	go k.bury()
	if tellErr = errors.Join(tellErr, tell.Encode(k.watch())); tellErr != nil {
		return 1 // nobody is left who wants to know
	}
	return 0
}

// start starts the program.
func (o order) start() (pid int, err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	path, err := o.path()
	if err != nil {
		return 0, err
	}
	p, err := os.StartProcess(path, o.Argv, &os.ProcAttr{
		Dir: o.Dir, Env: o.Env, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		// A session of its own: all process groups in it are the program's.
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: 0},
	})
	if err != nil {
		return 0, err
	}
	pid = p.Pid
	_ = p.Release() // bury waits for it, as for all others
	// The program's output is open as long as the program has it open.
	if null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		for fd := range 3 {
			_ = unix.Dup3(null, fd, 0) // where it fails, the output ends with the keeper
		}
	}
	if err := o.bound(pid); err != nil {
		return 0, errors.Join(err, syscall.Kill(-pid, syscall.SIGKILL))
	}
	return pid, nil
}

// path is where the program is.
func (o order) path() (string, error) {
	if len(o.Argv) == 0 || o.Argv[0] == "" {
		return "", errors.New("there is no program")
	}
	if strings.Contains(o.Argv[0], "/") {
		return o.Argv[0], nil
	}
	for _, v := range o.Env {
		path, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			file := filepath.Join(dir, o.Argv[0])
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return file, nil
			}
		}
	}
	return "", errors.New("it is in no directory of its PATH")
}

// bound sets the limits of the kernel. The program has not come far by now.
func (o order) bound(pid int) error {
	limits := map[int]unix.Rlimit{unix.RLIMIT_CORE: {}}
	if o.Memory > 0 {
		limits[unix.RLIMIT_DATA] = unix.Rlimit{Cur: uint64(o.Memory), Max: uint64(o.Memory)}
	}
	if o.CPU > 0 {
		seconds := uint64(max(1, (o.CPU+time.Second-1)/time.Second))
		limits[unix.RLIMIT_CPU] = unix.Rlimit{Cur: seconds, Max: seconds + 1} // first SIGXCPU, which tells why; then SIGKILL
	}
	for what, l := range limits {
		if err := unix.Prlimit(pid, what, &l, nil); err != nil && !errors.Is(err, unix.ESRCH) { // it may have ended
			return err
		}
	}
	if o.Nice != 0 {
		// A courtesy: where it is forbidden (SystemCallFilter=~@resources) it runs all the same.
		_ = unix.Setpriority(unix.PRIO_PGRP, pid, o.Nice)
	}
	return nil
}

// kept is a program that runs, as its keeper sees it.
type kept struct {
	order
	pid   int
	stop  chan struct{}           // closed: all is to end
	ended chan syscall.WaitStatus // the program's end
	empty chan struct{}           // closed: it has no child left, and so no descendant
}

// listen obeys who started it.
func (k *kept) listen(control *bufio.Reader) {
	defer close(k.stop)
	for {
		b, err := control.ReadByte()
		if err != nil {
			return // io.EOF, and nothing else ends a pipe
		}
		if b == terminate {
			_ = syscall.Kill(-k.pid, syscall.SIGTERM) // it may have ended
		}
	}
}

// bury waits for every child: the program, and all that have lost their parents.
func (k *kept) bury() {
	defer close(k.empty)
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return // ECHILD
		case pid == k.pid:
			k.ended <- status
		}
	}
}

// watch returns when there is nobody left.
func (k *kept) watch() report {
	var r report
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	stop, ending := k.stop, false
	giveUp := make(<-chan time.Time)
	end := func() {
		if !ending {
			ending, giveUp = true, time.After(endLimit)
			tick.Reset(endPause)
		}
		k.kill()
	}
	exited := func(status syscall.WaitStatus) {
		r.Code, r.Signal = status.ExitStatus(), 0
		if status.Signaled() {
			r.Code, r.Signal = -1, status.Signal()
		}
		if r.Signal == syscall.SIGXCPU && k.CPU > 0 {
			r.Limit = CPU
		}
		r.Killed = ending && r.Limit == ""
	}
	for {
		select {
		case status := <-k.ended:
			exited(status)
			end()
		case <-stop:
			stop = nil
			end()
		case <-tick.C:
			if !ending {
				if r.Limit = k.over(); r.Limit == "" {
					continue
				}
			}
			end()
		case <-giveUp:
			r.Left = len(descendants())
			return r
		case <-k.empty:
			select {
			case status := <-k.ended:
				exited(status)
			default:
			}
			r.CPU = buried()
			return r
		}
	}
}

// over is the limit that they have reached together.
func (k *kept) over() Limit {
	all := descendants()
	memory, cpu := int64(0), buried()
	for _, p := range all {
		memory += p.memory
		cpu += p.cpu
	}
	switch {
	case k.Memory > 0 && memory > k.Memory:
		return Memory
	case k.CPU > 0 && cpu > k.CPU:
		return CPU
	case k.Processes > 0 && len(all) > k.Processes:
		return Processes
	}
	return ""
}

// buried is the processor time of the children that have ended, and of theirs.
func buried() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// kill ends all there are at this moment. A group is ended in one piece: none of it can
// slip away by forking.
func (k *kept) kill() {
	all := descendants()
	own := syscall.Getpgrp()
	groups := map[int]bool{}
	for _, p := range all {
		if p.group > 1 && p.group != own && !groups[p.group] {
			groups[p.group] = true
			_ = syscall.Kill(-p.group, syscall.SIGKILL) // who is gone needs none
		}
	}
	for _, p := range all {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
	}
}
