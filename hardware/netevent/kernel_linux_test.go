package netevent

import (
	"errors"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// enter takes the test's thread into a new network namespace, for good.
func enter(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		t.Skipf("no network namespace can be made here, which takes root: %v", err)
	}
	t.Cleanup(func() { must(t, ns.Close()) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expect waits for a change, and then for quiet.
func expect(t *testing.T, w *Watcher, what string) {
	t.Helper()
	select {
	case _, more := <-w.Changes():
		if !more {
			t.Fatalf("%s: the watch has ended: %v", what, w.Err())
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("%s: not told", what)
	}
	for pause := time.NewTimer(4 * quiet); ; pause.Reset(4 * quiet) {
		select {
		case <-w.Changes():
		case <-pause.C:
			return
		}
	}
}

// Ensure everything that routing depends on is told of, rules too, in the
// namespace that the watch was begun in, whoever listens.
func TestWatch_kernel(t *testing.T) {
	t.Parallel()
	enter(t)
	w, err := Watch(Options{Quiet: quiet})
	must(t, err)
	t.Cleanup(w.Close)
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "dg11"}, PeerName: "far"}
	addr, err := netlink.ParseAddr("192.168.11.100/24")
	must(t, err)
	rule := netlink.NewRule()
	rule.Src, rule.Table, rule.Priority = &net.IPNet{IP: net.IPv4(192, 168, 11, 100).To4(), Mask: net.CIDRMask(32, 32)}, 11, 10011
	route := func() *netlink.Route {
		return &netlink.Route{Table: 11, LinkIndex: veth.Attrs().Index, Gw: net.IPv4(192, 168, 11, 1).To4(), Dst: &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}}
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"plugged in", func() error { return netlink.LinkAdd(veth) }},
		{"up", func() error {
			far, err := netlink.LinkByName("far")
			return errors.Join(err, netlink.LinkSetUp(veth), netlink.LinkSetUp(far))
		}},
		{"address", func() error { return netlink.AddrAdd(veth, addr) }},
		{"route", func() error { return netlink.RouteAdd(route()) }},
		{"rule", func() error { return netlink.RuleAdd(rule) }},
		{"rule gone", func() error { return netlink.RuleDel(rule) }},
		{"route gone", func() error { return netlink.RouteDel(route()) }},
		{"address gone", func() error { return netlink.AddrDel(veth, addr) }},
		{"down", func() error { return netlink.LinkSetDown(veth) }},
		{"unplugged", func() error { return netlink.LinkDel(veth) }},
	} {
		must(t, step.do())
		expect(t, w, step.what)
	}
}

// Ensure a watch outlives more messages than its socket can hold, and tells of
// what comes afterwards.
func TestWatch_overrun(t *testing.T) {
	t.Parallel()
	enter(t)
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	var full []source
	for range 2 {
		s, err := open(1) // the least that the kernel gives
		must(t, err)
		full = append(full, s)
	}
	defer full[0].close()
	for range 100 { // nobody reads yet
		must(t, netlink.LinkSetUp(lo))
		must(t, netlink.LinkSetDown(lo))
	}
	if err := full[0].receive(); !errors.Is(err, errLost) {
		t.Fatalf("the socket holds all of it: %v", err)
	}
	w := watch(full[1], quiet)
	t.Cleanup(w.Close)
	expect(t, w, "overrun")
	must(t, netlink.LinkSetUp(lo))
	expect(t, w, "after the overrun")
}
