package hardware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchyard/configs"
	"switchyard/hardware"
	"switchyard/hardware/netaddr"
	"switchyard/hardware/netroute"
	"switchyard/metrics"
)

// fakeChanges is a watch that tells what the test wants told.
type fakeChanges struct {
	told chan struct{}
	err  error
}

var _ hardware.Changes = (*fakeChanges)(nil)

func (c *fakeChanges) Changes() <-chan struct{} { return c.told }
func (c *fakeChanges) Err() error               { return c.err }
func (c *fakeChanges) Close()                   {}

// fakeAssigner answers by its function field.
type fakeAssigner struct {
	EnsureFn func(ctx context.Context, iface string, subnet int) error
}

var _ hardware.Assigner = (*fakeAssigner)(nil)

func (a *fakeAssigner) Ensure(ctx context.Context, iface string, subnet int) error {
	return a.EnsureFn(ctx, iface, subnet)
}

// keeping is a host with real dongles whose routing is the test's. It stands in a
// bubble.
type keeping struct {
	t     *testing.T
	host  *hardware.Host
	meter *metrics.Metrics
	// watches counts how often the watch was begun; watchErr has it fail.
	watches  int
	watchErr error
	stop     context.CancelFunc
	ended    chan struct{}

	mu      sync.Mutex
	changes *fakeChanges
	log     bytes.Buffer
	state   map[int]netroute.State
	did     []string
	// fails is what a repair or a fence returns; undoes, that it doesn't last.
	fails  error
	undoes bool
}

func newKeeping(t *testing.T, change func(*configs.Config), subnets ...int) *keeping {
	t.Helper()
	k := &keeping{t: t, meter: metrics.New("test"), changes: &fakeChanges{told: make(chan struct{}, 1)}, state: map[int]netroute.State{}, ended: make(chan struct{})}
	var dongles []configs.Dongle
	for _, n := range subnets {
		dongles = append(dongles, configs.Dongle{Subnet: n})
	}
	c := hostConfig(t, dongles...)
	if change != nil {
		change(c)
	}
	k.host = newHost(t, c)
	k.host.Meter = k.meter
	k.host.Watch = func() (hardware.Changes, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.watches++
		if k.watchErr != nil {
			return nil, k.watchErr
		}
		return k.changes, nil
	}
	k.host.Assigner = &fakeAssigner{EnsureFn: func(_ context.Context, iface string, subnet int) error {
		k.do("address %d %s", subnet, iface)
		k.set(subnet, there(iface))
		return nil
	}}
	for _, n := range subnets {
		d, err := k.host.Dongle(n)
		if err != nil {
			t.Fatal(err)
		}
		if d.Router != nil {
			d.Router = k.router()
		}
	}
	return k
}

func (k *keeping) router() hardware.Router {
	return &fakeRouter{
		FindFn: func(subnet int) (netroute.State, error) {
			k.mu.Lock()
			defer k.mu.Unlock()
			return k.state[subnet], nil
		},
		RepairFn: func(_ context.Context, subnet int) error {
			k.do("repair %d", subnet)
			k.mu.Lock()
			defer k.mu.Unlock()
			if k.fails == nil && !k.undoes {
				s := k.state[subnet]
				s.Routed = true
				k.state[subnet] = s
			}
			if k.undoes {
				k.tell()
			}
			return k.fails
		},
		FenceFn: func(_ context.Context, subnet int) error {
			k.do("fence %d", subnet)
			return nil
		},
	}
}

func (k *keeping) do(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.did = append(k.did, fmt.Sprintf(format, args...))
}

// Write takes the log.
func (k *keeping) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.log.Write(b)
}

// start keeps until the test ends.
func (k *keeping) start() {
	ctx, cancel := context.WithCancel(k.t.Context())
	k.stop = cancel
	go func() {
		defer close(k.ended)
		k.host.KeepRouted(ctx, slog.New(slog.NewTextHandler(k, nil)))
	}()
	synctest.Wait()
}

func (k *keeping) end() {
	k.stop()
	<-k.ended
}

func (k *keeping) set(subnet int, s netroute.State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state[subnet] = s
}

func (k *keeping) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fails = err
}

