package netroute

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"switchyard/tasks"
)

// repair adds what is missing and takes away duplicates of ours. The route
// comes before the rule: a rule to an empty table lets connections by.
func (v *view) repair(ctx context.Context, k kernel) error {
	if err := v.repairable(); err != nil {
		return err
	}
	table, foreign := v.target()
	if err := v.writable(table); err != nil {
		return err
	}
	if err := v.repairTable(ctx, k, table); err != nil {
		return err
	}
	if err := v.repairRules(ctx, k, !foreign); err != nil {
		return err
	}
	now, err := see(k, v.subnet)
	switch {
	case err != nil:
		return err
	case now.Way == "", now.Way == fenceOf(table).String():
		return fmt.Errorf("the default route of table %d has gone again: see whether a network manager removes it (ip monitor)", table)
	case !now.Routed:
		return fmt.Errorf("connections from %s still take another way, %q: see ip rule and ip route show table %d", address(v.subnet), now.Way, now.Table)
	}
	return nil
}

// fence is what of a repair can be done without the dongle: everything but the
// way to its gateway.
func (v *view) fence(ctx context.Context, k kernel) error {
	table, foreign := v.target()
	if err := v.writable(table); err != nil {
		return err
	}
	all, err := k.defaults(table)
	if err != nil {
		return err
	}
	if err := setFence(ctx, k, table, all); err != nil {
		return err
	}
	return v.repairRules(ctx, k, !foreign)
}

// target is the table that a repair works on, and whether a rule of somebody
// else's names it.
func (v *view) target() (table int, foreign bool) {
	for _, r := range v.rules {
		if v.mine(r) && r.protocol != Protocol {
			return r.table, true
		}
	}
	return v.subnet, false
}

// repairable tells why nothing can be repaired, in words for whoever has to do
// it then.
func (v *view) repairable() error {
	addr := address(v.subnet)
	switch {
	case len(v.holders) == 0:
		return fmt.Errorf("no interface holds %s: see that the modem is plugged in and its interface gets the address (ip address add %s/24 dev …)", addr, addr)
	case len(v.holders) > 1:
		var names []string
		for _, l := range v.holders {
			names = append(names, l.name)
		}
		return fmt.Errorf("%s all hold %s: give each modem a subnet of its own, or take the address from all but one (ip address del %s/24 dev …)", strings.Join(names, ", "), addr, addr)
	case !v.holders[0].up:
		return fmt.Errorf("interface %s is down: ip link set %s up", v.Interface, v.Interface)
	}
	return nil
}

// writable tells why a table is not written to.
func (v *view) writable(table int) error {
	if table == v.subnet {
		return nil
	}
	addr := address(v.subnet)
	remedy := fmt.Sprintf("give %s a table of its own (ip rule del from %s table %d, and it is done)", addr, addr, table)
	switch {
	case table >= defaultTable && table <= localTable:
		return fmt.Errorf("the rule for %s names the system's table %d, which is not changed: %s", addr, table, remedy)
	case table >= tasks.MinSubnet && table <= tasks.MaxSubnet:
		return fmt.Errorf("the rule for %s names table %d, which is dongle %d's: %s", addr, table, table, remedy)
	}
	for _, r := range v.rules {
		// One without a source is about this dongle's interface, or a mark, or everybody.
		if r.table == table && (r.source.IsValid() && !v.covers(r.source) || !r.source.IsValid() && r.onlySource) {
			return fmt.Errorf("table %d serves others than %s (ip rule: %s), so it is not changed: %s", table, addr, r, remedy)
		}
	}
	return nil
}

// The tables of the system: default, main, local.
const (
	defaultTable = 253
	localTable   = 255
)

// fenceOf is the last of a table's default routes.
func fenceOf(table int) route {
	return route{table: table, kind: "unreachable", metric: fenceMetric, protocol: Protocol}
}

// repairTable sees to the table's default route, and to the fence behind it.
func (v *view) repairTable(ctx context.Context, k kernel, table int) error {
	all, err := k.defaults(table)
	if err != nil {
		return err
	}
	if way, found := v.way(all); !found || !v.right(way) {
		err := setRoute(ctx, k, route{
			table: table, gateway: gateway(v.subnet), dev: v.Interface, index: v.holders[0].index,
			// The gateway needs no route of its own: main may have none for it.
			onlink: true, protocol: Protocol,
		})
		if err != nil {
			return err
		}
	}
	return setFence(ctx, k, table, all)
}

// setFence sees to the fence of a table that has these default routes.
func setFence(ctx context.Context, k kernel, table int, all []route) error {
	fence := fenceOf(table)
	if slices.Contains(all, fence) {
		return nil
	}
	return setRoute(ctx, k, fence)
}

func setRoute(ctx context.Context, k kernel, r route) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := k.setRoute(r); err != nil {
		return fmt.Errorf("setting route %s: %w", r, err)
	}
	return nil
}

// repairRules adds our rule for the dongle, if it is wanted and not there, and
// removes the others of ours; in this order, so that there always is one.
func (v *view) repairRules(ctx context.Context, k kernel, wanted bool) error {
	want := rule{
		source: hostPrefix(v.subnet), table: v.subnet, priority: firstPriority + v.subnet,
		protocol: Protocol, onlySource: true,
	}
	var surplus []rule
	for _, r := range v.rules {
		if r.protocol != Protocol || r.source != want.source {
			continue
		}
		if wanted && r == want {
			wanted = false // it is there
			continue
		}
		surplus = append(surplus, r)
	}
	if wanted {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := k.addRule(want); err != nil && !errors.Is(err, errRuleExists) {
			return fmt.Errorf("adding rule %s: %w", want, err)
		}
	}
	for _, r := range surplus {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := k.deleteRule(r); err != nil && !errors.Is(err, errNoRule) {
			return fmt.Errorf("removing rule %s: %w", r, err)
		}
	}
	return nil
}
