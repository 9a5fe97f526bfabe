package netroute

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"switchyard/tasks"
)

// repair adds what is missing and takes away duplicates of ours. The route
// comes before the rule: a rule to an empty table lets connections by.
func (v *view) repair(ctx context.Context, k kernel) error {
	if err := v.repairable(); err != nil {
		return err
	}
	table, foreign := v.subnet, false
	for _, r := range v.rules {
		if v.mine(r) && r.protocol != Protocol {
			table, foreign = r.table, true
			break
		}
	}
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
	case now.Way == "":
		return fmt.Errorf("the default route of table %d has gone again: see whether a network manager removes it (ip monitor)", table)
	case !now.Routed:
		return fmt.Errorf("connections from %s still take another way, %q: see ip rule and ip route show table %d", address(v.subnet), now.Way, now.Table)
	}
	return nil
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

// repairTable sees to the table's default route.
func (v *view) repairTable(ctx context.Context, k kernel, table int) error {
	way, found, err := v.way(k, table)
	if err != nil {
		return err
	}
	want := []route{}
	if !found || !v.right(way) {
		want = append(want, route{table: table, gateway: gateway(v.subnet), dev: v.Interface, index: v.holders[0].index, onlink: true, protocol: Protocol})
	}
	if table == v.subnet {
		want = append(want, route{table: table, kind: "unreachable", metric: fenceMetric, protocol: Protocol})
	}
	for _, r := range want {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := k.setRoute(r); err != nil {
			return fmt.Errorf("setting route %s: %w", r, err)
		}
	}
	return nil
}

// repairRules removes our rules for the dongle but the one that is right, and
// adds that if it is wanted and not there.
func (v *view) repairRules(ctx context.Context, k kernel, wanted bool) error {
	want := rule{
		source: hostPrefix(v.subnet), table: v.subnet, priority: firstPriority + v.subnet,
		protocol: Protocol, onlySource: true,
	}
	there := false
	for _, r := range v.rules {
		if r.protocol != Protocol || r.source != want.source {
			continue
		}
		if wanted && r == want && !there {
			there = true
			continue
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := k.deleteRule(r); err != nil && !errors.Is(err, errNoRule) {
			return fmt.Errorf("removing rule %s: %w", r, err)
		}
	}
	if !wanted || there {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := k.addRule(want); err != nil && !errors.Is(err, errRuleExists) {
		return fmt.Errorf("adding rule %s: %w", want, err)
	}
	return nil
}
