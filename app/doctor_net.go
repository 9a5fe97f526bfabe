package app

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"switchyard/hardware/usb"
)

// reversePath looks how strictly the kernel takes it that packets come in by the
// way that answers would take.
func (m *machine) reversePath(tree *usb.Tree) Finding {
	value := func(name string) string {
		v, err := m.text("proc/sys/net/ipv4/conf", name, "rp_filter")
		if err != nil {
			return "?"
		}
		return v
	}
	// The greater of both holds.
	all := value("all")
	var strict, unseen []string
	names := append(interfaces(tree), "default") // those of dongles that come later
	for _, name := range names {
		switch v := max(all, value(name)); {
		case v == "1":
			strict = append(strict, name)
		case v == "?": // which is greater than any digit
			unseen = append(unseen, name)
		}
	}
	switch {
	case len(strict) > 0:
		var commands []string
		for _, name := range strict {
			commands = append(commands, "net.ipv4.conf."+name+".rp_filter=2")
		}
		return warn("strict (1) for "+strings.Join(strict, ", ")+": what comes in by a dongle is dropped as soon as its rule is missing",
			"install deployments/sysctl.d/60-switchyard.conf, and for now: sysctl -w "+strings.Join(commands, " "))
	case len(unseen) > 0:
		return warn("can't be read for "+strings.Join(unseen, ", "), "see what sysctl -a -r rp_filter says: 2 or 0 is good, 1 isn't")
	}
	return ok("not strict for " + strings.Join(names, ", "))
}

// interfaces are those of the dongles.
func interfaces(tree *usb.Tree) (all []string) {
	for _, d := range tree.Modems() {
		all = append(all, d.Interfaces...)
	}
	return all
}

// address looks whether somebody brings a dongle's interface to its address.
func (m *machine) address() Finding {
	c := m.config.Host.Address
	if c.Client == "command" {
		switch at := m.program(c.Command[0]); {
		case at != "":
			return ok(at + " asks for it")
		case c.Static:
			return warn(c.Command[0]+" is not there; the worker sets the address each time host.address.wait is over", "install it, or set host.address.client: auto")
		}
		return warn(c.Command[0]+" is not there, so a dongle that was reset stays without an address", "install it, or set host.address.static: true")
	}
	if c.Static {
		return ok("the worker sets it where nobody brings it")
	}
	if c.Client == "auto" {
		for _, name := range []string{"NetworkManager", "systemd-network", "dhcpcd", "dhclient", "udhcpc"} {
			if running, err := m.runs(name); running && err == nil {
				return ok(name + " runs; whether it asks for dongles, too, is its configuration's to say")
			}
		}
	}
	return warn("nobody is known to ask for it (host.address.static: false), so a dongle that was reset stays without", "set host.address.static: true, or have a DHCP client look after the dongles' interfaces")
}

// program is where a program is, by its path or in the folders that systemd has
// units look in; "": nowhere.
func (m *machine) program(name string) string {
	if strings.Contains(name, "/") {
		if m.exists(name) {
			return name
		}
		return ""
	}
	for _, dir := range []string{"usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin"} {
		if m.exists(dir, name) {
			return "/" + dir + "/" + name
		}
	}
	return ""
}

// runs tells whether a program does, by its name as the kernel has it: at most 15
// letters.
func (m *machine) runs(name string) (bool, error) {
	if _, err := os.Stat(m.path("proc/1/comm")); err != nil {
		return false, fmt.Errorf("the processes of others can't be seen: %w", err)
	}
	files, err := filepath.Glob(m.path("proc/[0-9]*/comm"))
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(files, func(path string) bool {
		comm, err := os.ReadFile(path) // one that has ended meanwhile doesn't run
		return err == nil && strings.TrimSuffix(string(comm), "\n") == name
	}), nil
}

// manager looks whether a program runs that would do something to dongles.
func (m *machine) manager(name, does string, to []string, do string) Finding {
	running, err := m.runs(name)
	switch {
	case err != nil:
		return warn("whether it runs is not known: "+err.Error(), "run this as root")
	case !running:
		return ok("doesn't run")
	case len(to) > 0:
		return warn("runs, and "+does+" "+strings.Join(to, ", "), do)
	}
	return ok("runs, and leaves the dongles alone")
}

// properties is what udev knows of a device, by its id (n3, c189:5).
func (m *machine) properties(id string) map[string]string {
	out := map[string]string{}
	text, err := m.text("run/udev/data", id)
	if err != nil {
		return out // it knows nothing
	}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimPrefix(line, "E:"), "="); ok && strings.HasPrefix(line, "E:") {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

// modemManager looks whether it takes dongles: it goes by the device.
func (m *machine) modemManager(tree *usb.Tree) Finding {
	var grabs []string
	for _, d := range tree.Modems() {
		// Devices of USB are 189, 128 numbers a bus.
		id := fmt.Sprintf("c189:%d", (d.Bus-1)*128+d.Number-1)
		if m.properties(id)["ID_MM_DEVICE_IGNORE"] != "1" {
			grabs = append(grabs, string(d.Path))
		}
	}
	return m.manager("ModemManager", "takes", grabs,
		"install deployments/udev/70-switchyard.rules (ID_MM_DEVICE_IGNORE) and plug the dongles in again; or, where nothing needs it, systemctl disable --now ModemManager")
}

// networkManager looks whether it takes dongles' interfaces: unless udev or its own
// configuration says otherwise, it takes all.
func (m *machine) networkManager(tree *usb.Tree) Finding {
	var grabs []string
	for _, name := range interfaces(tree) {
		index, err := m.text("sys/class/net", name, "ifindex")
		if err != nil {
			continue // it has just gone
		}
		own, err := m.text("run/NetworkManager/devices", index)
		if err == nil && strings.Contains("\n"+own+"\n", "\nmanaged=false\n") {
			continue
		}
		if m.properties("n" + index)["NM_UNMANAGED"] != "1" {
			grabs = append(grabs, name)
		}
	}
	return m.manager("NetworkManager", "takes", grabs,
		"install deployments/udev/70-switchyard.rules (NM_UNMANAGED) and plug the dongles in again")
}

// networkd looks whether it leaves rules and routes that aren't its own.
func (m *machine) networkd() Finding {
	const name = "systemd-network" // what the kernel keeps of it
	set := map[string]string{"ManageForeignRoutes": "yes", "ManageForeignRoutingPolicyRules": "yes"}
	// The main file first, then drop-ins by name, wherever they are; of two with one
	// name, that in /etc counts.
	files := []string{m.path("etc/systemd/networkd.conf")}
	dropins := map[string]string{}
	for _, dir := range []string{"usr/lib", "usr/local/lib", "run", "etc"} {
		found, err := filepath.Glob(m.path(dir, "systemd/networkd.conf.d/*.conf"))
		if err != nil {
			continue // the root has a name that is a pattern
		}
		for _, f := range found {
			dropins[filepath.Base(f)] = f
		}
	}
	for _, f := range slices.Sorted(maps.Keys(dropins)) {
		files = append(files, dropins[f])
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it isn't there
		}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if key = strings.TrimSpace(key); set[key] != "" {
				set[key] = strings.ToLower(strings.TrimSpace(value))
			}
		}
	}
	var grabs []string
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains([]string{"no", "false", "off", "0", "n", "f"}, set[key]) {
			grabs = append(grabs, key)
		}
	}
	return m.manager(name, "removes rules and routes of others when it restarts, by", grabs, "install deployments/systemd/networkd.conf.d/50-switchyard.conf, and restart it")
}
