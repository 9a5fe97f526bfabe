package hilink

import (
	"context"
	"errors"
	"fmt"
)

// NetMode is which networks and bands a modem may use, as the modem spells it.
// A mode that is written carries the bands that were read, or a band lock is
// lost: the modem stores what it is given.
type NetMode struct {
	// Mode is 00 for any network, 01 2G, 02 3G, 03 LTE; 0201, 0301, 0302 are
	// preferences (LTE, then 3G); 99 leaves it as it is.
	Mode string
	// NetworkBand is the mask of 2G and 3G bands in hex (3FFFFFFF: all).
	NetworkBand string
	// LTEBand is the mask of LTE bands in hex, bit N-1 for band N.
	LTEBand string
}

// NetMode reads the mode that is set. Wants a login on some firmware.
func (c *Client) NetMode(ctx context.Context) (NetMode, error) {
	const op = "read net mode"
	a, err := c.call(ctx, request{op: op, path: "/api/net/net-mode"})
	if err != nil {
		return NetMode{}, err
	}
	m := NetMode{Mode: a.field("NetworkMode"), NetworkBand: a.field("NetworkBand"), LTEBand: a.field("LTEBand")}
	if m.Mode == "" {
		return NetMode{}, fmt.Errorf("%s: the modem doesn't say it", op)
	}
	return m, nil
}

// SetNetMode sets mode and bands. The modem answers before it acts: a change
// detaches it from the network for seconds, and Status says when it is back. A
// band mask that is empty is left out of the request.
//
// An error for which NetModeRefused holds means that the modem keeps the mode
// it had. After ErrTimeout, or an error of the network, it may have changed.
func (c *Client) SetNetMode(ctx context.Context, m NetMode) error {
	const op = "set net mode"
	if m.Mode == "" {
		return errors.New(op + ": no mode given")
	}
	fields := []field{{"NetworkMode", m.Mode}}
	if m.NetworkBand != "" {
		fields = append(fields, field{"NetworkBand", m.NetworkBand})
	}
	if m.LTEBand != "" {
		fields = append(fields, field{"LTEBand", m.LTEBand})
	}
	return c.write(ctx, op, "/api/net/net-mode", fields...)
}

// DataSwitch reads whether mobile data is switched on. On doesn't mean
// connected: see Status.
func (c *Client) DataSwitch(ctx context.Context) (bool, error) {
	const op = "read data switch"
	a, err := c.call(ctx, request{op: op, path: "/api/dialup/mobile-dataswitch"})
	if err != nil {
		return false, err
	}
	switch v := a.field("dataswitch"); v {
	case "0", "1":
		return v == "1", nil
	default:
		return false, fmt.Errorf("%s: the modem says %.20q", op, v)
	}
}

// SetDataSwitch switches mobile data on or off. As with SetNetMode the modem
// answers first and acts then.
func (c *Client) SetDataSwitch(ctx context.Context, on bool) error {
	v := "0"
	if on {
		v = "1"
	}
	return c.write(ctx, "set data switch", "/api/dialup/mobile-dataswitch", field{"dataswitch", v})
}

// write posts a request that is answered with OK.
func (c *Client) write(ctx context.Context, op, path string, fields ...field) error {
	a, err := c.call(ctx, request{op: op, path: path, body: encode(fields...)})
	if err != nil {
		return err
	}
	if err := a.ok(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}