// tell says that something has changed.
func (k *keeping) tell() {
	select {
	case k.changes.told <- struct{}{}:
	default:
	}
}

// expect lets the host do what there is to do within a time, and wants that to be
// this.
func (k *keeping) expect(when string, within time.Duration, want ...string) {
	k.t.Helper()
	time.Sleep(within)
	synctest.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	if got := strings.Join(k.did, ", "); got != strings.Join(want, ", ") {
		k.t.Errorf("%s: did %q, want %q", when, got, strings.Join(want, ", "))
	}
	k.did = nil
}

// said counts the lines of the log with a text in them.
func (k *keeping) said(text string) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for line := range strings.Lines(k.log.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (k *keeping) expectSaid(n int, text string) {
	k.t.Helper()
	if got := k.said(text); got != n {
		k.t.Errorf("%q was logged %d times, want %d", text, got, n)
	}
}

// expectCounted wants these to be all the repairs that were counted.
func (k *keeping) expectCounted(want string) {
	k.t.Helper()
	var b strings.Builder
	r := httptest.NewRecorder()
	k.meter.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(r, httptest.NewRequestWithContext(k.t.Context(), http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(r.Body.String()) {
		if strings.HasPrefix(line, "switchyard_dongle_repairs_total") {
			b.WriteString(line)
		}
	}
	if b.String() != want {
		k.t.Errorf("counted %s, want %s", b.String(), want)
	}
}

// What a dongle's routing looks like: plugged in, and routed too.
func there(iface string) netroute.State  { return netroute.State{Interface: iface} }
func routed(iface string) netroute.State { return netroute.State{Interface: iface, Routed: true} }

// Ensure a dongle is fenced while it is away and repaired when it comes, each
// once, and that only its change is said.
func TestKeepRouted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeeping(t, nil, 16)
		k.start()
		k.expect("away", 0, "fence 16")
		k.set(16, there("dg16"))
		k.tell()
		k.expect("plugged in", 0, "fence 16", "repair 16")
		k.tell()
		k.expect("its own doing", 0)
		k.expect("unasked", time.Hour)
		k.set(16, netroute.State{})
		k.tell()
		k.expect("away again", 0, "fence 16")
		k.set(16, there("dg16"))
		k.expect("back, and nobody told of it", 30*time.Second, "fence 16", "repair 16")
		k.end()
		k.expectSaid(2, "repaired the routing of a dongle")
		k.expectSaid(2, "dongle=16 interface=dg16")
		k.expectSaid(0, "level=WARN")
		k.expectCounted("switchyard_dongle_repairs_total{dongle=\"16\",outcome=\"repaired\"} 2\n")
	})
}

// Ensure a dongle that a toggle works on is left alone until that is over, and
// what the toggle has repaired isn't repaired again.
func TestKeepRouted_locked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeeping(t, nil, 16, 17)
		d, err := k.host.Dongle(16)
		if err != nil {
			t.Fatal(err)
		}
		hold := func() *hardware.Lock {
			lock, err := hardware.TryLock(d.LockPath)
			if err != nil {
				t.Fatal(err)
			}
			return lock
		}
		free := func(l *hardware.Lock) {
			if err := l.Unlock(); err != nil {
				t.Fatal(err)
			}
		}
		lock := hold()
		k.set(16, there("dg16"))
		k.set(17, routed("dg17"))
		k.start()
		for range 9 {
			k.tell()
			k.expect("toggling", 10*time.Second)
		}
		free(lock)
		k.expect("over", time.Second, "fence 16", "repair 16")
		lock = hold()
		k.set(16, there("dg16"))
		k.tell()
		k.expect("toggling again", time.Minute)
		k.set(16, routed("dg16"))
		free(lock)
		k.expect("repaired by the toggle", time.Minute)
		k.end()
		k.expectSaid(1, "level=")
	})
}

