package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/hardware/usb"
)

// box is a proxy host as the doctor sees it: a folder with what the kernel, udev
// and others would have written there, all of it in order. What hubs say when they
// are asked stands beside it.
type box struct {
	t    *testing.T
	root string
	hubs map[usb.Path]any // bool, or the error
	bus  *usb.Bus
}

var _ app.USB = (*box)(nil)

func (b *box) Tree() (*usb.Tree, error) { return b.bus.Tree() }

func (b *box) Switchable(_ context.Context, hub usb.Path) (bool, error) {
	switch says := b.hubs[hub].(type) {
	case bool:
		return says, nil
	case error:
		return false, says
	}
	return false, usb.ErrGone
}

// boot makes a host of Linux 6.1 with a hub 1-3 that switches its ports, two dongles
// on it, NetworkManager, ModemManager and networkd.
func boot(t *testing.T) *box {
	t.Helper()
	b := &box{t: t, root: t.TempDir(), hubs: map[usb.Path]any{"1-3": true}}
	b.bus = usb.New(usb.Options{Sysfs: b.path("sys"), Dev: b.path("dev")})
	t.Cleanup(func() { must(t, b.bus.Close()) })
	for name, text := range map[string]string{
		"proc/sys/kernel/osrelease":                      "6.1.0-38-amd64",
		"proc/1/comm":                                    "systemd",
		"proc/42/comm":                                   "NetworkManager",
		"proc/43/comm":                                   "ModemManager",
		"proc/44/comm":                                   "systemd-network",
		"proc/sys/net/ipv4/conf/all/rp_filter":           "0",
		"proc/sys/net/ipv4/conf/default/rp_filter":       "2",
		"etc/udev/rules.d/70-switchyard.rules":           "",
		"etc/systemd/network/70-switchyard-dongles.link": "",
		"usr/sbin/usb_modeswitch":                        "",
		"etc/systemd/networkd.conf":                      "[Network]\nManageForeignRoutes=yes",
		"usr/lib/systemd/networkd.conf.d/10-other.conf":  "[Network]\n#ManageForeignRoutes=yes",
		"etc/systemd/networkd.conf.d/50-switchyard.conf": "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no",
		"sys/bus/usb/drivers/usb/bind":                   "",
		"sys/bus/usb/drivers/usb/unbind":                 "",
		"sys/bus/usb/devices/1-3:1.0/1-3-port1/disable":  "0",
		"sys/bus/usb/devices/1-3:1.0/1-3-port2/disable":  "0",
		"dev/bus/usb/001/002":                            "",
	} {
		b.file(name, text)
	}
	b.device("usb1", "1d6b:0002", "09", 1)
	b.device("1-3", "05e3:0610", "09", 2)
	b.dongle("1-3.1", 3, "eth1", 7)
	b.dongle("1-3.2", 4, "eth2", 8)
	return b
}

func (b *box) path(elem ...string) string {
	return filepath.Join(append([]string{b.root}, elem...)...)
}

// file writes a file that everybody may write to.
func (b *box) file(name, text string) {
	must(b.t, os.MkdirAll(filepath.Dir(b.path(name)), 0o755))
	must(b.t, os.WriteFile(b.path(name), []byte(text+"\n"), 0o600))
	must(b.t, os.Chmod(b.path(name), 0o666))
}

func (b *box) device(path, id, class string, number int) {
	vendor, product, _ := strings.Cut(id, ":")
	driver := b.path("sys/bus/usb/drivers/usb")
	must(b.t, os.MkdirAll(driver, 0o755))
	for name, text := range map[string]string{
		"idVendor": vendor, "idProduct": product, "bDeviceClass": class, "busnum": "1", "devnum": fmt.Sprint(number), "authorized": "1",
		"maxchild": map[string]string{"09": "4"}[class], "speed": "480", "version": " 2.00",
	} {
		b.file("sys/bus/usb/devices/"+path+"/"+name, text)
	}
	must(b.t, os.Symlink(driver, b.path("sys/bus/usb/devices", path, "driver")))
}

func (b *box) dongle(path string, number int, name string, index int) {
	b.device(path, "12d1:14dc", "00", number)
	must(b.t, os.MkdirAll(b.path("sys/bus/usb/devices", path+":1.0"), 0o755))
	b.file("sys/class/net/"+name+"/ifindex", fmt.Sprint(index))
	must(b.t, os.Symlink(b.path("sys/bus/usb/devices", path+":1.0"), b.path("sys/class/net", name, "device")))
	b.file("proc/sys/net/ipv4/conf/"+name+"/rp_filter", "2")
	b.file(fmt.Sprintf("run/udev/data/n%d", index), "I:1\nE:NM_UNMANAGED=1")
	b.file(fmt.Sprintf("run/udev/data/c189:%d", number-1), "E:ID_MM_DEVICE_IGNORE=1")
}

