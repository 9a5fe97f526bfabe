package usb

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// Requests as the machine writes them down.
const (
	describe3  = "hub 1-3: a0 06 value 2900 index 0"
	describe3x = "hub 2-3: a0 06 value 2a00 index 0"
)

// Ensure a port is switched by the kernel's file, and its twin with it, and both are
// on again after.
func TestSetPower(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, pair()...)
	before := m.tree().String()
	powered := func(want bool) {
		t.Helper()
		for _, hub := range []Path{"1-3", "2-3"} {
			if on, err := m.bus.Powered(t.Context(), hub, 2); err != nil || on != want {
				t.Errorf("port 2 of %s has power: %t, %v", hub, on, err)
			}
		}
	}
	powered(true)
	m.must(m.bus.SetPower(t.Context(), "1-3", 2, false))
	off := []string{describe3, describe3x, "echo 1 > devices/1-3:1.0/1-3-port2/disable", "echo 1 > devices/2-3:1.0/2-3-port2/disable"}
	m.didExactly(off...)
	powered(false)
	if d, ok := m.tree().Device("1-3.2"); ok {
		t.Errorf("without power there is %v", d)
	}
	m.must(m.bus.SetPower(t.Context(), "1-3", 2, false))
	m.didExactly(off[:2]...) // it is off already
	m.must(m.bus.SetPower(t.Context(), "2-3", 2, true))
	m.didExactly("echo 0 > devices/2-3:1.0/2-3-port2/disable", "echo 0 > devices/1-3:1.0/1-3-port2/disable")
	powered(true)
	m.must(m.bus.SetPower(t.Context(), "1-3", 2, true))
	m.didExactly() // it is on already
	if after := m.tree().String(); after != before {
		t.Errorf("the tree was\n%s\nand is\n%s", before, after)
	}
}

