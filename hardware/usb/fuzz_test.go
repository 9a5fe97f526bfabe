package usb

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzPath: a valid path is made of its hub and its port, and of nothing that leads out of
// a folder.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"usb1", "1-3", "1-3.4.2", "1-3.4.2:1.0", "1-0:1.0", "../1-3", "1-3.04", "1-3-port2", "usb1-port3", "/devices/usb1/1-3/1-3:1.0/net/eth1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := Path(s)
		if p.Valid() {
			if strings.ContainsAny(s, "/:\n\x00 ") || strings.Contains(s, "..") {
				t.Errorf("%q is valid", s)
			}
			if !p.Root() && p.Hub().At(p.Port()) != p || p.Root() && p.Hub() != "" {
				t.Errorf("%q is port %d of %q", s, p.Port(), p.Hub())
			}
		} else if p.Hub() != "" || p.Port() != 0 || p.At(1) != "" {
			t.Errorf("%q isn't valid, and port %d of %q", s, p.Port(), p.Hub())
		}
		if of, ok := interfaceOf(s); ok && !of.Valid() {
			t.Errorf("%q is an interface of %q", s, of)
		}
		if hub, port, ok := portOf(s); ok && hub.At(port) == "" && len(strings.Split(string(hub), ".")) < maxTiers {
			t.Errorf("%q is port %d of %q", s, port, hub)
		}
		if p, _ := pathOf(s); p != "" && !p.Valid() {
			t.Errorf("%q is about %q", s, p)
		}
	})
}

// FuzzAttributes: whatever stands in a file is a value in its range, or an error.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{"12d1", " 2.00", "480", "1.5", "unknown", "", "-1", "1e3", "0x10", "99999999999999999999", "+5", "Inf", "NaN", "\xff\xfe", "name\x1b[31m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseNumber(s, 16, 16); err == nil && (n < 0 || n > 0xffff) {
			t.Errorf("%q is %d", s, n)
		}
		if n, err := parseVersion(s); err == nil && (n < 0 || n > 0xffff) {
			t.Errorf("version %q is %d", s, n)
		}
		if speed, err := parseSpeed(s); err == nil && strings.Trim(speed, "0123456789.") != "" {
			t.Errorf("speed %q is %q", s, speed)
		}
		name := clean(s)
		if !utf8.ValidString(name) || len(name) > 128 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is shown as %q", s, name)
		}
		if _, err := ParseID(s); err == nil && len(s) != 9 {
			t.Errorf("%q is an id", s)
		}
	})
}

// FuzzHubDescriptor: whatever a hub answers is a descriptor with ports, or an error.
func FuzzHubDescriptor(f *testing.F) {
	f.Add([]byte{9, 0x29, 8, 9, 0, 1, 0, 0, 0xff})
	f.Add([]byte{12, 0x2a, 4, 0, 0, 50, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{9, 0x29, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseHubDescriptor(data)
		if err == nil && (d.ports < 1 || d.powerGood < 0 || d.powerGood > 255*2*1e6) || err != nil && d != (hubDescriptor{}) {
			t.Errorf("% x is %+v, %v", data, d, err)
		}
	})
}
