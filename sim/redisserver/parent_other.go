//go:build !linux

package redisserver

import "syscall"

// dieWithParent keeps a Ctrl-C at the terminal from reaching the server before
// its owner has used it to shut down in order.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
