package hilink

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
)

// Traffic is a modem's count since it was last reset by its owner, over all
// connections, in bytes.
type Traffic struct {
	Upload   uint64
	Download uint64
}

// Traffic reads the counters.
func (c *Client) Traffic(ctx context.Context) (Traffic, error) {
	const op = "read traffic"
	a, err := c.call(ctx, request{op: op, path: "/api/monitoring/traffic-statistics"})
	if err != nil {
		return Traffic{}, err
	}
	up, err := strconv.ParseUint(a.field("TotalUpload"), 10, 64)
	if err != nil {
		return Traffic{}, fmt.Errorf("%s: upload: %w", op, err)
	}
	down, err := strconv.ParseUint(a.field("TotalDownload"), 10, 64)
	if err != nil {
		return Traffic{}, fmt.Errorf("%s: download: %w", op, err)
	}
	return Traffic{Upload: up, Download: down}, nil
}

// Status is how a modem stands with its network. Numbers are -1 where the
// modem says nothing.
type Status struct {
	// Connection is 900 connecting, 901 connected, 902 disconnected, 903
	// disconnecting, 904 failed, 905 too weak a signal; 112 to 115 not
	// connected for other reasons, 201 over its quota.
	Connection int
	// NetworkType is 19 for LTE, 0 for none; the others are 2G and 3G.
	NetworkType int
	// NetworkTypeEx tells apart more: 101 LTE, 1011 LTE with carrier
	// aggregation. Old firmware doesn't have it.
	NetworkTypeEx int
	// Service is 2 where the network serves this SIM.
	Service int
	// SIM is 1 for a usable one, 0 or 255 for none.
	SIM int
	// WANAddress is the modem's address in the operator's network, often not
	// the public one. The zero Addr where the modem doesn't say: firmware
	// from 10.x on leaves it out; see Client.WANAddress.
	WANAddress netip.Addr
}

// Status reads the connection. No firmware wants a login for it.
func (c *Client) Status(ctx context.Context) (Status, error) {
	a, err := c.call(ctx, request{op: "read status", path: "/api/monitoring/status"})
	if err != nil {
		return Status{}, err
	}
	return statusOf(a), nil
}

func statusOf(a answer) Status {
	return Status{
		Connection:    a.number("ConnectionStatus"),
		NetworkType:   a.number("CurrentNetworkType"),
		NetworkTypeEx: a.number("CurrentNetworkTypeEx"),
		Service:       a.number("ServiceStatus"),
		SIM:           a.number("SimStatus"),
		WANAddress:    a.address("WanIPAddress"),
	}
}

// Connected reports whether data flows.
func (s Status) Connected() bool { return s.Connection == 901 }

// Connecting reports whether the modem is dialling.
func (s Status) Connecting() bool { return s.Connection == 900 }

// Disconnected reports whether the modem is off the network: switched off,
// failed, too weak a signal, or about to dial again.
func (s Status) Disconnected() bool {
	switch s.Connection {
	case 902, 904, 905, 201:
		return true
	}
	return s.Connection >= 112 && s.Connection <= 115
}

// Disconnecting reports whether the modem is hanging up.
func (s Status) Disconnecting() bool { return s.Connection == 903 }

// NoSIM reports whether the modem says that it has no SIM.
func (s Status) NoSIM() bool { return s.SIM == 0 || s.SIM == 255 }

// String says the connection in words, with the modem's number for it.
func (s Status) String() string {
	var word string
	switch {
	case s.Connection < 0:
		return "unknown"
	case s.Connected():
		word = "connected"
	case s.Connecting():
		word = "connecting"
	case s.Disconnecting():
		word = "disconnecting"
	case s.Connection == 904:
		word = "failed"
	case s.Connection == 905:
		word = "too weak a signal"
	case s.Connection == 201:
		word = "over its quota"
	case s.Disconnected():
		word = "disconnected"
	default:
		word = "unknown"
	}
	return fmt.Sprintf("%s (%d)", word, s.Connection)
}
