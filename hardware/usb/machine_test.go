package usb

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// machine is a host's USB: a tree of files laid out as sysfs does it, and a kernel that
// does what is written to them. It keeps what was written and what hubs were told, as
// text.
type machine struct {
	t    *testing.T
	root string
	bus  *Bus

	mu      sync.Mutex
	gadgets map[Path]*gadget
	devnum  int
	did     []string
	// fail is asked before each write and each transfer; it may also block.
	fail func(what string) error
	// deaf: the kernel doesn't notice when a hub switches power on again.
	deaf bool
	// noDisable: it has no files to switch ports by.
	noDisable bool
}

// gadget is a device, and where it is a hub its ports.
type gadget struct {
	path       Path
	id, class  string
	version    string
	speed      string
	name       string
	interfaces []string // class/subclass/protocol of each
	net        string   // its network interface
	ports      int
	twin       Path // of a hub: the other half
	switching  byte // wHubCharacteristics

	number     int
	unbound    bool
	authorized bool
	off        map[int]bool // its ports that have no power
	ignores    bool         // it takes orders and does nothing
}

var _ transfers = (*machine)(nil)

// boot sets a machine up with the gadgets, hubs first.
func boot(t *testing.T, opts Options, gadgets ...gadget) *machine {
	t.Helper()
	m := &machine{t: t, root: memory(t), gadgets: map[Path]*gadget{}}
	m.mkdir("bus/usb/devices")
	m.mkdir("class/net")
	m.file("bus/usb/drivers/usb/bind", "")
	m.file("bus/usb/drivers/usb/unbind", "")
	// A network interface that isn't USB, and one without hardware.
	m.mkdir("devices/pci0000:00/0000:00:1f.6/net/eno1")
	m.link("class/net/eno1", "devices/pci0000:00/0000:00:1f.6/net/eno1")
	m.link("devices/pci0000:00/0000:00:1f.6/net/eno1/device", "devices/pci0000:00/0000:00:1f.6")
	m.mkdir("devices/virtual/net/lo")
	m.link("class/net/lo", "devices/virtual/net/lo")
	for _, g := range gadgets {
		m.plug(g)
	}
	opts.Sysfs, opts.Dev = m.root, filepath.Join(m.root, "dev")
	if opts.WriteLimit == 0 {
		opts.WriteLimit = time.Minute
	}
	m.bus = New(opts)
	m.bus.write = m.write
	m.bus.names.limit = time.Minute
	m.bus.wire.open = func() (transfers, error) { return m, nil }
	m.bus.uevents = func() (socket, error) { return nil, errors.ErrUnsupported }
	t.Cleanup(func() {
		if err := m.bus.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return m
}

// memory is a folder that isn't on a disk, where there is such: sysfs is none, and with
// the hundreds of files of each test a disk takes ten times as long.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "usb-") //nolint:usetesting // that one is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// The host of the tests: a hub of seven ports with a hub in its port 4, both of USB 3
// and so with twins on bus 2, and dongles on both, all with the same MAC address.
func rig() []gadget {
	return []gadget{
		rootHub(1), rootHub(2),
		hub("1-3", "2-3"), hub("2-3", "1-3"), hub("1-3.4", "2-3.4"), hub("2-3.4", "1-3.4"),
		dongle("1-3.1", "eth2"), dongle("1-3.2", "eth1"), dongle("1-3.4.1", "eth4"), dongle("1-3.4.2", "eth3"),
		{path: "1-3.4.3", id: "12d1:1f01", name: "HUAWEI_MOBILE", interfaces: []string{"08/06/50"}},
		{path: "1-5", id: "046d:c31c", name: "Keyboard", speed: "1.5", interfaces: []string{"03/01/01"}},
	}
}

// small is a hub with a dongle.
func small() []gadget { return []gadget{rootHub(1), hub("1-3", ""), dongle("1-3.2", "eth1")} }

// pair is a hub of USB 3 with a dongle.
func pair() []gadget {
	return []gadget{rootHub(1), rootHub(2), hub("1-3", "2-3"), hub("2-3", "1-3"), dongle("1-3.2", "eth1")}
}

func rootHub(bus int) gadget {
	g := gadget{path: Path(fmt.Sprintf("usb%d", bus)), id: "1d6b:0002", class: "09", version: " 2.00", ports: 6, name: "xHCI Host Controller", interfaces: []string{"09/00/00"}, switching: 1}
	if bus%2 == 0 {
		g.id, g.version, g.speed = "1d6b:0003", " 3.00", "10000"
	}
	return g
}

// hub is one half of a hub that switches each port by itself.
func hub(p, twin Path) gadget {
	g := gadget{path: p, id: "05e3:0610", class: "09", version: " 2.10", ports: 4, name: "USB2.1 Hub", twin: twin, interfaces: []string{"09/00/02"}, switching: 1}
	if p[0] == '2' {
		g.id, g.version, g.speed, g.name = "05e3:0620", " 3.20", "5000", "USB3.2 Hub"
	}
	return g
}

func dongle(p Path, net string) gadget {
	return gadget{path: p, id: "12d1:14dc", name: "HUAWEI_MOBILE", net: net, interfaces: []string{"02/06/00", "0a/06/00", "08/06/50"}}
}

func (m *machine) must(err error) {
	if err != nil {
		m.t.Helper()
		m.t.Fatal(err)
	}
}

func (m *machine) path(name string) string { return filepath.Join(m.root, filepath.FromSlash(name)) }

func (m *machine) mkdir(name string) { m.must(os.MkdirAll(m.path(name), 0o755)) }

func (m *machine) file(name, text string) {
	write := func() error { return os.WriteFile(m.path(name), []byte(text+"\n"), 0o600) }
	if write() != nil {
		m.mkdir(filepath.Dir(name))
		m.must(write())
	}
}

// link makes a relative one, as sysfs has them.
func (m *machine) link(name, to string) {
	target, err := filepath.Rel(m.path(filepath.Dir(name)), m.path(to))
	m.must(err)
	if os.Symlink(target, m.path(name)) != nil {
		m.mkdir(filepath.Dir(name))
		m.must(os.Symlink(target, m.path(name)))
	}
}

// where is the folder of a device.
func (m *machine) where(p Path) string {
	if p.Root() {
		return "devices/pci0000:00/0000:00:14.0/" + string(p)
	}
	return m.where(p.Hub()) + "/" + string(p)
}

// prefix is the beginning of a device's interfaces' names.
func prefix(p Path) string {
	if p.Root() {
		return strings.TrimPrefix(string(p), "usb") + "-0"
	}
	return string(p)
}

// plug enumerates a gadget: its folder with all that is in it.
func (m *machine) plug(g gadget) {
	g.speed, g.version, g.class = cmp.Or(g.speed, "480"), cmp.Or(g.version, " 2.00"), cmp.Or(g.class, "00")
	m.devnum++
	g.number, g.authorized, g.unbound = m.devnum, true, false
	if g.off == nil {
		g.off = map[int]bool{}
	}
	m.gadgets[g.path] = &g
	dir := m.where(g.path)
	vendor, product, _ := strings.Cut(g.id, ":")
	bus, _, _ := strings.Cut(strings.TrimPrefix(string(g.path), "usb"), "-")
	for name, text := range map[string]string{
		"idVendor": vendor, "idProduct": product, "bDeviceClass": g.class, "version": g.version, "speed": g.speed,
		"busnum": bus, "devnum": fmt.Sprint(g.number), "maxchild": fmt.Sprint(g.ports), "authorized": "1",
		"product": g.name, "manufacturer": "HUAWEI_MOBILE",
	} {
		if name == "manufacturer" && !strings.HasPrefix(g.id, "12d1") {
			continue
		}
		m.file(dir+"/"+name, text)
	}
	m.link("bus/usb/devices/"+string(g.path), dir)
	m.link(dir+"/driver", "bus/usb/drivers/usb")
	m.configure(&g)
}

// configure makes a gadget's interfaces.
func (m *machine) configure(g *gadget) {
	for i, kind := range g.interfaces {
		name := fmt.Sprintf("%s:1.%d", prefix(g.path), i)
		dir := m.where(g.path) + "/" + name
		parts := strings.Split(kind, "/")
		m.file(dir+"/bInterfaceClass", parts[0])
		m.file(dir+"/bInterfaceSubClass", parts[1])
		m.file(dir+"/bInterfaceProtocol", parts[2])
		m.link("bus/usb/devices/"+name, dir)
		if i > 0 {
			continue
		}
		for n := range g.ports {
			port := fmt.Sprintf("%s/%s-port%d", dir, g.path, n+1)
			m.mkdir(port)
			if !m.noDisable {
				m.file(port+"/disable", "0")
			}
			if g.twin != "" {
				m.link(port+"/peer", fmt.Sprintf("%s/%s:1.0/%s-port%d", m.where(g.twin), g.twin, g.twin, n+1))
			}
		}
		if g.net != "" {
			m.file(dir+"/net/"+g.net+"/address", "0c:5b:8f:27:9a:64")
			m.link(dir+"/net/"+g.net+"/device", dir)
			m.link("class/net/"+g.net, dir+"/net/"+g.net)
		}
	}
}

// deconfigure takes a gadget's interfaces away.
func (m *machine) deconfigure(g *gadget) {
	for i := range g.interfaces {
		name := fmt.Sprintf("%s:1.%d", prefix(g.path), i)
		m.must(os.RemoveAll(m.path("bus/usb/devices/" + name)))
		m.must(os.RemoveAll(m.path(m.where(g.path) + "/" + name)))
	}
	if g.net != "" {
		m.must(os.RemoveAll(m.path("class/net/" + g.net)))
	}
}

// unplug takes a gadget out of sysfs.
func (m *machine) unplug(p Path) {
	g := m.gadgets[p]
	m.deconfigure(g)
	m.must(os.RemoveAll(m.path("bus/usb/devices/" + string(p))))
	m.must(os.RemoveAll(m.path(m.where(p))))
	g.number = 0
}

// present tells whether a gadget is in sysfs.
func (m *machine) present(p Path) bool {
	g := m.gadgets[p]
	return g != nil && g.number > 0
}

// told keeps what was done, unless it is to fail.
func (m *machine) told(what string) error {
	if m.fail != nil {
		if err := m.fail(what); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.did = append(m.did, what)
	return nil
}

// done is what was done, a line each.
func (m *machine) done() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.did, "\n")
}

// write is what the kernel does when somebody writes to a file.
func (m *machine) write(path, text string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	name := strings.TrimPrefix(path, m.root+"/bus/usb/")
	if err := m.told(fmt.Sprintf("echo %s > %s", text, name)); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	folder, file := filepath.Base(filepath.Dir(path)), filepath.Base(path)
	switch g := m.gadgets[Path(text)]; file {
	case "unbind":
		if !m.present(Path(text)) || g.unbound {
			return syscall.ENODEV
		}
		g.unbound = true
		m.must(os.Remove(m.path(m.where(g.path) + "/driver")))
		m.deconfigure(g)
	case "bind":
		switch {
		case !m.present(Path(text)):
			return syscall.ENODEV
		case !g.unbound:
			return syscall.EBUSY
		}
		g.unbound = false
		m.link(m.where(g.path)+"/driver", "bus/usb/drivers/usb")
		if g.authorized {
			m.configure(g)
		}
	case "authorized":
		m.authorize(m.gadgets[Path(folder)], text == "1")
	case "disable":
		hub, n, _ := portOf(folder)
		m.power(m.gadgets[hub], n, text == "0", true)
	default:
		m.t.Errorf("nobody writes to %s", path)
	}
	return nil
}

func (m *machine) authorize(g *gadget, on bool) {
	if g.authorized == on {
		return
	}
	g.authorized = on
	text := "0"
	if on {
		text = "1"
	}
	m.file(m.where(g.path)+"/authorized", text)
	switch {
	case !on:
		m.deconfigure(g)
	case !g.unbound:
		m.configure(g)
	}
}

// power switches a port; the kernel notices at once, or only that something was plugged
// in.
func (m *machine) power(hub *gadget, n int, on, noticed bool) {
	at := hub.path.At(n)
	if noticed && !on && m.present(at) {
		m.unplug(at)
	}
	if hub.ignores {
		return
	}
	hub.off[n] = !on
	text := "1"
	if on {
		text = "0"
	}
	if !m.noDisable {
		m.file(fmt.Sprintf("%s/%s:1.0/%s-port%d/disable", m.where(hub.path), prefix(hub.path), hub.path, n), text)
	}
	if g := m.gadgets[at]; on && g != nil && !(m.deaf && m.present(at)) {
		if m.present(at) {
			m.unplug(at)
		}
		m.plug(*g)
	}
}

// control is what hubs do.
func (m *machine) control(to node, r request, data []byte) (int, error) {
	m.mu.Lock()
	var hub *gadget
	for _, g := range m.gadgets {
		if g.number == to.number {
			hub = g
		}
	}
	m.mu.Unlock()
	if hub == nil {
		return 0, syscall.ENODEV
	}
	if err := m.told(fmt.Sprintf("hub %s: %02x %02x value %04x index %d", hub.path, r.kind, r.code, r.value, r.index)); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	usb3 := strings.HasPrefix(hub.version, " 3")
	switch {
	case r.kind == fromHub && r.code == getDescriptor && (r.value == 0x2a00) == usb3:
		d := []byte{12, byte(r.value >> 8), byte(hub.ports), hub.switching, 0, 1, 0, 0, 0, 0, 0, 0}
		return copy(data, d), nil
	case r.kind == fromPort && r.code == getStatus:
		status := uint16(statusPower2)
		if usb3 {
			status = statusPower3
		}
		if hub.off[int(r.index)] {
			status = 0
		}
		binary.LittleEndian.PutUint16(data, status|3)
		return 4, nil
	case r.kind == toPort && r.value == portPower:
		m.power(hub, int(r.index), r.code == setFeature, false)
		return 0, nil
	}
	return 0, syscall.EPIPE
}

func (m *machine) close() error { return nil }

// tree reads, and fails the test where that fails.
func (m *machine) tree() *Tree {
	m.t.Helper()
	tree, err := m.bus.Tree()
	m.must(err)
	for _, f := range tree.Faults {
		m.t.Errorf("fault: %v", f)
	}
	return tree
}

// did tells that these lines were done, and no others.
func (m *machine) didExactly(want ...string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.did, want) {
		m.t.Errorf("did\n%s\nwant\n%s", strings.Join(m.did, "\n"), strings.Join(want, "\n"))
	}
	m.did = nil
}
