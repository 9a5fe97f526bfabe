package usb

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Ensure exactly the device named is unbound and bound, and is there again with its
// network interface.
func TestRebind(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{Rest: time.Nanosecond}, rig()...)
	before := m.tree().String()
	m.must(m.bus.Rebind(t.Context(), "1-3.4.2"))
	m.didExactly("echo 1-3.4.2 > drivers/usb/unbind", "echo 1-3.4.2 > drivers/usb/bind")
	if after := m.tree().String(); after != before {
		t.Errorf("the tree was\n%s\nand is\n%s", before, after)
	}
}

// Ensure a device that a process left unbound or unauthorized is put back, with no more
// than that takes.
func TestRebind_leftBehind(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, rig()...)
	before := m.tree().String()
	m.must(m.write(m.path("bus/usb/drivers/usb/unbind"), "1-3.4.2"))
	if d, _ := m.tree().Device("1-3.4.2"); d.Driver != "" || len(d.Interfaces) > 0 {
		t.Fatalf("unbound, it is %v", d)
	}
	m.did = nil
	m.must(m.bus.Rebind(t.Context(), "1-3.4.2"))
	m.didExactly("echo 1-3.4.2 > drivers/usb/bind")

	m.must(m.write(m.path("bus/usb/devices/1-3.4.1/authorized"), "0"))
	if d, _ := m.tree().Device("1-3.4.1"); d.Authorized || len(d.Interfaces) > 0 {
		t.Fatalf("unauthorized, it is %v", d)
	}
	m.did = nil
	m.must(m.bus.Rebind(t.Context(), "1-3.4.1"))
	m.didExactly("echo 1-3.4.1 > drivers/usb/unbind", "echo 1 > devices/1-3.4.1/authorized", "echo 1-3.4.1 > drivers/usb/bind")
	if after := m.tree().String(); after != before {
		t.Errorf("the tree was\n%s\nand is\n%s", before, after)
	}
}

// Ensure nothing is written about what isn't there, and a hub is left alone.
func TestRebind_refused(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, rig()...)
	for p, want := range map[Path]error{"1-3.3": ErrGone, "": ErrGone, "../1-3.1": ErrGone, "1-3.4": ErrRefused, "usb1": ErrRefused} {
		if err := m.bus.Rebind(t.Context(), p); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", p, err, want)
		}
	}
	m.didExactly()
}

// Ensure a device that leaves the bus while it is unbound isn't bound.
func TestRebind_leaves(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, small()...)
	m.bus.write = func(path, text string) error {
		err := m.write(path, text)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.present("1-3.2") {
			m.unplug("1-3.2")
		}
		return err
	}
	if err := m.bus.Rebind(t.Context(), "1-3.2"); !errors.Is(err, ErrGone) {
		t.Errorf("returned %v", err)
	}
	m.didExactly("echo 1-3.2 > drivers/usb/unbind")
}

// Ensure what was unbound is bound though the context has ended, also in the rest
// between, and that one that ended before has nothing done.
func TestRebind_cancelled(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{Rest: time.Hour}, small()...)
	ctx, cancel := context.WithCancel(t.Context())
	m.fail = func(what string) error {
		if strings.HasSuffix(what, "unbind") {
			cancel()
		}
		return nil
	}
	m.must(m.bus.Rebind(ctx, "1-3.2"))
	m.didExactly("echo 1-3.2 > drivers/usb/unbind", "echo 1-3.2 > drivers/usb/bind")
	if err := m.bus.Rebind(ctx, "1-3.2"); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	m.didExactly()
}

// Ensure a bind that fails is tried once more, one that somebody else did is fine, and
// what the kernel says is passed on as what it means.
func TestRebind_fails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		at   string
		errs []error
		want error // nil: it works
		says string
	}{
		"unbinding not permitted": {"unbind", []error{fs.ErrPermission}, ErrNotPermitted, "udev rule"},
		"read-only":               {"unbind", []error{syscall.EROFS}, ErrNotPermitted, "container"},
		"unbound by another":      {"unbind", []error{syscall.ENODEV}, nil, ""},
		"unbinding fails":         {"unbind", []error{syscall.EIO}, syscall.EIO, "taking 1-3.2 off its driver"},
		"bound by another":        {"bind", []error{syscall.EBUSY}, nil, ""},
		"bind fails once":         {"bind", []error{syscall.EIO}, nil, ""},
		"bind fails":              {"bind", []error{syscall.EIO, syscall.EPROTO}, syscall.EPROTO, "putting 1-3.2 back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := boot(t, Options{}, small()...)
			m.fail = func(what string) (err error) {
				if strings.HasSuffix(what, "/"+tt.at) && len(tt.errs) > 0 {
					err, tt.errs = tt.errs[0], tt.errs[1:]
					if errors.Is(err, syscall.EBUSY) {
						m.mu.Lock()
						defer m.mu.Unlock()
						m.configure(m.gadgets["1-3.2"])
					}
				}
				return err
			}
			err := m.bus.Rebind(t.Context(), "1-3.2")
			if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("returned %v, want %v", err, tt.want)
			}
		})
	}
}

