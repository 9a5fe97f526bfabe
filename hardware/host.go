package hardware

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/configs"
	"switchyard/hardware/hilink"
	"switchyard/hardware/netroute"
	"switchyard/hardware/recovery"
	"switchyard/hardware/usbmap"
	"switchyard/hosts"
	"switchyard/metrics"
	"switchyard/tasks"
)

// ErrNoDongle: the host has no such dongle.
var ErrNoDongle = errors.New("the host has no such dongle")

// Host is this machine as a proxy host.
type Host struct {
	Name     string
	ServerIP string
	Ladder   *Ladder
	// Watch begins to watch the host's network, for KeepRouted.
	Watch func() (Changes, error)
	// Assigner gives an interface that lost its address the address again.
	Assigner Assigner
	// Locate, if set, knows the interface of a dongle that has no address.
	Locate func(subnet int) (iface string, found bool)
	// Meter counts what KeepRouted does. Nil: nobody does.
	Meter *metrics.Metrics

	stateDir string
	prober   Prober
	names    *Names
	config   configs.Host
	// longestAgain bounds the pause between repairs that don't last.
	longestAgain time.Duration

	bus      recovery.Bus
	places   *usbmap.Map
	recovery *recovery.Recovery

	// readings counts those of the USB, taken is the latest that the map has.
	readings atomic.Int64
	reading  sync.Mutex
	taken    int64

	mu      sync.Mutex
	dongles map[int]*Dongle
	told    map[string]string // what the log knows
}

// NewHost sets a host up as configured. Dongles that are not configured are
// found by address.
func NewHost(c *configs.Config) (*Host, error) {
	bus, err := newBus(c.Host)
	if err != nil {
		return nil, err
	}
	return NewHostOn(c, bus)
}

// NewHostOn is NewHost with another USB than the machine's.
func NewHostOn(c *configs.Config, bus recovery.Bus) (*Host, error) {
	h := &Host{
		Name: c.Host.Name, stateDir: c.Host.StateDir, config: c.Host, dongles: map[int]*Dongle{}, told: map[string]string{},
		names: NewNames(),
		Watch: watchNetwork, Assigner: NewAssigner(c.Host.Address, nil), longestAgain: longestAgain,
	}
	ip, err := serverIP(c.Host)
	if err != nil {
		return nil, err
	}
	h.ServerIP = ip.String()
	h.Ladder = &Ladder{
		AcceptUnchanged: c.Toggle.Unchanged == "accept",
		StepLimit:       c.Toggle.StepLimit.Std(),
		Poll:            c.Toggle.PollInterval.Std(),
		DropLimit:       c.Toggle.DropLimit.Std(),
		SettleLimit:     c.Toggle.SettleLimit.Std(),
		RestoreLimit:    c.Toggle.RestoreLimit.Std(),
		Repairs:         map[int]Repair{1: RepairRouting},
	}
	for _, m := range c.Toggle.Methods {
		h.Ladder.Methods = append(h.Ladder.Methods, Method(m))
	}
	for _, d := range c.Toggle.DataswitchHolds {
		h.Ladder.Holds = append(h.Ladder.Holds, d.Std())
	}
	h.setUpUSB(c, bus)
	h.prober = Prober{URLs: c.Host.EchoURLs, Timeout: c.Host.ProbeTimeout.Std(), HostIP: ip}
	for _, d := range c.Host.Dongles {
		if err := h.add(d); err != nil {
			return nil, err
		}
	}
	if _, err := h.Discover(); err != nil {
		return nil, err
	}
	return h, nil
}

// Discover looks for dongles that the host has got since it last looked, by its
// own addresses, and returns their subnets. One that was found stays, whether it
// is plugged in or not. Where dongles are configured there are no others.
func (h *Host) Discover() ([]int, error) {
	if len(h.config.Dongles) > 0 {
		return nil, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("looking for dongles: %w", err)
	}
	return h.addFound(addrs)
}

// addFound adds the dongles that these addresses of the host tell of.
func (h *Host) addFound(addrs []net.Addr) (found []int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n := tasks.MinSubnet; n <= tasks.MaxSubnet; n++ {
		want := BoundNetwork{Subnet: n}.Address()
		if h.dongles[n] != nil || !slices.ContainsFunc(addrs, func(a net.Addr) bool {
			ip, ok := a.(*net.IPNet)
			return ok && ip.IP.Equal(want)
		}) {
			continue
		}
		if err := h.add(configs.Dongle{Subnet: n}); err != nil {
			return found, err
		}
		found = append(found, n)
	}
	return found, nil
}

