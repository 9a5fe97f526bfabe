package hilink_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	sim "switchyard/sim/hilink"
)

// Ensure whoever asks behind an attached modem is told its address, again and
// again over one connection.
func TestGateway_attached(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	c := behind(t, m)
	for range 3 {
		if got, err := ask(c); err != nil || got != m.Address().String() {
			t.Errorf("%q, %v; want %v", got, err, m.Address())
		}
	}
	r, err := http.NewRequestWithContext(within(t), "POST", "http://"+m.Gateway(), strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a POST is answered with %d", resp.StatusCode)
	}
}

// ended reports how a connection ended: "closed" without a byte, or what came.
func ended(r io.Reader) string {
	b, err := io.ReadAll(r)
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "open"
	}
	if len(b) > 0 {
		return string(b)
	}
	return "closed"
}

// Ensure connections are cut when the modem detaches, one made while it is
// detached is held until it attaches and ends without an answer (whatever was
// sent over it), and one made after that is served.
func TestGateway_detached(t *testing.T) {
	t.Parallel()
	m := start(t, sim.Options{})
	used, fresh := behind(t, m), behind(t, m)
	before, err := ask(used)
	if err != nil {
		t.Fatal(err)
	}
	v := visit(t, m).enter()
	if got := v.post(dataSwitch, `<request><dataswitch>0</dataswitch></request>`); got != 0 {
		t.Fatal(got)
	}
	wait(t, m, "detached", 1)
	if a, b := ended(used), ended(fresh); a != "closed" || b != "closed" {
		t.Errorf("connections from before: %q, %q; want them cut", a, b)
	}

	silent, asking, tls, gone := behind(t, m), behind(t, m), behind(t, m), behind(t, m)
	io.WriteString(asking, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	tls.Write([]byte{0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x03})
	gone.Close()
	for _, c := range []interface{ SetReadDeadline(time.Time) error }{silent, asking, tls} {
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	}
	if a, b, c := ended(silent), ended(asking), ended(tls); a != "open" || b != "open" || c != "open" {
		t.Errorf("while detached: %q, %q, %q; want them held", a, b, c)
	}
	for _, c := range []interface{ SetReadDeadline(time.Time) error }{silent, asking, tls} {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
	}

	if got := v.post(dataSwitch, dataOn); got != 0 {
		t.Fatal(got)
	}
	wait(t, m, "attached", 2)
	if a, b, c := ended(silent), ended(asking), ended(tls); a != "closed" || b != "closed" || c != "closed" {
		t.Errorf("when attached: %q, %q, %q; want them closed without an answer", a, b, c)
	}
	after, err := ask(behind(t, m))
	if err != nil || after != m.Address().String() || after == before {
		t.Errorf("%q after %q, %v; want %v", after, before, err, m.Address())
	}
}
