package hilink_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	sim "switchyard/sim/hilink"
)

const (
	netMode    = "/api/net/net-mode"
	dataSwitch = "/api/dialup/mobile-dataswitch"

	to03 = `<?xml version="1.0" encoding="UTF-8"?><request><NetworkMode>03</NetworkMode>` +
		`<NetworkBand>2000004400000</NetworkBand><LTEBand>80800D5</LTEBand></request>`
	dataOn = `<request><dataswitch>1</dataswitch></request>`
)

// Ensure nothing is told to who has no session, and nothing done.
func TestWeb_session(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	v := visit(t, m)
	answer, h := v.do("GET", netMode, "")
	if want := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n<code>125002</code>\n<message></message>\n</error>\n"; answer != want {
		t.Errorf("got %q, want %q", answer, want)
	}
	if h.Get("Date") != "Thu, 01 Jan 1970 00:00:00 GMT" {
		t.Errorf("date %q", h.Get("Date"))
	}
	v.enter()
	for name, id := range map[string]string{"none": "", "unknown": strings.Repeat("x", 128), "cut": v.session[:127]} {
		w := &visitor{t: t, base: v.base, session: id, token: v.token}
		if got, h := w.do("GET", netMode, ""); code(t, got) != 125002 || h.Get("Set-Cookie") != "" {
			t.Errorf("%s: reading: %s", name, got)
		}
		if got := w.post(dataSwitch, dataOn); got != 125002 || w.token != "" {
			t.Errorf("%s: writing: %d, token %q", name, got, w.token)
		}
	}
	if got, _ := v.do("GET", netMode, ""); value(t, got, "NetworkMode") != "00" {
		t.Errorf("with a session: %s", got)
	}
	// The refused writes didn't use up the token.
	if got := v.post(dataSwitch, dataOn); got != 0 {
		t.Errorf("writing with a session: %d", got)
	}
	m.SetFaults(sim.Faults{ExpireSession: true})
	if got, _ := v.do("GET", netMode, ""); code(t, got) != 125002 {
		t.Errorf("after the session's end: %s", got)
	}
	if m.Faults() != (sim.Faults{}) {
		t.Errorf("%+v: the end of sessions is an event, no state", m.Faults())
	}
}

// Ensure SesTokInfo keeps a session that is known and gives another token each
// time, and that several of them are good.
func TestWeb_sesTokInfo(t *testing.T) {
	t.Parallel()
	v := visit(t, start(t, sim.Options{})).enter()
	session, tokens := v.session, []string{v.token}
	for range 3 {
		_, h := v.do("GET", "/api/webserver/SesTokInfo", "")
		if h.Get("Set-Cookie") != "" {
			t.Error("a known session got a cookie again")
		}
		v.enter()
		if v.session != session {
			t.Errorf("another session: %q", v.session)
		}
		tokens = append(tokens, v.token)
	}
	for i, token := range tokens {
		v.token = token
		if got := v.post(dataSwitch, dataOn); got != 0 {
			t.Errorf("token %d: %d", i, got)
		}
	}
	v.session = strings.Repeat("x", 128)
	if v.enter(); v.session == session || v.session == strings.Repeat("x", 128) {
		t.Errorf("an unknown session became %q", v.session)
	}
}

// Ensure a token is good for one POST of its own session, whatever becomes of
// that, and every POST's answer brings the next one.
func TestWeb_tokens(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	v := visit(t, m).enter()
	first := v.token
	for i := range 3 {
		before := v.token
		if got := v.post(dataSwitch, dataOn); got != 0 || len(v.token) != 32 || v.token == before {
			t.Fatalf("write %d: %d, next token %q", i, got, v.token)
		}
	}
	next := v.token
	for name, token := range map[string]string{
		"used": first, "none": "", "invented": strings.Repeat("x", 32), "a list": next + "#" + next, "cut": next[:31],
	} {
		v.token = token
		if got := v.post(dataSwitch, dataOn); got != 125001 || len(v.token) != 32 {
			t.Errorf("%s: %d, next token %q", name, got, v.token)
		}
	}
	w := visit(t, m).enter()
	w.token, v.token = next, w.token
	if got := w.post(dataSwitch, dataOn); got != 125003 {
		t.Errorf("another session's token: %d", got)
	}
	v.token = next
	if got := v.post(dataSwitch, "<request>"); got != 100005 {
		t.Errorf("bad XML: %d", got)
	}
	v.token = next
	if got := v.post(dataSwitch, dataOn); got != 125001 {
		t.Errorf("a token spent on bad XML: %d", got)
	}
	if n := count(m.Ledger(), "dataswitch"); n != 3 {
		t.Errorf("%d writes in the ledger, want 3", n)
	}
	m.SetFaults(sim.Faults{LoseToken: true})
	if got := v.post(dataSwitch, dataOn); got != 0 || v.token != "" {
		t.Errorf("%d, next token %q though it should be lost", got, v.token)
	}
}