// Ensure a host that may not repair says so once, for all its dongles, and tries
// no more.
func TestKeepRouted_notPermitted(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]error{
		"routing": fmt.Errorf("adding rule: %w", netroute.ErrNotPermitted),
		"address": fmt.Errorf("bringing it up: %w", netaddr.ErrNotPermitted),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newKeeping(t, nil, 16)
				k.fail(refused)
				k.set(16, there("dg16"))
				k.start()
				k.expect("at first", 0, "fence 16", "repair 16")
				for range 3 {
					k.tell()
					k.expect("later", time.Minute)
				}
				k.end()
				k.expectSaid(1, "host.keep_routed: false")
				k.expectSaid(1, "CAP_NET_ADMIN")
				k.expectSaid(1, "level=")
				k.expectCounted("switchyard_dongle_repairs_total{dongle=\"16\",outcome=\"not_permitted\"} 1\n")
			})
		})
	}
}

// Ensure a repair that fails is tried again, when something changes and unasked,
// that each reason is said once, and that it is right again too.
func TestKeepRouted_fails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeeping(t, nil, 16)
		k.fail(errRouting)
		k.set(16, there("dg16"))
		k.start()
		k.expect("at first", 0, "fence 16", "repair 16")
		k.tell()
		k.expect("something changed", 0, "fence 16", "repair 16")
		k.expect("unasked", 2*time.Minute-time.Second, "fence 16", "repair 16", "fence 16", "repair 16", "fence 16", "repair 16")
		k.fail(errors.New("another reason"))
		k.expect("for another reason", 30*time.Second, "fence 16", "repair 16")
		k.set(16, routed("dg16"))
		k.expect("somebody else has repaired it", time.Minute)
		k.end()
		k.expectSaid(1, errRouting.Error())
		k.expectSaid(1, "another reason")
		k.expectSaid(1, "right again")
		k.expectSaid(3, "level=")
		k.expectCounted("switchyard_dongle_repairs_total{dongle=\"16\",outcome=\"failed\"} 6\n")
	})
}

// Ensure somebody who undoes every repair at once is not fought at full speed, and
// is told of once.
func TestKeepRouted_undone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeeping(t, nil, 16)
		k.undoes = true
		k.set(16, there("dg16"))
		k.start()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		k.mu.Lock()
		repairs := len(k.did) / 2
		k.mu.Unlock()
		if repairs < 10 || repairs > 20 {
			t.Errorf("repaired %d times in two minutes", repairs)
		}
		k.expectSaid(1, "doesn't stay repaired")
		k.end()
	})
}

// Ensure an interface that lost its address gets it again, behind the fence: the
// one that had it, while it is up, or the one where the dongle hangs. A dongle
// without one isn't given another's.
func TestKeepRouted_address(t *testing.T) {
	t.Parallel()
	located := func(k *keeping, found bool) {
		k.host.Locate = func(subnet int) (string, bool) { return fmt.Sprintf("eth%d", subnet), found }
	}
	for name, tt := range map[string]struct {
		before netroute.State
		set    func(*keeping)
		want   []string
		says   string
	}{
		"the same interface":     {before: routed("lo"), want: []string{"fence 16", "address 16 lo", "repair 16"}, says: "gave the interface of a dongle its address"},
		"gone":                   {before: routed("dg16"), want: []string{"fence 16"}},
		"never seen":             {want: []string{"fence 16"}},
		"located":                {set: func(k *keeping) { located(k, true) }, want: []string{"fence 16", "address 16 eth16", "repair 16"}},
		"located elsewhere":      {before: routed("lo"), set: func(k *keeping) { located(k, true) }, want: []string{"fence 16", "address 16 eth16", "repair 16"}},
		"not located":            {before: routed("lo"), set: func(k *keeping) { located(k, false) }, want: []string{"fence 16", "address 16 lo", "repair 16"}},
		"located, gone at once":  {set: func(k *keeping) { located(k, true); k.ensure(netaddr.ErrNoInterface) }, want: []string{"fence 16", "address 16 eth16"}},
		"in another subnet":      {set: func(k *keeping) { located(k, true); k.ensure(netaddr.ErrSubnet) }, want: []string{"fence 16", "address 16 eth16"}, says: netaddr.ErrSubnet.Error()},
		"nobody gives addresses": {before: routed("lo"), set: func(k *keeping) { k.host.Assigner = nil }, want: []string{"fence 16"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newKeeping(t, nil, 16)
				k.set(16, tt.before)
				if tt.set != nil && tt.before.Interface == "" {
					tt.set(k) // not routed from the start
				}
				k.start()
				if tt.before.Interface != "" {
					k.expect("at first", 0)
					if tt.set != nil {
						tt.set(k)
					}
					k.set(16, netroute.State{})
					k.tell()
				}
				k.expect("without an address", 0, tt.want...)
				k.end()
				if tt.says != "" {
					k.expectSaid(1, tt.says)
				}
			})
		})
	}
}

