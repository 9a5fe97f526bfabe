package hardware_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"switchyard/configs"
	"switchyard/hardware"
	"switchyard/hardware/netaddr"
	"switchyard/hardware/usb"
	"switchyard/hosts"
	"switchyard/tasks"
)

// sysfs is a tree of files as the kernel shows a hub 1-1 of four ports with a stick
// in port 2 that has a network interface. It does nothing by itself: what is
// written to it stays.
func sysfs(t *testing.T, iface string) (root string) {
	t.Helper()
	root = t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(path, text string) {
		t.Helper()
		must(os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755))
		must(os.WriteFile(filepath.Join(root, path), []byte(text+"\n"), 0o600))
	}
	link := func(name, to string) {
		t.Helper()
		must(os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		must(os.Symlink(filepath.Join(root, to), filepath.Join(root, name)))
	}
	device := func(folder, class, ids string, ports string) {
		t.Helper()
		vendor, product, _ := strings.Cut(ids, ":")
		for name, text := range map[string]string{
			"idVendor": vendor, "idProduct": product, "bDeviceClass": class, "maxchild": ports, "busnum": "1", "devnum": "2",
			"speed": "480", "authorized": "1", "version": " 2.00",
		} {
			write(filepath.Join(folder, name), text)
		}
		link("bus/usb/devices/"+filepath.Base(folder), folder)
		link(folder+"/driver", "bus/usb/drivers/usb")
	}
	write("bus/usb/drivers/usb/bind", "")
	write("bus/usb/drivers/usb/unbind", "")
	device("devices/usb1", "09", "1d6b:0002", "4")
	device("devices/usb1/1-1", "09", "05e3:0610", "4")
	device("devices/usb1/1-1/1-1.2", "00", "12d1:14dc", "0")
	write("devices/usb1/1-1/1-1:1.0/bInterfaceClass", "09")
	link("bus/usb/devices/1-1:1.0", "devices/usb1/1-1/1-1:1.0")
	write("devices/usb1/1-1/1-1:1.0/1-1-port2/disable", "0")
	write("devices/usb1/1-1/1-1.2/1-1.2:1.0/bInterfaceClass", "02")
	link("bus/usb/devices/1-1.2:1.0", "devices/usb1/1-1/1-1.2/1-1.2:1.0")
	link("class/net/"+iface+"/device", "devices/usb1/1-1/1-1.2/1-1.2:1.0")
	return root
}

