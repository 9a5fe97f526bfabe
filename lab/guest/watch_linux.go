package guest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"switchyard/sim/hilink"
)

// portPoll is how often a port is looked at whose dongle is away.
const portPoll = 50 * time.Millisecond

// watch follows the dongles' interfaces and the power of their ports.
func (g *Guest) watch() error {
	links := make(chan netlink.LinkUpdate, 64)
	addrs := make(chan netlink.AddrUpdate, 64)
	if err := netlink.LinkSubscribeWithOptions(links, nil, netlink.LinkSubscribeOptions{ListExisting: true}); err != nil {
		return fmt.Errorf("watching network interfaces: %w", err)
	}
	if err := netlink.AddrSubscribe(addrs, nil); err != nil {
		return fmt.Errorf("watching addresses: %w", err)
	}
	go g.follow(links, addrs)
	return nil
}

// follow is the one goroutine that knows which interface is whose.
func (g *Guest) follow(links <-chan netlink.LinkUpdate, addrs <-chan netlink.AddrUpdate) {
	byIndex := map[int]*modem{}
	dark := map[*modem]bool{}
	configured := map[*modem]bool{}
	missing := map[*modem]bool{}
	for _, m := range g.modems {
		missing[m] = true
	}
	tick := time.NewTicker(portPoll)
	defer tick.Stop()
	for {
		select {
		case l, open := <-links:
			if !open {
				g.log.add(0, "interfaces are not watched any more")
				return
			}
			index, name := l.Attrs().Index, l.Attrs().Name
			m := byIndex[index]
			switch {
			case l.Header.Type == unix.RTM_DELLINK && m != nil:
				delete(byIndex, index)
				missing[m] = true
				g.log.add(m.Subnet, "link gone")
			case l.Header.Type == unix.RTM_NEWLINK && m == nil:
				if m = g.pluggedAt(name); m != nil {
					byIndex[index] = m
					delete(missing, m)
					g.light(m, dark)
					g.log.add(m.Subnet, "link "+name)
					if !configured[m] {
						configured[m] = true
						go g.configure(m, name)
					}
				}
			}
		case a, open := <-addrs:
			if !open {
				g.log.add(0, "addresses are not watched any more")
				return
			}
			if m := byIndex[a.LinkIndex]; m != nil && a.NewAddr && a.LinkAddress.IP.Equal(net.IPv4(192, 168, byte(m.Subnet), 100)) {
				g.log.add(m.Subnet, "address")
			}
		case <-tick.C:
			for m := range missing {
				switch on, err := m.powered(); {
				case err != nil: // its hub is away, too
				case !on && !dark[m]:
					dark[m] = true
					g.log.add(m.Subnet, "port off")
				case on:
					g.light(m, dark)
				}
			}
		}
	}
}

// light starts a modem whose port has power again.
func (g *Guest) light(m *modem, dark map[*modem]bool) {
	if !dark[m] {
		return
	}
	delete(dark, m)
	g.log.add(m.Subnet, "port on")
	m.sim.SetFaults(hilink.Faults{}) // whatever it had
	m.sim.Reboot()
}

// pluggedAt is the dongle whose interface this is, by where it is plugged in;
// nil: none's.
func (g *Guest) pluggedAt(name string) *modem {
	device, err := os.Readlink("/sys/class/net/" + name + "/device")
	if err != nil {
		return nil
	}
	path, _, _ := strings.Cut(filepath.Base(device), ":")
	for _, m := range g.modems {
		if path == fmt.Sprintf("%s.%d", m.Hub, m.Port) {
			return m
		}
	}
	return nil
}

// powered reports whether the hub gives the modem power.
func (m *modem) powered() (bool, error) {
	b, err := os.ReadFile(fmt.Sprintf("/sys/bus/usb/devices/%s:1.0/%s-port%d/disable", m.Hub, m.Hub, m.Port))
	if err != nil {
		return false, err
	}
	return strings.TrimSpace(string(b)) == "0", nil
}

// configure does what a distribution does with the interfaces that it finds when
// it starts: it sets them up and asks for an address. Those that come later are
// the worker's.
func (g *Guest) configure(m *modem, name string) {
	out, err := exec.Command(Busybox, "udhcpc", "-i", name, "-n", "-q", "-f", "-t", "20", "-T", "1", "-s", LeaseScript).CombinedOutput() //nolint:noctx // it gives up by itself
	if err != nil {
		g.log.add(m.Subnet, fmt.Sprintf("no address for %s: %v: %s", name, err, out))
	}
}