// rootOnly takes files away from everybody but their owner.
func (b *box) rootOnly(names ...string) {
	for _, name := range names {
		must(b.t, os.Chmod(b.path(name), 0o600))
	}
}

func (b *box) remove(names ...string) {
	for _, name := range names {
		must(b.t, os.RemoveAll(b.path(name)))
	}
}

// hostConfig is that of a host with two dongles on hub 1-3.
func hostConfig(change ...func(*configs.Config)) *configs.Config {
	c := configs.Default()
	c.Redis.Addr = "127.0.0.1:1"
	c.Host.Name, c.Host.EchoURLs = "seoul-1", []string{"http://192.0.2.1/"}
	c.Host.Dongles = []configs.Dongle{{Subnet: 11}, {Subnet: 12}}
	c.Host.USB.Hubs = []string{"1-3"}
	for _, f := range change {
		f(c)
	}
	return c
}

// hostChecks are those of a host's hardware, in their order.
var hostChecks = []string{
	"kernel", "routing", "udev", "usb", "usb.rebind", "usb_modeswitch", "host.usb.hubs[0]", "host.address", "rp_filter", "ModemManager", "NetworkManager", "systemd-networkd",
}

// Ensure a host where all is in order is told to be so, whoever asks, and that
// nobody else's machine is looked at.
func TestDoctorOfHost(t *testing.T) {
	t.Parallel()
	b := boot(t)
	for _, who := range []string{"", "nobody"} {
		var names []string
		for _, f := range app.Doctor(t.Context(), app.DoctorOptions{Config: hostConfig(), Roles: []app.Role{app.Worker}, User: who, Root: b.root, USB: b}) {
			if !slices.Contains(hostChecks, f.Check) {
				continue
			}
			names = append(names, f.Check)
			if f.Status != app.OK && f.Check != "routing" { // which is of the process, not of the box
				t.Errorf("%q: %+v", who, f)
			}
		}
		if !slices.Equal(names, hostChecks) {
			t.Errorf("%q: looked at %q", who, names)
		}
	}
	simulated := hostConfig(func(c *configs.Config) { c.Host.Dongles = []configs.Dongle{{Subnet: 11, Gateway: "127.0.0.1:1"}} })
	for _, opt := range []app.DoctorOptions{
		{Config: hostConfig(), Roles: []app.Role{app.API, app.Scheduler}},
		{Config: hostConfig(func(c *configs.Config) { c.Host.Name = "" }), Roles: []app.Role{app.Worker}},
		{Config: simulated, Roles: []app.Role{app.Worker}},
	} {
		for _, f := range app.Doctor(t.Context(), opt) {
			if slices.Contains(hostChecks, f.Check) {
				t.Errorf("%v: %+v", opt.Roles, f)
			}
		}
	}
}

