package checks

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const rulesFile = "deployments/udev/70-switchyard.rules"

// Ensure udev has nothing against the rules.
func TestRulesAreVerified(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("udevadm"); err != nil {
		t.Skip("udevadm is not installed (Debian: apt-get install udev)")
	}
	if help, _, _ := run(t, nil, "udevadm", "--help"); !strings.Contains(help, "verify") {
		t.Skip("this udevadm can't verify (that of systemd 254 can)")
	}
	if out, errs, status := run(t, nil, "udevadm", "verify", "--resolve-names=never", at(rulesFile)); status != 0 {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
}

// token is one condition or assignment of a rule, as KEY{name}=="value".
type token struct{ key, name, op, value string }

var tokenForm = regexp.MustCompile(`^([A-Z_]+)(?:\{([A-Za-z_]+)\})?(==|!=|\+=|=)"([^"]*)"$`)

// rules reads the file, a rule a line, as udev does.
func rules(t *testing.T) (all [][]token) {
	t.Helper()
	for line := range strings.Lines(read(t, at(rulesFile))) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		var rule []token
		for part := range strings.SplitSeq(strings.TrimSuffix(line, `"`), `", `) {
			m := tokenForm.FindStringSubmatch(part + `"`)
			if m == nil {
				t.Fatalf("%s: not understood: %s", line, part)
			}
			rule = append(rule, token{m[1], m[2], m[3], m[4]})
		}
		all = append(all, rule)
	}
	return all
}

// device is one that udev hears of.
type device struct {
	action, subsystem, kernel, path, driver, devtype string
	attrs                                            map[string]string
	of                                               *device // what it is part of
}

// verdict is what the rules make of a device.
type verdict struct {
	group, mode string
	env         map[string]string
	run         []string
}

// judge goes through the rules with a device. It knows of udev's language what
// the rules use of it.
func judge(t *testing.T, d device) verdict {
	t.Helper()
	v := verdict{env: map[string]string{}}
	if d.devtype != "" {
		v.env["DEVTYPE"] = d.devtype
	}
	label := ""
	for _, rule := range rules(t) {
		if label != "" && !slices.Contains(rule, token{"LABEL", "", "=", label}) {
			continue
		}
		label = ""
		// What is asked of parents must be true of one of them.
		parents := []*device{}
		for p := d.of; p != nil; p = p.of {
			parents = append(parents, p)
		}
		applies, asksParents := true, false
		for _, k := range rule {
			var value string
			switch k.key {
			case "ACTION":
				value = d.action
			case "SUBSYSTEM":
				value = d.subsystem
			case "KERNEL":
				value = d.kernel
			case "DEVPATH":
				value = d.path
			case "DRIVER":
				value = d.driver
			case "ATTR":
				value = d.attrs[k.name]
			case "ENV":
				value = v.env[k.name]
			case "SUBSYSTEMS", "ATTRS":
				asksParents = true
				parents = slices.DeleteFunc(parents, func(p *device) bool {
					have := p.subsystem
					if k.key == "ATTRS" {
						have = p.attrs[k.name]
					}
					return !matches(t, k.value, have)
				})
				continue
			}
			if k.op == "==" || k.op == "!=" {
				applies = applies && matches(t, k.value, value) == (k.op == "==")
			}
		}
		if !applies || asksParents && len(parents) == 0 {
			continue
		}
		for _, k := range rule {
			switch k.key + k.op {
			case "GROUP=":
				v.group = k.value
			case "MODE=":
				v.mode = k.value
			case "ENV=":
				v.env[k.name] = k.value
			case "RUN+=":
				v.run = append(v.run, k.value)
			case "GOTO=":
				label = k.value
			case "LABEL=":
			default:
				if k.op != "==" && k.op != "!=" {
					t.Fatalf("unknown: %v", k)
				}
			}
		}
	}
	if label != "" {
		t.Fatalf("there is no label %s", label)
	}
	delete(v.env, "DEVTYPE")
	return v
}

