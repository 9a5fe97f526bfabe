package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"switchyard/sim/hilink"
	"switchyard/tasks"
)

// startModem brings a simulated stick up for the time of the test.
func startModem(t *testing.T, opt hilink.Options) *hilink.Modem {
	t.Helper()
	opt.Subnet = 16
	m := hilink.New(opt)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// Ensure each command prints one document, always of the same form, with null
// for what the modem doesn't say.
func TestModem_json(t *testing.T) {
	t.Parallel()
	m := startModem(t, hilink.Options{Password: "sesame-1", Addresses: hilink.Sequence("203.0.113.61")})
	old := startModem(t, hilink.Options{Family: hilink.E8372h153, Addresses: hilink.Sequence("203.0.113.62")})
	for _, tt := range []struct {
		args  string
		modem *hilink.Modem
		want  string
	}{
		{"info", m, `{"device_name":"E8372h-320","class":"wingle","software_version":"10.0.5.1(H195SP4C983)","hardware_version":"CL4E8372HM01",` +
			`"webui_version":"WEBUI 10.0.5.1(W13SP5C7702)","imei":"860000000000016","imsi":"450050000000016","iccid":"8982050000000000016",` +
			`"msisdn":"01000000000","work_mode":"LTE","wan_address":"203.0.113.61","uptime_seconds":N}`},
		{"signal", m, `{"rsrp":N.0,"rsrq":N,"rssi":N.0,"sinr":N.0,"band":"7","cell_id":"7267507","pci":"144","plmn":"45005"}`},
		{"signal", old, `{"rsrp":N.0,"rsrq":N,"rssi":N.0,"sinr":N.0,"band":"7","cell_id":"2588959","pci":"96","plmn":"45005"}`},
		{"status", m, `{"state":"connected (901)","connection":901,"network_type":19,"network_type_ex":101,"service":2,"sim":1,"wan_address":"203.0.113.61"}`},
		{"status", old, `{"state":"connected (901)","connection":901,"network_type":19,"network_type_ex":101,"service":2,"sim":1,"wan_address":"203.0.113.62"}`},
		{"traffic", m, `{"upload":N,"download":N}`},
		{"plmn", m, `{"plmn":"45005","name":"SKTelecom","short_name":"SKTelecom","rat":7}`},
		{"mode", m, `{"mode":"00","network_band":"2000004400000","lte_band":"80800D5"}`},
		{"mode 03", m, `{"mode":"03","network_band":"2000004400000","lte_band":"80800D5"}`},
		{"switch", m, `{"data_switch":true}`},
		{"switch off", m, `{"data_switch":false}`},
		{"switch on", m, `{"data_switch":true}`},
	} {
		args := append([]string{"modem"}, strings.Fields(tt.args)...)
		args = append(args, "--url", tt.modem.URL(), "--json", "--password-env", "MODEM")
		p := run(t, options{env: []string{"MODEM=sesame-1"}}, args...)
		p.exits(t, 0)
		silent(t, p.stderr)
		var doc json.RawMessage
		if err := json.Unmarshal([]byte(p.stdout.String()), &doc); err != nil {
			t.Fatalf("%s: %v", tt.args, err)
		}
		form := strings.ReplaceAll(regexp.QuoteMeta(tt.want), "N", `-?\d+(\.\d+)?`)
		form = strings.ReplaceAll(form, `-?\d+(\.\d+)?\.0`, `-?\d+\.0`)
		if got := compact(t, doc); !regexp.MustCompile("^" + form + "$").MatchString(got) {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.args, got, tt.want)
		}
		if tt.args == "signal" {
			if err := json.Unmarshal(doc, new(tasks.Signal)); err != nil {
				t.Error(err)
			}
		}
	}
	if got := m.Mode().Mode; got != "03" || !m.DataSwitch() {
		t.Errorf("the modem is in mode %s, data %v", got, m.DataSwitch())
	}
	// Nobody stays logged in.
	if n, out := requests(m, "POST", "user/challenge_login"), requests(m, "POST", "user/logout"); n == 0 || n != out {
		t.Errorf("%d logins, %d logouts", n, out)
	}
}

func requests(m *hilink.Modem, method, path string) (n int) {
	for _, r := range m.Requests() {
		if r.Method == method && r.Path == path && r.Code == 0 {
			n++
		}
	}
	return n
}

