package netroute

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew, from the fake kernel")

// world is what a test sets up: interfaces, rules and default routes.
type world struct {
	links  []cable
	rules  []rule
	routes []route
}

// cable is an interface with an address.
type cable struct {
	name, address string
	down          bool
}

// lab is a kernel that can be set up, and shown.
type lab interface {
	kernel
	set(t *testing.T, w world)
}

// states are the ways in which the routing of dongle 11 can be found. What is
// made of each stands in testdata, by name.
var states = map[string]world{
	"right": {
		links:  []cable{uplink, stick},
		rules:  []rule{ours(11)},
		routes: []route{out, way(11, 11), fenceOf(11)},
	},
	"nothing":           {links: []cable{uplink, stick}, routes: []route{out}},
	"no interface":      {links: []cable{uplink}, rules: []rule{ours(11)}, routes: []route{out}},
	"rule, empty table": {links: []cable{uplink, stick}, rules: []rule{ours(11)}, routes: []route{out}},
	"table, no rule":    {links: []cable{uplink, stick}, routes: []route{out, way(11, 11)}},
	"wrong gateway": {
		links:  []cable{uplink, stick},
		rules:  []rule{ours(11)},
		routes: []route{out, {table: 11, gateway: addr("192.168.11.254"), dev: "dg11", protocol: 3}},
	},
	"no gateway":          {links: []cable{uplink, stick}, rules: []rule{ours(11)}, routes: []route{out, {table: 11, dev: "dg11", protocol: 3}}},
	"another interface":   {links: []cable{uplink, stick}, rules: []rule{ours(11)}, routes: []route{out, {table: 11, gateway: out.gateway, dev: "eno1", protocol: 3}}},
	"blocked":             {links: []cable{uplink, stick}, rules: []rule{ours(11)}, routes: []route{out, {table: 11, kind: "unreachable", protocol: 3}}},
	"fenced":              {links: []cable{uplink, stick}, rules: []rule{ours(11)}, routes: []route{out, fenceOf(11)}},
	"right with a metric": {links: []cable{uplink, stick}, rules: []rule{ours(11)}, routes: []route{out, {table: 11, gateway: gateway(11), dev: "dg11", metric: 700, protocol: 3}}},
	"better one wrong": {
		links:  []cable{uplink, stick},
		rules:  []rule{ours(11)},
		routes: []route{out, {table: 11, gateway: addr("192.168.11.254"), dev: "dg11", metric: 100, protocol: 3}, {table: 11, gateway: gateway(11), dev: "dg11", metric: 700, protocol: 3}},
	},
	"duplicates of ours": {
		links:  []cable{uplink, stick},
		rules:  []rule{{priority: 1009, source: hostPrefix(11), table: 11, protocol: Protocol, onlySource: true}, {priority: 1010, source: hostPrefix(11), table: 111, protocol: Protocol, onlySource: true}},
		routes: []route{out},
	},
	"ours and a duplicate": {
		links:  []cable{uplink, stick},
		rules:  []rule{{priority: 1009, source: hostPrefix(11), table: 11, protocol: Protocol, onlySource: true}, ours(11)},
		routes: []route{out, way(11, 11), fenceOf(11)},
	},
	"duplicates of others":  {links: []cable{uplink, stick}, rules: []rule{theirs(1009, 11, 11), theirs(1010, 11, 11)}, routes: []route{out}},
	"foreign table, empty":  {links: []cable{uplink, stick}, rules: []rule{theirs(500, 11, 200)}, routes: []route{out}},
	"foreign table, right":  {links: []cable{uplink, stick}, rules: []rule{theirs(500, 11, 200)}, routes: []route{out, {table: 200, gateway: gateway(11), dev: "dg11", protocol: 3}}},
	"foreign beside ours":   {links: []cable{uplink, stick}, rules: []rule{theirs(500, 11, 200), ours(11)}, routes: []route{out}},
	"foreign, ours works":   {links: []cable{uplink, stick}, rules: []rule{theirs(500, 11, 200), ours(11)}, routes: []route{out, way(11, 11), fenceOf(11)}},
	"big table":             {links: []cable{uplink, stick}, rules: []rule{theirs(500, 11, 70000)}, routes: []route{out}},
	"rule for the network":  {links: []cable{uplink, stick}, rules: []rule{{priority: 500, source: netip.MustParsePrefix("192.168.11.0/24"), table: 200, onlySource: true}}, routes: []route{out}},
	"main table":            {links: []cable{uplink, stick}, rules: []rule{theirs(500, 11, 254)}, routes: []route{out}},
	"another dongle's":      {links: []cable{uplink, stick, other}, rules: []rule{theirs(500, 11, 12), ours(12)}, routes: []route{out, way(12, 12)}},
	"shared table":          {links: []cable{uplink, stick, other}, rules: []rule{theirs(500, 11, 200), theirs(501, 12, 200)}, routes: []route{out, {table: 200, gateway: gateway(12), dev: "dg12", protocol: 3}}},
	"table of all":          {links: []cable{uplink, stick}, rules: []rule{theirs(500, 11, 200), {priority: 600, table: 200, onlySource: true}}, routes: []route{out}},
	"rule behind the main":  {links: []cable{uplink, stick}, rules: []rule{theirs(40000, 11, 200)}, routes: []route{out}},
	"rule with a condition": {links: []cable{uplink, stick}, rules: []rule{{priority: 500, source: hostPrefix(11), table: 200}}, routes: []route{out}},
	"link down":             {links: []cable{uplink, {name: "dg11", address: "192.168.11.100/24", down: true}}, rules: []rule{ours(11)}, routes: []route{out}},
	"address alone":         {links: []cable{uplink, {name: "dg11", address: "192.168.11.100/32"}}, routes: []route{out}},
	"two interfaces":        {links: []cable{uplink, stick, {name: "dg11b", address: "192.168.11.100/24"}}, routes: []route{out}},
	"others' own": {
		links: []cable{uplink, stick, other},
		rules: []rule{
			{priority: 10012, source: hostPrefix(12), table: 12, protocol: Protocol, onlySource: true},
			{priority: 777, source: netip.MustParsePrefix("192.168.0.0/16"), table: 254, onlySource: true},
		},
		routes: []route{out, way(12, 12), {table: 99, gateway: out.gateway, dev: "eno1", protocol: 4}},
	},
}