func matches(t *testing.T, patterns, value string) bool {
	t.Helper()
	return slices.ContainsFunc(strings.Split(patterns, "|"), func(p string) bool {
		ok, err := path.Match(p, value)
		must(t, err)
		return ok
	})
}

// Devices of a host: a hub below a root hub, and dongles on it.
func usbDevice(kernel, vendor, product, class string) device {
	return device{
		action: "add", subsystem: "usb", kernel: kernel, path: "/devices/pci0000:00/usb1/" + kernel, driver: "usb", devtype: "usb_device",
		attrs: map[string]string{"idVendor": vendor, "idProduct": product, "bDeviceClass": class},
	}
}

func hubInterface(kernel string) device {
	return device{
		action: "bind", subsystem: "usb", kernel: kernel, path: "/devices/pci0000:00/usb1/1-3/" + kernel, driver: "hub", devtype: "usb_interface",
		attrs: map[string]string{"bInterfaceClass": "09"},
	}
}

func network(of device) device {
	i := device{subsystem: "usb", kernel: of.kernel + ":1.0", driver: "cdc_ether", devtype: "usb_interface", of: &of}
	return device{action: "add", subsystem: "net", kernel: "eth1", path: of.path + "/net/eth1", of: &i}
}

// Ensure hubs and dongles are the group's, root hubs and everything else stay
// root's, and dongles, in both modes, are marked for other managers and for the
// names of their interfaces.
func TestRules(t *testing.T) {
	t.Parallel()
	marked := map[string]string{"SWITCHYARD_DONGLE": "1", "ID_MM_DEVICE_IGNORE": "1"}
	unmanaged := maps.Clone(marked)
	unmanaged["NM_UNMANAGED"] = "1"
	removed := usbDevice("1-3.2", "12d1", "14dc", "00")
	removed.action = "remove"
	disk := usbDevice("1-3.3", "12d1", "1f01", "00")
	for name, tt := range map[string]struct {
		device device
		group  string
		env    map[string]string
		runs   int
	}{
		"hub":            {usbDevice("1-3", "2109", "2813", "09"), "switchyard", nil, 0},
		"root hub":       {usbDevice("usb1", "1d6b", "0002", "09"), "", nil, 0},
		"hub's ports":    {hubInterface("1-3:1.0"), "", nil, 1},
		"root's ports":   {hubInterface("1-0:1.0"), "", nil, 0},
		"driver":         {device{action: "add", subsystem: "drivers", kernel: "usb", path: "/bus/usb/drivers/usb"}, "", nil, 1},
		"other driver":   {device{action: "add", subsystem: "drivers", kernel: "usb", path: "/bus/platform/drivers/usb"}, "", nil, 0},
		"modem":          {usbDevice("1-3.2", "12d1", "14dc", "00"), "switchyard", marked, 1},
		"storage":        {disk, "switchyard", marked, 1},
		"Brovi":          {usbDevice("1-3.2", "3566", "2001", "00"), "switchyard", marked, 1},
		"Huawei's phone": {usbDevice("1-3.2", "12d1", "107e", "00"), "", nil, 0},
		"keyboard":       {usbDevice("1-3.4", "046d", "c31c", "00"), "", nil, 0},
		"removed":        {removed, "", nil, 0},
		"modem's net":    {network(usbDevice("1-3.2", "12d1", "14dc", "00")), "", unmanaged, 0},
		"Brovi's net":    {network(usbDevice("1-3.2", "3566", "2001", "00")), "", unmanaged, 0},
		"adapter's net":  {network(usbDevice("1-3.2", "0bda", "8153", "00")), "", nil, 0},
		"uplink":         {device{action: "add", subsystem: "net", kernel: "eno1", path: "/devices/pci0000:00/0000:00:1f.6/net/eno1"}, "", nil, 0},
		"disk":           {device{action: "add", subsystem: "block", kernel: "sdb", path: disk.path + "/block/sdb", of: &disk}, "", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := judge(t, tt.device)
			mode := map[string]string{"": "", "switchyard": "0664"}[tt.group]
			if v.group != tt.group || v.mode != mode || !maps.Equal(v.env, tt.env) || len(v.run) != tt.runs {
				t.Errorf("it comes to %+v", v)
			}
		})
	}
	link := read(t, at("deployments/systemd/network/70-switchyard-dongles.link"))
	if !strings.Contains(link, "\n[Match]\n") || !strings.Contains(link, "\nProperty=SWITCHYARD_DONGLE=1\n") || !strings.Contains(link, "\n[Link]\nNamePolicy=path\n") {
		t.Errorf("the names of dongles depend on something else:\n%s", link)
	}
}

