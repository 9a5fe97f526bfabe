package hilink_test

import (
	"bufio"
	"context"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	client "switchyard/hardware/hilink"
	sim "switchyard/sim/hilink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// reattach is how long the modems of these tests need back into the network.
const reattach = 60 * time.Millisecond

// within bounds a test's waiting.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// start brings a modem up for the time of the test.
func start(t *testing.T, opt sim.Options) *sim.Modem {
	t.Helper()
	if opt.Reattach == 0 {
		opt.Reattach = reattach
	}
	if opt.Subnet == 0 {
		opt.Subnet = 11
	}
	m := sim.New(opt)
	if err := m.Start(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// dial makes a real client of the modem.
func dial(t *testing.T, m *sim.Modem, opt client.Options) *client.Client {
	t.Helper()
	c, err := client.New(m.URL(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// wait waits until so many entries of the ledger start with what.
func wait(t *testing.T, m *sim.Modem, what string, times int) {
	t.Helper()
	err := m.WaitFor(within(t), func(entries []sim.Entry) bool { return count(entries, what) >= times })
	if err != nil {
		t.Fatalf("%d times %q: %v", times, what, err)
	}
}

func count(entries []sim.Entry, what string) (n int) {
	for _, e := range entries {
		if strings.HasPrefix(e.What, what) {
			n++
		}
	}
	return n
}

// happened is the ledger without times.
func happened(m *sim.Modem) (out []string) {
	for _, e := range m.Ledger() {
		out = append(out, e.What)
	}
	return out
}

// visitor is a client of the web API that does what a test says and nothing of
// its own accord.
type visitor struct {
	t       *testing.T
	base    string
	session string
	token   string
}

func visit(t *testing.T, m *sim.Modem) *visitor {
	return &visitor{t: t, base: m.URL()}
}

// enter gets a session and a token.
func (v *visitor) enter() *visitor {
	v.t.Helper()
	body, h := v.do("GET", "/api/webserver/SesTokInfo", "")
	v.session = strings.TrimPrefix(value(v.t, body, "SesInfo"), "SessionID=")
	v.token = value(v.t, body, "TokInfo")
	if len(v.session) != 128 || len(v.token) != 32 {
		v.t.Fatalf("session and token: %s", body)
	}
	if c := h.Get("Set-Cookie"); c != "" && c != "SessionID="+v.session+"; path=/; HttpOnly;" {
		v.t.Errorf("cookie %q for session %q", c, v.session)
	}
	return v
}

// do sends a request and returns the answer. Of a POST's answer it keeps the
// next token.
func (v *visitor) do(method, path, body string, change ...func(*http.Request)) (string, http.Header) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(within(v.t), method, v.base+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Close = true
	if v.session != "" {
		r.Header.Set("Cookie", "SessionID="+v.session)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		r.Header.Set("__RequestVerificationToken", v.token)
	}
	for _, f := range change {
		f(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html" {
		v.t.Errorf("%s %s: status %d, %s", method, path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	if method == http.MethodPost {
		v.token = resp.Header.Get("__RequestVerificationToken")
	}
	return string(answer), resp.Header
}

// post writes and returns the answer's code, 0 for OK.
func (v *visitor) post(path, body string, change ...func(*http.Request)) int {
	v.t.Helper()
	answer, _ := v.do("POST", path, body, change...)
	if answer == `<?xml version="1.0" encoding="UTF-8"?><response>OK</response>` {
		return 0
	}
	return code(v.t, answer)
}

// code is the number of an answer that is an error document.
func code(t *testing.T, answer string) int {
	t.Helper()
	var e struct {
		XMLName xml.Name `xml:"error"`
		Code    int      `xml:"code"`
		Message *string  `xml:"message"`
	}
	if err := xml.Unmarshal([]byte(answer), &e); err != nil || e.Message == nil {
		t.Fatalf("no error document: %v: %s", err, answer)
	}
	return e.Code
}

// value is the text of an element.
func value(t *testing.T, answer, name string) string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(answer))
	for {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("no %s in %s", name, answer)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == name {
			var s string
			if err := d.DecodeElement(&s, &e); err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
}

// behind opens a connection to what lies behind the modem.
func behind(t *testing.T, m *sim.Modem) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(within(t), "tcp", m.Gateway())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends a GET over a connection and returns the answer's body, or how the
// connection ended without one.
func ask(c net.Conn) (string, error) {
	if _, err := io.WriteString(c, "GET /?format=text HTTP/1.1\r\nHost: api.ipify.org\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/plain" {
		return "", io.ErrUnexpectedEOF
	}
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}
