package app_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/hardware/netroute"
)

// inNamespace, in the environment, tells a process of this test binary that it
// runs in a network namespace made for it.
const inNamespace = "SWITCHYARD_TEST_IN_NAMESPACE"

// ownNamespace has the test run once more, in a process whose network is its
// own. It reports whether this is that process.
func ownNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inNamespace) != "" {
		return true
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

// Ensure a host's worker puts up the fence of a dongle that isn't there, repairs
// its routing when it is plugged in, gives its address back when it is lost, and
// counts that; and that it leaves all of this alone where it is told to.
func TestDonglesAreKeptRouted(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	must(t, netlink.LinkSetUp(lo))
	b := setup(t)
	plugged := func(c *configs.Config) {
		c.Host.Dongles = []configs.Dongle{{Subnet: 11}}
		c.Host.Address.Client = "none"
	}
	off := b.start(t, b.config(b.asHost, plugged, func(c *configs.Config) { c.Host.KeepRouted = false }), app.Worker)
	must(t, off.Stop(b.ctx))
	if n := rules(t); n != 0 {
		t.Fatalf("switched off, it made %d rules", n)
	}
	p := b.start(t, b.config(b.asHost, plugged), app.API, app.Worker)
	b.eventually(t, "there is a fence", func() bool { return rules(t) == 1 })

	dongle := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "dg11"}, PeerName: "far"}
	must(t, netlink.LinkAdd(dongle))
	must(t, netlink.LinkSetUp(dongle))
	addr, err := netlink.ParseAddr("192.168.11.100/24")
	must(t, err)
	must(t, netlink.AddrAdd(dongle, addr))
	routed := func() bool {
		s, err := netroute.New().Find(11)
		must(t, err)
		return s.Routed
	}
	b.eventually(t, "it is routed", routed)
	b.eventually(t, "that is counted", func() bool {
		_, answer, err := b.ask(p, "GET", "/metrics", "")
		return err == nil && strings.Contains(answer, `switchyard_dongle_repairs_total{dongle="11",outcome="repaired"} 1`)
	})
	must(t, netlink.AddrDel(dongle, addr))
	b.eventually(t, "it has its address again", routed)
}

// rules counts those that are ours.
func rules(t *testing.T) (n int) {
	t.Helper()
	all, err := netlink.RuleList(netlink.FAMILY_V4)
	must(t, err)
	for _, r := range all {
		if r.Protocol == netroute.Protocol {
			n++
		}
	}
	return n
}
