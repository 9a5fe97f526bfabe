package hardware_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"switchyard/hardware"
)

// Ensure a real dongle's connections fail at once, rather than leave by the
// host's uplink, where no interface holds its address.
func TestBoundNetwork_noInterface(t *testing.T) {
	t.Parallel()
	n := hardware.BoundNetwork{Subnet: 254} // no dongle's
	if got := n.Address().String(); got != "192.168.254.100" {
		t.Errorf("the host's address is %s", got)
	}
	if name, err := n.Interface(); err != nil || name != "" {
		t.Skipf("this machine has %s: %q, %v", n.Address(), name, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := n.Dial(ctx, "tcp", l.Addr().String())
	if err == nil {
		conn.Close()
		t.Fatal("it connected")
	}
	if !strings.Contains(err.Error(), "no interface holds 192.168.254.100") || ctx.Err() != nil {
		t.Errorf("failed with %v", err)
	}
}

// Ensure whatever is dialled by a simulated dongle ends at its gateway, and
// that its interface is always there.
func TestGatewayNetwork(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := hardware.GatewayNetwork{Subnet: 16, Addr: l.Addr().String()}
	if name, err := n.Interface(); err != nil || name != "sim16" {
		t.Errorf("its interface is %q, %v", name, err)
	}
	conn, err := n.Dial(t.Context(), "tcp", "ip.example:443")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.RemoteAddr().String(); got != n.Addr {
		t.Errorf("it went to %s", got)
	}
}