// Ensure a host knows its USB from what the kernel shows, keeps it for the next
// process, and gets a dongle back whose address is gone: by step 3, and by step 4
// where that can't be done.
func TestUSB(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	b := newBed(t)
	root := sysfs(t, "dg11")
	c := hostConfig(t, configs.Dongle{Subnet: 11})
	c.Host.ServerIP, c.Host.EchoURLs = uplinkAddress, []string{"http://" + echoAddress + "/"}
	c.Host.ProbeTimeout, c.Host.ModemTimeout = configs.Duration(10*time.Second), configs.Duration(10*time.Second)
	c.Toggle.PollInterval, c.Host.USB.Hubs = configs.Duration(10*time.Millisecond), []string{"1-1"}
	c.Toggle.Power.OffTime = configs.Duration(10 * time.Millisecond)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	start := func() *hardware.Host {
		h, err := hardware.NewHostOn(c, usb.New(usb.Options{Sysfs: root, Dev: filepath.Join(root, "dev"), Allow: []usb.Path{"1-1"}}))
		b.must(err)
		t.Cleanup(func() {
			h.Close()
			b.must(h.LeaveUSB())
		})
		h.Assigner = netaddr.New(netaddr.Options{Client: netaddr.ClientNone, Static: true})
		h.LookAtUSB(b.ctx, log)
		return h
	}
	h := start()
	known := map[int]hosts.USBPlace{11: {Path: "1-1.2", Hub: "1-1", Port: 2, State: hosts.USBModem}}
	if diff := cmp.Diff(known, h.USB()); diff != "" || h.Physical() != 1 {
		t.Errorf("%d dongles (-want +got):\n%s", h.Physical(), diff)
	}
	if diff := cmp.Diff(&tasks.HubInfo{MainHub: "1-1", SubHubs: []string{}, PortsPerHub: 4}, h.Hubs()); diff != "" {
		t.Errorf("hubs (-want +got):\n%s", diff)
	}

	l, err := netlink.LinkByName("dg11")
	b.must(err)
	for _, step := range []int{3, 4} {
		all, err := netlink.AddrList(l, netlink.FAMILY_V4)
		b.must(err)
		for _, a := range all {
			b.must(netlink.AddrDel(l, &a))
		}
		h = start()
		if diff := cmp.Diff(known, h.USB()); diff != "" {
			t.Errorf("in the next process (-want +got):\n%s", diff)
		}
		if step == 4 {
			h.Ladder.Repairs[3] = nil
		}
		d, err := h.Dongle(11)
		b.must(err)
		j := &journal{}
		out, err := h.Ladder.Toggle(b.ctx, d, j.hooks())
		if err != nil || !out.Success || out.Step != step || *out.IP != b.modem.Address().String() || j.last().Diagnosis != string(unplugged) {
			t.Fatalf("step %d: %+v, %v; %+v", step, out, err, j.last())
		}
		var waits []string
		for _, w := range j.last().Steps[len(j.last().Steps)-1].Waits {
			waits = append(waits, w.Name)
		}
		want := "rebind device address modem routing connectivity"
		if step == 4 {
			want = "hub port_off device address modem routing connectivity"
		}
		if got := strings.Join(waits, " "); got != want {
			t.Errorf("step %d waited for %s, want %s", step, got, want)
		}
	}
	if text, err := os.ReadFile(root + "/bus/usb/drivers/usb/unbind"); err != nil || !strings.HasPrefix(string(text), "1-1.2") {
		t.Errorf("taken off its driver: %q, %v", text, err)
	}
	if left, err := filepath.Glob(filepath.Join(c.Host.StateDir, "*.off")); err != nil || len(left) > 0 {
		t.Errorf("ports noted as off: %v, %v", left, err)
	}
	b.must(os.RemoveAll(root + "/bus/usb/devices/1-1.2"))
	h.LookAtUSB(b.ctx, log)
	if got := h.USB()[11].State; got != hosts.USBAbsent || h.Physical() != 0 {
		t.Errorf("unplugged it is %s, %d dongles", got, h.Physical())
	}
	// A port that a killed process left off.
	b.must(os.WriteFile(filepath.Join(c.Host.StateDir, "hub-1-1.off"), []byte(`{"ports":[2]}`), 0o600))
	disable := root + "/devices/usb1/1-1/1-1:1.0/1-1-port2/disable"
	b.must(os.WriteFile(disable, []byte("1\n"), 0o600))
	start()
	if text, err := os.ReadFile(disable); err != nil || strings.TrimSpace(string(text)) != "0" {
		t.Errorf("its port is left off: %q, %v", text, err)
	}
}

// Ensure an interface that another one's name went to while the USB was read is
// not taken to be where that one was: the next reading tells.
func TestUSB_namesChangeHands(t *testing.T) {
	t.Parallel()
	if !ownNamespace(t) {
		return
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	add := func(addr string) netlink.Link {
		t.Helper()
		must(netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth1"}, PeerName: "far1"}))
		l, err := netlink.LinkByName("eth1")
		must(err)
		a, err := netlink.ParseAddr(addr)
		must(err)
		must(netlink.AddrAdd(l, a))
		return l
	}
	add("192.168.11.100/24")
	at, swap := usb.Path("1-3.1"), false
	bus := &fakeBus{TreeFn: func() (*usb.Tree, error) {
		tree := usb.NewTree(usb.Device{Path: at, Vendor: 0x12d1, Product: 0x14dc, Mode: usb.Modem, Interfaces: []string{"eth1"}})
		if swap {
			l, err := netlink.LinkByName("eth1")
			must(err)
			must(netlink.LinkDel(l))
			at, swap = "1-3.2", false
			add("192.168.12.100/24")
		}
		return tree, nil
	}}
	h := newHostOn(t, hostConfig(t, configs.Dongle{Subnet: 11}, configs.Dongle{Subnet: 12}), bus)
	look := func() string {
		t.Helper()
		h.LookAtUSB(t.Context(), slog.New(slog.DiscardHandler))
		var all []string
		for _, n := range []int{11, 12} {
			if p, known := h.USB()[n]; known {
				all = append(all, fmt.Sprintf("%d %s", n, p.Path))
			}
		}
		return strings.Join(all, ", ")
	}
	if got := look(); got != "11 1-3.1" {
		t.Errorf("at first: %s", got)
	}
	swap = true
	if got := look(); got != "11 1-3.1" {
		t.Errorf("the name changes hands while it is read: %s", got)
	}
	if got := look(); got != "11 1-3.1, 12 1-3.2" {
		t.Errorf("read once more: %s", got)
	}
}
