package hilink

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// The codes that this modem refuses with.
const (
	errNotSupported      = 100002
	errNoRights          = 100003
	errFormat            = 100005
	errParameter         = 100006
	errLoggedIn          = 108003
	errWrongPair         = 108006
	errLocked            = 108007
	errDialling          = 112001
	errNetMode           = 112003
	errWrongToken        = 125001
	errWrongSession      = 125002
	errWrongSessionToken = 125003
)

// What was recorded, for all modems.
var (
	recordedBasics      = recorded("device_basic_information")
	recordedInformation = recorded("device_information")
	recordedMode        = recorded("net_net-mode")
	recordedPLMN        = recorded("net_current-plmn")
	recordedSignal      = recorded("device_signal")
	recordedStatus      = recorded("monitoring_status")
	recordedTraffic     = recorded("monitoring_traffic-statistics")
)

// endpoint is what a firmware has at one path below /api/. Its functions are
// called with the modem's lock held.
type endpoint struct {
	get func(*Modem, time.Time) document
	// ask is a get that depends on who asks. open: it needs no session.
	ask  func(*Modem, time.Time, *visitor) document
	open bool
	// post is given the request's elements and returns 0 or the code that it
	// refuses with.
	post func(*Modem, time.Time, document) int
	// visit is a post that is about the session itself.
	visit func(*Modem, time.Time, *visitor, request, document) reply
	// getLogin and postLogin: a modem that has a password wants a login for it.
	getLogin, postLogin bool
}

func (e endpoint) takes(method string) bool {
	switch method {
	case http.MethodGet:
		return e.get != nil || e.ask != nil
	case http.MethodPost:
		return e.post != nil || e.visit != nil
	}
	return false
}

func (m *Modem) basics(time.Time) document {
	return recordedBasics.with(element{"devicename", m.firmware.device.or("DeviceName", recordedBasics.value("devicename"))})
}

func (m *Modem) information(now time.Time) document {
	d := recordedInformation.with(
		element{"SerialNumber", fmt.Sprintf("ABC12345678901%02d", m.opt.Subnet%100)},
		element{"Imei", fmt.Sprintf("8600000000000%02d", m.opt.Subnet%100)},
		element{"Imsi", fmt.Sprintf("4500500000000%02d", m.opt.Subnet%100)},
		element{"Iccid", fmt.Sprintf("89820500000000000%02d", m.opt.Subnet%100)},
		element{"uptime", seconds(now.Sub(m.readings.on))},
	).with(m.firmware.device...)
	if !m.radio.attached || m.firmware.statusWAN {
		return d.without("WanIPAddress", "wan_dns_address", "submask")
	}
	return d.with(element{"WanIPAddress", m.radio.addr.String()})
}

func (m *Modem) signal(now time.Time) document {
	return m.readings.signal(m.firmware.signal, m.radio.onCell(now))
}

func (m *Modem) status(now time.Time) document {
	state := m.radio.status(now)
	if state == disconnected {
		state = m.firmware.disconnected
	}
	d := recordedStatus.with(
		element{"ConnectionStatus", strconv.Itoa(state)},
		element{"SignalIcon", strconv.Itoa(m.readings.icon())},
	)
	if !m.radio.onCell(now) {
		d = d.with(element{"SignalIcon", "0"}, element{"CurrentNetworkType", "0"},
			element{"CurrentNetworkTypeEx", "0"}, element{"ServiceStatus", "0"})
	}
	if !m.radio.attached {
		d = d.without("PrimaryDns", "SecondaryDns")
	}
	if m.firmware.statusWAN {
		address := ""
		if m.radio.attached {
			address = m.radio.addr.String()
		}
		d = d.with(element{"WanIPAddress", address})
	}
	return d
}

func (m *Modem) currentPLMN(now time.Time) document {
	if !m.radio.onCell(now) {
		return recordedPLMN.without("FullName", "ShortName", "Numeric", "Rat")
	}
	return recordedPLMN
}

func (m *Modem) netMode(time.Time) document {
	mode := m.radio.mode
	return document{{"NetworkMode", mode.Mode}, {"NetworkBand", mode.NetworkBand}, {"LTEBand", mode.LTEBand}}
}

// capturedMode is the mode that was set when the modem was recorded.
func capturedMode() NetMode {
	return NetMode{
		Mode:        recordedMode.value("NetworkMode"),
		NetworkBand: recordedMode.value("NetworkBand"),
		LTEBand:     recordedMode.value("LTEBand"),
	}
}

// bands is a mask as net-mode takes it: hex, up to 64 bits.
var bands = regexp.MustCompile(`^[0-9A-Fa-f]{1,16}$`)

// The masks of all bands.
const (
	allLTE    = "7FFFFFFFFFFFFFFF"
	allOthers = "3FFFFFFF"
)

// setNetMode demands its three elements in their order, as firmware does: it
// reads them by position.
func (m *Modem) setNetMode(now time.Time, d document) int {
	if len(d) != 3 || d[0].name != "NetworkMode" || d[1].name != "NetworkBand" || d[2].name != "LTEBand" {
		return errFormat
	}
	mode := NetMode{Mode: d[0].value, NetworkBand: d[1].value, LTEBand: d[2].value}
	switch {
	case !modes[mode.Mode], !bands.MatchString(mode.NetworkBand), !bands.MatchString(mode.LTEBand),
		mask(mode.NetworkBand) == "", mask(mode.LTEBand) == "":
		return errParameter
	case m.firmware.wholeBands && mask(mode.LTEBand) == allLTE && mask(mode.NetworkBand) != allOthers:
		return errNetMode
	case m.faults.RefuseNetMode != 0:
		return m.faults.RefuseNetMode
	case m.faults.RefuseWhileDialling && m.radio.dialling():
		return errDialling
	}
	what := "net-mode " + mode.Mode
	if !mode.sameBands(m.radio.mode) {
		what += " bands " + mode.NetworkBand + " " + mode.LTEBand
	}
	m.note(now, what)
	m.radio.setMode(now, mode)
	m.redial()
	return 0
}

func (m *Modem) dataSwitch(time.Time) document {
	if m.radio.data {
		return document{{"dataswitch", "1"}}
	}
	return document{{"dataswitch", "0"}}
}

func (m *Modem) setDataSwitch(now time.Time, d document) int {
	if len(d) != 1 || d[0].name != "dataswitch" {
		return errFormat
	}
	on := d[0].value == "1"
	if !on && d[0].value != "0" {
		return errParameter
	}
	m.note(now, "dataswitch "+d[0].value)
	m.radio.setData(now, on)
	m.redial()
	return 0
}
