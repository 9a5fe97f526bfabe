package main

import (
	"fmt"
	"net"
)

// notifier tells the service manager what has become of the process, as
// sd_notify(3) does: one datagram to the socket named in NOTIFY_SOCKET. It is nil
// where nobody asked to be told.
func (e *env) notifier() func(state string) error {
	socket := e.get("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	return func(state string) error {
		// A name that begins with @ is of the abstract kind, which net knows.
		c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			return fmt.Errorf("reaching the service manager (NOTIFY_SOCKET): %w", err)
		}
		defer c.Close() //nolint:errcheck // what was written is gone already
		if _, err := c.Write([]byte(state)); err != nil {
			return fmt.Errorf("telling the service manager (NOTIFY_SOCKET): %w", err)
		}
		return nil
	}
}
