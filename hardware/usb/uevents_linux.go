package usb

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// kernelGroup is the kernel's own messages; udev sends its in another.
const kernelGroup = 1

// receiveBuffer holds the messages of a full hub that comes up at once.
const receiveBuffer = 1 << 20

// netlinkSocket hears the kernel's messages.
type netlinkSocket struct {
	f   *os.File
	buf []byte
}

var _ socket = (*netlinkSocket)(nil)

func openUevents() (socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EAFNOSUPPORT) {
		return nil, fmt.Errorf("listening to the kernel's events: %w: %w", errors.ErrUnsupported, err)
	}
	if err != nil {
		return nil, told("listening to the kernel's events", err)
	}
	// As much as may be had: forced takes a capability.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		return nil, errors.Join(told("listening to the kernel's events", err), unix.Close(fd))
	}
	return &netlinkSocket{f: os.NewFile(uintptr(fd), "uevents"), buf: make([]byte, 1<<16)}, nil
}

func (s *netlinkSocket) receive() ([]byte, error) {
	raw, err := s.f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var n int
	var from unix.Sockaddr
	var recvErr error
	err = raw.Read(func(fd uintptr) bool {
		n, from, recvErr = unix.Recvfrom(int(fd), s.buf, 0)
		return !errors.Is(recvErr, unix.EAGAIN)
	})
	if err = errors.Join(err, recvErr); err != nil {
		return nil, fmt.Errorf("hearing the kernel's events: %w", err)
	}
	if k, ok := from.(*unix.SockaddrNetlink); !ok || k.Pid != 0 {
		return nil, nil // another process's: not to be believed
	}
	return s.buf[:n], nil
}

func (s *netlinkSocket) close() error { return s.f.Close() }