// Ensure each thing that stands against a repair, or is after the dongles, is found,
// is no failure, and comes with what to do.
func TestDoctorOfHost_finds(t *testing.T) {
	t.Parallel()
	portFiles := []string{"sys/bus/usb/devices/1-3:1.0/1-3-port1/disable", "sys/bus/usb/devices/1-3:1.0/1-3-port2/disable"}
	for _, tt := range []struct {
		name   string
		change func(*box, *configs.Config)
		check  string
		says   string // and do
	}{
		{"old kernel", func(b *box, _ *configs.Config) { b.file("proc/sys/kernel/osrelease", "5.10.0-30-amd64") }, "kernel", "no files to switch the power"},
		{"very old kernel", func(b *box, _ *configs.Config) { b.file("proc/sys/kernel/osrelease", "4.19.0") }, "kernel", "only root"},
		{"no kernel", func(b *box, _ *configs.Config) { b.remove("proc/sys/kernel") }, "kernel", "can't be read"},
		{"strange kernel", func(b *box, _ *configs.Config) { b.file("proc/sys/kernel/osrelease", "next") }, "kernel", "not understood"},
		{"no rules", func(b *box, _ *configs.Config) { b.remove("etc/udev") }, "udev", "deployments/udev/70-switchyard.rules not installed"},
		{"no link", func(b *box, _ *configs.Config) { b.remove("etc/systemd/network") }, "udev", "70-switchyard-dongles.link not installed"},
		{"no USB", func(b *box, _ *configs.Config) { b.remove("sys/bus") }, "usb", "shows no USB"},
		{"a disk", func(b *box, _ *configs.Config) { b.file("sys/bus/usb/devices/1-3.2/idProduct", "1f01") }, "usb", "1 dongle in storage mode, as disks: 1-3.2: install usb_modeswitch"},
		{"unbound", func(b *box, _ *configs.Config) { b.remove("sys/bus/usb/devices/1-3.2/driver") }, "usb", "1 dongle without its driver: 1-3.2: toggle it"},
		{"taken down", func(b *box, _ *configs.Config) { b.file("sys/bus/usb/devices/1-3.1/authorized", "0") }, "usb", "without its driver: 1-3.1"},
		{"one missing", func(b *box, _ *configs.Config) { b.remove("sys/bus/usb/devices/1-3.2") }, "usb", "1 dongle of 2 that are configured: 1-3.1 eth1: plug in"},
		{"none", func(b *box, _ *configs.Config) { b.remove("sys/bus/usb/devices/1-3.1", "sys/bus/usb/devices/1-3.2") }, "usb", "no dongle is plugged in"},
		{"another kind", func(b *box, _ *configs.Config) { b.file("sys/bus/usb/devices/1-3.2/idProduct", "ffff") }, "usb", "named in host.usb.ids"},
		{"no rebind", func(b *box, _ *configs.Config) { b.rootOnly("sys/bus/usb/drivers/usb/bind") }, "usb.rebind", "nobody may not take devices off their driver, so step 3 is passed over"},
		{"no driver", func(b *box, _ *configs.Config) { b.remove("sys/bus/usb/drivers") }, "usb.rebind", "there is no driver"},
		{"no program", func(b *box, _ *configs.Config) { b.remove("usr/sbin") }, "usb_modeswitch", "is not installed"},
		{"no right to ports", func(b *box, _ *configs.Config) { b.rootOnly(append(portFiles, "dev/bus/usb/001/002")...) }, "host.usb.hubs[0]", "nobody may not switch the ports of 1-3, so step 4 is passed over"},
		{"no right to one", func(b *box, _ *configs.Config) { b.rootOnly(portFiles[1], "dev/bus/usb/001/002") }, "host.usb.hubs[0]", "1-3-port2/disable"},
		{"ganged", func(b *box, _ *configs.Config) { b.hubs["1-3"] = false }, "host.usb.hubs[0]", "all its ports at once, or none"},
		{"not to be asked", func(b *box, _ *configs.Config) { b.hubs["1-3"] = usb.ErrNotPermitted }, "host.usb.hubs[0]", "run this as root"},
		{"hangs", func(b *box, _ *configs.Config) { b.hubs["1-3"] = usb.ErrStuck }, "host.usb.hubs[0]", "plug the hub in again"},
		{"no such hub", func(_ *box, c *configs.Config) { c.Host.USB.Hubs = []string{"1-4"} }, "host.usb.hubs[0]", "no hub is at 1-4, so step 4 is passed over for what hangs there: correct the path (there are 1-3)"},
		{"no hub, a dongle", func(_ *box, c *configs.Config) { c.Host.USB.Hubs = []string{"1-3.1"} }, "host.usb.hubs[0]", "no hub is at 1-3.1"},
		{"no hub named", func(_ *box, c *configs.Config) { c.Host.USB.Hubs = nil }, "host.usb.hubs", "none is named, so step 4 is passed over: name those that the dongles are in, of 1-3,"},
		{"no hub named nor asked", func(b *box, c *configs.Config) { c.Host.USB.Hubs = nil; b.hubs["1-3"] = usb.ErrNotPermitted }, "host.usb.hubs", "run this as root to have 1-3 asked"},
		{"no hub named nor able", func(b *box, c *configs.Config) { c.Host.USB.Hubs = nil; b.hubs["1-3"] = false }, "host.usb.hubs", "none that is plugged in switches each port"},
		{"no client", func(_ *box, c *configs.Config) {
			c.Host.Address.Client, c.Host.Address.Command = "command", []string{"dhcpcd"}
		}, "host.address", "dhcpcd is not there; the worker sets the address"},
		{"no client at all", func(_ *box, c *configs.Config) {
			c.Host.Address = configs.Address{Client: "command", Command: []string{"/opt/dhcp"}}
		}, "host.address", "stays without an address"},
		{"nobody", func(_ *box, c *configs.Config) { c.Host.Address = configs.Address{Client: "none"} }, "host.address", "nobody is known to ask for it"},
		{"nobody runs", func(b *box, c *configs.Config) {
			c.Host.Address = configs.Address{Client: "auto"}
			b.remove("proc/42", "proc/44")
		}, "host.address", "nobody is known to ask for it"},
		{"strict", func(b *box, _ *configs.Config) { b.file("proc/sys/net/ipv4/conf/eth2/rp_filter", "1") }, "rp_filter", "strict (1) for eth2: what comes in by a dongle is dropped as soon as its rule is missing: install deployments/sysctl.d/60-switchyard.conf, and for now: sysctl -w net.ipv4.conf.eth2.rp_filter=2"},
		{"strict for all", func(b *box, _ *configs.Config) {
			b.file("proc/sys/net/ipv4/conf/all/rp_filter", "1")
			b.file("proc/sys/net/ipv4/conf/eth1/rp_filter", "0")
		}, "rp_filter", "strict (1) for eth1:"},
		{"strict later", func(b *box, _ *configs.Config) { b.file("proc/sys/net/ipv4/conf/default/rp_filter", "1") }, "rp_filter", "strict (1) for default"},
		{"not to be seen", func(b *box, _ *configs.Config) { b.remove("proc/sys/net") }, "rp_filter", "can't be read for eth1, eth2, default"},
		{"ModemManager", func(b *box, _ *configs.Config) { b.file("run/udev/data/c189:3", "E:ID_MM_CANDIDATE=1") }, "ModemManager", "runs, and takes 1-3.2: install deployments/udev/70-switchyard.rules (ID_MM_DEVICE_IGNORE)"},
		{"NetworkManager", func(b *box, _ *configs.Config) { b.remove("run/udev/data/n8") }, "NetworkManager", "runs, and takes eth2: install deployments/udev/70-switchyard.rules (NM_UNMANAGED)"},
		{"networkd", func(b *box, _ *configs.Config) {
			b.file("etc/systemd/networkd.conf.d/60-more.conf", "ManageForeignRoutes = true")
		}, "systemd-networkd", "by ManageForeignRoutes: install"},
		{"networkd as it comes", func(b *box, _ *configs.Config) { b.remove("etc/systemd/networkd.conf.d") }, "systemd-networkd", "by ManageForeignRoutes, ManageForeignRoutingPolicyRules"},
		{"hidden processes", func(b *box, _ *configs.Config) { b.remove("proc/1") }, "NetworkManager", "whether it runs is not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, c := boot(t), hostConfig()
			tt.change(b, c)
			var found []app.Finding
			for _, f := range app.Doctor(t.Context(), app.DoctorOptions{Config: c, Roles: []app.Role{app.Worker}, User: "nobody", Root: b.root, USB: b}) {
				if f.Check == tt.check {
					found = append(found, f)
				}
			}
			if len(found) != 1 || found[0].Status != app.Warn || found[0].Do == "" || !strings.Contains(found[0].Says+": "+found[0].Do, tt.says) {
				t.Errorf("found %+v, want a warning with %q", found, tt.says)
			}
		})
	}
}

