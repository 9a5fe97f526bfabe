package redisserver

import "syscall"

// dieWithParent has the kernel end the server when this process dies, however
// it dies. The kernel means the thread that started it: see Restart.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
