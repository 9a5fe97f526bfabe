package netaddr

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// setAddress is what the client of TestMain does.
func setAddress(name, address string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(address)
	if err != nil {
		return err
	}
	return netlink.AddrAdd(l, a)
}

// enter takes the test's thread into a new network namespace, for good, and lays
// a cable in it that is down and has no address. Commands run on this thread, so
// they are in it too.
func enter(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		t.Skipf("no network namespace can be made here, which takes root: %v", err)
	}
	t.Cleanup(func() { must(t, ns.Close()) })
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "dg11"}, PeerName: "far"}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// here is an assigner that knows of nobody who looks after the interface.
func here(t *testing.T, opt Options) *Assigner {
	t.Helper()
	a := New(opt)
	a.run = t.TempDir()
	return a
}

// holds tells what the interface holds, and whether it is up.
func holds(t *testing.T) (up bool, addrs []string) {
	t.Helper()
	k, err := openKernel()
	must(t, err)
	defer k.close()
	all, err := k.links()
	must(t, err)
	for _, l := range all {
		if l.name == "dg11" {
			for _, a := range l.addrs {
				addrs = append(addrs, a.String())
			}
			return l.up, addrs
		}
	}
	return false, nil
}

// Ensure the real kernel's interface is brought up and given the address, by a
// client and without one, and that one which is right takes no right to change
// anything.
func TestEnsure_kernel(t *testing.T) {
	t.Parallel()
	long := 5 * time.Minute
	for name, tt := range map[string]struct {
		opt  Options
		want []string
		err  error
		says string
	}{
		"static":          {opt: Options{Static: true}, want: []string{right}},
		"client":          {opt: Options{Client: ClientCommand, Command: []string{os.Args[0], asClient, "{interface}", right}, Wait: long}, want: []string{right}},
		"client, reset":   {opt: Options{Client: ClientCommand, Command: []string{os.Args[0], asClient, "{interface}", "192.168.8.100/24"}, Wait: 300 * time.Millisecond, Static: true}, want: []string{"192.168.8.100/24"}, err: ErrSubnet},
		"client fails":    {opt: Options{Client: ClientCommand, Command: []string{os.Args[0], asClient, "no-{interface}", right}, Wait: long, Static: true}, want: []string{right}},
		"client is stuck": {opt: Options{Client: ClientCommand, Command: []string{"sh", "-c", "sleep 600; true", "{interface}"}, Wait: 100 * time.Millisecond}, err: ErrNoAddress, says: "did not end within 100ms"},
		"client stays":    {opt: Options{Client: ClientCommand, Command: []string{"sh", "-c", `sleep 3 & exec "$@"`, "sh", os.Args[0], asClient, "{interface}", right}, Wait: long}, want: []string{right}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enter(t)
			err := here(t, tt.opt).Ensure(t.Context(), "dg11", 11)
			if (err != nil) != (tt.err != nil) || tt.err != nil && !errors.Is(err, tt.err) || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("returned %v, want %v that says %q", err, tt.err, tt.says)
			}
			if up, addrs := holds(t); !up || !slices.Equal(addrs, tt.want) {
				t.Errorf("up %t, with %q, want %q", up, addrs, tt.want)
			}
			if err != nil {
				return
			}
			drop(t)
			again := Options{Client: ClientCommand, Command: []string{"/nonexistent", "{interface}"}, Wait: long}
			if err := here(t, again).Ensure(t.Context(), "dg11", 11); err != nil {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

// Ensure an address that somebody else brings is seen when it comes.
func TestEnsure_kernelManaged(t *testing.T) {
	t.Parallel()
	enter(t)
	a := here(t, Options{Wait: 5 * time.Minute})
	watch := a.watch
	brought := make(chan error, 1)
	a.watch = func() (changes, error) {
		w, err := watch()
		must(t, err)
		h, err := netlink.NewHandle() // of this thread's namespace
		must(t, err)
		go func() {
			defer h.Close()
			brought <- bring(h)
		}()
		return w, nil
	}
	if err := a.Ensure(t.Context(), "dg11", 11); err != nil {
		t.Error(err)
	}
	must(t, <-brought)
}

// bring gives the interface its address once somebody has brought it up.
func bring(h *netlink.Handle) error {
	for {
		l, err := h.LinkByName("dg11")
		if err != nil {
			return err
		}
		if l.Attrs().Flags&net.FlagUp == 0 {
			runtime.Gosched()
			continue
		}
		a, err := netlink.ParseAddr(right)
		if err != nil {
			return err
		}
		return h.AddrAdd(l, a)
	}
}

// Ensure a process without the capability is told why it can do nothing.
func TestEnsure_notPermitted(t *testing.T) {
	t.Parallel()
	enter(t)
	drop(t)
	err := here(t, Options{Static: true}).Ensure(t.Context(), "dg11", 11)
	if !errors.Is(err, ErrNotPermitted) {
		t.Errorf("returned %v", err)
	}
	if err := here(t, Options{Static: true}).Ensure(t.Context(), "dg12", 12); !errors.Is(err, ErrNoInterface) {
		t.Errorf("without an interface, returned %v", err)
	}
}

// Ensure a command ends with its context, and what it has started ends with it.
func TestEnsure_commandCancelled(t *testing.T) {
	t.Parallel()
	enter(t)
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	ready := t.TempDir() + "/ready"
	must(t, unix.Mkfifo(ready, 0o600))
	ended := make(chan error, 1)
	go func() {
		f, err := os.Open(ready) // when the child of the script opens it
		cancel(stopped)
		if err == nil {
			_, err = io.ReadAll(f) // until it has ended
			err = errors.Join(err, f.Close())
		}
		ended <- err
	}()
	a := here(t, Options{Client: ClientCommand, Command: []string{"sh", "-c", `sleep 600 3> "$1" & wait`, "{interface}", ready}, Wait: 5 * time.Minute, Static: true})
	if err := a.Ensure(ctx, "dg11", 11); !errors.Is(err, stopped) {
		t.Errorf("returned %v", err)
	}
	select {
	case err := <-ended:
		must(t, err)
	case <-time.After(30 * time.Second):
		t.Fatal("what the command had started goes on")
	}
	if _, addrs := holds(t); addrs != nil {
		t.Errorf("it has %q", addrs)
	}
}

// drop takes CAP_NET_ADMIN from the test's thread.
func drop(t *testing.T) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	must(t, unix.Capget(&header, &data[0]))
	data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	must(t, unix.Capset(&header, &data[0]))
}
