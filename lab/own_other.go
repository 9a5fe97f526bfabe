//go:build !linux

package main

import "syscall"

// ownGroup keeps a Ctrl-C at the terminal from the machine and the processes under test.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
