package hilink

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// The codes that this modem refuses with.
const (
	errNotSupported      = 100002
	errFormat            = 100005
	errParameter         = 100006
	errDialling          = 112001
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
	// post is given the request's elements and returns 0 or the code that it
	// refuses with.
	post func(*Modem, time.Time, document) int
}

// family10 are the endpoints of the E8372h-320 and its like, firmware 10.x,
// without the two below webserver/, which hand out sessions and need none.
var family10 = map[string]endpoint{
	"device/basic_information":      {get: func(*Modem, time.Time) document { return recordedBasics }},
	"device/information":            {get: (*Modem).information},
	"device/signal":                 {get: func(m *Modem, now time.Time) document { return m.readings.signal(m.radio.onCell(now)) }},
	"dialup/mobile-dataswitch":      {get: (*Modem).dataSwitch, post: (*Modem).setDataSwitch},
	"monitoring/status":             {get: (*Modem).status},
	"monitoring/traffic-statistics": {get: func(m *Modem, now time.Time) document { return m.readings.traffic(now) }},
	"net/current-plmn":              {get: (*Modem).currentPLMN},
	"net/net-mode":                  {get: (*Modem).netMode, post: (*Modem).setNetMode},
}

func (m *Modem) information(now time.Time) document {
	d := recordedInformation.with(
		element{"SerialNumber", fmt.Sprintf("ABC12345678901%02d", m.opt.Subnet%100)},
		element{"Imei", fmt.Sprintf("8600000000000%02d", m.opt.Subnet%100)},
		element{"Imsi", fmt.Sprintf("4500500000000%02d", m.opt.Subnet%100)},
		element{"Iccid", fmt.Sprintf("89820500000000000%02d", m.opt.Subnet%100)},
		element{"uptime", seconds(now.Sub(m.readings.on))},
	)
	if !m.radio.attached {
		return d.without("WanIPAddress", "wan_dns_address", "submask")
	}
	return d.with(element{"WanIPAddress", m.radio.addr.String()})
}

func (m *Modem) status(now time.Time) document {
	d := recordedStatus.with(
		element{"ConnectionStatus", strconv.Itoa(m.radio.status(now))},
		element{"SignalIcon", strconv.Itoa(m.readings.icon())},
	)
	if !m.radio.onCell(now) {
		d = d.with(element{"SignalIcon", "0"}, element{"CurrentNetworkType", "0"},
			element{"CurrentNetworkTypeEx", "0"}, element{"ServiceStatus", "0"})
	}
	if !m.radio.attached {
		d = d.without("PrimaryDns", "SecondaryDns")
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