var (
	uplink = cable{name: "eno1", address: "198.51.100.7/24"}
	stick  = cable{name: "dg11", address: "192.168.11.100/24"}
	other  = cable{name: "dg12", address: "192.168.12.100/24"}
	out    = route{table: 254, gateway: addr("198.51.100.1"), dev: "eno1", protocol: 4}
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func ours(n int) rule {
	return rule{priority: firstPriority + n, source: hostPrefix(n), table: n, protocol: Protocol, onlySource: true}
}

func theirs(priority, n, table int) rule {
	return rule{priority: priority, source: hostPrefix(n), table: table, onlySource: true}
}

func way(table, n int) route {
	return route{table: table, gateway: gateway(n), dev: fmt.Sprintf("dg%d", n), onlink: true, protocol: Protocol}
}

// Ensure each state is found as it is and repaired by the commands that are
// needed and no others, and that a second repair does nothing.
func TestStates(t *testing.T) {
	t.Parallel()
	for name, w := range states {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &fake{}
			k.set(t, w)
			got := play(t, k, 11)
			if *update {
				if err := os.WriteFile(golden(name), []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			check(t, name, got)
			if len(k.did) > 0 && strings.Contains(got, "repair: done") {
				k.did = nil
				if err := routerOn(k).Repair(t.Context(), 11); err != nil {
					t.Errorf("repaired twice: %v", err)
				}
				if len(k.did) > 0 {
					t.Errorf("the second repair did %q", k.did)
				}
			}
		})
	}
}

// golden is the file of a state.
func golden(name string) string {
	return filepath.Join("testdata", strings.NewReplacer(",", "", "'", "", " ", "_").Replace(name)+".txt")
}

// check compares with the golden file.
func check(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(golden(name))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func routerOn(k kernel) *Router { return &Router{open: func() (kernel, error) { return k, nil }} }

// play looks, repairs and looks again, and writes down what there is to see.
func play(t *testing.T, k lab, subnet int) string {
	t.Helper()
	r := routerOn(k)
	var b strings.Builder
	look := func() State {
		s, err := r.Find(subnet)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "interface: %s\nrule: %t, table %d\nway: %s\nrouted: %t\n", s.Interface, s.Rule, s.Table, s.Way, s.Routed)
		return s
	}
	show(t, &b, k)
	found := look()
	err := r.Repair(t.Context(), subnet)
	if err != nil {
		fmt.Fprintf(&b, "\nrepair: %v\n\n", err)
	} else {
		fmt.Fprintf(&b, "\nrepair: done\n\n")
	}
	show(t, &b, k)
	after := look()
	if found.Routed && err != nil || after.Routed != (err == nil) {
		t.Errorf("it was %+v, is %+v, and the repair returned %v", found, after, err)
	}
	return b.String()
}

// show writes rules and default routes down, as the commands that make them.
func show(t *testing.T, b *strings.Builder, k kernel) {
	t.Helper()
	rules, err := k.rules()
	if err != nil {
		t.Fatal(err)
	}
	tables := []int{11, 12, 99, 200, 254, 70000}
	for _, r := range rules {
		if r.source.IsValid() || r.priority != 0 && r.priority < mainPriority {
			fmt.Fprintf(b, "ip rule add %s\n", r)
		}
	}
	for _, table := range tables {
		routes, err := k.defaults(table)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range routes {
			fmt.Fprintf(b, "ip route add %s\n", r)
		}
	}
}

// Ensure a repair that is not permitted, or fails at any command, says so, and
// goes no further.
func TestRepair_fails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for n, want := range []string{"setting route default via 192.168.11.1 dev dg11 table 11", "setting route unreachable default", "adding rule from 192.168.11.100 table 11 priority 10011", "removing rule from 192.168.11.100 table 11 priority 1009"} {
		k := &fake{}
		k.set(t, world{links: []cable{stick}, rules: []rule{{priority: 1009, source: hostPrefix(11), table: 11, protocol: Protocol, onlySource: true}}})
		k.fail = func(did int) error {
			if did == n {
				return broken
			}
			return nil
		}
		if err := routerOn(k).Repair(t.Context(), 11); !errors.Is(err, broken) || !strings.Contains(err.Error(), want) || len(k.did) != n {
			t.Errorf("at command %d: %v after %q, want one that says %q", n, err, k.did, want)
		}
	}
}

