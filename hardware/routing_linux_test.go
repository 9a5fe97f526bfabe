package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"switchyard/configs"
	"switchyard/hardware"
	"switchyard/hardware/netroute"
	sim "switchyard/sim/hilink"
)

// inNamespace, in the environment, tells a process of this test binary that it
// runs in a network namespace made for it.
const inNamespace = "SWITCHYARD_TEST_IN_NAMESPACE"

// arpIgnore keeps a machine from answering for addresses of its other
// interfaces, arpAnnounce from telling of them.
const (
	arpIgnore   = "/proc/sys/net/ipv4/conf/all/arp_ignore"
	arpAnnounce = "/proc/sys/net/ipv4/conf/all/arp_announce"
)

// ownNamespace has the test run once more, in a process whose network is its
// own: a probe dials from whatever thread it likes. It reports whether this is
// that process.
func ownNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inNamespace) != "" {
		return true
	}
	if err := unix.Access(arpIgnore, unix.W_OK); err != nil {
		t.Skipf("%s can't be written to, which takes root and a /proc/sys that isn't read-only: %v", arpIgnore, err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	// The child is to die with this process, not with the thread that made it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		t.Skipf("no network namespace can be made here, which takes root: %v", err)
	}
	if err != nil {
		t.Errorf("in a namespace of its own: %v\n%s", err, out)
	}
	return false
}

// The addresses of the bed. The echo service has the same one on both sides.
const (
	echoAddress   = "203.0.113.200"
	uplinkAddress = "198.51.100.7" // the host's own
)

// bed is a host with an uplink and dongle 11, each with an internet of its own
// behind it: what leaves by the uplink comes back with the host's address.
type bed struct {
	t     *testing.T
	ctx   context.Context
	host  *hardware.Host
	modem *sim.Modem
	// atModem runs a function on the modem's machine.
	atModem func(func())
	// leaks counts the requests that left by the uplink.
	leaks atomic.Int32
}

func newBed(t *testing.T) *bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	b := &bed{t: t, ctx: ctx}
	b.atModem = b.elsewhere("dg11", "192.168.11.100/24", "192.168.11.1/24")
	b.atModem(func() {
		b.modem = sim.New(sim.Options{Subnet: 11, WebAddr: "192.168.11.1:80", GatewayAddr: echoAddress + ":80", Reattach: 25 * time.Millisecond})
		b.must(b.modem.Start(ctx))
	})
	t.Cleanup(b.modem.Close)
	internet := b.elsewhere("eno1", uplinkAddress+"/24", "198.51.100.1/24")
	internet(func() {
		// As if the provider translated addresses, answers go back by this way.
		far, err := netlink.LinkByName("far-eno1")
		b.must(err)
		b.must(netlink.RouteAdd(&netlink.Route{LinkIndex: far.Attrs().Index, Dst: everywhere()}))
		l, err := net.Listen("tcp", echoAddress+":80")
		b.must(err)
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			b.leaks.Add(1)
			_, _ = io.WriteString(w, uplinkAddress)
		})}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = server.Serve(l)
		}()
		t.Cleanup(func() {
			b.must(server.Close())
			<-served
		})
	})
	uplink, err := netlink.LinkByName("eno1")
	b.must(err)
	b.must(netlink.RouteAdd(&netlink.Route{LinkIndex: uplink.Attrs().Index, Dst: everywhere(), Gw: net.IPv4(198, 51, 100, 1).To4()}))

	c := hostConfig(t, configs.Dongle{Subnet: 11})
	c.Host.ServerIP, c.Host.EchoURLs = uplinkAddress, []string{"http://" + echoAddress + "/"}
	c.Host.ProbeTimeout, c.Host.ModemTimeout = configs.Duration(10*time.Second), configs.Duration(10*time.Second)
	c.Toggle.PollInterval = configs.Duration(10 * time.Millisecond)
	b.host = newHost(t, c)
	return b
}

func (b *bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Error(err)
		panic(err) // not always on the test's goroutine
	}
}

func everywhere() *net.IPNet { return &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)} }