// compact takes a document's white space out.
func compact(t *testing.T, doc json.RawMessage) string {
	t.Helper()
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Ensure a modem without SIM data says null where it says nothing, and that
// without a password what needs none still works.
func TestModem_nothingSaid(t *testing.T) {
	t.Parallel()
	m := startModem(t, hilink.Options{Password: "sesame-1"})
	for args, want := range map[string]string{
		"info": `{"device_name":"E8372h-320","class":"wingle","software_version":null,"hardware_version":null,"webui_version":null,` +
			`"imei":null,"imsi":null,"iccid":null,"msisdn":null,"work_mode":null,"wan_address":null,"uptime_seconds":null}`,
		"status": `{"state":"connected (901)","connection":901,"network_type":19,"network_type_ex":101,"service":2,"sim":1,"wan_address":null}`,
	} {
		p := run(t, options{}, "modem", args, "--url", m.URL(), "--json")
		p.exits(t, 0)
		if got := compact(t, json.RawMessage(p.stdout.String())); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", args, got, want)
		}
	}
}

// Ensure an error is one document on standard error, with a code that a script
// can go by, exit status 1, and no password in it.
func TestModem_errors(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html><title>4G UFI</title></html>"))
	}))
	t.Cleanup(page.Close)
	modem := func(f hilink.Faults) string {
		m := startModem(t, hilink.Options{Password: "sesame-1"})
		m.SetFaults(f)
		return m.URL()
	}
	locked := startModem(t, hilink.Options{Password: "sesame-1"})
	locked.Lock(3 * time.Minute)
	for name, tt := range map[string]struct {
		args, url, password string
		code, words         string
	}{
		"refused":     {"mode 02", modem(hilink.Faults{RefuseNetMode: 112003}), "sesame-1", "112003", "set net mode: the modem refuses this net mode or these bands (112003)"},
		"no login":    {"signal", modem(hilink.Faults{}), "", "login_required", "read signal: the modem wants a login: set its password"},
		"wrong":       {"signal", modem(hilink.Faults{}), "guess-7", "wrong_password", "read signal: log in: the modem's user name or password is wrong (108006): 1 wrong so far"},
		"locked":      {"signal", locked.URL(), "sesame-1", "locked", "try again in 3m0s"},
		"hang":        {"status --timeout 100ms", modem(hilink.Faults{Hang: true}), "", "timeout", "read status: the modem did not answer in time (100ms)"},
		"a page":      {"status", page.URL, "", "not_hilink", "read status: not a HiLink answer: a web page"},
		"nobody":      {"status", "http://" + closed.Addr().String(), "", "unreachable", "connection refused"},
		"dead midway": {"switch off", modem(hilink.Faults{DieMidSwitch: true}), "sesame-1", "unreachable", "set data switch: EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"modem"}, strings.Fields(tt.args)...)
			args = append(args, "--url", tt.url)
			var opt options
			if tt.password != "" {
				args, opt.env = append(args, "--password-env", "MODEM"), []string{"MODEM=" + tt.password}
			}
			p := run(t, opt, append(args, "--json")...)
			p.exits(t, 1)
			silent(t, p.stdout)
			var doc struct {
				Error struct{ Code, Message string } `json:"error"`
			}
			if err := json.Unmarshal([]byte(p.stderr.String()), &doc); err != nil {
				t.Fatalf("%v: %s", err, p.stderr)
			}
			if doc.Error.Code != tt.code || !strings.Contains(doc.Error.Message, tt.words) {
				t.Errorf("code %q, message %q", doc.Error.Code, doc.Error.Message)
			}
			if tt.password != "" && strings.Contains(p.stderr.String(), tt.password) {
				t.Error("the password is shown")
			}
		})
	}
}

// Ensure people get lines, and errors in words.
func TestModem_human(t *testing.T) {
	t.Parallel()
	m := startModem(t, hilink.Options{})
	p := run(t, options{}, "modem", "mode", "--url", m.URL())
	p.exits(t, 0)
	if want := "mode          00\nnetwork_band  2000004400000\nlte_band      80800D5\n"; p.stdout.String() != want {
		t.Errorf("printed %q, want %q", p.stdout.String(), want)
	}
	m.SetFaults(hilink.Faults{RefuseNetMode: 112001})
	p = run(t, options{}, "modem", "mode", "03", "--url", m.URL())
	p.exits(t, 1)
	says(t, p.stderr, "switchyard: set net mode: the modem refuses a net mode or bands while it is dialling (112001)")
}
