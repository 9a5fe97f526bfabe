package hardware

import (
	"context"
	"fmt"
	"net"
)

// Network is the way from this host through one dongle.
type Network interface {
	// Interface is the name of the network interface that holds the dongle's
	// address on this side, "" if none does.
	Interface() (string, error)
	// Dial connects through the dongle and no other way.
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
}

// GatewayNetwork stands for the network of a simulated dongle: whatever is
// dialled ends at one address.
type GatewayNetwork struct {
	// Subnet of the dongle.
	Subnet int
	// Addr is the simulated modem's gateway, host:port.
	Addr string
}

// Interface is always there.
func (g GatewayNetwork) Interface() (string, error) { return fmt.Sprintf("sim%d", g.Subnet), nil }

// Dial connects to the gateway, whatever addr is.
func (g GatewayNetwork) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, g.Addr)
}

// BoundNetwork is the network of a real dongle: connections are bound to the
// host's address in its subnet and to the interface that holds it. Bound to the
// address alone they would leave by the host's uplink when a rule is missing.
type BoundNetwork struct {
	// Subnet of the dongle.
	Subnet int
	// Names of the echo services; nil where addresses alone are dialled.
	Names *Names
}

// Address is the host's own in the dongle's network.
func (b BoundNetwork) Address() net.IP { return net.IPv4(192, 168, byte(b.Subnet), 100).To4() }

// Interface looks for the one that holds Address; it may change whenever the
// dongle re-attaches to the USB.
func (b BoundNetwork) Interface() (string, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return "", fmt.Errorf("listing network interfaces: %w", err)
	}
	for _, i := range ifs {
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has just gone
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(b.Address()) {
				return i.Name, nil
			}
		}
	}
	return "", nil
}

// Dial binds to address and interface. Without an interface it fails at once.
func (b BoundNetwork) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	name, err := b.Interface()
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, fmt.Errorf("no interface holds %s", b.Address())
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: b.Address()}, ControlContext: bindToDevice(name)}
	if b.Names == nil {
		return d.DialContext(ctx, "tcp4", addr)
	}
	// By the host's own resolver: only the addresses of the echo services, never
	// a proxy client's.
	return b.Names.dial(ctx, d, "tcp4", addr)
}
