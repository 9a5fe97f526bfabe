//go:build linux

package command_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forbidden is the variable that makes TestPriorityForbidden the process that is forbidden.
const forbidden = "SWITCHYARD_TEST_FORBIDDEN"

// Ensure a program runs where the priority of processes must not be changed, as in the
// units of deployments/systemd (SystemCallFilter=~@resources).
func TestPriorityForbidden(t *testing.T) {
	t.Parallel()
	if os.Getenv(forbidden) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestPriorityForbidden$")
		cmd.Env = append(os.Environ(), forbidden+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if strings.Contains(string(out), "--- SKIP") {
			t.Skip(string(out))
		}
		return
	}
	forbidPriority(t)
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 1); !errors.Is(err, unix.EPERM) {
		t.Fatalf("it is not forbidden: %v", err)
	}
	if out, _, err := run(t, script(t, `echo '{"a":1}'`)); err != nil || string(out.Result) != `{"a":1}` {
		t.Errorf("%v, %s", err, out.Result)
	}
}

// forbidPriority takes setpriority(2) from all threads of this process, for good.
func forbidPriority(t *testing.T) {
	t.Helper()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SETPRIORITY, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(syscall.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// The filter takes this along to the other threads (SECCOMP_FILTER_FLAG_TSYNC).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Skipf("no filter for system calls: %v", err)
	}
	if _, _, e := syscall.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); e != 0 {
		t.Skipf("no filter for system calls: %v", e)
	}
}
