package netroute

import (
	"errors"
	"net"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Ensure a dongle that comes behind a fence doesn't leave by the uplink before it
// is repaired, in a table of its own and in one that somebody's rule names, and
// does so by its gateway afterwards.
func TestFence_kernel(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string][]rule{"own": nil, "foreign": {theirs(500, 11, 200)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := enter(t)
			k.set(t, world{links: []cable{uplink}, rules: rules, routes: []route{out}})
			r := New()
			leaves := func() ([]netlink.Route, error) {
				return k.h.RouteGetWithOptions(net.IPv4(203, 0, 113, 5), &netlink.RouteGetOptions{SrcAddr: net.IPv4(192, 168, 11, 100)})
			}
			for range 2 {
				must(t, r.Fence(t.Context(), 11))
			}
			k.plug(t, stick)
			if found, err := leaves(); !errors.Is(err, unix.EHOSTUNREACH) && !errors.Is(err, unix.ENETUNREACH) {
				t.Errorf("plugged in, there is the way %v, %v", found, err)
			}
			must(t, r.Repair(t.Context(), 11))
			if found, err := leaves(); err != nil || len(found) != 1 || !found[0].Gw.Equal(net.IPv4(192, 168, 11, 1)) {
				t.Errorf("repaired, there is the way %v, %v", found, err)
			}
			l, err := k.h.LinkByName("dg11")
			must(t, err)
			must(t, k.h.LinkSetDown(l))
			must(t, k.h.LinkSetUp(l)) // the way is gone, the fence is not
			if found, err := leaves(); !errors.Is(err, unix.EHOSTUNREACH) && !errors.Is(err, unix.ENETUNREACH) {
				t.Errorf("down and up again, there is the way %v, %v", found, err)
			}
			drop(t)
			must(t, r.Fence(t.Context(), 11)) // it stands, so it takes no right
			if err := r.Repair(t.Context(), 11); !errors.Is(err, ErrNotPermitted) {
				t.Errorf("without the right, the repair returned %v", err)
			}
		})
	}
}
