package hardware_test

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/configs"
	"switchyard/hardware"
	"switchyard/hardware/hilink"
	"switchyard/hosts"
	sim "switchyard/sim/hilink"
	"switchyard/tasks"
)

// hostConfig is that of a host whose dongles are these.
func hostConfig(t *testing.T, dongles ...configs.Dongle) *configs.Config {
	t.Helper()
	c := configs.Default()
	c.Host.Name, c.Host.ServerIP, c.Host.StateDir = "seoul-1", hostAddress, t.TempDir()
	c.Host.EchoURLs = []string{"http://ip.example/"}
	c.Host.ProbeTimeout, c.Host.ModemTimeout = configs.Duration(time.Second), configs.Duration(600*time.Millisecond)
	c.Host.Dongles = dongles
	return c
}

func newHost(t *testing.T, c *configs.Config) *hardware.Host {
	t.Helper()
	h, err := hardware.NewHost(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// Ensure a host is as configured: its dongles in their order with a lock of
// their own each, real ones bound to their network, and its ladder's times.
func TestNewHost(t *testing.T) {
	t.Parallel()
	c := hostConfig(t, configs.Dongle{Subnet: 30}, configs.Dongle{Subnet: 11, Modem: "http://127.0.0.1:1", Gateway: "127.0.0.1:2"})
	c.Host.USB.Hubs = []string{"1-3"}
	c.Toggle.Unchanged, c.Toggle.Methods = "accept", []string{"dataswitch", "net_mode"}
	h := newHost(t, c)
	if diff := cmp.Diff([]int{11, 30}, h.Subnets()); diff != "" || h.ServerIP != hostAddress || h.Name != "seoul-1" {
		t.Errorf("%s at %s (-want +got):\n%s", h.Name, h.ServerIP, diff)
	}
	simulated, err := h.Dongle(11)
	if err != nil {
		t.Fatal(err)
	}
	if got := simulated.Network; got != (hardware.GatewayNetwork{Subnet: 11, Addr: "127.0.0.1:2"}) {
		t.Errorf("the simulated one's network is %#v", got)
	}
	bound, err := h.Dongle(30)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := bound.Network.(hardware.BoundNetwork); !ok || got.Subnet != 30 || got.Names == nil {
		t.Errorf("the real one's network is %#v", bound.Network)
	}
	if simulated.Router != nil || bound.Router == nil || h.Ladder.Repairs[1] == nil {
		t.Errorf("routing: of the simulated one %v, of the real one %v, step 1 %t", simulated.Router, bound.Router, h.Ladder.Repairs[1] != nil)
	}
	if name, err := bound.Network.Interface(); err == nil && name == "" {
		if _, err := bound.Modem.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "no interface holds 192.168.30.100") {
			t.Errorf("the real one's modem is asked by another way: %v", err)
		}
	}
	if want := filepath.Join(c.Host.StateDir, "dongle-30.lock"); bound.LockPath != want {
		t.Errorf("its lock is %s, want %s", bound.LockPath, want)
	}
	if want := filepath.Join(c.Host.StateDir, "host-seoul-1.lock"); h.LockPath() != want {
		t.Errorf("the host's lock is %s, want %s", h.LockPath(), want)
	}
	if p := bound.Prober; p.HostIP != netip.MustParseAddr(hostAddress) || p.Timeout != c.Host.ProbeTimeout.Std() || len(p.URLs) != 1 {
		t.Errorf("its probes are %+v", p)
	}
	want := &hardware.Ladder{
		Methods: []hardware.Method{"dataswitch", "net_mode"}, AcceptUnchanged: true, StepLimit: 45 * time.Second,
		Holds: []time.Duration{6 * time.Second, 15 * time.Second}, Poll: 100 * time.Millisecond,
		DropLimit: 3 * time.Second, SettleLimit: 2 * time.Second, RestoreLimit: 30 * time.Second,
		Limits: map[int]time.Duration{4: 250 * time.Second},
	}
	got := *h.Ladder
	got.Repairs = nil // functions
	if diff := cmp.Diff(want, &got); diff != "" {
		t.Errorf("ladder (-want +got):\n%s", diff)
	}
	c.Host.USB.Hubs = nil
	if got := newHost(t, c).Ladder.Limits[4]; got != 2*time.Second {
		t.Errorf("without hubs step 4 has %s", got)
	}
	c.Toggle.Unchanged = "escalate"
	if newHost(t, c).Ladder.AcceptUnchanged {
		t.Error("unchanged is accepted though it is to escalate")
	}
}

// Ensure a dongle that the host hasn't is said to be none of its, by name.
func TestHost_Dongle(t *testing.T) {
	t.Parallel()
	h := newHost(t, hostConfig(t, configs.Dongle{Subnet: 11}))
	if d, err := h.Dongle(12); !errors.Is(err, hardware.ErrNoDongle) || d != nil || !strings.Contains(err.Error(), "12") {
		t.Errorf("%v, %v", d, err)
	}
}

// Ensure a host without configured dongles looks for them and starts with
// those there are, be it none.
func TestNewHost_discovers(t *testing.T) {
	t.Parallel()
	for _, n := range newHost(t, hostConfig(t)).Subnets() {
		if name, err := (hardware.BoundNetwork{Subnet: n}).Interface(); err != nil || name == "" {
			t.Errorf("it found dongle %d, which no interface has: %q, %v", n, name, err)
		}
	}
}

// Ensure a host's public address is the one configured, else its uplink's,
// else the default route's, and that there being none is said with what to do.
func TestNewHost_serverIP(t *testing.T) {
	t.Parallel()
	dongle := configs.Dongle{Subnet: 11}
	c := hostConfig(t, dongle)
	c.Host.ServerIP, c.Host.Uplink = "", "lo"
	if ip := newHost(t, c).ServerIP; ip != "127.0.0.1" {
		t.Errorf("the uplink's address is %s", ip)
	}
	c.Host.Uplink = "no-such-link"
	h, err := hardware.NewHost(c)
	switch {
	case err != nil: // a machine without a network
		if !strings.Contains(err.Error(), "host.server_ip") || !strings.Contains(err.Error(), "no-such-link") {
			t.Errorf("no address: %v", err)
		}
	default:
		h.Close()
		if ip, err := netip.ParseAddr(h.ServerIP); err != nil || !ip.Is4() || ip.IsUnspecified() {
			t.Errorf("the default route's address is %q", h.ServerIP)
		}
	}
	c.Host.ServerIP = "seoul"
	if _, err := hardware.NewHost(c); err == nil || !strings.Contains(err.Error(), "host.server_ip") {
		t.Errorf("no address: %v", err)
	}
	c = hostConfig(t, configs.Dongle{Subnet: 11, Modem: "ftp://x"})
	if _, err := hardware.NewHost(c); err == nil || !strings.Contains(err.Error(), "dongle 11") {
		t.Errorf("no modem: %v", err)
	}
}

// Ensure all dongles are read at once, each as it is, and that a hung modem
// costs its own members alone.
func TestHost_Collect(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	var modems []*sim.Modem
	var dongles []configs.Dongle
	for n := 11; n < 14; n++ {
		m := sim.New(sim.Options{Subnet: n})
		if err := m.Start(ctx); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		modems = append(modems, m)
		dongles = append(dongles, configs.Dongle{Subnet: n, Modem: m.URL(), Gateway: m.Gateway()})
	}
	modems[1].SetFaults(sim.Faults{Hang: true})
	h := newHost(t, hostConfig(t, dongles...))
	// Off the network, with its web API at work.
	d, err := h.Dongle(13)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Modem.SetDataSwitch(ctx, false); err != nil {
		t.Fatal(err)
	}
	got := map[int]hosts.Dongle{}
	var order []int
	h.Collect(ctx, func(n int, d hosts.Dongle) {
		got[n] = d
		order = append(order, n)
	})
	if len(got) != 3 || order[0] != 11 {
		t.Fatalf("collected %v", order)
	}
	if d := got[11]; !d.Connected || *d.ExternalIP != modems[0].Address().String() || d.Signal == nil || d.Signal.RSRP == nil || d.Traffic.Download == 0 {
		t.Errorf("the healthy one is %+v", d)
	}
	if d := got[12]; !d.Connected || *d.ExternalIP != modems[1].Address().String() || d.Signal != nil || d.Traffic != (tasks.Traffic{}) {
		t.Errorf("the hung one is %+v", d)
	}
	if d := got[13]; d.Connected || d.ExternalIP != nil || d.Signal == nil || d.Traffic.Download == 0 {
		t.Errorf("the one off the network is %+v", d)
	}
	h.Close()
	if _, err := d.Modem.Status(ctx); !errors.Is(err, hilink.ErrClosed) {
		t.Errorf("after the host was closed: %v", err)
	}
}

// Ensure a dongle's own login is used where it has one, and the host's where it
// hasn't.
func TestHost_login(t *testing.T) {
	t.Parallel()
	start := func(user, password string) *sim.Modem {
		m := sim.New(sim.Options{User: user, Password: password})
		if err := m.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return m
	}
	shared, own, none := start("admin", "sesame-1"), start("root", "sesame-2"), start("admin", "sesame-3")
	c := hostConfig(t,
		configs.Dongle{Subnet: 11, Modem: shared.URL(), Gateway: shared.Gateway()},
		configs.Dongle{Subnet: 12, Modem: own.URL(), Gateway: own.Gateway(), User: "root", Password: configs.NewSecret("sesame-2")},
		configs.Dongle{Subnet: 13, Modem: none.URL(), Gateway: none.Gateway()},
	)
	c.Host.ModemUser, c.Host.ModemPassword = "admin", configs.NewSecret("sesame-1")
	h := newHost(t, c)
	for subnet, want := range map[int]error{11: nil, 12: nil, 13: hilink.ErrWrongPassword} {
		d, err := h.Dongle(subnet)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Modem.Signal(t.Context()); !errors.Is(err, want) {
			t.Errorf("dongle %d: %v, want %v", subnet, err, want)
		}
	}
}

// Ensure results are handed over one at a time, however many dongles are ready
// at once.
func TestHost_Collect_oneAtATime(t *testing.T) {
	t.Parallel()
	var dongles []configs.Dongle
	for n := tasks.MinSubnet; n <= tasks.MaxSubnet; n++ {
		dongles = append(dongles, configs.Dongle{Subnet: n, Modem: "http://127.0.0.1:1", Gateway: "127.0.0.1:1"}) // nobody is there
	}
	h := newHost(t, hostConfig(t, dongles...))
	var inside atomic.Int64
	seen := map[int]bool{}
	h.Collect(t.Context(), func(n int, d hosts.Dongle) {
		if inside.Add(1) > 1 {
			t.Error("called by two at a time")
		}
		for range 100 {
			runtime.Gosched()
		}
		seen[n] = d.Connected || d.Signal != nil
		inside.Add(-1)
	})
	for n := tasks.MinSubnet; n <= tasks.MaxSubnet; n++ {
		if connected, ok := seen[n]; !ok || connected {
			t.Errorf("dongle %d was collected: %v, and is there: %v", n, ok, connected)
		}
	}
}

// Ensure what a modem says is taken over member by member, what it doesn't stays
// unknown, and there is no signal where it says nothing of it at all.
func TestDongle_Collect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, healthy)
		m := p.modem()
		m.SignalFn = func(context.Context) (hilink.Signal, error) {
			return hilink.Signal{
				RSRP: ptr(-105.0), RSRQ: ptr(-9.5), RSSI: ptr(-79.0), SINR: ptr(0.0),
				Band: ptr("3"), CellID: ptr("0029403-030"), PCI: ptr("0"), PLMN: ptr("45008"),
			}, nil
		}
		want := hosts.Dongle{
			ExternalIP: ptr(oldIP.String()), Connected: true, Traffic: tasks.Traffic{Upload: 7, Download: 9},
			Signal: &tasks.Signal{
				RSRP: ptr(tasks.Decibel(-105)), RSRQ: ptr(tasks.Decibel(-9.5)), RSSI: ptr(tasks.Decibel(-79)), SINR: ptr(tasks.Decibel(0)),
				Band: ptr("3"), CellID: ptr("0029403-030"), PCI: ptr("0"), PLMN: ptr("45008"),
			},
		}
		if diff := cmp.Diff(want, p.dongle(t, m).Collect(t.Context())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		m.SignalFn = func(context.Context) (hilink.Signal, error) { return hilink.Signal{}, nil }
		m.TrafficFn = func(context.Context) (hilink.Traffic, error) { return hilink.Traffic{}, hilink.ErrTimeout }
		want.Signal, want.Traffic = nil, tasks.Traffic{}
		if diff := cmp.Diff(want, p.dongle(t, m).Collect(t.Context())); diff != "" {
			t.Errorf("a silent modem (-want +got):\n%s", diff)
		}
		m.SignalFn = func(context.Context) (hilink.Signal, error) { return hilink.Signal{PCI: ptr("0")}, nil }
		want.Signal = &tasks.Signal{PCI: ptr("0")}
		if diff := cmp.Diff(want, p.dongle(t, m).Collect(t.Context())); diff != "" {
			t.Errorf("one that says little (-want +got):\n%s", diff)
		}
	})
}