// Ensure hub class requests do it where the kernel has no file (before Linux 6.0) or it
// may not be written, that the device is taken down first, and is there again after,
// whether the kernel notices that or not.
func TestSetPower_requests(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"no file", "deaf kernel", "locked files"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := boot(t, Options{})
			m.bus.reviveLimit = 0
			m.deaf, m.noDisable = name == "deaf kernel", name != "locked files"
			for _, g := range pair() {
				m.plug(g)
			}
			m.fail = func(what string) error {
				if strings.HasSuffix(what, "/disable") {
					return fs.ErrPermission
				}
				return nil
			}
			before := m.tree().String()
			m.must(m.bus.SetPower(t.Context(), "1-3", 2, false))
			if on, err := m.bus.Powered(t.Context(), "1-3", 2); err != nil || on {
				t.Errorf("switched off, it has power: %t, %v", on, err)
			}
			if d, ok := m.tree().Device("1-3.2"); !ok || d.Authorized || len(d.Interfaces) > 0 {
				t.Errorf("switched off, it is %v, %t", d, ok)
			}
			golden(t, "requests_off_"+strings.ReplaceAll(name, " ", "_"), m.done()+"\n")
			m.did = nil
			m.must(m.bus.SetPower(t.Context(), "1-3", 2, true))
			golden(t, "requests_on_"+strings.ReplaceAll(name, " ", "_"), m.done()+"\n")
			if after := m.tree().String(); after != before {
				t.Errorf("the tree was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// Ensure ports are refused that would take down more than a device, each in words that
// say what to do, and nothing is written; and that switching on isn't refused.
func TestSetPower_refused(t *testing.T) {
	t.Parallel()
	ganged, none := hub("1-6", ""), hub("1-2", "")
	ganged.switching, none.switching = 0, 2
	gadgets := append(rig(), ganged, none)
	m := boot(t, Options{}, gadgets...)
	for name, tt := range map[string]struct {
		allow []Path
		hub   Path
		port  int
		says  string // "": it is done
	}{
		"free port":                      {nil, "1-3", 3, ""},
		"feeds a hub":                    {nil, "1-3", 4, "it feeds hub 1-3.4"},
		"feeds a hub by its twin":        {nil, "2-3", 4, "it feeds hub 2-3.4"},
		"root hub":                       {nil, "usb1", 5, "add usb1 to the hubs allowed"},
		"root hub of a hub":              {[]Path{"usb1"}, "usb1", 3, "it feeds hub 1-3"},
		"root hub allowed":               {[]Path{"usb1"}, "usb1", 5, ""},
		"all at once":                    {nil, "1-6", 1, "per-port"},
		"all at once, allowed":           {[]Path{"1-6"}, "1-6", 1, "per-port"},
		"none":                           {nil, "1-2", 1, "per-port"},
		"another allowed":                {[]Path{"1-3.4"}, "1-3", 2, "only ports of 1-3.4"},
		"allowed":                        {[]Path{"1-3"}, "1-3", 2, ""},
		"twin allowed":                   {[]Path{"2-3"}, "1-3", 2, ""},
		"feeds one allowed that is gone": {[]Path{"1-3", "1-3.3.1"}, "1-3", 3, "it feeds hub 1-3.3.1"},
	} {
		m.bus.opts.Allow, m.did = tt.allow, nil
		err := m.bus.SetPower(t.Context(), tt.hub, tt.port, false)
		var refused *RefusedError
		switch {
		case tt.says == "":
			if err != nil || !strings.Contains(m.done(), "echo 1") {
				t.Errorf("%s: returned %v, and did\n%s", name, err, m.done())
			}
		case !errors.Is(err, ErrRefused) || !errors.As(err, &refused) || refused.Hub != tt.hub || refused.Port != tt.port || !strings.Contains(err.Error(), tt.says):
			t.Errorf("%s: returned %v", name, err)
		case strings.Contains(m.done(), "echo"):
			t.Errorf("%s: did\n%s", name, m.done())
		}
		if err := m.bus.SetPower(t.Context(), tt.hub, tt.port, true); err != nil {
			t.Errorf("%s: on: %v", name, err)
		}
	}
}

// Ensure ports that aren't there are told of, by every call.
func TestPower_gone(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, small()...)
	for _, at := range []struct {
		hub  Path
		port int
	}{{"1-3", 0}, {"1-3", 5}, {"1-3", -1}, {"1-9", 1}, {"1-3.2", 1}, {"", 1}} {
		_, err := m.bus.Powered(t.Context(), at.hub, at.port)
		for _, err := range []error{err, m.bus.SetPower(t.Context(), at.hub, at.port, true), m.bus.SetPower(t.Context(), at.hub, at.port, false)} {
			if !errors.Is(err, ErrGone) {
				t.Errorf("%+v: %v", at, err)
			}
		}
	}
	if _, err := m.bus.Switchable(t.Context(), "1-3.2"); !errors.Is(err, ErrGone) {
		t.Errorf("a dongle as a hub: %v", err)
	}
	m.didExactly()
}

// Ensure a hub says of itself whether it can switch each port.
func TestSwitchable(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, pair()...)
	for characteristics, want := range map[byte]bool{0: false, 1: true, 2: false, 3: false, 0x09: true, 0x0a: false, 0x80: false} {
		m.gadgets["1-3"].switching = characteristics
		m.gadgets["2-3"].switching = characteristics
		for _, hub := range []Path{"1-3", "2-3"} {
			if able, err := m.bus.Switchable(t.Context(), hub); err != nil || able != want {
				t.Errorf("%s with %#x: %t, %v", hub, characteristics, able, err)
			}
		}
	}
	for _, tt := range []struct{ err, want error }{
		{fs.ErrPermission, ErrNotPermitted}, {syscall.EACCES, ErrNotPermitted}, {syscall.ENODEV, ErrGone}, {syscall.EPIPE, syscall.EPIPE}, {syscall.ETIMEDOUT, syscall.ETIMEDOUT},
	} {
		m.fail = func(string) error { return tt.err }
		if able, err := m.bus.Switchable(t.Context(), "1-3"); !errors.Is(err, tt.want) || able {
			t.Errorf("%v: %t, %v", tt.err, able, err)
		}
	}
}

// Ensure a hub that can't be asked isn't switched unless it is allowed by name.
func TestSetPower_unknownHub(t *testing.T) {
	t.Parallel()
	for _, allow := range [][]Path{nil, {"1-3"}} {
		m := boot(t, Options{Allow: allow}, small()...)
		m.fail = func(what string) error {
			if strings.HasPrefix(what, "hub") {
				return syscall.EACCES
			}
			return nil
		}
		err := m.bus.SetPower(t.Context(), "1-3", 2, false)
		if allow == nil {
			if !errors.Is(err, ErrNotPermitted) || !strings.Contains(err.Error(), "hubs allowed") {
				t.Errorf("returned %v", err)
			}
			m.didExactly()
			continue
		}
		m.must(err)
		m.didExactly("echo 1 > devices/1-3:1.0/1-3-port2/disable")
	}
}

// Ensure a hub that takes the order and doesn't switch is found out, by file and by
// request, and the port is told to be on again.
func TestSetPower_ignored(t *testing.T) {
	t.Parallel()
	for _, noDisable := range []bool{false, true} {
		m := boot(t, Options{})
		m.noDisable = noDisable
		for _, g := range pair() {
			g.ignores = g.path == "2-3"
			m.plug(g)
		}
		m.bus.settleLimit = 0
		err := m.bus.SetPower(t.Context(), "1-3", 2, false)
		if !errors.Is(err, ErrNotSwitched) || !strings.Contains(err.Error(), "hub 2-3") {
			t.Errorf("returned %v", err)
		}
		if m.gadgets["1-3"].off[2] {
			t.Error("half of it stays off")
		}
		// The hub says that it is on, but its device was taken down.
		if again := map[bool]string{false: "echo 0 > devices/2-3:1.0/2-3-port2/disable", true: "hub 2-3: 23 03 value 0008 index 2"}[noDisable]; !strings.Contains(m.done(), again) {
			t.Errorf("did\n%s\nwithout %s", m.done(), again)
		}
		if d, _ := m.tree().Device("1-3.2"); !d.Authorized || len(d.Interfaces) != 1 {
			t.Errorf("the device is %v", d)
		}
	}
}

// Ensure that without permission nothing is taken down that couldn't be brought back.
func TestSetPower_notPermitted(t *testing.T) {
	t.Parallel()
	for name, denied := range map[string][]string{
		"files":             {"/disable", "hub"},
		"requests only":     {"hub"},
		"down only":         {"/disable", "/authorized"},
		"everything":        {""},
		"files but request": {"echo"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := boot(t, Options{Allow: []Path{"1-3"}})
			m.noDisable = name == "requests only"
			for _, g := range pair() {
				m.plug(g)
			}
			before := m.tree().String()
			m.fail = func(what string) error {
				for _, d := range denied {
					if strings.Contains(what, d) {
						return syscall.EACCES
					}
				}
				return nil
			}
			if err := m.bus.SetPower(t.Context(), "1-3", 2, false); !errors.Is(err, ErrNotPermitted) {
				t.Errorf("returned %v", err)
			}
			if strings.Contains(m.done(), "echo") {
				t.Errorf("did\n%s", m.done())
			}
			m.fail = nil
			if after := m.tree().String(); after != before {
				t.Errorf("the tree was\n%s\nand is\n%s", before, after)
			}
		})
	}
}

