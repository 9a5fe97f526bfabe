package hilink_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	sim "switchyard/sim/hilink"
)

// logIn tries a password of type 0 and returns the code.
func (v *visitor) logIn(password string) int {
	v.t.Helper()
	return v.post("/api/user/login", "<request><Username>admin</Username><Password>"+
		base64.StdEncoding.EncodeToString([]byte(password))+"</Password><password_type>0</password_type></request>")
}

// plain are modems of the 320 kind that are simple to log in at.
func plain() sim.Options { return sim.Options{Password: "sesame-1", Login: sim.Plain} }

// Ensure a login opens what was closed, brings another session and 32 tokens,
// each good once, and a logout closes it again.
func TestLogin(t *testing.T) {
	t.Parallel()
	m := start(t, plain())
	v := visit(t, m).enter()
	for _, path := range []string{"/api/device/signal", netMode, "/api/device/information"} {
		if got, _ := v.do("GET", path, ""); code(t, got) != 100003 {
			t.Errorf("%s without a login: %s", path, got)
		}
	}
	if got, _ := v.do("GET", "/api/monitoring/status", ""); value(t, got, "ConnectionStatus") != "901" {
		t.Errorf("status without a login: %s", got)
	}
	if got := v.post(dataSwitch, dataOn); got != 100003 {
		t.Errorf("a write without a login: %d", got)
	}
	before := v.session
	_, h := v.do("POST", "/api/user/login", "<request><Username>admin</Username><Password>c2VzYW1lLTE=</Password><password_type>0</password_type></request>")
	v.session = strings.TrimPrefix(strings.SplitN(h.Get("Set-Cookie"), ";", 2)[0], "SessionID=")
	tokens := strings.Split(v.token, "#")
	if v.session == before || len(v.session) != 128 || len(tokens) != 32 {
		t.Fatalf("session %q, %d tokens", v.session, len(tokens))
	}
	if one, two := h.Get("__RequestVerificationTokenone"), h.Get("__RequestVerificationTokentwo"); one != tokens[0] || two != tokens[1] {
		t.Errorf("first tokens %q, %q of %q", one, two, tokens)
	}
	for i := range 2 {
		for _, token := range tokens[:3] {
			v.token = token
			if got := v.post(dataSwitch, dataOn); (got == 0) != (i == 0) {
				t.Errorf("token %q, use %d: %d", token, i+1, got)
			}
		}
	}
	if got, _ := v.do("GET", "/api/user/state-login", ""); value(t, got, "State") != "0" {
		t.Errorf("state %s", got)
	}
	v.token = tokens[3]
	if got := v.logIn("sesame-1"); got != 108003 {
		t.Errorf("a second login: %d", got)
	}
	if got := v.post("/api/user/logout", "<request><Logout>1</Logout></request>"); got != 0 {
		t.Errorf("logout: %d", got)
	}
	if got, _ := v.do("GET", netMode, ""); code(t, got) != 100003 {
		t.Errorf("after the logout: %s", got)
	}
}

// Ensure the fifth wrong password locks the modem for its time, the right one
// too, and a right one before that forgives those before.
func TestLogin_lock(t *testing.T) {
	t.Parallel()
	opt := plain()
	opt.LockTime, opt.Boot = 3*time.Minute, 20*time.Millisecond
	m := start(t, opt)
	v := visit(t, m).enter()
	for i := range 4 {
		if got := v.logIn("guess"); got != 108006 {
			t.Errorf("try %d: %d", i+1, got)
		}
	}
	if got := v.logIn("sesame-1"); got != 0 {
		t.Fatalf("the right one: %d", got)
	}
	v.session = ""
	v.enter()
	for i, want := range []int{108006, 108006, 108006, 108006, 108007, 108007} {
		if got := v.logIn("guess"); got != want {
			t.Errorf("try %d: %d, want %d", i+1, got, want)
		}
	}
	if got := v.logIn("sesame-1"); got != 108007 {
		t.Errorf("the right one, locked: %d", got)
	}
	got, _ := v.do("GET", "/api/user/state-login", "")
	if value(t, got, "lockstatus") != "1" || value(t, got, "remainwaittime") != "3" {
		t.Errorf("state %s", got)
	}
	m.Reboot()
	wait(t, m, "booted", 1)
	if got := visit(t, m).enter().logIn("sesame-1"); got != 0 {
		t.Errorf("after pulling the stick: %d", got)
	}
}

// Ensure a login of somebody else ends ours: reading and writing say so in
// their own numbers.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	m := start(t, plain())
	v := visit(t, m).enter()
	m.TakeOver()
	if got, _ := v.do("GET", "/api/monitoring/status", ""); code(t, got) != 125002 {
		t.Errorf("reading: %s", got)
	}
	if got := v.post(dataSwitch, dataOn); got != 125003 {
		t.Errorf("writing: %d", got)
	}
	// Who has no session is told whether a login is wanted, and gets one.
	v.session = ""
	got, h := v.do("GET", "/api/user/hilink_login", "")
	if value(t, got, "hilink_login") != "1" || !strings.HasPrefix(h.Get("Set-Cookie"), "SessionID=") {
		t.Errorf("%s, %q", got, h.Get("Set-Cookie"))
	}
}

// Ensure the families answer as their sticks do, and a modem can change from
// one to the other while it runs.
func TestSetFamily(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{Password: "sesame-1", Family: sim.E8372h153})
	v := visit(t, m).enter()
	signal, _ := v.do("GET", "/api/device/signal", "")
	if value(t, signal, "lte_bandinfo") != "7" || strings.Contains(signal, "<plmn>") {
		t.Errorf("signal %s", signal)
	}
	status, _ := v.do("GET", "/api/monitoring/status", "")
	if value(t, status, "WanIPAddress") != m.Address().String() {
		t.Errorf("status %s", status)
	}
	if got, _ := v.do("GET", "/api/webserver/token", ""); code(t, got) != 100002 {
		t.Errorf("token %s", got)
	}
	login, _ := v.do("GET", "/api/user/state-login", "")
	if value(t, login, "password_type") != "4" || strings.Contains(login, "extern") {
		t.Errorf("state %s", login)
	}
	m.SetFamily(sim.E8372h320)
	if got, _ := v.do("GET", "/api/monitoring/status", ""); code(t, got) != 125002 {
		t.Errorf("the session outlived the firmware: %s", got)
	}
	if got, _ := v.enter().do("GET", "/api/device/signal", ""); code(t, got) != 100003 {
		t.Errorf("signal %s", got)
	}
	if got, _ := v.do("GET", "/api/webserver/token", ""); len(value(t, got, "token")) != 64 {
		t.Errorf("token %s", got)
	}
}

// Ensure the older family refuses all LTE bands beside some of the others, as
// one was recorded to.
func TestSetNetMode_wholeBands(t *testing.T) {
	t.Parallel()
	const form = "<request><NetworkMode>03</NetworkMode><NetworkBand>%s</NetworkBand><LTEBand>7FFFFFFFFFFFFFFF</LTEBand></request>"
	v := visit(t, start(t, sim.Options{Family: sim.E8372h153})).enter()
	if got := v.post(netMode, fmt.Sprintf(form, "2000004400000")); got != 112003 {
		t.Errorf("some bands: %d", got)
	}
	if got := v.post(netMode, fmt.Sprintf(form, "3FFFFFFF")); got != 0 {
		t.Errorf("all bands: %d", got)
	}
}
