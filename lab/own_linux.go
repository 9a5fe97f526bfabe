package main

import "syscall"

// ownGroup keeps a Ctrl-C at the terminal from the machine and the processes under test, and
// has the kernel end them when this one dies.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