// Ensure a manager that would be after the dongles, and doesn't run or was told by
// its own configuration, is nothing to do about; nor is a hub without files of the
// kernel that takes requests.
func TestDoctorOfHost_leavesAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*box, *configs.Config)
		check  string
	}{
		"no ModemManager":   {func(b *box, _ *configs.Config) { b.remove("run/udev", "proc/43") }, "ModemManager"},
		"no NetworkManager": {func(b *box, _ *configs.Config) { b.remove("run/udev", "proc/42") }, "NetworkManager"},
		"no networkd":       {func(b *box, _ *configs.Config) { b.remove("etc/systemd", "proc/44") }, "systemd-networkd"},
		"unmanaged": {func(b *box, _ *configs.Config) {
			b.remove("run/udev")
			b.file("run/NetworkManager/devices/7", "[device]\nmanaged=false")
			b.file("run/NetworkManager/devices/8", "[device]\nmanaged=false")
		}, "NetworkManager"},
		"a client": {func(b *box, c *configs.Config) {
			b.file("usr/sbin/dhcpcd", "")
			c.Host.Address = configs.Address{Client: "command", Command: []string{"dhcpcd"}}
		}, "host.address"},
		"by request": {func(b *box, _ *configs.Config) { b.remove("sys/bus/usb/devices/1-3:1.0") }, "host.usb.hubs[0]"},
		"not strict after all": {func(b *box, _ *configs.Config) {
			b.file("proc/sys/net/ipv4/conf/all/rp_filter", "2")
			b.file("proc/sys/net/ipv4/conf/eth1/rp_filter", "1")
		}, "rp_filter"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := boot(t)
			c := hostConfig()
			tt.change(b, c)
			for _, f := range app.Doctor(t.Context(), app.DoctorOptions{Config: c, Roles: []app.Role{app.Worker}, User: "nobody", Root: b.root, USB: b}) {
				if f.Check == tt.check && f.Status != app.OK {
					t.Errorf("found %+v", f)
				}
			}
		})
	}
}