// elsewhere lays a cable from an interface of this host's to a machine that has
// the echo service's address, and returns what runs a function on that machine.
func (b *bed) elsewhere(name, here, there string) (run func(func())) {
	b.t.Helper()
	work := make(chan func())
	var running sync.WaitGroup
	running.Go(func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		for f := range work {
			f()
		}
	})
	b.t.Cleanup(func() {
		close(work)
		running.Wait()
	})
	run = func(f func()) {
		done := make(chan struct{})
		work <- func() {
			defer close(done)
			f()
		}
		<-done
	}
	var ns netns.NsHandle
	run(func() {
		var err error
		ns, err = netns.New()
		b.must(err)
		// Like a modem, it answers for its own address on the cable alone, and shows
		// no other when it asks for the host's: a connection bound to the interface
		// looks for the echo service on the cable where no route leads to it.
		b.must(os.WriteFile(arpIgnore, []byte("1"), 0))
		b.must(os.WriteFile(arpAnnounce, []byte("2"), 0))
	})
	b.must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "far-" + name, PeerNamespace: netlink.NsFd(ns)}))
	b.must(ns.Close())
	b.address(name, here)
	run(func() {
		b.address("far-"+name, there)
		b.address("lo", echoAddress+"/32")
	})
	return run
}

// address gives an interface of the calling thread's network an address.
func (b *bed) address(name, addr string) {
	l, err := netlink.LinkByName(name)
	b.must(err)
	a, err := netlink.ParseAddr(addr)
	b.must(err)
	b.must(netlink.AddrAdd(l, a))
	b.must(netlink.LinkSetUp(l))
}

// forgetHost has the machine of the calling thread not know the host's hardware
// address any more.
func (b *bed) forgetHost() {
	all, err := netlink.NeighList(0, netlink.FAMILY_V4)
	b.must(err)
	for _, n := range all {
		if n.IP.Equal(net.IPv4(192, 168, 11, 100)) {
			b.must(netlink.NeighDel(&n))
		}
	}
}

// heard waits until the host knows a hardware address on the cable of l.
func (b *bed) heard(l netlink.Link) {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		all, err := netlink.NeighList(l.Attrs().Index, netlink.FAMILY_V4)
		b.must(err)
		if slices.ContainsFunc(all, func(n netlink.Neigh) bool { return len(n.HardwareAddr) > 0 }) {
			return
		}
		select {
		case <-again.C:
		case <-b.ctx.Done():
			b.must(context.Cause(b.ctx))
		}
	}
}

func (b *bed) dongle() *hardware.Dongle {
	b.t.Helper()
	d, err := b.host.Dongle(11)
	b.must(err)
	return d
}

// careless is a network bound to the address alone.
func careless() hardware.Network {
	return &fakeNetwork{DialFn: func(ctx context.Context, network, addr string) (net.Conn, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(192, 168, 11, 100)}}
		return d.DialContext(ctx, network, addr)
	}}
}

// Ensure a toggle of a dongle without rule and table repairs them, comes out by
// the dongle, and does nothing to the modem; that the next one finds it healthy,
// and one whose modem was unplugged in between repairs it again.
func TestRouting_step1(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	b := newBed(t)
	toggle := func(diagnosis hardware.Diagnosis, step int, first string) {
		t.Helper()
		j := &journal{}
		out, err := b.host.Ladder.Toggle(b.ctx, b.dongle(), j.hooks())
		if err != nil || !out.Success || out.Step != step || out.IP == nil || *out.IP != b.modem.Address().String() || out.Signal == nil {
			t.Fatalf("%+v, %v; the modem has %s; steps %q", out, err, b.modem.Address(), j.steps())
		}
		if steps := j.steps(); j.last().Diagnosis != string(diagnosis) || len(steps) != 1 || steps[0] != first {
			t.Errorf("diagnosis %s, steps %q", j.last().Diagnosis, steps)
		}
	}
	toggle(misrouted, 1, "1 ok")
	for _, e := range b.modem.Ledger() {
		if !strings.Contains(e.What, "tached") {
			t.Errorf("the modem was told %s", e.What)
		}
	}
	toggle(healthy, 0, modeNew)
	l, err := netlink.LinkByName("dg11")
	b.must(err)
	b.must(netlink.LinkSetDown(l)) // the kernel drops the route without a word
	b.must(netlink.LinkSetUp(l))
	toggle(misrouted, 1, "1 ok")
	if n := b.leaks.Load(); n != 0 {
		t.Errorf("%d requests left by the uplink", n)
	}
}