// Ensure a repair ends with its context, before the next command.
func TestRepair_cancelled(t *testing.T) {
	t.Parallel()
	stopped := errors.New("stopped")
	for n := range 4 {
		k := &fake{}
		k.set(t, world{links: []cable{stick}, rules: []rule{{priority: 1009, source: hostPrefix(11), table: 11, protocol: Protocol, onlySource: true}}})
		ctx, cancel := context.WithCancelCause(t.Context())
		k.fail = func(did int) error {
			if did+1 == n {
				cancel(stopped)
			}
			return nil
		}
		if n == 0 {
			cancel(stopped)
		}
		if err := routerOn(k).Repair(ctx, 11); !errors.Is(err, stopped) || len(k.did) != n {
			t.Errorf("cancelled at %d: %v after %q", n, err, k.did)
		}
		cancel(nil)
	}
}

// Ensure somebody who takes the routes away at once, all or but the fence, is told
// of.
func TestRepair_undone(t *testing.T) {
	t.Parallel()
	for name, left := range map[string][]route{"all": nil, "but the fence": {fenceOf(11)}} {
		k := &fake{}
		k.set(t, world{links: []cable{stick}})
		k.fail = func(did int) error {
			if did == 2 {
				k.routes = left
			}
			return nil
		}
		if err := routerOn(k).Repair(t.Context(), 11); err == nil || !strings.Contains(err.Error(), "network manager") {
			t.Errorf("%s: returned %v", name, err)
		}
	}
}

// Ensure what keeps the kernel from being asked is told by every method.
func TestRouter_noKernel(t *testing.T) {
	t.Parallel()
	r := &Router{open: func() (kernel, error) { return nil, errors.ErrUnsupported }}
	_, findErr := r.Find(11)
	for _, err := range []error{findErr, r.Repair(t.Context(), 11), r.MayChange()} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("returned %v", err)
		}
	}
}

// fake is a kernel in memory. It keeps the commands that it was given.
type fake struct {
	links  []cable
	all    []rule
	routes []route
	did    []string
	// fail is asked before each command, with the number of those before.
	fail func(did int) error
}

var _ lab = (*fake)(nil)

func (k *fake) close() {}

func (k *fake) set(_ *testing.T, w world) {
	k.links, k.all, k.routes = slices.Clone(w.links), slices.Clone(w.rules), slices.Clone(w.routes)
	k.sort()
}

func (k *fake) sort() {
	slices.SortStableFunc(k.all, func(a, b rule) int { return a.priority - b.priority })
	slices.SortStableFunc(k.routes, func(a, b route) int { return a.metric - b.metric })
}

func (k *fake) command(what string, err error) error {
	if k.fail != nil && err == nil {
		err = k.fail(len(k.did))
	}
	if err == nil {
		k.did = append(k.did, what)
	}
	return err
}

func (k *fake) holders(a netip.Addr) (out []link, err error) {
	for i, l := range k.links {
		if netip.MustParsePrefix(l.address).Addr() == a {
			out = append(out, link{index: i + 1, name: l.name, up: !l.down})
		}
	}
	return out, nil
}

func (k *fake) rules() ([]rule, error) { return slices.Clone(k.all), nil }

func (k *fake) defaults(table int) (out []route, err error) {
	for _, r := range k.routes {
		if r.table == table {
			out = append(out, r)
		}
	}
	return out, nil
}

func (k *fake) addRule(r rule) error {
	var err error
	if slices.Contains(k.all, r) {
		err = errRuleExists
	}
	if err := k.command("ip rule add "+r.String(), err); err != nil {
		return err
	}
	k.all = append(k.all, r)
	k.sort()
	return nil
}

func (k *fake) deleteRule(r rule) error {
	i := slices.Index(k.all, r)
	var err error
	if i < 0 {
		err = errNoRule
	}
	if err := k.command("ip rule del "+r.String(), err); err != nil {
		return err
	}
	k.all = slices.Delete(k.all, i, i+1)
	return nil
}

func (k *fake) setRoute(r route) error {
	if err := k.command("ip route replace "+r.String(), nil); err != nil {
		return err
	}
	k.routes = slices.DeleteFunc(k.routes, func(o route) bool { return o.table == r.table && o.metric == r.metric })
	k.routes = append(k.routes, r)
	k.sort()
	return nil
}