// add makes a dongle. Called with mu held, or before the host is anybody's.
func (h *Host) add(d configs.Dongle) error {
	var n Network = BoundNetwork{Subnet: d.Subnet, Names: h.names}
	var router Router
	modem := d.Modem
	if modem == "" {
		modem = fmt.Sprintf("http://192.168.%d.1", d.Subnet)
	}
	password := d.Password
	if password.IsZero() {
		password = h.config.ModemPassword
	}
	opt := hilink.Options{
		Timeout: h.config.ModemTimeout.Std(),
		User:    cmp.Or(d.User, h.config.ModemUser), Password: password.Reveal(),
	}
	if d.Gateway != "" {
		// Simulated: its web API is where it is said to be.
		n = GatewayNetwork{Subnet: d.Subnet, Addr: d.Gateway}
	} else {
		opt.Dial, router = n.Dial, netroute.New()
	}
	client, err := hilink.New(modem, opt)
	if err != nil {
		return fmt.Errorf("dongle %d: %w", d.Subnet, err)
	}
	made := &Dongle{
		Subnet: d.Subnet, Modem: client, Network: n, Prober: h.prober, Router: router, ReadLimit: h.config.ReadLimit.Std(),
		LockPath: filepath.Join(h.stateDir, "dongle-"+strconv.Itoa(d.Subnet)+".lock"),
	}
	if !made.simulated() {
		made.ShareHub = func(ctx context.Context) (func(), error) { return h.recovery.Share(ctx, d.Subnet) }
	}
	h.dongles[d.Subnet] = made
	return nil
}

// Dongle returns the dongle with this subnet. Error: ErrNoDongle.
func (h *Host) Dongle(subnet int) (*Dongle, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.dongles[subnet]
	if d == nil {
		return nil, fmt.Errorf("%w: %d", ErrNoDongle, subnet)
	}
	return d, nil
}

// Subnets are those of the host's dongles, ascending.
func (h *Host) Subnets() []int {
	all := h.all()
	out := make([]int, len(all))
	for i, d := range all {
		out[i] = d.Subnet
	}
	return out
}

// all are the host's dongles, by subnet.
func (h *Host) all() []*Dongle {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Values(h.dongles), func(a, b *Dongle) int { return a.Subnet - b.Subnet })
}

// Collect reads every dongle at once and calls got, from one goroutine at a
// time, as each is ready. A dongle that hangs delays nobody but the return.
func (h *Host) Collect(ctx context.Context, got func(subnet int, d hosts.Dongle)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, d := range h.all() {
		wg.Go(func() {
			found := d.Collect(ctx)
			mu.Lock()
			defer mu.Unlock()
			got(d.Subnet, found)
		})
	}
	wg.Wait()
}

// LockPath is the file that one worker of this host at a time holds locked.
func (h *Host) LockPath() string { return filepath.Join(h.stateDir, "host-"+h.Name+".lock") }

// Close drops the connections to the modems.
func (h *Host) Close() {
	for _, d := range h.all() {
		d.Modem.Close()
	}
}

// serverIP is the host's public address: as configured, else the uplink's,
// else the one that the default route uses.
func serverIP(c configs.Host) (netip.Addr, error) {
	if c.ServerIP != "" {
		ip, err := netip.ParseAddr(c.ServerIP)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("host.server_ip: %w", err)
		}
		return ip, nil
	}
	if i, err := net.InterfaceByName(c.Uplink); err == nil {
		addrs, err := i.Addrs()
		if err != nil {
			return netip.Addr{}, fmt.Errorf("reading the addresses of %s: %w", c.Uplink, err)
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
				ip, _ := netip.AddrFromSlice(n.IP.To4())
				return ip, nil
			}
		}
	}
	// Connecting a UDP socket sends nothing; it only picks the source address.
	conn, err := net.Dial("udp4", "192.0.2.1:9") //nolint:noctx // decides at once, without a network
	if err != nil {
		return netip.Addr{}, fmt.Errorf("finding this host's public address: interface %q has none and there is no default route: set host.server_ip: %w", c.Uplink, err)
	}
	defer conn.Close()
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("finding this host's public address: %w", err)
	}
	return local.Addr().Unmap(), nil
}
