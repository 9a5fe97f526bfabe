package usbmap_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/hardware/usb"
	"switchyard/hardware/usbmap"
	"switchyard/tasks"
)

func hub(p usb.Path, ports int) usb.Device { return usb.Device{Path: p, Class: 9, Ports: ports} }

func stick(p usb.Path, interfaces ...string) usb.Device {
	return usb.Device{Path: p, Vendor: 0x12d1, Product: 0x14dc, Mode: usb.Modem, Interfaces: interfaces}
}

func disk(p usb.Path) usb.Device {
	return usb.Device{Path: p, Vendor: 0x12d1, Product: 0x1f01, Mode: usb.Storage}
}

type held = map[int][]string

// open returns a map, and what opens another one on its file as the next process
// does.
func open(t *testing.T, configured map[int]usb.Path) (*usbmap.Map, func() *usbmap.Map) {
	t.Helper()
	opt := usbmap.Options{File: filepath.Join(t.TempDir(), "state", "usb.json"), Configured: configured}
	again := func() *usbmap.Map { return usbmap.Open(opt) }
	return again(), again
}

func read(t *testing.T, m *usbmap.Map, h held, devices ...usb.Device) {
	t.Helper()
	if err := m.Read(usb.NewTree(devices...), h); err != nil {
		t.Error(err)
	}
}

// places are all that is known, as one text.
func places(m *usbmap.Map) string {
	var out []string
	for n := tasks.MinSubnet; n <= tasks.MaxSubnet; n++ {
		if p, err := m.Place(n); err == nil {
			out = append(out, fmt.Sprintf("%d %s", n, p))
		}
	}
	return strings.Join(out, ", ")
}

func want(t *testing.T, when string, m *usbmap.Map, all string) {
	t.Helper()
	if got := places(m); got != all {
		t.Errorf("%s: %s, want %s", when, got, all)
	}
}

// Ensure a dongle's place is the one of its interface's device, whatever names,
// order and addresses the sticks have; that it stays known when the interface or
// the stick is gone, in the next process too; and that only another reading
// replaces it.
func TestRead(t *testing.T) {
	t.Parallel()
	m, again := open(t, nil)
	want(t, "nothing read", m, "")
	// Ports in another order than subnets, names in another order than both.
	read(t, m, held{11: {"eth5"}, 12: {"enx0c5b8f279a64"}, 13: {"eth1"}}, hub("1-3", 4), stick("1-3.1", "enx0c5b8f279a64"), stick("1-3.2", "eth5"), stick("1-3.3", "eth1"))
	const all = "11 1-3.2, 12 1-3.1, 13 1-3.3"
	want(t, "read", m, all)
	want(t, "in the next process", again(), all)
	read(t, m, held{11: {"eth5"}}, hub("1-3", 4), stick("1-3.1"), stick("1-3.2", "eth5"), disk("1-3.3"))
	want(t, "without addresses", m, all)
	read(t, m, nil, hub("1-3", 4))
	want(t, "unplugged", m, all)
	// 12 is moved into 13's port, with its names of before.
	read(t, m, held{11: {"eth5"}, 12: {"eth1"}}, hub("1-3", 4), stick("1-3.2", "eth5"), stick("1-3.3", "eth1"))
	want(t, "moved", m, "11 1-3.2, 12 1-3.3")
	want(t, "moved, in the next process", again(), "11 1-3.2, 12 1-3.3")
	if _, err := m.Place(13); !errors.Is(err, usbmap.ErrUnknown) || !strings.Contains(err.Error(), "it has not been seen there yet (host.dongles[].usb can tell)") {
		t.Errorf("its place was taken: %v", err)
	}
	// They change places.
	read(t, m, held{11: {"eth1"}, 12: {"eth5"}}, hub("1-3", 4), stick("1-3.2", "eth5"), stick("1-3.3", "eth1"))
	want(t, "changed", m, "11 1-3.3, 12 1-3.2")
	// An interface that is not of USB says nothing.
	read(t, m, held{14: {"eno1"}}, hub("1-3", 4))
	want(t, "another interface", m, "11 1-3.3, 12 1-3.2")
}

