package guest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"switchyard/sim/hilink"
)

// What there is of DHCP (RFC 2131) in a modem: one address for one host.
const (
	dhcpRequestOp, dhcpReplyOp                = 1, 2
	dhcpDiscover, dhcpOffer, dhcpAsk, dhcpAck = 1, 2, 3, 5

	optMask, optRouter, optLease, optType, optServer, optEnd = 1, 3, 51, 53, 54, 255

	dhcpHeader = 240 // up to the options, the magic cookie among it
	dhcpLease  = 86400
)

// serveDHCP gives 192.168.N.100 to who asks in this namespace. A modem that is
// restarting gives nothing.
func serveDHCP(m *hilink.Modem, subnet int) error {
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
		}), err)
	}}
	conn, err := c.ListenPacket(context.Background(), "udp4", "0.0.0.0:67")
	if err != nil {
		return fmt.Errorf("starting a modem's DHCP: %w", err)
	}
	go func() {
		defer func() { _ = conn.Close() }() // nothing is owed to it
		buf := make([]byte, 1500)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if m.Rebooting() {
				continue
			}
			if answer := dhcpAnswer(buf[:n], byte(subnet)); answer != nil {
				// A client that hears nothing asks again.
				_, _ = conn.WriteTo(answer, &net.UDPAddr{IP: net.IPv4(192, 168, byte(subnet), 255), Port: 68})
			}
		}
	}()
	return nil
}

// dhcpAnswer is the answer to a message; nil: none.
func dhcpAnswer(q []byte, subnet byte) []byte {
	if len(q) < dhcpHeader || q[0] != dhcpRequestOp {
		return nil
	}
	kind := byte(0)
	switch dhcpOption(q[dhcpHeader:], optType) {
	case dhcpDiscover:
		kind = dhcpOffer
	case dhcpAsk:
		kind = dhcpAck
	default:
		return nil
	}
	router := []byte{192, 168, subnet, 1}
	a := bytes.Clone(q[:44])            // kind of hardware, transaction, client
	a = append(a, make([]byte, 192)...) // names that nobody reads
	a = append(a, q[236:dhcpHeader]...) // the magic cookie
	a[0] = dhcpReplyOp
	copy(a[16:], []byte{192, 168, subnet, 100}) // your address
	copy(a[20:], router)                        // the server's
	a = append(a, optType, 1, kind, optServer, 4)
	a = append(a, router...)
	a = append(a, optLease, 4)
	a = binary.BigEndian.AppendUint32(a, dhcpLease)
	a = append(a, optMask, 4, 255, 255, 255, 0, optRouter, 4)
	a = append(a, router...)
	return append(a, optEnd)
}

// dhcpOption is the first byte of an option; 0: it isn't there.
func dhcpOption(b []byte, want byte) byte {
	for len(b) > 2 && b[0] != optEnd {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		n := int(b[1])
		if len(b) < 2+n {
			return 0
		}
		if b[0] == want && n > 0 {
			return b[2]
		}
		b = b[2+n:]
	}
	return 0
}
