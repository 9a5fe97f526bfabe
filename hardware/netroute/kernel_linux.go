package netroute

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// system is the kernel that this process runs on, by netlink.
type system struct{ h *netlink.Handle }

var _ kernel = system{}

func openKernel() (kernel, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("asking the kernel for its routing (netlink): %w", err)
	}
	return system{h}, nil
}

func (k system) close() { k.h.Close() }

// listTries is how often a list is asked for that changes while it is read.
const listTries = 5

// list reads until nothing has changed meanwhile.
func list[T any](what string, read func() ([]T, error)) ([]T, error) {
	for range listTries - 1 {
		if all, err := read(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, told("listing "+what, err)
		}
	}
	all, err := read()
	return all, told("listing "+what, err)
}

// told wraps an error of the kernel with what was being done.
func told(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w", ErrNotPermitted)
	case errors.Is(err, unix.ENETDOWN):
		return fmt.Errorf("%s: the interface is down: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (k system) holders(addr netip.Addr) ([]link, error) {
	addrs, err := list("addresses", func() ([]netlink.Addr, error) { return k.h.AddrList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, err
	}
	var out []link
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP.To4()); !ok || ip != addr {
			continue
		}
		l, err := k.h.LinkByIndex(a.LinkIndex)
		if errors.As(err, &netlink.LinkNotFoundError{}) {
			continue // it has just gone
		}
		if err != nil {
			return nil, told("reading an interface", err)
		}
		out = append(out, link{index: a.LinkIndex, name: l.Attrs().Name, up: l.Attrs().Flags&net.FlagUp != 0})
	}
	slices.SortFunc(out, func(a, b link) int { return cmp.Compare(a.index, b.index) })
	return slices.Compact(out), nil
}

func (k system) rules() ([]rule, error) {
	all, err := list("rules", func() ([]netlink.Rule, error) { return k.h.RuleList(netlink.FAMILY_V4) })
	if err != nil {
		return nil, err
	}
	out := make([]rule, len(all))
	for i, r := range all {
		out[i] = rule{priority: r.Priority, source: prefix(r.Src), table: r.Table, protocol: int(r.Protocol), onlySource: onlySource(r)}
	}
	return out, nil
}

// onlySource tells whether a rule has no condition but its source. One that
// leaves out default routes (suppress_prefixlength) names no way out.
func onlySource(r netlink.Rule) bool {
	return r.Dst == nil && r.IifName == "" && r.OifName == "" && r.Mark == 0 && r.Mask == nil && r.Tos == 0 && r.TunID == 0 &&
		r.IPProto == 0 && r.Sport == nil && r.Dport == nil && r.UIDRange == nil && !r.Invert && r.Goto < 0 &&
		r.SuppressPrefixlen < 0 && r.SuppressIfgroup < 0
}

func prefix(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	ip, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(ip.Unmap(), bits)
}

func (k system) defaults(table int) ([]route, error) {
	all, err := list("routes", func() ([]netlink.Route, error) {
		return k.h.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE)
	})
	if err != nil {
		return nil, err
	}
	var out []route
	for _, r := range all {
		if p := prefix(r.Dst); p.IsValid() && p.Bits() > 0 {
			continue
		}
		to := route{table: r.Table, kind: kinds[r.Type], index: r.LinkIndex, metric: r.Priority, protocol: int(r.Protocol), onlink: r.Flags&unix.RTNH_F_ONLINK != 0}
		if r.Type != unix.RTN_UNICAST && to.kind == "" {
			to.kind = "special"
		}
		if ip, ok := netip.AddrFromSlice(r.Gw.To4()); ok {
			to.gateway = ip
		}
		if to.index != 0 {
			if l, err := k.h.LinkByIndex(to.index); err == nil { // else it has just gone, and the route with it
				to.dev = l.Attrs().Name
			}
		}
		out = append(out, to)
	}
	slices.SortStableFunc(out, func(a, b route) int { return cmp.Compare(a.metric, b.metric) })
	return out, nil
}

var kinds = map[int]string{unix.RTN_UNREACHABLE: "unreachable", unix.RTN_BLACKHOLE: "blackhole", unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw"}

func (k system) addRule(r rule) error {
	err := k.h.RuleAdd(ofKernel(r))
	if errors.Is(err, unix.EEXIST) {
		return errRuleExists
	}
	return told("asking the kernel", err)
}

func (k system) deleteRule(r rule) error {
	err := k.h.RuleDel(ofKernel(r))
	if errors.Is(err, unix.ENOENT) {
		return errNoRule
	}
	return told("asking the kernel", err)
}

func ofKernel(r rule) *netlink.Rule {
	out := netlink.NewRule()
	out.Family, out.Priority, out.Table, out.Protocol = netlink.FAMILY_V4, r.priority, r.table, uint8(r.protocol)
	if r.source.IsValid() {
		out.Src = &net.IPNet{IP: r.source.Addr().AsSlice(), Mask: net.CIDRMask(r.source.Bits(), 32)}
	}
	return out
}

func (k system) setRoute(r route) error {
	to := &netlink.Route{
		Table: r.table, LinkIndex: r.index, Priority: r.metric, Protocol: netlink.RouteProtocol(r.protocol),
		Dst: &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
	}
	if r.gateway.IsValid() {
		to.Gw = r.gateway.AsSlice()
	}
	for kind, name := range kinds {
		if name == r.kind {
			to.Type = kind
		}
	}
	if r.onlink {
		to.SetFlag(netlink.FLAG_ONLINK)
	}
	return told("asking the kernel", k.h.RouteReplace(to))
}
