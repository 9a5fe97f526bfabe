package hardware

import (
	"context"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// bindToDevice keeps a socket to one interface (SO_BINDTODEVICE, which needs no
// privilege on a socket that is not yet bound since Linux 5.7).
func bindToDevice(name string) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, _ string, c syscall.RawConn) error {
		var err error
		if ctlErr := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), name) }); ctlErr != nil {
			return fmt.Errorf("reaching the socket: %w", ctlErr)
		}
		if err != nil {
			return fmt.Errorf("binding to interface %s: %w", name, err)
		}
		return nil
	}
}
