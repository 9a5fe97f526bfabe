package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"switchyard/configs"
	"switchyard/hardware"
	"switchyard/hardware/netaddr"
	"switchyard/hardware/netevent"
	"switchyard/hardware/netroute"
)

// keep has the bed's host keep its dongles routed until the test ends. Nobody
// else gives addresses there.
func (b *bed) keep() {
	b.host.RepairWithoutPause()
	b.host.Assigner = netaddr.New(netaddr.Options{Client: netaddr.ClientNone, Static: true})
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.host.KeepRouted(ctx, slog.New(slog.NewTextHandler(b.t.Output(), nil)))
	}()
	b.t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// until waits for something to become true of the network.
func (b *bed) until(what string, is func() bool) {
	b.t.Helper()
	w, err := netevent.Watch(netevent.Options{})
	b.must(err)
	defer w.Close()
	for !is() {
		select {
		case <-w.Changes():
		case <-b.ctx.Done():
			b.t.Fatalf("%s: not in time", what)
		}
	}
}

func (b *bed) find(n int) netroute.State {
	b.t.Helper()
	s, err := netroute.New().Find(n)
	b.must(err)
	return s
}

func (b *bed) untilRouted(what string, dongles ...int) {
	b.t.Helper()
	b.until(what, func() bool {
		return !slices.ContainsFunc(dongles, func(n int) bool { return !b.find(n).Routed })
	})
}

// hostSide is a dongle's address on this side, as a rule has it.
func hostSide(n int) *net.IPNet {
	return &net.IPNet{IP: net.IPv4(192, 168, byte(n), 100).To4(), Mask: net.CIDRMask(32, 32)}
}

// deleteRules removes all rules for a dongle but somebody's else.
func (b *bed) deleteRules(n int) {
	b.t.Helper()
	all, err := netlink.RuleList(netlink.FAMILY_V4)
	b.must(err)
	for _, r := range all {
		if r.Src != nil && r.Src.String() == hostSide(n).String() && r.Priority != theirs {
			b.must(netlink.RuleDel(&r))
		}
	}
}

// theirs is the priority of somebody's else rules.
const theirs = 500

// flush empties a table, its fence included.
func (b *bed) flush(table int) {
	b.t.Helper()
	all, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE)
	b.must(err)
	for _, r := range all {
		b.must(netlink.RouteDel(&r))
	}
}

// othersRule is a rule for a dongle that is somebody's else.
func othersRule(n int) *netlink.Rule {
	r := netlink.NewRule()
	r.Src, r.Table, r.Priority = hostSide(n), 200+n, theirs
	return r
}

func (b *bed) link(name string) netlink.Link {
	b.t.Helper()
	l, err := netlink.LinkByName(name)
	b.must(err)
	return l
}

// readdress takes an interface's address away, and gives it back if told to.
func (b *bed) readdress(name string, back bool) {
	b.t.Helper()
	addrs, err := netlink.AddrList(b.link(name), netlink.FAMILY_V4)
	b.must(err)
	for _, a := range addrs {
		b.must(netlink.AddrDel(b.link(name), &a))
		if back {
			a.Flags = 0
			if err := netlink.AddrAdd(b.link(name), &a); !errors.Is(err, unix.EEXIST) { // the host was faster
				b.must(err)
			}
		}
	}
}

// breaks are what may happen to the routing of a dongle.
func (b *bed) breaks(n int) map[string]func() {
	name := fmt.Sprintf("dg%d", n)
	return map[string]func(){
		"rule deleted":               func() { b.deleteRules(n) },
		"table flushed":              func() { b.flush(n) },
		"both":                       func() { b.deleteRules(n); b.flush(n) },
		"link down and up":           func() { b.must(netlink.LinkSetDown(b.link(name))); b.must(netlink.LinkSetUp(b.link(name))) },
		"address removed, and again": func() { b.readdress(name, true) },
		"somebody's rule":            func() { b.must(netlink.RuleAdd(othersRule(n))); b.deleteRules(n) },
		"that rule's table flushed":  func() { b.flush(200 + n) },
		"that rule gone":             func() { b.must(netlink.RuleDel(othersRule(n))) },
	}
}

// order is that of breaks: the last ones need each other.
var order = []string{
	"rule deleted", "table flushed", "both", "link down and up", "address removed, and again",
	"somebody's rule", "that rule's table flushed", "that rule gone",
}