// Ensure the commands of the rules give the group what the steps write to, and
// nothing else, and aren't troubled by a kernel that has no such file.
func TestRulesGiveRights(t *testing.T) {
	t.Parallel()
	mine, err := user.LookupGroupId(fmt.Sprint(os.Getgid()))
	must(t, err)
	for name, tt := range map[string]struct {
		device device
		files  map[string]string
	}{
		"driver": {
			device{action: "add", subsystem: "drivers", kernel: "usb", path: "/bus/usb/drivers/usb"},
			map[string]string{"bind": "0220", "unbind": "0220", "uevent": "0200"},
		},
		"port files": {
			hubInterface("1-3:1.0"),
			map[string]string{"1-3-port1/disable": "0220", "1-3-port2/disable": "0220", "1-3-port2/quirks": "0200", "authorized": "0200"},
		},
		"no port files": {hubInterface("1-3:1.0"), map[string]string{"1-3-port1/quirks": "0200"}},
		"dongle":        {usbDevice("1-3.2", "12d1", "14dc", "00"), map[string]string{"authorized": "0220", "bConfigurationValue": "0200"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for f := range tt.files {
				write(t, filepath.Join(root, tt.device.path, f), "")
				must(t, os.Chmod(filepath.Join(root, tt.device.path, f), 0o200))
			}
			v := judge(t, tt.device)
			if len(v.run) != 1 {
				t.Fatalf("it runs %q", v.run)
			}
			command := strings.NewReplacer("%S", root, "%p", tt.device.path, "$$", "$", "chgrp switchyard ", "chgrp "+mine.Name+" ").Replace(v.run[0])
			script, ok := strings.CutPrefix(command, "/bin/sh -c '")
			if !ok || strings.ContainsAny(command, "%") || strings.Contains(command, "switchyard") {
				t.Fatalf("it runs %q", command)
			}
			if out, errs, status := run(t, nil, "/bin/sh", "-c", strings.TrimSuffix(script, "'")); status != 0 || out+errs != "" {
				t.Errorf("exit status %d: %s%s", status, out, errs)
			}
			for f, want := range tt.files {
				info, err := os.Stat(filepath.Join(root, tt.device.path, f))
				must(t, err)
				if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != want {
					t.Errorf("%s has the mode %s, want %s", f, got, want)
				}
			}
		})
	}
}

// Ensure the rules and the program take the same devices for dongles.
func TestRulesKnowTheDongles(t *testing.T) {
	t.Parallel()
	source := read(t, at("hardware/usb/path.go"))
	ids := regexp.MustCompile(`\{0x([0-9a-f]{4}), 0x([0-9a-f]{4})\}`).FindAllStringSubmatch(source, -1)
	if len(ids) < 5 {
		t.Fatalf("the program knows %q", ids)
	}
	for _, id := range ids {
		if v := judge(t, usbDevice("1-3.2", id[1], id[2], "00")); v.env["SWITCHYARD_DONGLE"] != "1" {
			t.Errorf("%s:%s is no dongle to the rules", id[1], id[2])
		}
	}
}

// Ensure networkd leaves rules and routes alone, and that new interfaces aren't
// checked strictly: what the doctor looks for.
func TestNetworkSettings(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"deployments/systemd/networkd.conf.d/50-switchyard.conf": "\n[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n",
		"deployments/sysctl.d/60-switchyard.conf":                "\nnet.ipv4.conf.default.rp_filter = 2\n",
	} {
		if !strings.HasSuffix(read(t, at(file)), want) {
			t.Errorf("%s doesn't end with %q", file, want)
		}
	}
}