// Ensure a user that there isn't is said so, and examined for nothing.
func TestDoctorOfHost_noSuchUser(t *testing.T) {
	t.Parallel()
	var found []app.Finding
	for _, f := range app.Doctor(t.Context(), app.DoctorOptions{Config: hostConfig(), Roles: []app.Role{app.Worker}, User: "no-such-user", Root: t.TempDir()}) {
		if f.Check == "user" || slices.Contains(hostChecks, f.Check) {
			found = append(found, f)
		}
	}
	if len(found) != 1 || found[0].Status != app.Fail || !strings.Contains(found[0].Says, "no-such-user") {
		t.Errorf("found %+v", found)
	}
}

// Ensure a worker can say which steps it will pass over, and why, and says nothing
// where it can do all, or there is no dongle of this machine.
func TestPassedOver(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*box, *configs.Config)
		want   map[string]string
	}{
		"all can be done": {func(*box, *configs.Config) {}, nil},
		"no USB": {func(b *box, _ *configs.Config) { b.remove("sys/bus") }, map[string]string{
			"step_3": "drivers/usb/unbind: no such file or directory", "step_4": "no USB",
		}},
		"no hub named":   {func(_ *box, c *configs.Config) { c.Host.USB.Hubs = nil }, map[string]string{"step_4": "no hub is named in host.usb.hubs"}},
		"no budget":      {func(_ *box, c *configs.Config) { c.Toggle.Power.Budget = 0 }, map[string]string{"step_4": "toggle.power.budget is 0"}},
		"no such hub":    {func(_ *box, c *configs.Config) { c.Host.USB.Hubs = []string{"1-4"} }, map[string]string{"step_4": "no hub is at 1-4"}},
		"one hub of two": {func(_ *box, c *configs.Config) { c.Host.USB.Hubs = []string{"1-4", "1-3"} }, nil},
		"neither files nor requests": {func(b *box, _ *configs.Config) { b.remove("sys/bus/usb/devices/1-3:1.0", "dev") }, map[string]string{
			"step_4": "no files for the ports of 1-3: file does not exist; open ",
		}},
		"simulated": {func(b *box, c *configs.Config) {
			b.remove("sys")
			c.Host.Dongles = []configs.Dongle{{Subnet: 11, Gateway: "127.0.0.1:1"}}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, c := boot(t), hostConfig()
			tt.change(b, c)
			got := map[string]string{}
			for _, a := range app.PassedOver(app.DoctorOptions{Config: c, Root: b.root, USB: b}) {
				if a.Key != "step_1" { // which is of the process
					got[a.Key] = a.Value.String()
				}
			}
			if len(got) != len(tt.want) {
				t.Errorf("passed over: %v", got)
			}
			for step, why := range tt.want {
				if !strings.Contains(got[step], why) || strings.Contains(got[step], "\n") {
					t.Errorf("%s: %q, want %q", step, got[step], why)
				}
			}
		})
	}
}

// Ensure a worker says so once when it starts, and works; one whose dongles are
// simulated says nothing.
func TestWorkerTellsWhatItPassesOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.start(t, b.config(b.asHost, func(c *configs.Config) {
		c.Host.EchoURLs, c.Host.Dongles = []string{"http://127.0.0.1:1/"}, []configs.Dongle{{Subnet: 11, Modem: "http://127.0.0.1:1"}}
	}), app.Worker)
	if log := p.log.String(); strings.Count(log, "steps of a toggle will be passed over on this host") != 1 || !strings.Contains(log, `step_4="no hub is named in host.usb.hubs"`) {
		t.Errorf("it says %s", log)
	}
	must(t, p.Stop(b.ctx))
	b.plug(t)
	if log := b.start(t, b.config(b.asHost), app.Worker).log.String(); strings.Contains(log, "passed over on this host") {
		t.Errorf("it says %s", log)
	}
}
