//go:build linux && libusb

package usb

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/google/gousb"
)

// Ensure what libusb says is known as what the kernel said to it, and stays to be read.
func TestErrnoOf(t *testing.T) {
	t.Parallel()
	for code, want := range errnos {
		if err := errnoOf(fmt.Errorf("wrapped: %w", code)); !errors.Is(err, want) || !errors.Is(err, code) {
			t.Errorf("%v: %v, want %v", code, err, want)
		}
	}
	for _, err := range []error{gousb.ErrorOverflow, errors.New("other")} {
		if got := errnoOf(err); !errors.Is(got, err) || errors.As(got, new(syscall.Errno)) {
			t.Errorf("%v: %v", err, got)
		}
	}
	if err := errnoOf(nil); err != nil {
		t.Errorf("no error is %v", err)
	}
	if err := told("asking", errnoOf(gousb.ErrorAccess)); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("no access: %v", err)
	}
}

// Ensure libusb is opened and closed by the Bus, and says of a device that isn't there
// that it isn't.
func TestLibusb(t *testing.T) {
	t.Parallel()
	w := wire{open: func() (transfers, error) { return openTransfers("") }}
	if _, err := w.control(node{bus: 200, number: 127}, request{kind: fromHub, code: getDescriptor}, make([]byte, 8)); err == nil || !absent(err) {
		t.Errorf("a device that isn't there: %v", err)
	}
	if err := errors.Join(w.close(), w.close()); err != nil {
		t.Errorf("closing: %v", err)
	}
}