// Ensure a reading that contradicts itself says so, replaces nothing, and that no
// place is told of a dongle that was seen at two.
func TestRead_ambiguous(t *testing.T) {
	t.Parallel()
	m, _ := open(t, nil)
	both := []usb.Device{stick("1-3.1", "eth1"), stick("1-3.2", "eth2")}
	read(t, m, held{11: {"eth1"}, 12: {"eth2"}}, both...)
	err := m.Read(usb.NewTree(both...), held{11: {"eth1", "eth2"}})
	if err == nil || !strings.Contains(err.Error(), "the network of dongle 11 is at several places of the USB: [1-3.1 1-3.2]") {
		t.Errorf("two sticks of one subnet: %v", err)
	}
	want(t, "two sticks of one subnet", m, "12 1-3.2")
	if _, err := m.Place(11); !errors.Is(err, usbmap.ErrUnknown) || !strings.Contains(err.Error(), "[1-3.1 1-3.2]") {
		t.Errorf("two sticks of one subnet: %v", err)
	}
	err = m.Read(usb.NewTree(both...), held{11: {"eth2"}, 12: {"eth2"}})
	if err == nil || !strings.Contains(err.Error(), "the device at 1-3.2 has the networks of several dongles: [11 12]") {
		t.Errorf("one stick of two subnets: %v", err)
	}
	want(t, "one stick of two subnets", m, "11 1-3.1, 12 1-3.2")
	// Two addresses of one network, or two interfaces of one stick, are none.
	read(t, m, held{11: {"eth1", "eth1", "eth3"}}, stick("1-3.1", "eth1", "eth3"))
	want(t, "in order again", m, "11 1-3.1, 12 1-3.2")
}

// Ensure a configured place counts before anything was read, and more than what
// was once read, but never more than what is seen: of the dongle itself, or of
// another one there; and that it is told that the configuration is wrong.
func TestConfigured(t *testing.T) {
	t.Parallel()
	m, again := open(t, map[int]usb.Path{11: "1-3.1", 12: "1-3.2"})
	want(t, "nothing read", m, "11 1-3.1, 12 1-3.2")
	err := m.Read(usb.NewTree(stick("1-3.3", "eth1")), held{11: {"eth1"}})
	if err == nil || !strings.Contains(err.Error(), "dongle 11 hangs at 1-3.3, not at 1-3.1 as host.dongles says") {
		t.Errorf("seen elsewhere: %v", err)
	}
	want(t, "seen elsewhere", m, "11 1-3.3, 12 1-3.2")
	want(t, "the next process", again(), "11 1-3.1, 12 1-3.2")
	read(t, m, held{13: {"eth1"}}, stick("1-3.1", "eth1"))
	want(t, "another one there", m, "12 1-3.2, 13 1-3.1")
	if _, err := m.Place(11); !errors.Is(err, usbmap.ErrUnknown) || !strings.Contains(err.Error(), "host.dongles says 1-3.1, but dongle 13 hangs there") {
		t.Errorf("another one there: %v", err)
	}
	n := again()
	want(t, "once another one there", n, "11 1-3.1, 12 1-3.2")
	if _, err := n.Place(13); !errors.Is(err, usbmap.ErrUnknown) || !strings.Contains(err.Error(), "it was last seen at 1-3.1, but dongle 11 hangs there") {
		t.Errorf("once another one there: %v", err)
	}
	_ = m.Read(usb.NewTree(stick("1-3.1", "eth1"), stick("1-3.2", "eth2")), held{11: {"eth1", "eth2"}})
	want(t, "seen at two", m, "11 1-3.1, 12 1-3.2")
}

