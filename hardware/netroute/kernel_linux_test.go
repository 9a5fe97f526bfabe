package netroute

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is the real kernel in a network namespace of the test's own.
type namespace struct{ system }

var _ lab = namespace{}

// enter takes the test's thread into a new network namespace. The thread is
// never let go of, so it ends with the test and nobody else gets it.
func enter(t *testing.T) namespace {
	t.Helper()
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		t.Skipf("no network namespace can be made here, which takes root: %v", err)
	}
	t.Cleanup(func() { must(t, ns.Close()) })
	k, err := openKernel()
	must(t, err)
	t.Cleanup(k.close)
	return namespace{k.(system)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// close leaves the socket open for the test.
func (namespace) close() {}

// set makes a pair of interfaces for each cable, its other end unused.
func (k namespace) set(t *testing.T, w world) {
	t.Helper()
	index := map[string]int{}
	for _, c := range w.links {
		index[c.name] = k.plug(t, c)
	}
	for _, r := range w.rules {
		to := ofKernel(r)
		if !r.onlySource {
			to.Mark = 7
		}
		must(t, k.h.RuleAdd(to))
	}
	for _, r := range w.routes {
		r.index = index[r.dev]
		must(t, k.setRoute(r))
	}
	for _, c := range w.links {
		if c.down {
			l, err := k.h.LinkByName(c.name)
			must(t, err)
			must(t, k.h.LinkSetDown(l))
		}
	}
}

// plug makes an interface with an address, up, and returns its index.
func (k namespace) plug(t *testing.T, c cable) int {
	t.Helper()
	must(t, k.h.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: c.name}, PeerName: "far-" + c.name}))
	for _, name := range []string{c.name, "far-" + c.name} {
		l, err := k.h.LinkByName(name)
		must(t, err)
		must(t, k.h.LinkSetUp(l))
	}
	l, err := k.h.LinkByName(c.name)
	must(t, err)
	a, err := netlink.ParseAddr(c.address)
	must(t, err)
	must(t, k.h.AddrAdd(l, a))
	return l.Attrs().Index
}

// Ensure the real kernel goes through every state as the fake one does, to the
// letter.
func TestStates_kernel(t *testing.T) {
	t.Parallel()
	for name, w := range states {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := enter(t)
			k.set(t, w)
			check(t, name, play(t, k, 11))
			var once, twice strings.Builder
			show(t, &once, k)
			err := routerOn(k).Repair(t.Context(), 11)
			show(t, &twice, k)
			if once.String() != twice.String() {
				t.Errorf("the second repair (%v) made of\n%s\nthis:\n%s", err, once.String(), twice.String())
			}
		})
	}
}

// Ensure a host full of dongles has each repaired by itself, and by a router as
// the program makes it.
func TestRepair_twentyDongles(t *testing.T) {
	t.Parallel()
	k := enter(t)
	w := world{links: []cable{uplink}, routes: []route{out}}
	for n := 11; n <= 30; n++ {
		w.links = append(w.links, cable{name: fmt.Sprintf("dg%d", n), address: fmt.Sprintf("192.168.%d.100/24", n)})
	}
	k.set(t, w)
	r := New()
	for n := 11; n <= 30; n++ {
		if s, err := r.Find(n); err != nil || s.Routed || s.Rule || s.Table != n {
			t.Errorf("dongle %d is found as %+v, %v", n, s, err)
		}
		must(t, r.Repair(t.Context(), n))
		must(t, r.Repair(t.Context(), n))
	}
	for n := 11; n <= 30; n++ {
		s, err := r.Find(n)
		want := State{Interface: fmt.Sprintf("dg%d", n), Rule: true, Table: n, Routed: true, Way: way(n, n).String()}
		if err != nil || s != want {
			t.Errorf("dongle %d is %+v, %v, want %+v", n, s, err, want)
		}
		// The kernel agrees.
		found, err := k.h.RouteGetWithOptions(net.IPv4(203, 0, 113, 5), &netlink.RouteGetOptions{SrcAddr: net.IPv4(192, 168, byte(n), 100)})
		if err != nil || len(found) != 1 || !found[0].Gw.Equal(net.IPv4(192, 168, byte(n), 1)) {
			t.Errorf("dongle %d: the kernel's way is %v, %v", n, found, err)
		}
	}
	rules, err := k.rules()
	if err != nil || len(rules) != 20+3 {
		t.Errorf("there are %d rules, want the dongles' 20 and the kernel's 3 (%v)", len(rules), err)
	}
}

// Ensure a modem that was unplugged is found as gone, keeps what binds to its
// address from leaving by the uplink, and is repaired when it is back under
// another index.
func TestRepair_replugged(t *testing.T) {
	t.Parallel()
	k := enter(t)
	k.set(t, world{links: []cable{uplink, stick}, routes: []route{out}})
	r := New()
	must(t, r.Repair(t.Context(), 11))
	l, err := k.h.LinkByName("dg11")
	must(t, err)
	must(t, k.h.LinkDel(l))
	if s, err := r.Find(11); err != nil || s != (State{Rule: true, Table: 11}) {
		t.Errorf("unplugged, it is %+v, %v", s, err)
	}
	if err := r.Repair(t.Context(), 11); err == nil || !strings.Contains(err.Error(), "plugged in") {
		t.Errorf("unplugged, the repair returns %v", err)
	}
	if index := k.plug(t, stick); index == l.Attrs().Index {
		t.Fatalf("it has the index %d again", index)
	}
	// The route went with the interface; the rule and the fence stayed.
	from := &netlink.RouteGetOptions{SrcAddr: net.IPv4(192, 168, 11, 100)}
	if found, err := k.h.RouteGetWithOptions(net.IPv4(203, 0, 113, 5), from); !errors.Is(err, unix.EHOSTUNREACH) && !errors.Is(err, unix.ENETUNREACH) {
		t.Errorf("before the repair there is the way %v, %v", found, err)
	}
	if s, err := r.Find(11); err != nil || s.Routed || s.Way != fenceOf(11).String() {
		t.Errorf("plugged in, it is %+v, %v", s, err)
	}
	must(t, r.Repair(t.Context(), 11))
	if s, err := r.Find(11); err != nil || !s.Routed {
		t.Errorf("repaired, it is %+v, %v", s, err)
	}
}

// Ensure a process without the capability may look, and is told why it may not
// repair.
func TestRepair_notPermitted(t *testing.T) {
	t.Parallel()
	k := enter(t)
	k.set(t, world{links: []cable{uplink, stick}, routes: []route{out}})
	r := New()
	if err := r.MayChange(); err != nil {
		t.Errorf("root may not change anything: %v", err)
	}
	// It is this thread's alone, and ends with it.
	drop(t)
	if s, err := r.Find(11); err != nil || s.Interface != "dg11" {
		t.Errorf("found %+v, %v", s, err)
	}
	for _, err := range []error{r.Repair(t.Context(), 11), r.MayChange()} {
		if !errors.Is(err, ErrNotPermitted) {
			t.Errorf("returned %v", err)
		}
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