// Ensure a modem that hangs costs its own figures and no more than the limit of
// their reading; its address is told.
func TestDongle_Collect_hangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t, healthy)
		m := p.modem()
		m.TrafficFn = func(ctx context.Context) (hilink.Traffic, error) {
			<-ctx.Done()
			return hilink.Traffic{}, ctx.Err()
		}
		m.SignalFn = func(ctx context.Context) (hilink.Signal, error) { return hilink.Signal{}, ctx.Err() }
		d := p.dongle(t, m)
		d.ReadLimit = 2500 * time.Millisecond
		got := d.Collect(t.Context())
		if took := time.Since(start()); took != d.ReadLimit {
			t.Errorf("it took %v", took)
		}
		if diff := cmp.Diff(hosts.Dongle{ExternalIP: ptr(oldIP.String()), Connected: true}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Ensure each diagnosis is made from what is there: the interface first, then
// the way that probes take.
func TestDongle_Diagnose(t *testing.T) {
	t.Parallel()
	for found, step := range map[hardware.Diagnosis]int{healthy: 2, unplugged: 3, misrouted: 1, unreachable: 2} {
		t.Run(string(found), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t, found)
				got, ip, err := p.dongle(t, p.modem()).Diagnose(t.Context())
				if err != nil || got != found || ip.IsValid() != (found == healthy) || got.FirstStep() != step {
					t.Errorf("%s with %v, from step %d, %v", got, ip, got.FirstStep(), err)
				}
			})
		})
	}
}