// Ensure a file that can't be read, or says what can't be, costs no start: it is
// told once, and the next reading makes a new one. And that one that can't be
// written is written when it can.
func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opt := usbmap.Options{File: filepath.Join(dir, "usb.json")}
	if err := os.WriteFile(opt.File, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := usbmap.Open(opt)
	tree, h := usb.NewTree(stick("1-3.1", "eth1")), held{11: {"eth1"}}
	if err := m.Read(tree, h); err == nil || !strings.Contains(err.Error(), "where the dongles hang is to be read from the USB anew") {
		t.Errorf("%v", err)
	}
	read(t, m, h, stick("1-3.1", "eth1"))
	want(t, "the next process", usbmap.Open(opt), "11 1-3.1")

	if err := os.WriteFile(opt.File, []byte(`{"dongles":{"11":{"path":"eth1"},"12":{"path":"1-3.2"},"13":{"path":"1-3.2"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, "edited by hand", usbmap.Open(opt), "12 1-3.2")

	if err := os.Mkdir(opt.File+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.Read(usb.NewTree(stick("1-3.3", "eth1")), h); err == nil || !strings.Contains(err.Error(), "host.state_dir") {
		t.Errorf("a file that can't be written: %v", err)
	}
	want(t, "unwritten", m, "11 1-3.3")
	if err := os.Remove(opt.File + ".new"); err != nil {
		t.Fatal(err)
	}
	read(t, m, nil)
	want(t, "written later", usbmap.Open(opt), "11 1-3.3")
}

// Ensure dongles are counted in whatever mode they are, also those whose kind
// isn't known, and hubs are told as they hang: the main one above all others.
func TestOverview(t *testing.T) {
	t.Parallel()
	hubs := []usb.Device{hub("usb1", 16), hub("1-3", 7), hub("1-3.1", 4), hub("1-3.4", 4), hub("1-5", 4)}
	foreign := usb.Device{Path: "1-3.4.4", Vendor: 0x0525, Product: 0xa4a2, Interfaces: []string{"eth4"}}
	for _, tt := range []struct {
		name     string
		devices  []usb.Device
		held     held
		physical int
		info     *tasks.HubInfo
	}{
		{"none", nil, nil, 0, nil},
		{"a keyboard", []usb.Device{{Path: "1-3.2"}}, nil, 0, nil},
		{"one hub", []usb.Device{stick("1-3.4.1"), disk("1-3.4.2")}, nil, 2, &tasks.HubInfo{MainHub: "1-3.4", SubHubs: []string{}, PortsPerHub: 4}},
		{"on main and sub hub", []usb.Device{stick("1-3.2"), stick("1-3.4.1"), stick("1-3.4.2"), foreign}, held{14: {"eth4"}}, 4,
			&tasks.HubInfo{MainHub: "1-3", SubHubs: []string{"1-3.4"}, PortsPerHub: 7}},
		{"on sub hubs alone", []usb.Device{stick("1-3.1.1"), stick("1-3.4.1")}, nil, 2, &tasks.HubInfo{MainHub: "1-3", SubHubs: []string{"1-3.1", "1-3.4"}, PortsPerHub: 7}},
		{"on two that have nothing in common", []usb.Device{stick("1-3.1"), stick("1-5.1"), stick("1-5.2")}, nil, 3,
			&tasks.HubInfo{MainHub: "1-5", SubHubs: []string{"1-3"}, PortsPerHub: 7}},
		{"on the machine itself", []usb.Device{stick("1-1")}, nil, 1, &tasks.HubInfo{MainHub: "usb1", SubHubs: []string{}, PortsPerHub: 16}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, _ := open(t, nil)
			if n, ok := m.Physical(); n != 0 || ok || m.Hubs() != nil {
				t.Errorf("before a reading: %d, %t, %v", n, ok, m.Hubs())
			}
			read(t, m, tt.held, append(hubs, tt.devices...)...)
			if n, ok := m.Physical(); n != tt.physical || !ok {
				t.Errorf("%d dongles, %t", n, ok)
			}
			if diff := cmp.Diff(tt.info, m.Hubs()); diff != "" {
				t.Errorf("hubs (-want +got):\n%s", diff)
			}
		})
	}
}

// Ensure what is plugged in where a dongle hangs is told, and whether it can be
// the dongle.
func TestPlaces(t *testing.T) {
	t.Parallel()
	m, again := open(t, map[int]usb.Path{14: "1-3.4"})
	foreign := usb.Device{Path: "1-3.3", Vendor: 0x0525, Product: 0xa4a2, Interfaces: []string{"eth3"}}
	read(t, m, held{11: {"eth1"}, 12: {"eth2"}, 13: {"eth3"}}, stick("1-3.1", "eth1"), stick("1-3.2", "eth2"), foreign)
	read(t, m, held{11: {"eth1"}, 13: {"eth3"}}, stick("1-3.1", "eth1"), disk("1-3.2"), foreign)
	wanted := map[int]usbmap.Place{
		11: {Path: "1-3.1", Plugged: true, Mode: usb.Modem}, 12: {Path: "1-3.2", Plugged: true, Mode: usb.Storage},
		13: {Path: "1-3.3", Plugged: true, Mode: usb.Modem}, 14: {Path: "1-3.4"},
	}
	if diff := cmp.Diff(wanted, m.Places()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]usb.Path{"1-3.2"}, m.Storage()); diff != "" {
		t.Errorf("disks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int]int{1: 11, 2: 12, 3: 13, 4: 14}, m.On("1-3")); diff != "" {
		t.Errorf("on the hub (-want +got):\n%s", diff)
	}
	if m.Storage() == nil || again().Storage() != nil {
		t.Error("disks before a reading")
	}
	keyboard := usb.Device{Path: "1-3.3", Vendor: 0x046d}
	for _, tt := range []struct {
		n  int
		d  usb.Device
		is bool
	}{
		{11, stick("1-3.1"), true}, {11, disk("1-3.1"), true}, {11, keyboard, false}, {11, hub("1-3.1", 4), false},
		{13, foreign, true}, {11, foreign, false}, {14, foreign, false}, {14, stick("1-3.4"), true},
		{11, usb.Device{Vendor: 0x12d1, Product: 0x1443}, true},
	} {
		if got := m.Is(tt.n, tt.d); got != tt.is {
			t.Errorf("%v is dongle %d: %t", tt.d, tt.n, got)
		}
	}
}
