//go:build linux && libusb

package usb

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/google/gousb"
)

// libusb does transfers by google/gousb. There is one context for as long as the Bus is
// open: it has a goroutine of its own.
type libusb struct{ ctx *gousb.Context }

var _ transfers = (*libusb)(nil)

// openTransfers takes libusb, which finds the device nodes by itself.
func openTransfers(string) (t transfers, err error) {
	defer func() {
		// It panics where libusb can't begin.
		if r := recover(); r != nil {
			t, err = nil, fmt.Errorf("libusb: %v", r)
		}
	}()
	return &libusb{ctx: gousb.NewContext()}, nil
}

func (l *libusb) control(to node, r request, data []byte) (int, error) {
	all, err := l.ctx.OpenDevices(func(d *gousb.DeviceDesc) bool {
		return d.Bus == to.bus && d.Address == to.number
	})
	// There may be an error about some other device, and this one all the same.
	defer func() {
		for _, d := range all {
			d.Close() //nolint:errcheck // there is nothing to lose
		}
	}()
	if len(all) == 0 {
		if err == nil {
			err = gousb.ErrorNotFound
		}
		return 0, errnoOf(err)
	}
	d := all[0]
	d.ControlTimeout = transferLimit // none otherwise
	n, err := d.Control(r.kind, r.code, r.value, r.index, data)
	return n, errnoOf(err)
}

func (l *libusb) close() error { return l.ctx.Close() }

// errnos are what the kernel said to libusb.
var errnos = map[gousb.Error]syscall.Errno{
	gousb.ErrorAccess:   syscall.EACCES,
	gousb.ErrorNoDevice: syscall.ENODEV,
	gousb.ErrorNotFound: syscall.ENOENT,
	gousb.ErrorBusy:     syscall.EBUSY,
	gousb.ErrorTimeout:  syscall.ETIMEDOUT,
	gousb.ErrorPipe:     syscall.EPIPE,
	gousb.ErrorIO:       syscall.EIO,
}

// errnoOf gives an error of libusb the kernel's number, which the rest of this package
// knows.
func errnoOf(err error) error {
	var code gousb.Error
	if !errors.As(err, &code) {
		return err
	}
	if errno, ok := errnos[code]; ok {
		return fmt.Errorf("libusb: %w: %w", err, errno)
	}
	return fmt.Errorf("libusb: %w", err)
}