// ensure has the assigner fail.
func (k *keeping) ensure(err error) {
	k.host.Assigner = &fakeAssigner{EnsureFn: func(_ context.Context, iface string, subnet int) error {
		k.do("address %d %s", subnet, iface)
		return fmt.Errorf("interface %s: %w", iface, err)
	}}
}

// Ensure a dongle that waits for its address delays neither the others nor the
// end.
func TestKeepRouted_waits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeeping(t, nil, 16, 17)
		k.host.Locate = func(int) (string, bool) { return "eth0", true }
		k.host.Assigner = &fakeAssigner{EnsureFn: func(ctx context.Context, _ string, subnet int) error {
			k.do("address %d", subnet)
			<-ctx.Done()
			return context.Cause(ctx)
		}}
		k.set(17, routed("dg17"))
		k.start()
		k.expect("16 waits", 0, "fence 16", "address 16")
		k.set(17, there("dg17"))
		k.tell()
		k.expect("17 is wrong", 0, "fence 17", "repair 17")
		k.end()
		k.expectSaid(1, "level=")
	})
}

// Ensure a watch that breaks, or can't be begun, is said once and begun again, and
// that meanwhile the host looks now and then.
func TestKeepRouted_unwatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeeping(t, nil, 16)
		k.set(16, routed("dg16"))
		k.start()
		k.expect("watched", 15*time.Second)
		k.mu.Lock()
		k.changes.err, k.watchErr = errors.New("watch broken"), errors.New("no socket")
		close(k.changes.told)
		k.mu.Unlock()
		k.set(16, there("dg16"))
		k.expect("broken", 30*time.Second, "fence 16", "repair 16")
		k.set(16, there("dg16"))
		k.expect("not to be begun", 30*time.Second, "fence 16", "repair 16")
		k.mu.Lock()
		k.changes, k.watchErr = &fakeChanges{told: make(chan struct{})}, nil
		k.mu.Unlock()
		k.expect("begun again", 30*time.Second)
		k.set(16, there("dg16"))
		k.changes.told <- struct{}{}
		k.expect("watched again", time.Second, "fence 16", "repair 16")
		k.end()
		k.expectSaid(1, "watch broken")
		k.expectSaid(1, "no socket")
		if k.watches != 4 {
			t.Errorf("the watch was begun %d times", k.watches)
		}
	})
}

// Ensure nothing is repaired or watched where that is switched off, where all is
// simulated, or where the system has no such network.
func TestKeepRouted_nothingToKeep(t *testing.T) {
	t.Parallel()
	off := func(c *configs.Config) { c.Host.KeepRouted = false }
	for name, tt := range map[string]struct {
		change  func(*configs.Config)
		set     func(*keeping)
		watches int
	}{
		"off":       {change: off},
		"simulated": {change: func(c *configs.Config) { c.Host.Dongles[0].Gateway = "127.0.0.1:1" }},
		"not Linux": {set: func(k *keeping) { k.watchErr = errors.ErrUnsupported }, watches: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := newKeeping(t, tt.change, 16)
				if tt.set != nil {
					tt.set(k)
				}
				k.set(16, there("dg16"))
				k.start()
				<-k.ended
				k.expect("ended", 0)
				if k.watches != tt.watches {
					t.Errorf("the watch was begun %d times, want %d", k.watches, tt.watches)
				}
				k.expectSaid(0, "level=")
				k.stop()
			})
		})
	}
}

// Ensure a host that finds its dongles by address watches for them also where it
// repairs none.
func TestKeepRouted_findsOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newKeeping(t, func(c *configs.Config) { c.Host.KeepRouted = false })
		k.start()
		k.tell()
		k.expect("told", time.Minute)
		k.end()
		if k.watches != 1 {
			t.Errorf("the watch was begun %d times", k.watches)
		}
	})
}
