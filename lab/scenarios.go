package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"switchyard/lab/guest"
)

// script makes damage of a shell script that is run in the machine.
func script(text string) func(context.Context, *stage) error {
	return func(ctx context.Context, s *stage) error {
		_, err := s.guest.Sh(ctx, text)
		return err
	}
}

// deleteRule deletes the victim's, as often as it is there.
var deleteRule = fmt.Sprintf("while ip rule del from 192.168.%d.100 2>/dev/null; do :; done", victim)

// scenarios are all of them, in the order in which they are run.
func scenarios() []scenario {
	old := workerKind{old: true}
	libusb := workerKind{old: true, libusb: true}
	return []scenario{
		{name: "healthy", broken: "nothing", diagnosis: "healthy", step: 0},
		{
			name: "rule", broken: "the rule from 192.168.11.100 is deleted", diagnosis: "no_routing", step: 1, kept: true,
			breaks: script(deleteRule),
		},
		{
			name: "table", broken: "table 11 is flushed", diagnosis: "no_routing", step: 1, kept: true,
			breaks: script(fmt.Sprintf("ip route flush table %d", victim)),
		},
		{
			name: "starved", broken: "the modem has lost its network", diagnosis: "no_connectivity", step: 2,
			breaks: func(ctx context.Context, s *stage) error { return s.guest.Starve(ctx, victim) },
		},
		{
			name: "unbound", broken: "the interface's driver is unbound", diagnosis: "no_interface", step: 3, kept: true,
			breaks: script("dev=/sys/bus/usb/devices/1-1.1:1.0; echo 1-1.1:1.0 >$dev/driver/unbind"),
		},
		{
			name: "released", broken: "the USB device is unbound", diagnosis: "no_interface", step: 3, kept: true,
			breaks: script("echo 1-1.1 >/sys/bus/usb/drivers/usb/unbind"),
		},
		{
			name: "storage", broken: "the stick shows itself as a disk", diagnosis: "no_interface", step: 3, kept: true,
			breaks: becomeDisk, meanwhile: switchMode,
		},
		{
			name: "disabled", broken: "its port is switched off", diagnosis: "no_interface", step: 4,
			breaks: func(ctx context.Context, s *stage) error {
				_, err := s.guest.Sh(ctx, "echo 1 >"+portFile(s.dongles[0]))
				return errors.Join(err, s.awaitGone(ctx, s.dongles[0]))
			},
		},
		{name: "hung", broken: "the modem hangs", diagnosis: "no_connectivity", step: 4, breaks: hang},
		{
			name: "hub", broken: "it takes all the hub's ports to wake it", diagnosis: "no_interface", step: 4, hub: true,
			breaks: func(ctx context.Context, s *stage) error { return s.pull(ctx, s.dongles[0]) },
			meanwhile: func(ctx context.Context, s *stage, from int) error {
				for _, d := range s.dongles[1:] {
					if _, err := s.await(ctx, from, d.Subnet, "port off"); err != nil {
						return err
					}
				}
				return s.plug(ctx, s.dongles[0])
			},
		},
		{name: "two", broken: "two of the hub are off the bus", run: twoAtOnce},
		{name: "killed", broken: "the worker dies while a port is off", run: killedWhileOff},
		{name: "cancelled", broken: "the toggle is cancelled while a port is off", run: cancelledWhileOff},
		{name: "usbfs", broken: "the modem hangs; Linux before 6.0", diagnosis: "no_connectivity", step: 4, breaks: hang, worker: old},
		{name: "libusb", broken: "the modem hangs; Linux before 6.0, libusb", diagnosis: "no_connectivity", step: 4, breaks: hang, worker: libusb},
		{name: "kept/rule", broken: "the rule is deleted, nobody toggles", run: keptRule, worker: workerKind{keep: true}},
		{name: "kept/plugged", broken: "the dongle is unplugged and back", run: keptPlugged, worker: workerKind{keep: true}},
		{name: "counted", broken: "the dongle is unplugged and back", run: counted, worker: workerKind{keep: true}},
		{name: "doctor", broken: "nothing, and doctor is asked", run: examined, worker: workerKind{keep: true}},
	}
}

func hang(ctx context.Context, s *stage) error { return s.guest.Hang(ctx, victim) }

