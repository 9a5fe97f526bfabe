package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"switchyard/hardware/hilink"
	"switchyard/tasks"
)

// ModemOptions name the modem that an operator asks from a console, past every
// worker.
type ModemOptions struct {
	URL string // of its web API: http://192.168.11.1
	// User and Password log in where the modem wants that. They default to admin
	// and none.
	User, Password string
	// Timeout bounds one request. Defaults to 4s.
	Timeout time.Duration
}

// Modem is one modem's web API as documents for a console: flat, with null for
// what the modem doesn't say.
type Modem struct{ client *hilink.Client }

// OpenModem prepares it; nothing is asked yet. It wants a Close.
func OpenModem(opt ModemOptions) (*Modem, error) {
	c, err := hilink.New(opt.URL, hilink.Options{User: opt.User, Password: opt.Password, Timeout: opt.Timeout})
	if err != nil {
		return nil, err
	}
	return &Modem{client: c}, nil
}

// Close logs out, so that a person can log in on the modem's web page, and drops
// the connection. A modem that doesn't let go ends the login itself.
func (m *Modem) Close(ctx context.Context) {
	_ = m.client.Logout(ctx)
	m.client.Close()
}

// ModemInfo is what a modem says of itself. Without a password it is name and
// class on most firmware.
type ModemInfo struct {
	DeviceName      *string `json:"device_name"`
	Class           *string `json:"class"`
	SoftwareVersion *string `json:"software_version"`
	HardwareVersion *string `json:"hardware_version"`
	WebUIVersion    *string `json:"webui_version"`
	IMEI            *string `json:"imei"`
	IMSI            *string `json:"imsi"`
	ICCID           *string `json:"iccid"`
	MSISDN          *string `json:"msisdn"`
	WorkMode        *string `json:"work_mode"`
	WANAddress      *string `json:"wan_address"`
	UptimeSeconds   *int64  `json:"uptime_seconds"`
}

// Info reads what the modem says of itself.
func (m *Modem) Info(ctx context.Context) (ModemInfo, error) {
	i, err := m.client.Info(ctx)
	if err != nil {
		return ModemInfo{}, err
	}
	out := ModemInfo{
		DeviceName: i.Device, Class: i.Class, SoftwareVersion: i.Software, HardwareVersion: i.Hardware, WebUIVersion: i.WebUI,
		IMEI: i.IMEI, IMSI: i.IMSI, ICCID: i.ICCID, MSISDN: i.MSISDN, WorkMode: i.WorkMode,
	}
	if i.WANAddress.IsValid() {
		s := i.WANAddress.String()
		out.WANAddress = &s
	}
	if i.Uptime != nil {
		n := int64(*i.Uptime / time.Second)
		out.UptimeSeconds = &n
	}
	return out, nil
}

// Signal reads the radio, as toggle results show it.
func (m *Modem) Signal(ctx context.Context) (tasks.Signal, error) {
	s, err := m.client.Signal(ctx)
	if err != nil {
		return tasks.Signal{}, err
	}
	return tasks.Signal{
		RSRP: (*tasks.Decibel)(s.RSRP), RSRQ: (*tasks.Decibel)(s.RSRQ), RSSI: (*tasks.Decibel)(s.RSSI), SINR: (*tasks.Decibel)(s.SINR),
		Band: s.Band, CellID: s.CellID, PCI: s.PCI, PLMN: s.PLMN,
	}, nil
}

// ModemStatus is how a modem stands with its network.
type ModemStatus struct {
	// State is the connection in a word, connected or disconnected among them,
	// with the modem's number for it in brackets.
	State         string  `json:"state"`
	Connection    *int    `json:"connection"`      // 901 connected
	NetworkType   *int    `json:"network_type"`    // 19 LTE, 0 none
	NetworkTypeEx *int    `json:"network_type_ex"` // 101 LTE, 1011 LTE with carrier aggregation
	Service       *int    `json:"service"`         // 2 served
	SIM           *int    `json:"sim"`             // 1 usable, 0 or 255 none
	WANAddress    *string `json:"wan_address"`     // in the operator's network, often not the public one
}