// Ensure a context that has ended keeps nothing from being switched on, and everything
// from being switched off.
func TestSetPower_cancelled(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{}, small()...)
	ctx, cancel := context.WithCancel(t.Context())
	m.must(m.bus.SetPower(ctx, "1-3", 2, false))
	cancel()
	m.must(m.bus.SetPower(ctx, "1-3", 2, true))
	m.did = nil
	if err := m.bus.SetPower(ctx, "1-3", 2, false); !errors.Is(err, context.Canceled) {
		t.Errorf("returned %v", err)
	}
	m.didExactly(describe3)

	// Nor while it has to wait for its turn.
	begun, goOn, errs := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	m.fail = func(what string) error {
		if strings.HasSuffix(what, "unbind") {
			close(begun)
			<-goOn
		}
		return nil
	}
	go func() { errs <- m.bus.Rebind(t.Context(), "1-3.2") }()
	<-begun
	go func() { errs <- m.bus.SetPower(ctx, "1-3", 2, true) }()
	if err := m.bus.SetPower(ctx, "1-3", 2, false); !errors.Is(err, context.Canceled) {
		t.Errorf("returned %v", err)
	}
	close(goOn)
	m.must(<-errs)
	m.must(<-errs)
}

// Ensure a port's power is known from the hub where the kernel has no file, and that an
// answer that is none is no answer.
func TestPowered_requests(t *testing.T) {
	t.Parallel()
	m := boot(t, Options{})
	m.noDisable = true
	for _, g := range pair() {
		m.plug(g)
	}
	m.gadgets["1-3"].off[2] = true
	if on, err := m.bus.Powered(t.Context(), "1-3", 2); err != nil || !on {
		t.Errorf("with the twin on: %t, %v", on, err)
	}
	m.gadgets["2-3"].off[2] = true
	if on, err := m.bus.Powered(t.Context(), "1-3", 2); err != nil || on {
		t.Errorf("with both off: %t, %v", on, err)
	}
	m.fail = func(what string) error {
		if strings.HasPrefix(what, "hub 2-3:") {
			return syscall.EIO
		}
		return nil
	}
	if _, err := m.bus.Powered(t.Context(), "1-3", 2); !errors.Is(err, syscall.EIO) {
		t.Errorf("with the twin unknown: %v", err)
	}
}
