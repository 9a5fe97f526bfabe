package usb

import (
	"context"
	"errors"
	"time"
)

// What can go wrong. The errors returned wrap these in words that say what to do.
var (
	// ErrStuck: the kernel hasn't come back from an earlier or this call within
	// Options.WriteLimit. Most often only a restart of the host helps.
	ErrStuck = errors.New("the kernel does not come back from a call about this USB device")
	// ErrNotPermitted: this process may not do it.
	ErrNotPermitted = errors.New("this process may not do that to USB devices")
	// ErrGone: nothing is plugged in there, or there is no such hub or port.
	ErrGone = errors.New("no such USB device or port")
	// ErrRefused: the port isn't one to be switched off. RefusedError says why.
	ErrRefused = errors.New("this USB port is not switched off")
	// ErrNotSwitched: the hub took the order, and the port is as it was.
	ErrNotSwitched = errors.New("the hub did not switch the port")
	// ErrNoModeSwitch: the program usb_modeswitch isn't there.
	ErrNoModeSwitch = errors.New("usb_modeswitch is not installed")
	// ErrClosed: the Bus is.
	ErrClosed = errors.New("the USB bus is closed")
)

// Options are what a Bus may do and where it looks. The zero value is fine.
type Options struct {
	// Sysfs is where sysfs is mounted. Defaults to /sys.
	Sysfs string
	// Dev is where device nodes are (bus/usb/001/002 below it). Defaults to /dev.
	Dev string
	// WriteLimit is how long one call into the kernel may take before it counts as
	// stuck. Defaults to 20 seconds.
	WriteLimit time.Duration
	// Rest is how long a device is left unbound by Rebind. Zero: not at all.
	Rest time.Duration
	// Allow are the hubs whose ports may be switched off. Empty: those of every hub
	// but root hubs that says that it switches each port by itself.
	Allow []Path
	// Modems and Storages are further ids of sticks in the one mode and the other.
	Modems, Storages []ID
	// ModeSwitch is the program usb_modeswitch, by name or path. Defaults to
	// usb_modeswitch.
	ModeSwitch string
	// ModeSwitchLimit is how long it may take. Defaults to 30 seconds.
	ModeSwitchLimit time.Duration
}

// Bus is the USB of this host. Make it with New, end it with Close.
type Bus struct {
	opts Options
}

// New returns the USB of this host. Where the system has none its methods fail with
// errors.ErrUnsupported.
func New(opts Options) *Bus {
	return &Bus{opts: opts}
}

// Close ends what Watch began and waits for calls into the kernel, at most
// Options.WriteLimit: an error (ErrStuck) names the devices whose calls have not
// come back and are left behind. Closing twice is fine.
func (b *Bus) Close() error { return nil }

// Stuck tells whether a call about the device, or the port that it is in, has not
// come back from the kernel in time, and still hasn't.
func (b *Bus) Stuck(p Path) bool { return false }

// Tree reads what is plugged in. Devices that come or go meanwhile are in it or not.
// Errors: errors.ErrUnsupported where there is no USB.
func (b *Bus) Tree() (*Tree, error) { return nil, errors.ErrUnsupported }

// Rebind takes a device off its driver and puts it back, which is as near to
// unplugging it as one comes without power switching: all its interfaces go and come
// back under new numbers, and perhaps names. It returns when the device is bound, not
// when the network interface is there: that one comes by event.
//
// A device that was unbound is bound again, also when ctx ends meanwhile; one that has
// no driver (as when a process died on the way) is only bound, one that isn't authorized
// is authorized.
// Errors: ErrGone, ErrNotPermitted, ErrStuck, errors.ErrUnsupported.
func (b *Bus) Rebind(ctx context.Context, p Path) error { return errors.ErrUnsupported }

// Switchable tells whether a hub says that it switches the power of each port by itself
// (wHubCharacteristics). Some say so and cut the data lines only.
// Errors: it is not known, because of ErrGone, ErrNotPermitted, ErrStuck or
// errors.ErrUnsupported.
func (b *Bus) Switchable(ctx context.Context, hub Path) (bool, error) {
	return false, errors.ErrUnsupported
}

// SetPower switches a port of a hub, and its twin where the hub is one of USB 3, and
// looks whether it is switched. Nothing happens to a port that is so already. Where the
// port can't be switched off wholly, what was is switched on again. Switching on is done
// also when ctx has ended, so that nothing stays without power.
//
// After switching off by class requests the device remains in the Tree, not
// authorized and without network interfaces, until the port is switched on. After switching on, the device
// comes back by event.
// Errors: ErrRefused (off only), ErrGone, ErrNotPermitted, ErrNotSwitched, ErrStuck,
// errors.ErrUnsupported.
func (b *Bus) SetPower(ctx context.Context, hub Path, port int, on bool) error {
	return errors.ErrUnsupported
}

// Powered tells whether a port has power: it, or its twin.
// Errors: as for Switchable.
func (b *Bus) Powered(ctx context.Context, hub Path, port int) (bool, error) {
	return false, errors.ErrUnsupported
}

// SwitchMode has usb_modeswitch bring the stick at p, and no other of its kind, from Storage
// to Modem. It returns when the program is done; the modem comes by event, as a new
// device at the same path.
// Errors: ErrNoModeSwitch, ErrGone (also when it isn't in Storage mode), ErrNotPermitted.
func (b *Bus) SwitchMode(ctx context.Context, p Path) error { return ErrNoModeSwitch }

// Watch tells of changes until ctx ends or the Bus is closed, and then closes the channel.
// An Event with Lost set says that others may have been missed: read anew. Take them
// promptly; what comes meanwhile waits in the kernel, and is lost when that is full.
// Errors: errors.ErrUnsupported, and what kept the kernel from being listened to.
func (b *Bus) Watch(ctx context.Context) (<-chan Event, error) { return nil, errors.ErrUnsupported }
