package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"

	"switchyard/hardware"
	"switchyard/hardware/netroute"
)

// fakeRouter answers by its function fields. Where they are nil all is right,
// and nothing to repair.
type fakeRouter struct {
	FindFn   func(subnet int) (netroute.State, error)
	RepairFn func(ctx context.Context, subnet int) error
	FenceFn  func(ctx context.Context, subnet int) error
}

var _ hardware.Router = (*fakeRouter)(nil)

func (r *fakeRouter) Find(subnet int) (netroute.State, error) {
	if r.FindFn == nil {
		return netroute.State{Routed: true}, nil
	}
	return r.FindFn(subnet)
}

func (r *fakeRouter) Repair(ctx context.Context, subnet int) error {
	if r.RepairFn == nil {
		return nil
	}
	return r.RepairFn(ctx, subnet)
}

func (r *fakeRouter) Fence(ctx context.Context, subnet int) error {
	if r.FenceFn == nil {
		return nil
	}
	return r.FenceFn(ctx, subnet)
}

var errRouting = errors.New("listing rules: no buffer space available")

// Ensure missing routing is diagnosed by what is seen, though a probe would
// work, and left to the probe where it can't be seen.
func TestDiagnose_routing(t *testing.T) {
	t.Parallel()
	found := func(s netroute.State, err error) hardware.Router {
		return &fakeRouter{FindFn: func(subnet int) (netroute.State, error) {
			if subnet != 16 {
				return s, fmt.Errorf("asked for dongle %d", subnet)
			}
			return s, err
		}}
	}
	for _, tt := range []struct {
		name   string
		router hardware.Router
		probe  hardware.Diagnosis // what there is beyond routing
		want   hardware.Diagnosis
		err    error
	}{
		{"right", found(netroute.State{Routed: true}, nil), healthy, healthy, nil},
		{"right, and no connectivity", found(netroute.State{Routed: true}, nil), unreachable, unreachable, nil},
		{"missing", found(netroute.State{}, nil), healthy, misrouted, nil},
		{"missing, and no connectivity", found(netroute.State{}, nil), unreachable, misrouted, nil},
		{"no interface", found(netroute.State{}, nil), unplugged, unplugged, nil},
		{"right, and the probe leaks", found(netroute.State{Routed: true}, nil), misrouted, misrouted, nil},
		{"not Linux", found(netroute.State{}, fmt.Errorf("routing: %w", errors.ErrUnsupported)), healthy, healthy, nil},
		{"simulated", nil, healthy, healthy, nil},
		{"not to be seen", found(netroute.State{}, errRouting), healthy, misrouted, errRouting},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, tt.probe)
				d := p.dongle(t, p.modem())
				d.Router = tt.router
				got, ip, err := d.Diagnose(t.Context())
				if got != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("found %s, %v", got, err)
				}
				if (ip != netip.Addr{}) != (tt.want == healthy) {
					t.Errorf("with the address %v", ip)
				}
			})
		})
	}
}

// Ensure step 1 repairs what was found missing, is passed over with the reason
// where the host may not, and fails with what the router says.
func TestLadder_routing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		repair error
		step   int
		first  string
	}{
		{"repaired", nil, 1, "1 ok"},
		{"not permitted", fmt.Errorf("adding rule: %w", netroute.ErrNotPermitted), 2, "1 skipped: adding rule: " + netroute.ErrNotPermitted.Error() + ": not available on this host"},
		{"not Linux", errors.ErrUnsupported, 2, "1 skipped: unsupported operation: not available on this host"},
		{"refused", errRouting, 4, "1 failed: " + errRouting.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, unreachable)
				p.ways[hardware.MethodNetMode] = changes
				if tt.repair != nil && tt.step == 4 {
					p.ways[hardware.MethodNetMode], p.ways[hardware.MethodDataswitch] = loses, loses
				}
				routed := false
				d, l, j := p.dongle(t, p.modem()), p.ladder(), &journal{}
				l.Repairs[1] = hardware.RepairRouting
				d.Router = &fakeRouter{
					FindFn: func(int) (netroute.State, error) { return netroute.State{Routed: routed}, nil },
					RepairFn: func(_ context.Context, subnet int) error {
						if tt.repair == nil {
							routed = subnet == 16
							p.mu.Lock()
							p.ip = oldIP
							p.mu.Unlock()
						}
						return tt.repair
					},
				}
				out, err := l.Toggle(t.Context(), d, j.hooks())
				if err != nil || out.Success != (tt.step < 4) || out.Step != tt.step || j.last().Diagnosis != string(misrouted) {
					t.Errorf("%+v, %v after %s, want step %d", out, err, j.last().Diagnosis, tt.step)
				}
				if steps := j.steps(); len(steps) == 0 || steps[0] != tt.first {
					t.Errorf("steps %q, want the first to be %q", steps, tt.first)
				}
			})
		})
	}
}

// Ensure a simulated dongle's routing is left alone.
func TestRepairRouting_simulated(t *testing.T) {
	t.Parallel()
	if err := hardware.RepairRouting(t.Context(), &hardware.Dongle{Subnet: 16}); !errors.Is(err, hardware.ErrUnavailable) {
		t.Errorf("returned %v", err)
	}
}
