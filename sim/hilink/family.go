package hilink

import "time"

// Family is a firmware, by the stick that has it.
type Family string

// The families.
const (
	// E8372h320 is firmware 10.x: a login, where one is wanted, opens signal and
	// net mode too and is a SCRAM; webserver/token exists; the modem's address
	// stands in device/information.
	E8372h320 Family = "e8372h-320"
	// E8372h153 is firmware 21.x with the web pages of 17.x, as the E3372h-153
	// has it: everything can be read without a login, the band has another name,
	// signal doesn't name the network, and the address stands in
	// monitoring/status.
	E8372h153 Family = "e8372h-153"
)

// Handout is where a modem's sessions and tokens are to be had.
type Handout string

// The handouts.
const (
	// HandoutSesTokInfo gives both at webserver/SesTokInfo.
	HandoutSesTokInfo Handout = "sestokinfo"
	// HandoutLong has no SesTokInfo: the start page gives the session, and
	// webserver/token a text of 64 characters whose second half is the token.
	HandoutLong Handout = "long"
	// HandoutPage has neither: the start page gives the session and holds two
	// tokens.
	HandoutPage Handout = "page"
)

// firmware is what tells the families apart.
type firmware struct {
	endpoints    map[string]endpoint
	signal       document
	scheme       Scheme // of its login, where Options has none
	longToken    bool   // webserver/token beside SesTokInfo
	statusWAN    bool   // monitoring/status has the address, not device/information
	disconnected int    // its number for it
	// briefState: state-login says no more than state, user and type.
	briefState bool
	device     document // what device/information says otherwise
	// wholeBands refuses all LTE bands beside some of the others.
	wholeBands bool
}

var families = map[Family]*firmware{
	E8372h320: {
		signal: recordedSignal, scheme: SCRAM, longToken: true, disconnected: disconnected,
		endpoints: family(func(e *endpoint) { e.getLogin = true }),
	},
	E8372h153: {
		signal: recorded("e8372h153_device_signal"), scheme: Hashed, statusWAN: true, disconnected: autoDialOff,
		briefState: true, wholeBands: true,
		device: document{
			{"DeviceName", "E8372h-153"}, {"HardwareVersion", "CL1E8372HM Ver.A"},
			{"SoftwareVersion", "21.328.03.00.00"}, {"WebUIVersion", "17.100.18.03.00"},
		},
		endpoints: family(func(*endpoint) {}),
	},
}

// family are the endpoints that all have. private marks those whose reading
// differs between families where a login is wanted.
func family(private func(*endpoint)) map[string]endpoint {
	all := map[string]endpoint{
		"device/basic_information":      {get: (*Modem).basics},
		"device/control":                {post: (*Modem).control, postLogin: true},
		"device/information":            {get: (*Modem).information, getLogin: true},
		"device/signal":                 {get: (*Modem).signal},
		"dialup/mobile-dataswitch":      {get: (*Modem).dataSwitch, post: (*Modem).setDataSwitch, postLogin: true},
		"monitoring/status":             {get: (*Modem).status},
		"monitoring/traffic-statistics": {get: func(m *Modem, now time.Time) document { return m.readings.traffic(now) }},
		"net/current-plmn":              {get: (*Modem).currentPLMN},
		"net/net-mode":                  {get: (*Modem).netMode, post: (*Modem).setNetMode, postLogin: true},
		"user/authentication_login":     {visit: (*Modem).authenticate},
		"user/challenge_login":          {visit: (*Modem).challenge},
		"user/heartbeat":                {ask: (*Modem).heartbeat},
		"user/hilink_login":             {ask: (*Modem).hilinkLogin, open: true},
		"user/login":                    {visit: (*Modem).login},
		"user/logout":                   {visit: (*Modem).logout},
		"user/state-login":              {ask: (*Modem).stateLogin, open: true},
	}
	for _, path := range []string{"device/signal", "net/net-mode"} {
		e := all[path]
		private(&e)
		all[path] = e
	}
	return all
}

// SetFamily gives the modem other firmware, as another stick in its place or an
// update would: sessions, logins and their locks are forgotten.
func (m *Modem) SetFamily(f Family) {
	if families[f] == nil {
		panic("simulated modem: no family " + string(f))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opt.Family, m.firmware = f, families[f]
	m.visitors.forget()
	m.account.forget()
	m.note(time.Now(), "family "+string(f))
}
