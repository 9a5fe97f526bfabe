package hilink

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"time"
)

// Info is what a modem says of itself. Each member is nil where it doesn't say.
type Info struct {
	Device   *string // model: "E8372h-320"
	Class    *string // kind of device: "wingle", "hilink", "cpe"
	Software *string // firmware
	Hardware *string
	WebUI    *string // version of its web pages, which firmware's habits go by
	IMEI     *string // the modem's number
	IMSI     *string // the SIM's
	ICCID    *string // the SIM card's
	MSISDN   *string // telephone number
	WorkMode *string // "LTE"
	// WANAddress is the modem's address in the operator's network. The zero Addr
	// where the modem is detached or old: see Client.WANAddress.
	WANAddress netip.Addr
	// Uptime is the time since the modem was powered.
	Uptime *time.Duration
}

// Info reads what the modem says of itself. Most of it wants a login on most
// firmware; where there is no password for one, it is what the modem tells
// everybody, model and class.
func (c *Client) Info(ctx context.Context) (Info, error) {
	const op = "read information"
	a, err := c.call(ctx, request{op: op, path: "/api/device/information"})
	if errors.Is(err, ErrLoginRequired) {
		a, err = c.call(ctx, request{op: op, path: "/api/device/basic_information"})
	}
	if err != nil {
		return Info{}, err
	}
	return infoOf(a), nil
}

func infoOf(a answer) Info {
	i := Info{
		Device: a.word("DeviceName", "devicename"), Class: a.word("Classify", "classify"),
		Software: a.word("SoftwareVersion"), Hardware: a.word("HardwareVersion"), WebUI: a.word("WebUIVersion"),
		IMEI: a.word("Imei"), IMSI: a.word("Imsi"), ICCID: a.word("Iccid"), MSISDN: a.word("Msisdn"),
		WorkMode: a.word("workmode"), WANAddress: a.address("WanIPAddress"),
	}
	if n, err := strconv.ParseUint(a.field("uptime"), 10, 31); err == nil {
		up := time.Duration(n) * time.Second
		i.Uptime = &up
	}
	return i
}

// word is the first of these children that says something.
func (a answer) word(names ...string) *string {
	for _, name := range names {
		if w := word(a.field(name)); w != nil {
			return w
		}
	}
	return nil
}

// address is a child that is an IP address; the zero Addr where it is none.
func (a answer) address(name string) netip.Addr {
	ip, err := netip.ParseAddr(a.field(name))
	if err != nil || ip.IsUnspecified() {
		return netip.Addr{}
	}
	return ip
}

// WANAddress reads the modem's address in the operator's network from where its
// firmware has it: the status on old ones, the information, for which some want
// a login, from 10.x on. The zero Addr where the modem has none or doesn't say.
func (c *Client) WANAddress(ctx context.Context) (netip.Addr, error) {
	s, err := c.Status(ctx)
	if err != nil || s.WANAddress.IsValid() {
		return s.WANAddress, err
	}
	a, err := c.call(ctx, request{op: "read address", path: "/api/device/information"})
	if err != nil {
		return netip.Addr{}, err
	}
	return a.address("WanIPAddress"), nil
}

// Network is the operator's network that a modem is in. Each member is nil
// where the modem doesn't say.
type Network struct {
	PLMN  *string // MCC and MNC: "45008"
	Name  *string
	Short *string
	// RAT is the kind of network: 0 GSM, 2 WCDMA, 7 LTE.
	RAT *int
}

// Network reads which network the modem is in. No firmware wants a login for it.
func (c *Client) Network(ctx context.Context) (Network, error) {
	a, err := c.call(ctx, request{op: "read network", path: currentPLMN})
	if err != nil {
		return Network{}, err
	}
	return networkOf(a), nil
}

func networkOf(a answer) Network {
	n := Network{PLMN: a.word("Numeric"), Name: a.word("FullName"), Short: a.word("ShortName")}
	if rat := a.number("Rat"); rat >= 0 {
		n.RAT = &rat
	}
	return n
}

// Reboot restarts the modem. It answers and then is gone for about a minute,
// its interface too, and comes back with another address.
func (c *Client) Reboot(ctx context.Context) error {
	return c.write(ctx, "reboot", "/api/device/control", field{"Control", "1"})
}
