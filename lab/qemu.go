package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"switchyard/lab/guest"
)

// qemuProgram is the emulator.
const qemuProgram = "qemu-system-x86_64"

// machine is a running QEMU.
type machine struct {
	cmd     *exec.Cmd
	done    chan struct{} // closed when it has ended
	err     error         // how, once done is closed
	monitor *monitor
	console string // the file with what the kernel says
}

// machineOptions of a machine.
type machineOptions struct {
	dir            string // for its logs
	kernel, initrd string
	accel          string
	runner         string // port of the lab on loopback
	dongles        []guest.Dongle
}

// hubName is the hub as QEMU knows it.
const hubName = "hub"

// args are QEMU's: the machine, the card to the outside, the hub, and for each
// dongle a network that joins its USB device with a card on the modem's side.
func (o *machineOptions) args(console, worker, monitor string) []string {
	a := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", "q35,usb=off", "-accel", o.accel, "-cpu", "max", "-smp", "2", "-m", "1024",
		"-kernel", o.kernel, "-initrd", o.initrd,
		"-append", "console=ttyS0 quiet panic=-1 " + guest.RunnerKey + guest.OutsideHost + ":" + o.runner,
		"-chardev", "file,id=console,path=" + console, "-serial", "chardev:console",
		"-chardev", "file,id=worker,path=" + worker, "-serial", "chardev:worker",
		"-qmp", "unix:" + monitor + ",server=on,wait=off",
		"-netdev", "user,id=outside,ipv6=off,net=10.0.2.0/24,host=" + guest.OutsideHost + ",dhcpstart=" + guest.OutsideIP,
		"-device", "virtio-net-pci,romfile=,netdev=outside,mac=" + guest.OutsideMAC,
		"-blockdev", "driver=null-co,node-name=" + diskDrive + ",size=1048576,read-zeroes=on",
		"-device", "qemu-xhci,id=xhci",
		"-device", "usb-hub,id=" + hubName + ",bus=xhci.0,port=1,port-power=on",
	}
	for _, d := range o.dongles {
		n := strconv.Itoa(d.Subnet)
		a = append(a,
			"-netdev", "hubport,id=usb"+n+",hubid="+n,
			"-netdev", "hubport,id=modem"+n+",hubid="+n,
			"-device", "virtio-net-pci,romfile=,netdev=modem"+n+",mac="+guest.ModemMAC(d.Subnet),
		)
		a = append(a, "-device", stick(d).String())
	}
	return a
}

// device is one of QEMU's.
type device []string // key=value, the driver first

func (d device) String() string {
	s := d[0]
	for _, kv := range d[1:] {
		s += "," + kv
	}
	return s
}

// donglesMAC is the address of every dongle's interface: real ones share one,
// too.
const donglesMAC = "0c:5b:8f:27:9a:64"

// stick is a dongle in its modem mode.
func stick(d guest.Dongle) device {
	n := strconv.Itoa(d.Subnet)
	return device{"usb-net", "id=" + stickID(d), "netdev=usb" + n, "bus=xhci.0", port(d), "mac=" + donglesMAC}
}

// diskDrive is what a dongle holds in its storage mode.
const diskDrive = "stickdisk"

// disk is a dongle in its storage mode. Which ids it has there QEMU decides.
func disk(d guest.Dongle) device {
	return device{"usb-storage", "id=" + diskID(d), "drive=" + diskDrive, "bus=xhci.0", port(d)}
}

func stickID(d guest.Dongle) string { return "dongle" + strconv.Itoa(d.Subnet) }
func diskID(d guest.Dongle) string  { return "disk" + strconv.Itoa(d.Subnet) }
func port(d guest.Dongle) string    { return "port=1." + strconv.Itoa(d.Port) }

// startMachine starts QEMU and waits until its monitor answers.
func startMachine(ctx context.Context, life context.Context, o machineOptions) (*machine, error) {
	m := &machine{console: filepath.Join(o.dir, "console.log"), done: make(chan struct{})}
	// The path of a socket may have 107 bytes; that of a log folder may be longer.
	dir, err := os.MkdirTemp("", "lab-")
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "qmp")
	said, err := os.Create(filepath.Join(o.dir, "qemu.log"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	m.cmd = exec.CommandContext(life, qemuProgram, o.args(m.console, filepath.Join(o.dir, "worker.log"), socket)...)
	m.cmd.Stdout, m.cmd.Stderr = said, said
	m.cmd.SysProcAttr = ownGroup()
	if err := m.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the machine: %w", err), said.Close(), os.RemoveAll(dir))
	}
	go func() {
		m.err = errors.Join(m.cmd.Wait(), said.Close(), os.RemoveAll(dir))
		close(m.done)
	}()
	if m.monitor, err = openMonitor(ctx, socket, m.done); err != nil {
		return nil, errors.Join(err, m.stop())
	}
	return m, nil
}

// stop ends the machine as pulling its plug would. It may be called twice.
func (m *machine) stop() error {
	if m.monitor != nil {
		_ = m.monitor.close() // it goes with the machine
	}
	_ = m.cmd.Process.Kill() // gone already: then done is closed
	select {
	case <-m.done:
		return nil
	case <-time.After(stopLimit):
		return errors.New("the machine did not end")
	}
}

// stopLimit is what a killed process may take to be gone.
const stopLimit = 10 * time.Second