// Ensure requests are refused for what is wrong with them, and change nothing.
func TestWeb_refused(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	v := visit(t, m).enter()
	mode := func(elements string) string { return "<request>" + elements + "</request>" }
	for _, tt := range []struct {
		name, path, body string
		want             int
	}{
		{"no body", netMode, "", 100005},
		{"a form", netMode, "NetworkMode=03", 100005},
		{"broken off", netMode, to03[:len(to03)-4], 100005},
		{"a response", netMode, strings.ReplaceAll(to03, "request", "response"), 100005},
		{"another order", netMode, mode("<NetworkBand>3FFFFFFF</NetworkBand><NetworkMode>03</NetworkMode><LTEBand>80800D5</LTEBand>"), 100005},
		{"the order of the alphabet", netMode, mode("<LTEBand>80800D5</LTEBand><NetworkBand>3FFFFFFF</NetworkBand><NetworkMode>03</NetworkMode>"), 100005},
		{"no bands", netMode, mode("<NetworkMode>03</NetworkMode>"), 100005},
		{"one more", netMode, mode("<NetworkMode>03</NetworkMode><NetworkBand>3FFFFFFF</NetworkBand><LTEBand>80800D5</LTEBand><x>1</x>"), 100005},
		{"case", netMode, mode("<networkmode>03</networkmode><NetworkBand>3FFFFFFF</NetworkBand><LTEBand>80800D5</LTEBand>"), 100005},
		{"no mode", netMode, mode("<NetworkMode></NetworkMode><NetworkBand>3FFFFFFF</NetworkBand><LTEBand>80800D5</LTEBand>"), 100006},
		{"no such mode", netMode, mode("<NetworkMode>04</NetworkMode><NetworkBand>3FFFFFFF</NetworkBand><LTEBand>80800D5</LTEBand>"), 100006},
		{"mode in words", netMode, mode("<NetworkMode>LTE</NetworkMode><NetworkBand>3FFFFFFF</NetworkBand><LTEBand>80800D5</LTEBand>"), 100006},
		{"no mask", netMode, mode("<NetworkMode>03</NetworkMode><NetworkBand></NetworkBand><LTEBand>80800D5</LTEBand>"), 100006},
		{"no hex", netMode, mode("<NetworkMode>03</NetworkMode><NetworkBand>3FFFFFFF</NetworkBand><LTEBand>all</LTEBand>"), 100006},
		{"no band", netMode, mode("<NetworkMode>03</NetworkMode><NetworkBand>3FFFFFFF</NetworkBand><LTEBand>0</LTEBand>"), 100006},
		{"too long", netMode, mode("<NetworkMode>03</NetworkMode><NetworkBand>3FFFFFFF</NetworkBand><LTEBand>10000000000000000</LTEBand>"), 100006},
		{"switch in words", dataSwitch, mode("<dataswitch>on</dataswitch>"), 100006},
		{"switch with space", dataSwitch, mode("<dataswitch> 1 </dataswitch>"), 100006},
		{"no switch", dataSwitch, mode(""), 100005},
		{"another element", dataSwitch, mode("<switch>1</switch>"), 100005},
		{"read only", "/api/monitoring/status", mode(""), 100002},
		{"unknown", "/api/device/nothing", mode("<Control>1</Control>"), 100002},
		{"a factory reset", "/api/device/control", mode("<Control>2</Control>"), 100006},
		{"a reboot in words", "/api/device/control", mode("<Reboot>1</Reboot>"), 100005},
		{"a login where none is wanted", "/api/user/challenge_login", mode("<username>admin</username><firstnonce>" + strings.Repeat("a", 64) + "</firstnonce><mode>1</mode>"), 100002},
		{"a logout in words", "/api/user/logout", mode("<Logout>yes</Logout>"), 100005},
	} {
		if got := v.enter().post(tt.path, tt.body); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	for media, want := range map[string]int{
		"application/x-www-form-urlencoded": 0, "text/xml; charset=utf-8": 0, "application/xml": 0,
		"application/json": 100005, "": 100005, "text/plain": 100005,
	} {
		got := v.enter().post(dataSwitch, dataOn, func(r *http.Request) { r.Header.Set("Content-Type", media) })
		if got != want {
			t.Errorf("media type %q: %d, want %d", media, got, want)
		}
	}
	for _, path := range []string{"/api/", "/api/nothing", "/api/net/net-mode/", "/api/NET/NET-MODE", "/api/webserver/SesTokInfo/x"} {
		if got, _ := v.do("GET", path, ""); code(t, got) != 100002 {
			t.Errorf("%s: %s", path, got)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "OPTIONS"} {
		if got, _ := v.do(method, netMode, ""); code(t, got) != 100002 {
			t.Errorf("%s: %s", method, got)
		}
	}
	want := []string{"attached " + m.Address().String(), "dataswitch 1", "dataswitch 1", "dataswitch 1"}
	if diff := cmp.Diff(want, happened(m)); diff != "" {
		t.Errorf("what happened (-want +got):\n%s", diff)
	}
}

// Ensure the answers are the recorded ones, in the recorded form, but for what
// is the modem's own.
func TestWeb_answers(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{Subnet: 16, NetMode: sim.NetMode{Mode: "03", NetworkBand: "3FFFFFFF", LTEBand: "4"}})
	v := visit(t, m).enter()
	get := func(path string) string {
		answer, _ := v.do("GET", "/api/"+path, "")
		return answer
	}
	for path, want := range map[string]map[string]string{
		"device/basic_information":      {"devicename": "E8372h-320", "classify": "wingle"},
		"device/information":            {"SoftwareVersion": "10.0.5.1(H195SP4C983)", "Imei": "860000000000016", "WanIPAddress": m.Address().String()},
		"device/signal":                 {"pci": "144", "cell_id": "7267507", "band": "7", "plmn": "45005"},
		"dialup/mobile-dataswitch":      {"dataswitch": "1"},
		"monitoring/status":             {"ConnectionStatus": "901", "CurrentNetworkType": "19", "SimStatus": "1"},
		"monitoring/traffic-statistics": {"showtraffic": "1"},
		"net/current-plmn":              {"Numeric": "45005", "Rat": "7"},
		"net/net-mode":                  {"NetworkMode": "03", "NetworkBand": "3FFFFFFF", "LTEBand": "4"},
	} {
		answer := get(path)
		if !strings.HasPrefix(answer, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<response>\n<") || !strings.HasSuffix(answer, ">\n</response>\n") {
			t.Errorf("%s: another form than recorded: %s", path, answer)
		}
		for name, text := range want {
			if got := value(t, answer, name); got != text {
				t.Errorf("%s: %s is %q, want %q", path, name, got, text)
			}
		}
	}
	// Firmware writes some characters as entities.
	if answer := get("device/information"); !strings.Contains(answer, "10.0.5.1&#40;H195SP4C983&#41;") {
		t.Errorf("no entities: %s", answer)
	}
	levels := map[string]bool{}
	for range 50 {
		levels[value(t, get("device/signal"), "rsrp")] = true
	}
	if len(levels) < 2 {
		t.Error("the level never moves")
	}
}

// Ensure pages beyond the API and the first are none, and a request that is too long isn't
// taken.
func TestWeb_beyond(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	for _, path := range []string{"/html/home.html", "/html/", "/api"} {
		r, err := http.NewRequestWithContext(within(t), "GET", m.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 404 || !strings.Contains(string(b), "<html>") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, b)
		}
	}
	r, err := http.NewRequestWithContext(within(t), "POST", m.URL()+netMode, strings.NewReader(strings.Repeat(" ", 100<<10)))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
		resp.Body.Close()
		t.Errorf("a request of 100 KiB was answered: %d", resp.StatusCode)
	}
}

// Ensure modems of one seed say the same, and those of another don't.
func TestWeb_seed(t *testing.T) {
	t.Parallel()
	say := func(seed uint64) string {
		v := visit(t, start(t, sim.Options{Seed: seed})).enter()
		answer, _ := v.do("GET", "/api/device/signal", "")
		return fmt.Sprint(v.session, v.token, answer)
	}
	if a, b := say(1), say(1); a != b {
		t.Errorf("one seed, two answers:\n%s\n%s", a, b)
	}
	if a, b := say(1), say(2); a == b {
		t.Error("two seeds, one answer")
	}
}