// awaitGone waits until a dongle has no interface any more.
func (s *stage) awaitGone(ctx context.Context, d guest.Dongle) error {
	return until(ctx, readyLimit, "the interface is gone", func(ctx context.Context) error {
		_, err := s.guest.Sh(ctx, "! ls -d /sys/bus/usb/devices/"+d.Hub+"."+fmt.Sprint(d.Port)+":1.*/net 2>/dev/null")
		return err
	})
}

// pull takes a dongle off the bus, as if it were dead.
func (s *stage) pull(ctx context.Context, d guest.Dongle) error {
	return errors.Join(s.machine.monitor.pull(ctx, stickID(d)), s.awaitGone(ctx, d))
}

// plug puts it back.
func (s *stage) plug(ctx context.Context, d guest.Dongle) error {
	return s.machine.monitor.plug(ctx, stick(d))
}

// becomeDisk puts the victim into its storage mode.
func becomeDisk(ctx context.Context, s *stage) error {
	if _, err := s.guest.Sh(ctx, "rm -f "+modeSwitchLog); err != nil {
		return err
	}
	if err := s.pull(ctx, s.dongles[0]); err != nil {
		return err
	}
	if err := s.machine.monitor.plug(ctx, disk(s.dongles[0])); err != nil {
		return err
	}
	return until(ctx, readyLimit, "the disk is there", func(ctx context.Context) error {
		_, err := s.guest.Sh(ctx, "test -e /sys/bus/usb/devices/1-1.1/idVendor")
		return err
	})
}

// switchMode does what usb_modeswitch was asked for.
func switchMode(ctx context.Context, s *stage, _ int) error {
	var asked string
	err := until(ctx, toggleLimit, "usb_modeswitch is called", func(ctx context.Context) (err error) {
		asked, err = s.guest.Sh(ctx, "cat "+modeSwitchLog)
		return err
	})
	if err != nil {
		return err
	}
	if vendor, product, _ := strings.Cut(diskIDs, ":"); !strings.Contains(asked, "-v 0x"+vendor+" -p 0x"+product) {
		return fmt.Errorf("usb_modeswitch was called for another device: %s", asked)
	}
	return errors.Join(s.machine.monitor.pull(ctx, diskID(s.dongles[0])), s.plug(ctx, s.dongles[0]))
}

// toggleTillOff has a dongle toggled that is off the bus, and returns when its port
// is switched off: the job, and the last event before it.
func toggleTillOff(ctx context.Context, s *stage) (id string, from int, err error) {
	if err := s.pull(ctx, s.dongles[0]); err != nil {
		return "", 0, err
	}
	if from, err = s.lastEvent(ctx); err != nil {
		return "", 0, err
	}
	if id, err = s.central.toggle(ctx, victim); err != nil {
		return "", 0, err
	}
	_, err = s.await(ctx, from, victim, "port off")
	return id, from, err
}

// killedWhileOff kills the worker in step 4 and looks whether the next one
// switches the port on.
func killedWhileOff(ctx context.Context, s *stage) (string, error) {
	id, from, err := toggleTillOff(ctx, s)
	if err != nil {
		return "", err
	}
	if err := s.guest.Signal(ctx, sigkill, true); err != nil {
		return "", err
	}
	s.working = false
	state, err := s.guest.Sh(ctx, "cat "+portFile(s.dongles[0]))
	if err != nil || state != "1" {
		return "", errors.Join(fmt.Errorf("the port is on again although nobody lives: %s", state), err)
	}
	if err := s.plug(ctx, s.dongles[0]); err != nil {
		return "", err
	}
	restarted := time.Now()
	if err := s.work(ctx); err != nil {
		return "", err
	}
	on, err := s.await(ctx, from, victim, "port on")
	if err != nil {
		return "", err
	}
	ahead, err := s.clockAhead(ctx)
	if err != nil {
		return "", err
	}
	j, err := s.central.ended(ctx, id)
	if err != nil {
		return "", err
	}
	words := fmt.Sprintf("port on %s after the restart; the toggle ended with attempt %d", seconds(on.At.Sub(restarted.Add(ahead))), j.Attempts)
	result, _, err := read(j)
	if err != nil {
		return words, err
	}
	if !result.Success || j.Attempts != 2 {
		return words, fmt.Errorf("the toggle brought no address, or was not taken up again: attempt %d, %s", j.Attempts, j.Result)
	}
	return words, nil
}
