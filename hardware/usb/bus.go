package usb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
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
	// ErrRefused: it would take down more than it is meant to. A RefusedError says
	// what.
	ErrRefused = errors.New("not done")
	// ErrNotSwitched: the hub took the order, and the port is as it was.
	ErrNotSwitched = errors.New("the hub did not switch the port")
	// ErrNoModeSwitch: the program usb_modeswitch isn't there.
	ErrNoModeSwitch = errors.New("usb_modeswitch is not there")
	// ErrClosed: the Bus is.
	ErrClosed = errors.New("the USB bus is closed")
)

// RefusedError says why something isn't done. It is an ErrRefused.
type RefusedError struct {
	// Hub and Port are the port that isn't switched off; Port is 0 where it is Hub
	// that isn't taken off its driver.
	Hub  Path
	Port int
	// Reason and what to do, in words.
	Reason string
}

func (e *RefusedError) Error() string {
	if e.Port == 0 {
		return fmt.Sprintf("hub %s is left alone: %s", e.Hub, e.Reason)
	}
	return fmt.Sprintf("port %d of hub %s is not switched off: %s", e.Port, e.Hub, e.Reason)
}

func (e *RefusedError) Unwrap() error { return ErrRefused }

// Options are what a Bus may do and where it looks. The zero value is fine.
type Options struct {
	// Sysfs is where sysfs is mounted. Defaults to /sys.
	Sysfs string
	// Dev is where device nodes are (bus/usb/001/002 below it). Defaults to /dev.
	// A program built with libusb doesn't use it.
	Dev string
	// WriteLimit is how long one call into the kernel may take before it counts as
	// stuck. Defaults to 20 seconds.
	WriteLimit time.Duration
	// Rest is how long a device is left unbound by Rebind. Zero: not at all.
	Rest time.Duration
	// Allow are the hubs whose ports may be switched off. Of one of USB 3, either half
	// will do. Empty: those of every hub but root hubs that says that it switches each
	// port by itself.
	Allow []Path
	// Modems and Storages are further ids of sticks in the one mode and the other.
	Modems, Storages []ID
	// ModeSwitch is the program usb_modeswitch, by name or path. Defaults to
	// usb_modeswitch.
	ModeSwitch string
	// ModeSwitchLimit is how long it may take. Defaults to 30 seconds.
	ModeSwitchLimit time.Duration
}

const (
	defaultWriteLimit      = 20 * time.Second
	defaultModeSwitchLimit = 30 * time.Second
)

// Bus is the USB of this host. Make it with New, end it with Close.
type Bus struct {
	opts  Options
	calls calls
	names names
	wire  wire

	// ctx ends with Close.
	ctx   context.Context
	close context.CancelFunc

	// What tests put something else in place of.
	write                    func(path, text string) error
	uevents                  func() (socket, error)
	settleLimit, reviveLimit time.Duration
}

// New returns the USB of this host. Where the system has none its methods fail with
// errors.ErrUnsupported.
func New(opts Options) *Bus {
	if opts.Sysfs == "" {
		opts.Sysfs = "/sys"
	}
	if opts.Dev == "" {
		opts.Dev = "/dev"
	}
	if opts.WriteLimit == 0 {
		opts.WriteLimit = defaultWriteLimit
	}
	if opts.ModeSwitch == "" {
		opts.ModeSwitch = "usb_modeswitch"
	}
	if opts.ModeSwitchLimit == 0 {
		opts.ModeSwitchLimit = defaultModeSwitchLimit
	}
	b := &Bus{opts: opts, write: writeFile, uevents: openUevents, settleLimit: settleLimit, reviveLimit: reviveLimit}
	b.ctx, b.close = context.WithCancel(context.Background())
	b.names.limit = nameLimit
	b.wire.open = func() (transfers, error) { return openTransfers(opts.Dev) }
	return b
}

// Close ends what Watch began and waits for calls into the kernel, at most
// Options.WriteLimit: an error (ErrStuck) names the devices whose calls have not
// come back and are left behind. Closing twice is fine.
func (b *Bus) Close() error {
	b.close()
	if err := b.calls.close(b.opts.WriteLimit); err != nil {
		return err // and what they use stays open
	}
	return b.wire.close()
}

// Stuck tells whether a call about the device, or the port that it is in, has not
// come back from the kernel in time, and still hasn't.
func (b *Bus) Stuck(p Path) bool { return b.calls.stuck(p) }

// devices is the folder that has a link to each device and each interface of one.
func (b *Bus) devices(elem ...string) string {
	return filepath.Join(append([]string{b.opts.Sysfs, "bus", "usb", "devices"}, elem...)...)
}

// told wraps an error of the kernel with what was being done, and with the errors of
// this package that it is one of.
func told(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotPermitted), errors.Is(err, ErrGone), errors.Is(err, errors.ErrUnsupported):
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: %w (it takes root, or a udev rule for these files; in a container, /sys writable and /dev/bus/usb): %w", doing, ErrNotPermitted, err)
	case absent(err):
		return fmt.Errorf("%s: %w: %w", doing, ErrGone, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// absent tells whether an error means that a device isn't there (any more).
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ESHUTDOWN)
}