// Ensure a probe never leaves by the uplink, whatever is missing; that one which
// does, as it would if bound to the address alone, is told as a leak and not as
// health; and that the fence stops even that.
func TestRouting_leak(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	b := newBed(t)
	d, router := b.dongle(), netroute.New()
	brief := d.Prober
	brief.Timeout = 500 * time.Millisecond
	// shut: neither way leads out. open: both lead to the dongle.
	const leaking, shut, open = "leaking", "shut", "open"
	expect := func(when, what string) {
		t.Helper()
		b.leaks.Store(0)
		p := d.Prober
		if what != open {
			p = brief
		}
		ip, err := p.Look(b.ctx, d.Network)
		switch {
		case b.leaks.Load() != 0 || errors.Is(err, hardware.ErrLeak):
			t.Errorf("%s: the probe left by the uplink: %v, %v", when, ip, err)
		case what == open && (err != nil || ip != b.modem.Address()):
			t.Errorf("%s: the probe brought %v, %v, want %v", when, ip, err, b.modem.Address())
		case what != open && err == nil:
			t.Errorf("%s: the probe brought %v", when, ip)
		}
		if what == leaking {
			p = d.Prober
		}
		ip, err = p.Look(b.ctx, careless())
		if (what == leaking) != errors.Is(err, hardware.ErrLeak) || (what == leaking) != (b.leaks.Load() > 0) || (what == open) != (err == nil) {
			t.Errorf("%s: bound to the address alone: %v, %v, %d requests left by the uplink", when, ip, err, b.leaks.Load())
		}
	}
	l, err := netlink.LinkByName("dg11")
	b.must(err)

	expect("no rule", leaking)
	lax := *d
	lax.Network, lax.Router = careless(), nil
	if found, ip, err := lax.Diagnose(b.ctx); found != misrouted || ip != (netip.Addr{}) || err != nil {
		t.Errorf("a probe that leaks: found %s, %v, %v", found, ip, err)
	}
	rule := netlink.NewRule()
	rule.Src, rule.Table, rule.Priority = &net.IPNet{IP: net.IPv4(192, 168, 11, 100).To4(), Mask: net.CIDRMask(32, 32)}, 11, 500
	b.must(netlink.RuleAdd(rule))
	expect("a rule, its table empty", leaking)
	if found, _, err := d.Diagnose(b.ctx); found != misrouted || err != nil {
		t.Errorf("a rule, its table empty: found %s, %v", found, err)
	}
	b.must(router.Repair(b.ctx, 11))
	expect("repaired", open)
	b.must(netlink.LinkSetDown(l))
	b.must(netlink.LinkSetUp(l))
	// An answer of the echo service was under way. Where the cable was off for long
	// enough the modem has forgotten the host's hardware address, and asks for it.
	b.atModem(func() {
		b.forgetHost()
		far := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(echoAddress)}}
		c, err := far.DialContext(b.ctx, "udp4", "192.168.11.100:9")
		b.must(err)
		_, err = c.Write([]byte("late"))
		b.must(errors.Join(err, c.Close()))
	})
	b.heard(l)
	expect("the route lost, the fence left", shut)
	b.must(router.Repair(b.ctx, 11))
	expect("repaired again", open)
	b.must(netlink.LinkDel(l))
	if ip, err := brief.Look(b.ctx, d.Network); err == nil || !strings.Contains(fmt.Sprint(err), "no interface holds 192.168.11.100") {
		t.Errorf("unplugged: %v, %v", ip, err)
	}
	if found, _, err := d.Diagnose(b.ctx); found != unplugged || err != nil {
		t.Errorf("unplugged: found %s, %v", found, err)
	}
}
