package app_test

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"switchyard/app"
	"switchyard/configs"
)

// Ensure the doctor of a host with real dongles tells whether their routing may
// be repaired, by who asks; where all are simulated it is nobody's business.
func TestDoctorAndRouting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	runtime.LockOSThread() // for good: what it loses ends with it
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var capabilities [2]unix.CapUserData
	must(t, unix.Capget(&header, &capabilities[0]))
	capabilities[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	must(t, unix.Capset(&header, &capabilities[0]))

	plugged := b.config(b.asHost, func(c *configs.Config) { c.Host.Dongles = []configs.Dongle{{Subnet: 11}} })
	f := b.examine(t, plugged, app.Worker)["routing"]
	if len(f) != 1 || f[0].Status != app.Warn || !strings.Contains(f[0].Says, "CAP_NET_ADMIN") || !strings.Contains(f[0].Do, "AmbientCapabilities=CAP_NET_ADMIN") {
		t.Errorf("found %+v", f)
	}
	if f := b.examine(t, plugged, app.Scheduler)["routing"]; f != nil {
		t.Errorf("a scheduler is examined for it: %+v", f)
	}
	simulated := b.config(b.asHost, func(c *configs.Config) { c.Host.Dongles = []configs.Dongle{{Subnet: 11, Gateway: "127.0.0.1:1"}} })
	if f := b.examine(t, simulated, app.Worker)["routing"]; f != nil {
		t.Errorf("simulated dongles are examined for it: %+v", f)
	}
}