// Status reads the connection. The address comes from where the firmware has
// it; where that wants a login and there is none it is null.
func (m *Modem) Status(ctx context.Context) (ModemStatus, error) {
	s, err := m.client.Status(ctx)
	if err != nil {
		return ModemStatus{}, err
	}
	out := ModemStatus{
		State: s.String(), Connection: said(s.Connection), NetworkType: said(s.NetworkType),
		NetworkTypeEx: said(s.NetworkTypeEx), Service: said(s.Service), SIM: said(s.SIM),
	}
	ip, err := m.client.WANAddress(ctx)
	switch {
	case err == nil && ip.IsValid():
		a := ip.String()
		out.WANAddress = &a
	case err != nil && !errors.Is(err, hilink.ErrLoginRequired):
		return ModemStatus{}, err
	}
	return out, nil
}

// said is a number of a modem's; nil where it said none.
func said(n int) *int {
	if n < 0 {
		return nil
	}
	return &n
}

// Traffic reads the counters, in bytes.
func (m *Modem) Traffic(ctx context.Context) (tasks.Traffic, error) {
	t, err := m.client.Traffic(ctx)
	return tasks.Traffic{Upload: t.Upload, Download: t.Download}, err
}

// ModemNetwork is the operator's network that a modem is in.
type ModemNetwork struct {
	PLMN      *string `json:"plmn"`
	Name      *string `json:"name"`
	ShortName *string `json:"short_name"`
	RAT       *int    `json:"rat"` // 0 GSM, 2 WCDMA, 7 LTE
}

// Network reads which network it is.
func (m *Modem) Network(ctx context.Context) (ModemNetwork, error) {
	n, err := m.client.Network(ctx)
	return ModemNetwork{PLMN: n.PLMN, Name: n.Name, ShortName: n.Short, RAT: n.RAT}, err
}

// ModemMode is which networks and bands a modem may use.
type ModemMode struct {
	Mode        string `json:"mode"`         // 00 any, 01 2G, 02 3G, 03 LTE
	NetworkBand string `json:"network_band"` // hex mask
	LTEBand     string `json:"lte_band"`     // hex mask
}

// Mode reads the net mode.
func (m *Modem) Mode(ctx context.Context) (ModemMode, error) {
	n, err := m.client.NetMode(ctx)
	return ModemMode{Mode: n.Mode, NetworkBand: n.NetworkBand, LTEBand: n.LTEBand}, err
}

// SetMode sets the net mode, keeps the bands, and returns what is set then.
func (m *Modem) SetMode(ctx context.Context, mode string) (ModemMode, error) {
	n, err := m.client.NetMode(ctx)
	if err != nil {
		return ModemMode{}, err
	}
	n.Mode = mode
	if err := m.client.SetNetMode(ctx, n); err != nil {
		return ModemMode{}, err
	}
	return m.Mode(ctx)
}

// ModemSwitch is whether mobile data is switched on.
type ModemSwitch struct {
	DataSwitch bool `json:"data_switch"`
}

// Switch reads the switch of mobile data.
func (m *Modem) Switch(ctx context.Context) (ModemSwitch, error) {
	on, err := m.client.DataSwitch(ctx)
	return ModemSwitch{DataSwitch: on}, err
}

// SetSwitch switches mobile data, and returns what is set then.
func (m *Modem) SetSwitch(ctx context.Context, on bool) (ModemSwitch, error) {
	if err := m.client.SetDataSwitch(ctx, on); err != nil {
		return ModemSwitch{}, err
	}
	return m.Switch(ctx)
}

// ModemFault is why a modem didn't do it.
type ModemFault struct {
	// Code is the modem's number ("112003") or one of login_required,
	// wrong_password, locked, not_hilink, timeout, unreachable, cancelled,
	// failed.
	Code    string `json:"code"`
	Message string `json:"message"`
}

// NewModemFault sorts an error of Modem's methods.
func NewModemFault(err error) ModemFault {
	return ModemFault{Code: faultCode(err), Message: fmt.Sprint(err)}
}

func faultCode(err error) string {
	for _, known := range []struct {
		is   error
		code string
	}{
		{hilink.ErrLoginRequired, "login_required"},
		{hilink.ErrWrongPassword, "wrong_password"},
		{hilink.ErrLocked, "locked"},
		{hilink.ErrNotHiLink, "not_hilink"},
		{hilink.ErrTimeout, "timeout"},
		{context.DeadlineExceeded, "timeout"},
		{context.Canceled, "cancelled"},
		{io.EOF, "unreachable"},
		{syscall.ECONNRESET, "unreachable"},
	} {
		if errors.Is(err, known.is) {
			return known.code
		}
	}
	if refusal, ok := errors.AsType[*hilink.Error](err); ok {
		return strconv.Itoa(refusal.Code)
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return "unreachable"
	}
	return "failed"
}