// Ensure the ladder climbs as high as it has to, and no higher, whatever is wrong
// with the network of a dongle.
func TestRouting_scenarios(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	b := newBed(t)
	b.toggles("nothing there", misrouted, 1)
	b.toggles("healthy", healthy, 0)
	breaks := b.breaks(11)
	for _, what := range order {
		breaks[what]()
		b.toggles(what, misrouted, 1)
	}
	b.disconnected()
	b.toggles("healthy again", healthy, 0)
	if n := b.leaks.Load(); n != 0 {
		t.Errorf("%d requests left by the uplink", n)
	}
}

// Ensure that where the host keeps its dongles routed, whatever happens to that is
// over before anybody toggles, without a word to the modem; and that a modem
// without connectivity still is the ladder's.
func TestRouting_scenariosSelfRepaired(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	b := newBed(t)
	b.keep()
	b.untilRouted("nothing there", 11)
	breaks := b.breaks(11)
	for _, what := range order {
		breaks[what]()
		b.untilRouted(what, 11)
		if want := map[string]int{"somebody's rule": 211, "that rule's table flushed": 211}[what]; want != 0 && b.find(11).Table != want {
			t.Errorf("%s: routed by %+v, want table %d", what, b.find(11), want)
		}
	}
	b.readdress("dg11", false)
	b.untilRouted("address lost", 11)
	for _, e := range b.modem.Ledger() {
		if !strings.Contains(e.What, "tached") {
			t.Errorf("the modem was told %s", e.What)
		}
	}
	b.toggles("healthy", healthy, 0)
	b.disconnected()
	if n := b.leaks.Load(); n != 0 {
		t.Errorf("%d requests left by the uplink", n)
	}
}

// toggles wants a toggle to succeed like this.
func (b *bed) toggles(when string, diagnosis hardware.Diagnosis, step int) {
	b.t.Helper()
	j := &journal{}
	out, err := b.host.Ladder.Toggle(b.ctx, b.dongle(), j.hooks())
	if err != nil || !out.Success || out.Step != step || j.last().Diagnosis != string(diagnosis) || out.IP == nil || *out.IP != b.modem.Address().String() {
		b.t.Fatalf("%s: %+v, %v; the modem has %s; diagnosis %s, steps %q", when, out, err, b.modem.Address(), j.last().Diagnosis, j.steps())
	}
}

// disconnected is a toggle of a modem that has mobile data off.
func (b *bed) disconnected() {
	b.t.Helper()
	d, l := b.dongle(), b.host.Ladder
	long, methods, holds := d.Prober.Timeout, l.Methods, l.Holds
	d.Prober.Timeout, l.Methods, l.Holds = 500*time.Millisecond, []hardware.Method{hardware.MethodDataswitch}, []time.Duration{time.Millisecond}
	b.must(d.Modem.SetDataSwitch(b.ctx, false))
	b.toggles("no connectivity", unreachable, 2)
	d.Prober.Timeout, l.Methods, l.Holds = long, methods, holds
}

// twenty are all the dongles that a host can have.
func twenty() (all []int) {
	for n := 11; n <= 30; n++ {
		all = append(all, n)
	}
	return all
}

// newShelf is a bed without modems: an uplink, and cables for as many dongles as
// the test plugs in.
func newShelf(t *testing.T, dongles ...configs.Dongle) *bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	b := &bed{t: t, ctx: ctx}
	b.must(netlink.LinkSetUp(b.link("lo")))
	b.cable("eno1", uplinkAddress+"/24")
	b.must(netlink.RouteAdd(&netlink.Route{LinkIndex: b.link("eno1").Attrs().Index, Dst: everywhere(), Gw: net.IPv4(198, 51, 100, 1).To4()}))
	c := hostConfig(t, dongles...)
	b.host = newHost(t, c)
	return b
}

// cable makes an interface with an address, up, and returns its index.
func (b *bed) cable(name, addr string) int {
	b.t.Helper()
	b.must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "far-" + name}))
	b.must(netlink.LinkSetUp(b.link("far-" + name)))
	b.address(name, addr)
	return b.link(name).Attrs().Index
}

func (b *bed) plug(n int) int {
	b.t.Helper()
	return b.cable(fmt.Sprintf("dg%d", n), fmt.Sprintf("192.168.%d.100/24", n))
}