// Ensure a stick that takes no configuration when it is bound isn't taken for one that
// works.
func TestRebind_dead(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, small()...)
	m.bus.write = func(path, text string) error {
		m.gadgets["1-3.2"].interfaces = nil
		return m.write(path, text)
	}
	m.gadgets["1-3.2"].net = ""
	m.must(os.RemoveAll(m.path("bus/usb/devices/1-3.2:1.0")))
	m.must(os.RemoveAll(m.path("bus/usb/devices/1-3.2:1.1")))
	m.must(os.RemoveAll(m.path("bus/usb/devices/1-3.2:1.2")))
	if err := m.bus.Rebind(t.Context(), "1-3.2"); err == nil || !strings.Contains(err.Error(), "switch its port off and on") {
		t.Errorf("returned %v", err)
	}
}

// Ensure an unbind that blocks in the kernel lets its caller go after the limit, that the
// device then counts as stuck and the others don't, and that it is bound when the kernel
// comes back after all.
func TestRebind_stuck(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{WriteLimit: 50 * time.Millisecond}, rig()...)
	// A FIFO that nobody reads: the write blocks as in the kernel. Bind goes to another.
	unbind, bind := fifo(t), fifo(t)
	m.bus.write = func(path, text string) error {
		switch filepath.Base(path) {
		case "unbind":
			path = unbind
		case "bind":
			path = bind
		}
		return writeFile(path, text)
	}
	p := Path("1-3.4.2")
	if err := m.bus.Rebind(t.Context(), p); !errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), "1-3.4.2") {
		t.Fatalf("returned %v", err)
	}
	if !m.bus.Stuck(p) || m.bus.Stuck("1-3.4.1") {
		t.Errorf("stuck: %t, another: %t", m.bus.Stuck(p), m.bus.Stuck("1-3.4.1"))
	}
	for what, err := range map[string]error{
		"a second": m.bus.Rebind(t.Context(), p),
		"power":    m.bus.SetPower(t.Context(), "1-3.4", 2, true),
		"a close":  m.bus.Close(),
	} {
		if !errors.Is(err, ErrStuck) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := m.bus.Tree(); err != nil {
		t.Errorf("the tree: %v", err)
	}
	// The kernel comes back.
	if got := read(t, unbind); got != "1-3.4.2" {
		t.Errorf("unbound %q", got)
	}
	if got := read(t, bind); got != "1-3.4.2" {
		t.Errorf("bound %q", got)
	}
	m.bus.opts.WriteLimit = time.Minute
	m.must(m.bus.Close())
	if m.bus.Stuck(p) {
		t.Error("it still is stuck")
	}
	if err := m.bus.Rebind(t.Context(), p); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// fifo makes a file that blocks whoever opens it.
func fifo(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skipf("no FIFO can be made here: %v", err)
	}
	return name
}

// read takes what was written to a FIFO.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Ensure calls about one device come one after the other, and that whoever waits for
// its turn stops with its context.
func TestRebind_oneAtATime(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, small()...)
	begun, goOn := make(chan struct{}), make(chan struct{})
	m.fail = func(what string) error {
		if strings.HasSuffix(what, "unbind") && m.done() == "" {
			close(begun)
			<-goOn
		}
		return nil
	}
	errs := make(chan error, 2)
	go func() { errs <- m.bus.Rebind(t.Context(), "1-3.2") }()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.bus.Rebind(ctx, "1-3.2"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting, it returned %v", err)
	}
	go func() { errs <- m.bus.Rebind(t.Context(), "1-3.2") }()
	close(goOn)
	m.must(<-errs)
	m.must(<-errs)
	once := []string{"echo 1-3.2 > drivers/usb/unbind", "echo 1-3.2 > drivers/usb/bind"}
	m.didExactly(append(once, once...)...)
}

// Ensure a device whose names can't be read, as the kernel has it locked, doesn't hold up
// the tree, and has its names once they can.
func TestTree_lockedDevice(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, small()...)
	product := m.path(m.where("1-3.2") + "/product")
	m.must(os.Remove(product))
	if err := syscall.Mkfifo(product, 0o600); err != nil {
		t.Skipf("no FIFO can be made here: %v", err)
	}
	m.bus.names.limit = 10 * time.Millisecond
	for range 2 {
		if d, ok := m.tree().Device("1-3.2"); !ok || d.Name != "" || d.Mode != Modem {
			t.Errorf("locked, it is %v", d)
		}
	}
	m.must(os.WriteFile(product, []byte("HUAWEI_MOBILE\n"), 0)) // the kernel lets go
	m.bus.names.limit = time.Minute
	if d, _ := m.tree().Device("1-3.2"); d.Name != "HUAWEI_MOBILE" {
		t.Errorf("it is %v", d)
	}
}

// Ensure how long a call may take goes by a clock that nobody sets.
func TestCall_clock(t *testing.T) {
	t.Parallel()
	c := &call{}
	c.allow(time.Minute)
	if until := c.until.Load().String(); !strings.Contains(until, " m=") { // the monotonic one
		t.Errorf("it may take until %s", until)
	}
}
