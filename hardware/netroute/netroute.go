package netroute

import (
	"context"
	"errors"
	"net/netip"
)

// Protocol marks the rules and routes that were added here (`ip rule` shows it
// as "proto 83"). No routing daemon uses the number.
const Protocol = 83

const (
	// firstPriority and the subnet are the priority of a dongle's rule. It has to
	// be the same every time: without one, the kernel takes any number of
	// duplicates.
	firstPriority = 10000
	// mainPriority is where the kernel asks the main table, whose default route
	// is the uplink's. A rule behind it comes too late.
	mainPriority = 32766
	// fenceMetric is behind every other default route of a table. Where they are
	// gone, as after the modem was unplugged, it keeps programs that bind to
	// the address alone from leaving by the uplink.
	fenceMetric = 1 << 30
)

// ErrNotPermitted: this process may not change rules and routes.
var ErrNotPermitted = errors.New("changing rules and routes takes the capability CAP_NET_ADMIN, which this process lacks")

// State is how connections from a dongle's address on this side are routed.
type State struct {
	// Interface holds the address; "": none does.
	Interface string
	// Rule tells whether there is one for the address.
	Rule bool
	// Table is the one that the rule names; without a rule, the dongle's own.
	Table int
	// Routed tells whether connections come to the dongle's gateway: by a rule
	// and a default route in the table that it names.
	Routed bool
	// Way is the default route that connections bound to Interface take, right
	// or wrong, as ip(8) writes it; "": there is none.
	Way string
}

// Router reads and repairs the routing of this host. Make it with New.
type Router struct {
	open func() (kernel, error)
}

// New returns a router. Where the system has no such routing its methods fail
// with errors.ErrUnsupported.
func New() *Router { return &Router{open: openKernel} }

// Find tells how the connections of a dongle are routed.
func (r *Router) Find(subnet int) (State, error) {
	k, err := r.open()
	if err != nil {
		return State{}, err
	}
	defer k.close()
	v, err := see(k, subnet)
	return v.State, err
}

// Repair makes the routing of a dongle right, and does nothing where it is.
// Errors: ErrNotPermitted; others say what to do.
func (r *Router) Repair(ctx context.Context, subnet int) error {
	return r.seeing(subnet, func(v *view, k kernel) error { return v.repair(ctx, k) })
}

// Fence puts up what keeps a dongle's address from the host's uplink and needs no
// dongle: the rule, and the last route of its table. Without it, programs that
// bind to the address when the dongle comes would leave by the uplink until the
// first repair. It does nothing where all of it stands. Errors: as Repair's.
func (r *Router) Fence(ctx context.Context, subnet int) error {
	return r.seeing(subnet, func(v *view, k kernel) error { return v.fence(ctx, k) })
}

// seeing has something done by how a dongle is routed.
func (r *Router) seeing(subnet int, do func(*view, kernel) error) error {
	k, err := r.open()
	if err != nil {
		return err
	}
	defer k.close()
	v, err := see(k, subnet)
	if err != nil {
		return err
	}
	return do(v, k)
}

// MayChange tells whether this process may change rules and routes: nil,
// ErrNotPermitted, or what kept it from finding out. It changes nothing.
func (r *Router) MayChange() error {
	k, err := r.open()
	if err != nil {
		return err
	}
	defer k.close()
	// The kernel looks at the capability first, and then for this rule.
	none := rule{source: hostPrefix(0), table: firstPriority, priority: 1, protocol: Protocol}
	if err := k.deleteRule(none); err != nil && !errors.Is(err, errNoRule) {
		return err
	}
	return nil
}

// address is the host's in a dongle's network, gateway the modem's.
func address(subnet int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, byte(subnet), 100}) }
func gateway(subnet int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, byte(subnet), 1}) }

// view is what there is to see of one dongle's routing.
type view struct {
	State

	subnet  int
	holders []link // of the address
	rules   []rule // all of the host's
}

// see looks, and follows the rules as the kernel does.
func see(k kernel, subnet int) (*view, error) {
	v := &view{State: State{Table: subnet}, subnet: subnet}
	var err error
	if v.holders, err = k.holders(address(subnet)); err != nil {
		return v, err
	}
	if v.rules, err = k.rules(); err != nil {
		return v, err
	}
	if len(v.holders) > 0 {
		v.Interface = v.holders[0].name
	}
	for _, r := range v.rules {
		if !v.mine(r) {
			continue
		}
		if !v.Rule {
			v.Rule, v.Table = true, r.table
		}
		if len(v.holders) == 0 {
			break // no route can be right
		}
		all, err := k.defaults(r.table)
		if err != nil {
			return v, err
		}
		if way, found := v.way(all); found { // else the kernel asks the next rule
			v.Table, v.Way, v.Routed = r.table, way.String(), v.right(way)
			break
		}
	}
	return v, nil
}

// mine tells whether a rule sends everything from the dongle's address to a
// table, before the main one is asked.
func (v *view) mine(r rule) bool {
	return r.onlySource && r.table != 0 && r.priority < mainPriority && v.covers(r.source)
}

// covers tells whether a rule's source is the dongle's address, or its network.
func (v *view) covers(source netip.Prefix) bool {
	return source.IsValid() && source.Bits() >= 24 && source.Contains(address(v.subnet))
}

// way is the one of a table's default routes that connections bound to the
// dongle's interface take, if there is one.
func (v *view) way(all []route) (way route, found bool) {
	for _, r := range all {
		switch {
		case r.kind == "throw":
			return route{}, false
		case r.kind != "" || r.dev == v.Interface:
			return r, true
		}
	}
	return route{}, false
}

func (v *view) right(r route) bool {
	return r.kind == "" && r.dev == v.Interface && r.gateway == gateway(v.subnet)
}
