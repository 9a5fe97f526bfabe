package netroute

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	fenceCommand = "ip route replace unreachable default table 11 metric 1073741824 protocol 83"
	ruleCommand  = "ip rule add from 192.168.11.100 table 11 priority 10011 protocol 83"
)

// fences are states with the commands that put up the fence of dongle 11, or
// what keeps them from it.
var fences = map[string]struct {
	world
	did   []string
	fails string
}{
	"away": {world: world{links: []cable{uplink}, routes: []route{out}}, did: []string{fenceCommand, ruleCommand}},
	"away, the rule left": {
		world: world{links: []cable{uplink}, rules: []rule{ours(11)}, routes: []route{out}},
		did:   []string{fenceCommand},
	},
	"away, the fence left": {
		world: world{links: []cable{uplink}, routes: []route{out, fenceOf(11)}},
		did:   []string{ruleCommand},
	},
	"standing": {world: world{links: []cable{uplink}, rules: []rule{ours(11)}, routes: []route{out, fenceOf(11)}}},
	"away, duplicates of ours": {
		world: world{
			links: []cable{uplink}, routes: []route{out, fenceOf(11)},
			rules: []rule{ours(11), {priority: 1009, source: hostPrefix(11), table: 11, protocol: Protocol, onlySource: true}},
		},
		did: []string{"ip rule del from 192.168.11.100 table 11 priority 1009 protocol 83"},
	},
	"away, another's rule": {
		world: world{links: []cable{uplink}, rules: []rule{theirs(500, 11, 200)}, routes: []route{out}},
		did:   []string{"ip route replace unreachable default table 200 metric 1073741824 protocol 83"},
	},
	"away, another's rule to main": {
		world: world{links: []cable{uplink}, rules: []rule{theirs(500, 11, 254)}, routes: []route{out}},
		fails: "the system's table 254",
	},
	"there, link down": {
		world: world{links: []cable{uplink, {name: "dg11", address: "192.168.11.100/24", down: true}}, routes: []route{out}},
		did:   []string{fenceCommand, ruleCommand},
	},
	"there, not routed": {world: world{links: []cable{uplink, stick}, routes: []route{out}}, did: []string{fenceCommand, ruleCommand}},
	"there, routed":     {world: world{links: []cable{uplink, stick}, rules: []rule{ours(11)}, routes: []route{out, way(11, 11), fenceOf(11)}}},
}

// Ensure the fence is put up without the dongle, by what is missing of it alone,
// and that nothing is done where it stands.
func TestFence(t *testing.T) {
	t.Parallel()
	for name, tt := range fences {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &fake{}
			k.set(t, tt.world)
			for _, want := range [][]string{tt.did, nil} {
				k.did = nil
				err := routerOn(k).Fence(t.Context(), 11)
				if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("returned %v, want one that says %q", err, tt.fails)
				}
				if diff := cmp.Diff(want, k.did); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Ensure a fence that can't be put up says so and goes no further, nor beyond its
// context.
func TestFence_fails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for n, want := range []string{"setting route unreachable default", "adding rule from 192.168.11.100"} {
		k := &fake{}
		k.set(t, world{links: []cable{uplink}})
		k.fail = func(did int) error {
			if did == n {
				return broken
			}
			return nil
		}
		if err := routerOn(k).Fence(t.Context(), 11); !errors.Is(err, broken) || !strings.Contains(err.Error(), want) || len(k.did) != n {
			t.Errorf("at command %d: %v after %q", n, err, k.did)
		}
		k.did, k.fail = nil, func(int) error { return nil }
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(broken)
		if err := routerOn(k).Fence(ctx, 11); !errors.Is(err, broken) || len(k.did) > 0 {
			t.Errorf("cancelled: %v after %q", err, k.did)
		}
	}
	if err := (&Router{open: func() (kernel, error) { return nil, errors.ErrUnsupported }}).Fence(t.Context(), 11); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a kernel: %v", err)
	}
}

// Ensure the fence leaves the interface's own routes alone: a repair comes after
// it, and once the dongle is routed it changes nothing.
func TestFence_thenRepair(t *testing.T) {
	t.Parallel()
	k := &fake{}
	k.set(t, world{links: []cable{uplink, stick}, routes: []route{out}})
	r := routerOn(k)
	for _, do := range []func(context.Context, int) error{r.Fence, r.Repair} {
		if err := do(t.Context(), 11); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := r.Find(11); err != nil || !s.Routed {
		t.Errorf("it is %+v, %v", s, err)
	}
	did := slices.Clone(k.did)
	if err := r.Fence(t.Context(), 11); err != nil || !slices.Equal(did, k.did) {
		t.Errorf("%v, did %q", err, k.did)
	}
}
