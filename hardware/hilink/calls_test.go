package hilink

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// replay makes a stub that answers GETs with what was recorded, by path.
func replay(t *testing.T, byPath map[string]string) *stub {
	t.Helper()
	s := newStub(t, Options{})
	s.answer = func(w http.ResponseWriter, r *http.Request, _ int) {
		body, known := byPath[strings.TrimPrefix(r.URL.Path, "/api/")]
		if !known {
			body = refuse(codeNotSupported)
		}
		io.WriteString(w, body)
	}
	return s
}

// Ensure each call asks at its place and reads what a Korean stick answers.
func TestCalls(t *testing.T) {
	t.Parallel()
	s := replay(t, map[string]string{
		"net/net-mode":                  string(recorded(t, "status/net_mode_e8372h320_kr.xml")),
		"dialup/mobile-dataswitch":      "<response><dataswitch>0</dataswitch></response>",
		"device/signal":                 string(recorded(t, "signal/e8372h320_kr.xml")),
		"monitoring/traffic-statistics": string(recorded(t, "status/traffic_e8372h320_kr.xml")),
		"monitoring/status":             string(recorded(t, "status/e8372h320_kr.xml")),
	})
	ctx := within(t)
	mode, err := s.client.NetMode(ctx)
	if want := (NetMode{Mode: "00", NetworkBand: "2000004400000", LTEBand: "80800D5"}); err != nil || mode != want {
		t.Errorf("net mode %+v, %v", mode, err)
	}
	if on, err := s.client.DataSwitch(ctx); err != nil || on {
		t.Errorf("data switch %v, %v", on, err)
	}
	if sig, err := s.client.Signal(ctx); err != nil || *sig.RSRP != -96 || *sig.PLMN != "45005" {
		t.Errorf("signal %+v, %v", sig, err)
	}
	if tr, err := s.client.Traffic(ctx); err != nil || tr != (Traffic{Upload: 94343810, Download: 298829941}) {
		t.Errorf("traffic %+v, %v", tr, err)
	}
	if st, err := s.client.Status(ctx); err != nil || !st.Connected() {
		t.Errorf("status %v, %v", st, err)
	}
}

// Ensure counters beyond 32 bits keep their value.
func TestTraffic_large(t *testing.T) {
	t.Parallel()
	s := replay(t, map[string]string{"monitoring/traffic-statistics": string(recorded(t, "status/traffic_b525.xml"))})
	tr, err := s.client.Traffic(within(t))
	if want := (Traffic{Upload: 23679682682, Download: 217298263292}); err != nil || tr != want {
		t.Errorf("%+v, %v", tr, err)
	}
}

// Ensure a modem that doesn't say what was asked for is an error, not a zero.
func TestCalls_nothingSaid(t *testing.T) {
	t.Parallel()
	const empty = "<response></response>"
	s := replay(t, map[string]string{
		"net/net-mode": empty, "dialup/mobile-dataswitch": empty, "monitoring/traffic-statistics": empty,
	})
	ctx := within(t)
	if m, err := s.client.NetMode(ctx); err == nil {
		t.Errorf("net mode %+v", m)
	}
	if on, err := s.client.DataSwitch(ctx); err == nil {
		t.Errorf("data switch %v", on)
	}
	if tr, err := s.client.Traffic(ctx); err == nil {
		t.Errorf("traffic %+v", tr)
	}
}

// Ensure a network that the radio's answer leaves out is asked for, and its
// absence there too is no error.
func TestSignal_network(t *testing.T) {
	t.Parallel()
	without := string(recorded(t, "signal/saturated_no_band_plmn.xml"))
	s := replay(t, map[string]string{
		"device/signal":    without,
		"net/current-plmn": string(recorded(t, "status/plmn_e8372h320_kr.xml")),
	})
	sig, err := s.client.Signal(within(t))
	if err != nil || sig.PLMN == nil || *sig.PLMN != "45005" {
		t.Errorf("%+v, %v", sig, err)
	}
	s.wantLog(t, "GET webserver/SesTokInfo", "GET device/signal s1", "GET net/current-plmn s1")

	s = replay(t, map[string]string{"device/signal": without})
	if sig, err = s.client.Signal(within(t)); err != nil || sig.PLMN != nil || sig.RSRP == nil {
		t.Errorf("%+v, %v", sig, err)
	}
	s = replay(t, map[string]string{"device/signal": string(recorded(t, "signal/no_sim_all_empty.xml"))})
	if sig, err = s.client.Signal(within(t)); err != nil || cmp.Diff(Signal{}, sig) != "" {
		t.Errorf("%+v, %v", sig, err)
	}
	s.wantLog(t, "GET webserver/SesTokInfo", "GET device/signal s1")
}

// Ensure a mode is written in the order that modems demand, with the bands that
// were read and without those that weren't.
func TestSetNetMode(t *testing.T) {
	t.Parallel()
	const head, tail = `<?xml version="1.0" encoding="UTF-8"?><request>`, `</request>`
	for want, m := range map[string]NetMode{
		`<NetworkMode>03</NetworkMode><NetworkBand>2000004400000</NetworkBand><LTEBand>80800D5</LTEBand>`: {"03", "2000004400000", "80800D5"},
		`<NetworkMode>02</NetworkMode><NetworkBand>3FFFFFFF</NetworkBand>`:                                {"02", "3FFFFFFF", ""},
	} {
		s := newStub(t, Options{})
		contentType := ""
		s.answer = func(w http.ResponseWriter, r *http.Request, _ int) {
			contentType = r.Header.Get("Content-Type")
			io.WriteString(w, "<response>ok</response>\n")
		}
		if err := s.client.SetNetMode(within(t), m); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
		if got := s.bodies[len(s.bodies)-1]; got != head+want+tail {
			t.Errorf("got  %s\nwant %s", got, head+want+tail)
		}
		if contentType != "application/x-www-form-urlencoded; charset=UTF-8" {
			t.Errorf("content type %q", contentType)
		}
	}
	s := newStub(t, Options{})
	if err := s.client.SetNetMode(within(t), NetMode{}); err == nil {
		t.Error("no mode at all was taken")
	}
	s.wantLog(t)
}

// Ensure what a modem says about a refused mode reaches the caller.
func TestSetNetMode_refused(t *testing.T) {
	t.Parallel()
	s := newStub(t, Options{})
	s.answer = func(w http.ResponseWriter, _ *http.Request, _ int) { w.Write(recorded(t, "errors/112003.xml")) }
	err := s.client.SetNetMode(within(t), NetMode{Mode: "00"})
	refusal, isRefusal := errors.AsType[*Error](err)
	if !isRefusal || !refusal.NetModeRefused() {
		t.Fatalf("%v", err)
	}
	if want := "set net mode: the modem refuses this net mode or these bands (112003)"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