// leaves tells how what binds to a dongle's address alone leaves the host.
func (b *bed) leaves(n int) (gateway string, err error) {
	found, err := netlink.RouteGetWithOptions(net.IPv4(203, 0, 113, 5), &netlink.RouteGetOptions{SrcAddr: hostSide(n).IP})
	if err != nil || len(found) != 1 {
		return "", err
	}
	return found[0].Gw.String(), nil
}

// Ensure twenty configured dongles are fenced before they come, repaired when they
// come all at once and when they come back all at once under other indexes, and
// that none of their addresses leaves by the uplink at any time.
func TestKeepRouted_twentyDongles(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	var dongles []configs.Dongle
	for _, n := range twenty() {
		dongles = append(dongles, configs.Dongle{Subnet: n})
	}
	b := newShelf(t, dongles...)
	b.keep()
	b.until("fenced", func() bool {
		all, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_UNSPEC, Type: unix.RTN_UNREACHABLE}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
		b.must(err)
		rules, err := netlink.RuleList(netlink.FAMILY_V4)
		b.must(err)
		return len(all) == 20 && len(rules) == 20+3
	})
	first := map[int]int{}
	for range 3 {
		for _, n := range twenty() {
			index := b.plug(n)
			if index == first[n] {
				t.Fatalf("dongle %d has the index %d again", n, index)
			}
			first[n] = index
			if gw, err := b.leaves(n); err == nil && gw != fmt.Sprintf("192.168.%d.1", n) {
				t.Errorf("dongle %d, just plugged in, leaves by %s", n, gw)
			}
		}
		b.untilRouted("plugged in", twenty()...)
		for _, n := range twenty() {
			if gw, err := b.leaves(n); err != nil || gw != fmt.Sprintf("192.168.%d.1", n) {
				t.Errorf("dongle %d leaves by %s, %v", n, gw, err)
			}
			b.must(netlink.LinkDel(b.link(fmt.Sprintf("dg%d", n))))
		}
	}
	rules, err := netlink.RuleList(netlink.FAMILY_V4)
	if err != nil || len(rules) != 20+3 {
		t.Errorf("there are %d rules, want the dongles' 20 and the kernel's 3 (%v)", len(rules), err)
	}
}

// Ensure a dongle whose lock is held is left alone while others are repaired, and
// repaired when it is free.
func TestKeepRouted_lockedKernel(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	b := newShelf(t, configs.Dongle{Subnet: 11}, configs.Dongle{Subnet: 12})
	b.plug(11)
	b.plug(12)
	b.keep()
	b.untilRouted("at first", 11, 12)
	lock, err := hardware.WaitLock(b.ctx, b.dongle().LockPath, nil)
	b.must(err)
	for range 3 {
		b.deleteRules(11)
		b.deleteRules(12)
		b.untilRouted("another is locked", 12)
	}
	if s := b.find(11); s.Routed {
		t.Errorf("locked, it is %+v", s)
	}
	b.must(lock.Unlock())
	b.untilRouted("free", 11)
}

// Ensure a dongle that nobody configured is found and repaired as soon as it is
// plugged in, and that one that comes without an address is given it where it
// hangs.
func TestKeepRouted_found(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	b := newShelf(t)
	b.host.Locate = func(n int) (string, bool) { return fmt.Sprintf("dg%d", n), true }
	b.keep()
	b.plug(11)
	b.untilRouted("plugged in", 11)
	if got := b.host.Subnets(); !slices.Equal(got, []int{11}) {
		t.Errorf("the host knows %v", got)
	}
	b.must(netlink.LinkDel(b.link("dg11")))
	b.must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "dg11"}, PeerName: "far-dg11"}))
	b.untilRouted("back without an address", 11)
}

// Ensure an interface that somebody brought down, and took the address from, is
// left as it is.
func TestKeepRouted_broughtDown(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	b := newShelf(t, configs.Dongle{Subnet: 11}, configs.Dongle{Subnet: 12})
	b.plug(11)
	b.plug(12)
	b.keep()
	b.untilRouted("at first", 11, 12)
	b.must(netlink.LinkSetDown(b.link("dg11")))
	b.readdress("dg11", false)
	for range 3 {
		b.deleteRules(12) // so that both are looked at
		b.untilRouted("the other one", 12)
	}
	addrs, err := netlink.AddrList(b.link("dg11"), netlink.FAMILY_V4)
	if up := b.link("dg11").Attrs().Flags&net.FlagUp != 0; err != nil || up || len(addrs) > 0 {
		t.Errorf("it is up %t and has %v, %v", up, addrs, err)
	}
}
