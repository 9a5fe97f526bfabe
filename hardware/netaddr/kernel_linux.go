package netaddr

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// system is the kernel that this process runs on, by netlink.
type system struct{ h *netlink.Handle }

var _ kernel = system{}

func openKernel() (kernel, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("asking the kernel for its interfaces (netlink): %w", err)
	}
	return system{h}, nil
}

func (k system) close() { k.h.Close() }

// listTries is how often a list is asked for that changes while it is read.
const listTries = 5

// list reads until nothing has changed meanwhile.
func list[T any](what string, read func() ([]T, error)) (all []T, err error) {
	for range listTries {
		if all, err = read(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", what, err)
	}
	return all, nil
}

func (k system) links() ([]link, error) {
	links, err := list("interfaces", k.h.LinkList)
	if err != nil {
		return nil, err
	}
	addrs, err := list("addresses", func() ([]netlink.Addr, error) { return k.h.AddrList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, err
	}
	out := make([]link, len(links))
	for i, l := range links {
		out[i] = link{index: l.Attrs().Index, name: l.Attrs().Name, up: l.Attrs().Flags&net.FlagUp != 0}
		for _, a := range addrs {
			ip, ok := netip.AddrFromSlice(a.IP.To4())
			if bits, _ := a.Mask.Size(); ok && a.LinkIndex == out[i].index {
				out[i].addrs = append(out[i].addrs, netip.PrefixFrom(ip, bits))
			}
		}
	}
	return out, nil
}

func (k system) setUp(index int) error {
	return told(k.h.LinkSetUp(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}))
}

func (k system) add(index int, addr netip.Prefix) error {
	a := &netlink.Addr{IPNet: &net.IPNet{IP: addr.Addr().AsSlice(), Mask: net.CIDRMask(addr.Bits(), 32)}}
	err := k.h.AddrAdd(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}, a)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return told(err)
}

// told says an error of the kernel in words.
func told(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return ErrNotPermitted
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w any more: %w", ErrNoInterface, err)
	}
	return fmt.Errorf("asking the kernel: %w", err)
}
