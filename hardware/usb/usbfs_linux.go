package usb

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// usbfs does transfers by the kernel's own files.
type usbfs struct{ dev string }

var _ transfers = usbfs{}

// controlTransfer is struct usbdevfs_ctrltransfer of linux/usbdevice_fs.h. The compiler
// puts the same gap before the pointer as C does, on 32 and on 64 bits.
type controlTransfer struct {
	kind, code           uint8
	value, index, length uint16
	timeout              uint32 // milliseconds
	data                 unsafe.Pointer
}

// usbdevfsControl is USBDEVFS_CONTROL, _IOWR('U', 0, struct usbdevfs_ctrltransfer).
const usbdevfsControl = 3<<30 | uint(unsafe.Sizeof(controlTransfer{}))<<16 | 'U'<<8

func (u usbfs) control(to node, r request, data []byte) (int, error) {
	name := filepath.Join(u.dev, "bus", "usb", fmt.Sprintf("%03d", to.bus), fmt.Sprintf("%03d", to.number))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		if _, folderErr := os.Stat(filepath.Join(u.dev, "bus", "usb")); folderErr != nil {
			return 0, fmt.Errorf("%w: device nodes are missing: %w", ErrNotPermitted, err)
		}
		return 0, err
	}
	defer f.Close() //nolint:errcheck // there is nothing to lose
	t := controlTransfer{
		kind: r.kind, code: r.code, value: r.value, index: r.index,
		length: uint16(len(data)), timeout: uint32(transferLimit.Milliseconds()),
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	if len(data) > 0 {
		pin.Pin(&data[0])
		t.data = unsafe.Pointer(&data[0])
	}
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), uintptr(usbdevfsControl), uintptr(unsafe.Pointer(&t)))
	runtime.KeepAlive(f)
	if errno != 0 {
		return 0, &os.PathError{Op: "control", Path: name, Err: errno}
	}
	return int(n), nil
}

func (usbfs) close() error { return nil }
