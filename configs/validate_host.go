package configs

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"switchyard/tasks"
)

// maxInterface is the length of a Linux interface name.
const maxInterface = 15

func (k *checker) host() {
	h := k.c.Host
	if h.Name != "" && !tasks.ValidHost(h.Name) {
		k.fault("host.name", "must be a-z, 0-9 and dashes inside, at most 40 characters, such as seoul-1")
	}
	if h.ServerIP != "" {
		if ip, err := netip.ParseAddr(h.ServerIP); err != nil || ip.Zone() != "" || ip.IsUnspecified() {
			k.fault("host.server_ip", "must be one IP address that clients can use, such as 203.0.113.7, or empty")
		}
	}
	if len(h.Uplink) > maxInterface || strings.ContainsAny(h.Uplink, "/: \t") {
		k.fault("host.uplink", "must be the name of a network interface, such as eno1, at most %d characters, or empty", maxInterface)
	}
	for i, address := range h.EchoURLs {
		k.noted(item("host.echo_urls", i), webAddress(address))
	}
	k.distinct("host.echo_urls", h.EchoURLs)
	if h.Name != "" && len(h.EchoURLs) == 0 && k.sound("host.echo_urls") {
		k.fault("host.name", "needs host.echo_urls too: without one, no dongle can be told to be connected")
	}
	k.atLeast("host.probe_timeout", h.ProbeTimeout, shortest)
	k.atLeast("host.collect_interval", h.CollectInterval, shortest)
	k.atLeast("host.collect_limit", h.CollectLimit, shortest)
	k.atLeast("host.modem_timeout", h.ModemTimeout, shortest)
	k.atLeast("host.read_limit", h.ReadLimit, shortest)
	k.modemUser("host.modem_user", h.ModemUser)
	k.address(h.Address)
	if !filepath.IsAbs(h.StateDir) {
		k.fault("host.state_dir", "must be a path from the root, such as /var/lib/switchyard")
	}
}

// interfaceMark stands for the interface in host.address.command.
const interfaceMark = "{interface}"

func (k *checker) address(a Address) {
	k.oneOf("host.address.client", "word", a.Client, "auto", "none", "command")
	named := slices.ContainsFunc(a.Command, func(arg string) bool { return strings.Contains(arg, interfaceMark) })
	switch {
	case len(a.Command) == 0 && a.Client == "command" && k.sound("host.address.command"):
		k.fault("host.address.client", "needs host.address.command too: the program to run and its arguments")
	case len(a.Command) == 0:
	case a.Command[0] == "":
		k.fault("host.address.command[0]", "names no program")
	case !named:
		k.fault("host.address.command", "names no interface: write %s where its name belongs", interfaceMark)
	}
	k.atLeast("host.address.wait", a.Wait, shortest)
}

func (k *checker) dongles() {
	h := k.c.Host
	if len(h.Dongles) > 0 && h.Name == "" && k.sound("host.name") {
		k.fault("host.dongles", "needs host.name too: dongles belong to a host")
	}
	first := map[int]int{}
	for i, d := range h.Dongles {
		path := item("host.dongles", i)
		before, twice := first[d.Subnet]
		switch key := path + ".subnet"; {
		case !tasks.ValidSubnet(d.Subnet):
			k.number(key, int64(d.Subnet), tasks.MinSubnet, tasks.MaxSubnet)
		case twice:
			k.fault(key, "is the same as %s.subnet: a dongle stands here once", item("host.dongles", before))
		default:
			first[d.Subnet] = i
		}
		if d.Modem != "" {
			k.noted(path+".modem", webAddress(d.Modem))
		}
		if d.Gateway != "" {
			k.noted(path+".gateway", dialAddress(d.Gateway))
		}
		if d.User != "" {
			k.modemUser(path+".user", d.User)
		}
	}
}

// maxModemUser is the longest user name that modems have.
const maxModemUser = 32

func (k *checker) modemUser(key, name string) {
	if name == "" || len(name) > maxModemUser || strings.ContainsAny(name, " \t\r\n") {
		k.fault(key, "must be a user of the modem, such as admin: at most %d characters, no spaces", maxModemUser)
	}
}

// Bounds of a toggle.
const (
	shortestToggle = 10 * time.Second
	longestToggle  = 30 * time.Minute
	maxRequestWait = 200 * time.Second
	maxDongles     = tasks.MaxSubnet - tasks.MinSubnet + 1
)

func (k *checker) toggle() {
	t := k.c.Toggle
	k.number("toggle.concurrency", int64(t.Concurrency), 0, maxDongles)
	k.between("toggle.timeout", t.Timeout, shortestToggle, longestToggle)
	k.atLeast("toggle.min_interval", t.MinInterval, 0)
	k.atLeast("toggle.max_wait", t.MaxWait, shortest)
	k.between("toggle.request_wait", t.RequestWait, 0, maxRequestWait)
	if len(t.Methods) == 0 {
		k.fault("toggle.methods", "names no method: use net_mode, dataswitch or both")
	}
	dataswitch := false
	for i, method := range t.Methods {
		k.oneOf(item("toggle.methods", i), "method", method, "net_mode", "dataswitch")
		dataswitch = dataswitch || method == "dataswitch"
	}
	k.distinct("toggle.methods", t.Methods)
	k.oneOf("toggle.unchanged", "word", t.Unchanged, "escalate", "accept")
	k.atLeast("toggle.step_limit", t.StepLimit, shortest)
	if dataswitch && len(t.DataswitchHolds) == 0 {
		k.fault("toggle.dataswitch_holds", "is empty, so the method dataswitch has nothing to try: give it a time, or take dataswitch out of toggle.methods")
	}
	for i, hold := range t.DataswitchHolds {
		key := item("toggle.dataswitch_holds", i)
		k.atLeast(key, hold, shortest)
		if k.sound(key, "toggle.step_limit") && hold >= t.StepLimit {
			k.fault(k.blame(key, "toggle.step_limit"),
				"a hold of %s can't end within toggle.step_limit, %s: shorten the first or lengthen the second", hold, t.StepLimit)
		}
	}
	k.atLeast("toggle.poll_interval", t.PollInterval, shortest)
	k.atLeast("toggle.drop_limit", t.DropLimit, shortest)
	k.atLeast("toggle.settle_limit", t.SettleLimit, 0)
	k.atLeast("toggle.restore_limit", t.RestoreLimit, shortest)
}
