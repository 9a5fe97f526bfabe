package configs

import (
	"regexp"
	"time"
)

// Forms of what is written about the USB. A path is a device's or an external
// hub's; root hubs (usb1) have no power to switch that can be relied on.
var (
	usbPath = regexp.MustCompile(`^[1-9][0-9]{0,4}-[1-9][0-9]{0,2}(\.[1-9][0-9]{0,2}){0,5}$`)
	usbID   = regexp.MustCompile(`^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$`)
)

// maxPowerBudget is more often than anybody can want.
const maxPowerBudget = 100

func (k *checker) usb() {
	u := k.c.Host.USB
	for i, p := range u.Hubs {
		if !usbPath.MatchString(p) {
			k.fault(item("host.usb.hubs", i), "must be the path of a hub that is no root hub, such as 1-3.4 (ls /sys/bus/usb/devices)")
		}
	}
	k.distinct("host.usb.hubs", u.Hubs)
	for i, id := range u.IDs {
		if !usbID.MatchString(id) {
			k.fault(item("host.usb.ids", i), "must be vendor:product as lsusb writes it, such as 12d1:14dc")
		}
	}
	k.distinct("host.usb.ids", u.IDs)
	k.atLeast("host.usb.rest", u.Rest, 0)
	k.between("host.usb.call_limit", u.CallLimit, time.Second, longestToggle)
	first := map[string]int{}
	for i, d := range k.c.Host.Dongles {
		key := item("host.dongles", i) + ".usb"
		before, twice := first[d.USB]
		switch {
		case d.USB == "":
		case !usbPath.MatchString(d.USB):
			k.fault(key, "must be the path of a USB device, such as 1-3.4.2 (ls /sys/bus/usb/devices)")
		case twice:
			k.fault(key, "is the same as %s.usb: one dongle is plugged in there", item("host.dongles", before))
		default:
			first[d.USB] = i
		}
	}
}

func (k *checker) power() {
	p := k.c.Toggle.Power
	k.between("toggle.power.off_time", p.OffTime, shortest, time.Minute)
	k.atLeast("toggle.power.back_limit", p.BackLimit, shortest)
	k.atLeast("toggle.power.hub_wait", p.HubWait, 0)
	k.number("toggle.power.budget", int64(p.Budget), 0, maxPowerBudget)
	k.atLeast("toggle.power.budget_time", p.BudgetTime, shortest)
}
