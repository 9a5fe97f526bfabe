package usb

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Ensure the kernel's own messages are heard: those of a network namespace of the test's
// own, so nothing of this machine's.
func TestWatch_kernel(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread() // and it ends with the test
	ns, err := netns.New()
	if err != nil {
		t.Skipf("no network namespace can be made here, which takes root: %v", err)
	}
	defer ns.Close()
	b := New(Options{})
	events, err := b.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "near0"}, PeerName: "far0"}); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case e := <-events:
			if e == (Event{Action: "add", Subsystem: "net", Interface: "near0"}) {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				return
			}
		case <-t.Context().Done():
			t.Fatal("the kernel's message did not come")
		}
	}
}

// Ensure usbfs is asked at the right file, with the structure that the kernel expects,
// and that what keeps it from being asked is told apart.
func TestUsbfs(t *testing.T) {
	t.Parallel()
	if unsafe.Sizeof(uintptr(0)) == 8 {
		if size, at := unsafe.Sizeof(controlTransfer{}), unsafe.Offsetof(controlTransfer{}.data); size != 24 || at != 16 || usbdevfsControl != 0xc0185500 {
			t.Errorf("the structure is %d bytes, its data at %d, the request %#x", size, at, usbdevfsControl)
		}
	}
	dev := t.TempDir()
	ask := func() error {
		_, err := usbfs{dev}.control(node{1, 12}, request{kind: fromHub, code: getDescriptor}, make([]byte, 8))
		return err
	}
	if err := ask(); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("without device nodes: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dev, "bus", "usb", "001"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := ask(); !absent(err) {
		t.Errorf("without the device's: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dev, "bus", "usb", "001", "012"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(); !errors.Is(err, syscall.ENOTTY) {
		t.Errorf("a file that is no device: %v", err)
	}
}
