package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/hardware"
)

// Ensure a name that was known once stays known while the host's DNS fails,
// hangs or says nothing, follows what it says when it is back, and that one that
// never was is told apart from anything that could be the dongle's fault.
func TestNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		var says func(context.Context) ([]netip.Addr, error)
		n := hardware.NamesBy(func(ctx context.Context, name string) ([]netip.Addr, error) {
			if name != "echo.example.com" {
				return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
			}
			return says(ctx)
		}, time.Second)
		fails := func(context.Context) ([]netip.Addr, error) { return nil, &net.DNSError{Err: "server misbehaving"} }
		hangs := func(ctx context.Context) ([]netip.Addr, error) { <-ctx.Done(); return nil, ctx.Err() }
		empty := func(context.Context) ([]netip.Addr, error) { return nil, nil }
		is := func(a netip.Addr) func(context.Context) ([]netip.Addr, error) {
			return func(context.Context) ([]netip.Addr, error) { return []netip.Addr{a}, nil }
		}
		for i, tt := range []struct {
			says func(context.Context) ([]netip.Addr, error)
			want netip.Addr
		}{
			{fails, netip.Addr{}}, {hangs, netip.Addr{}}, {empty, netip.Addr{}},
			{is(first), first}, {fails, first}, {hangs, first}, {empty, first},
			{is(second), second}, {fails, second},
		} {
			says = tt.says
			began := time.Now()
			got, err := n.Resolve(t.Context(), "echo.example.com")
			if tt.want.IsValid() != (err == nil) || err != nil && !errors.Is(err, hardware.ErrNames) || err == nil && !slices.Equal(got, []netip.Addr{tt.want}) {
				t.Errorf("%d: %v, %v, want %v", i, got, err, tt.want)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("%d: took %s", i, took)
			}
		}
		if got, err := n.Resolve(t.Context(), "other.example.com"); !errors.Is(err, hardware.ErrNames) {
			t.Errorf("one that there is none of: %v, %v", got, err)
		}
		if got, err := n.Resolve(t.Context(), "192.0.2.9"); err != nil || !slices.Equal(got, []netip.Addr{netip.MustParseAddr("192.0.2.9")}) {
			t.Errorf("an address: %v, %v", got, err)
		}
	})
}

// Ensure a host whose DNS is away says so, and doesn't take its dongles for dead:
// that would have them reset and power cycled. An echo service that is found and
// doesn't answer is the dongle's fault whatever became of the other names.
func TestDiagnose_namesAway(t *testing.T) {
	t.Parallel()
	away := func(context.Context, string, string) (net.Conn, error) {
		return nil, fmt.Errorf("%w: server misbehaving", hardware.ErrNames)
	}
	one := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == "s1.example:443" {
			return nil, errRefused
		}
		return away(ctx, network, addr)
	}
	for name, tt := range map[string]struct {
		dial func(context.Context, string, string) (net.Conn, error)
		want error
	}{"all": {away, hardware.ErrNames}, "all but one": {one, nil}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newPlace(t, unreachable).dongle(t, nil)
				d.Network = &fakeNetwork{DialFn: tt.dial}
				d.Prober.URLs = []string{"https://s1.example/", "https://s2.example/", "http://p1.example/"}
				found, _, err := d.Diagnose(t.Context())
				if !errors.Is(err, tt.want) || tt.want == nil && err != nil || found != unreachable {
					t.Errorf("found %s, %v, want %v", found, err, tt.want)
				}
			})
		})
	}
}
