package keeper

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks is how many of them the kernel counts in a second (USER_HZ); it is 100 on
// every architecture that Go knows.
const ticks = 100

// process is what the kernel says of one.
type process struct {
	pid, parent, group int
	// cpu is its own processor time and that of its children that it has waited for.
	cpu    time.Duration
	memory int64 // bytes in use
}

// descendants are the processes below this one that have not ended.
func descendants() []process {
	children := map[int][]process{}
	dirs, _ := filepath.Glob("/proc/[0-9]*") // only a bad pattern is an error
	for _, dir := range dirs {
		if p, ok := stat(dir); ok {
			children[p.parent] = append(children[p.parent], p)
		}
	}
	all := children[os.Getpid()]
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].pid]...)
	}
	return all
}

// stat reads /proc/N/stat (proc_pid_stat(5)) of a process that has not ended: the name
// in brackets may hold anything, so what counts begins behind the last one.
func stat(dir string) (process, bool) {
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return process{}, false // it has just ended
	}
	end := strings.LastIndexByte(string(text), ')')
	if end < 0 {
		return process{}, false
	}
	f := strings.Fields(string(text[end+1:]))
	const ( // their numbers in the manual, less the three in front
		state, ppid, pgrp, utime, cstime, rss = 0, 1, 2, 11, 14, 21
	)
	if len(f) <= rss || f[state] == "Z" || f[state] == "X" {
		return process{}, false
	}
	number := func(i int) int64 { n, _ := strconv.ParseInt(f[i], 10, 64); return n }
	p := process{parent: int(number(ppid)), group: int(number(pgrp)), memory: number(rss) * int64(os.Getpagesize())}
	for i := utime; i <= cstime; i++ {
		p.cpu += time.Duration(number(i)) * time.Second / ticks
	}
	p.pid, err = strconv.Atoi(filepath.Base(dir))
	return p, err == nil
}
