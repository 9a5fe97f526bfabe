package guest

import (
	"context"
	"fmt"
	"net"
	"strings"

	"switchyard/sim/hilink"
)

// modem is a dongle's simulated modem and what surrounds it.
type modem struct {
	Dongle
	sim *hilink.Modem
}

// Setup is Client.Setup.
func (g *Guest) Setup(s Setup, _ *bool) error {
	g.setup = s
	if err := g.uplink(); err != nil {
		return err
	}
	for _, d := range s.Dongles {
		m, err := g.plug(d)
		if err != nil {
			return fmt.Errorf("setting up modem %d: %w", d.Subnet, err)
		}
		g.modems[d.Subnet] = m
	}
	return g.watch()
}

// plug starts a modem in a namespace of its own.
func (g *Guest) plug(d Dongle) (*modem, error) {
	card, err := byMAC(ModemMAC(d.Subnet))
	if err != nil {
		return nil, err
	}
	s, err := newSpace(g.setup.Echo)
	if err != nil {
		return nil, err
	}
	ip := fmt.Sprintf("192.168.%d.1", d.Subnet)
	if err := s.take(card, ip+"/24"); err != nil {
		return nil, err
	}
	m := &modem{Dongle: d, sim: hilink.New(hilink.Options{
		Subnet: d.Subnet, Seed: 1, Reattach: g.setup.Reattach, Boot: g.setup.Boot,
		WebAddr: net.JoinHostPort(ip, "80"), GatewayAddr: net.JoinHostPort(g.setup.Echo, "80"),
	})}
	err = s.do(func() error {
		if err := m.sim.Start(context.Background()); err != nil {
			return err
		}
		return serveDHCP(m.sim, d.Subnet)
	})
	go g.retell(m)
	return m, err
}

// retell tells of what happens to a modem.
func (g *Guest) retell(m *modem) {
	told := 0
	for {
		var all []hilink.Entry
		err := m.sim.WaitFor(context.Background(), func(l []hilink.Entry) bool {
			all = l
			return len(l) > told
		})
		if err != nil {
			return
		}
		for _, e := range all[told:] {
			g.log.addAt(e.At, m.Subnet, "modem "+e.What)
		}
		told = len(all)
	}
}

func (g *Guest) modem(subnet int) (*modem, error) {
	m := g.modems[subnet]
	if m == nil {
		return nil, fmt.Errorf("there is no dongle %d", subnet)
	}
	return m, nil
}

// Modem is Client.Modem.
func (g *Guest) Modem(subnet int, s *ModemState) error {
	m, err := g.modem(subnet)
	if err != nil {
		return err
	}
	*s = ModemState{Attached: m.sim.Attached(), Mode: m.sim.Mode().Mode, Rebooting: m.sim.Rebooting()}
	if a := m.sim.Address(); a.IsValid() {
		s.Address = a.String()
	}
	return nil
}

// Starve is Client.Starve.
func (g *Guest) Starve(subnet int, _ *bool) error {
	m, err := g.detach(subnet)
	if err != nil {
		return err
	}
	from := len(m.sim.Ledger())
	go func() {
		err := m.sim.WaitFor(context.Background(), func(l []hilink.Entry) bool {
			for _, e := range l[min(from, len(l)):] {
				if strings.HasPrefix(e.What, "net-mode") {
					return true
				}
			}
			return false
		})
		if err == nil {
			m.sim.SetFaults(hilink.Faults{})
		}
	}()
	return nil
}

// Hang is Client.Hang.
func (g *Guest) Hang(subnet int, _ *bool) error {
	m, err := g.detach(subnet)
	if err != nil {
		return err
	}
	m.sim.SetFaults(hilink.Faults{NoAddress: true, Hang: true})
	return nil
}

// detach has a modem lose its network and not find it again. The only way to
// make a simulated one lose it is to restart it.
func (g *Guest) detach(subnet int) (*modem, error) {
	m, err := g.modem(subnet)
	if err != nil {
		return nil, err
	}
	m.sim.SetFaults(hilink.Faults{NoAddress: true})
	m.sim.Reboot()
	return m, m.sim.WaitFor(context.Background(), func([]hilink.Entry) bool { return !m.sim.Rebooting() })
}
