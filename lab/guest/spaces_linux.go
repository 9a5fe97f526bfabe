package guest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// outside brings up loopback and the network to the outside. No route leads
// beyond it.
func outside() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("setting up loopback: %w", err)
	}
	card, err := byMAC(OutsideMAC)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetName(card, "eno2"); err != nil {
		return fmt.Errorf("naming the network to the outside: %w", err)
	}
	return setUp(nil, card, OutsideIP+"/24")
}

func byMAC(mac string) (netlink.Link, error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("listing network cards: %w", err)
	}
	for _, l := range all {
		if l.Attrs().HardwareAddr.String() == mac {
			return l, nil
		}
	}
	return nil, fmt.Errorf("there is no network card %s", mac)
}

// space is a network namespace.
type space struct {
	ns     netns.NsHandle
	handle *netlink.Handle
}

// newSpace makes a namespace, with loopback up and the echo service's address on
// it.
func newSpace(echo string) (*space, error) {
	var s space
	err := onThread(func() (err error) {
		if s.ns, err = netns.New(); err != nil {
			return fmt.Errorf("making a network namespace: %w", err)
		}
		if s.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return setUp(nil, lo, echo+"/32")
	})
	return &s, err
}

// do calls f on a thread in the namespace: sockets that f opens are there.
func (s *space) do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(s.ns); err != nil {
			return fmt.Errorf("entering a network namespace: %w", err)
		}
		return f()
	})
}

// take moves a link into the namespace and gives it an address there.
func (s *space) take(l netlink.Link, cidr string) error {
	if err := netlink.LinkSetNsFd(l, int(s.ns)); err != nil {
		return fmt.Errorf("moving %s into its namespace: %w", l.Attrs().Name, err)
	}
	moved, err := s.handle.LinkByName(l.Attrs().Name)
	if err != nil {
		return err
	}
	return setUp(s.handle, moved, cidr)
}

// onThread calls f on a thread of its own, which ends with it.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocks: nobody else gets this thread
		done <- f()
	}()
	return <-done
}

// setUp gives a link an address and sets it up. h is nil for the thread's own
// namespace.
func setUp(h *netlink.Handle, l netlink.Link, cidr string) error {
	if h == nil {
		var err error
		if h, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return err
		}
		defer h.Close()
	}
	addr, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	if err := h.AddrReplace(l, addr); err != nil {
		return fmt.Errorf("giving %s %s: %w", l.Attrs().Name, cidr, err)
	}
	if err := h.LinkSetUp(l); err != nil {
		return fmt.Errorf("setting up %s: %w", l.Attrs().Name, err)
	}
	return nil
}

// uplink makes eno1, with the default route, and the internet behind it.
func (g *Guest) uplink() error {
	net1, err := newSpace(g.setup.Echo)
	if err != nil {
		return err
	}
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eno1"}, PeerName: "internet"}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("making the uplink: %w", err)
	}
	far, err := netlink.LinkByName("internet")
	if err != nil {
		return err
	}
	if err := net1.take(far, g.setup.UplinkGateway+"/24"); err != nil {
		return err
	}
	near, err := netlink.LinkByName("eno1")
	if err != nil {
		return err
	}
	if err := setUp(nil, near, g.setup.Uplink+"/24"); err != nil {
		return err
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: near.Attrs().Index, Gw: net.ParseIP(g.setup.UplinkGateway)}); err != nil {
		return fmt.Errorf("routing by the uplink: %w", err)
	}
	return net1.do(func() error {
		l, err := net.Listen("tcp", net.JoinHostPort(g.setup.Echo, "80"))
		if err != nil {
			return err
		}
		go func() {
			err := http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { //nolint:gosec // inside the machine
				g.log.add(0, "leak")
				_, _ = w.Write([]byte(g.setup.Uplink))
			}))
			g.log.add(0, errors.Join(errors.New("the uplink's echo service ended"), err).Error())
		}()
		return nil
	})
}
