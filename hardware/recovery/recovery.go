package recovery

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"switchyard/hardware/flock"
	"switchyard/hardware/usb"
	"switchyard/hardware/usbmap"
)

// ErrUnavailable: the step can't be done, here or now. The words around it say why.
var ErrUnavailable = errors.New("not available")

// Bus is what the steps need of the USB.
type Bus interface {
	Tree() (*usb.Tree, error)
	Watch(context.Context) (<-chan usb.Event, error)
	Rebind(context.Context, usb.Path) error
	Stuck(usb.Path) bool
	SwitchMode(context.Context, usb.Path) error
	Switchable(ctx context.Context, hub usb.Path) (bool, error)
	SetPower(ctx context.Context, hub usb.Path, port int, on bool) error
}

var _ Bus = (*usb.Bus)(nil)

// Dongle is one of the host's, as the steps see it. Each function ends with its
// context.
type Dongle struct {
	Subnet int
	// Address returns when the interface has the host's address in the dongle's
	// network, having done what it can for that.
	Address func(ctx context.Context, iface string) error
	// Answers asks the modem's web API.
	Answers func(ctx context.Context) error
	// Route repairs how the dongle is reached.
	Route func(ctx context.Context) error
	// Connected probes the network behind it.
	Connected func(ctx context.Context) error
}

// Note is told what is waited for now; what was waited for before has ended.
type Note func(wait string)

// Names of the waits.
const (
	WaitHub       = "hub"         // for a hub that toggles work on
	WaitPort      = "port_off"    // without power
	WaitHubOff    = "hub_off"     // without power, all dongles of the hub
	WaitMode      = "mode_switch" // from storage to network mode
	WaitRebind    = "rebind"
	WaitDevice    = "device"    // on the USB, in network mode
	WaitInterface = "interface" // of the network
	WaitAddress   = "address"
	WaitModem     = "modem"
	WaitRouting   = "routing"
	WaitConnected = "connectivity"
)

// Options of a Recovery.
type Options struct {
	Bus Bus
	// Map knows where the dongles hang.
	Map *usbmap.Map
	// Reread has it read the USB, after a step.
	Reread func()
	// Dongle is the host's with this subnet.
	Dongle func(subnet int) (Dongle, bool)
	// Dir is host.state_dir.
	Dir string
	// Hubs are those whose ports may be switched off.
	Hubs []usb.Path
	// WholeHub: where a dongle's own port doesn't help, all dongles of the hub
	// lose power.
	WholeHub bool
	// OffTime is how long a port is without power.
	OffTime time.Duration
	// HubWait bounds the wait for a hub that toggles work on.
	HubWait time.Duration
	// BackLimit bounds the wait for a dongle after its power came back.
	BackLimit time.Duration
	// OnLimit bounds switching on, beyond the step's own time.
	OnLimit time.Duration
	// Poll is how often something is looked at that tells nothing by event.
	Poll time.Duration
	// Budget is how often a dongle may lose power within BudgetTime.
	Budget     int
	BudgetTime time.Duration
}

// Recovery does the steps.
type Recovery struct {
	opt Options

	mu sync.Mutex
	// shares are the hubs' locks of the toggles under way, by subnet.
	shares map[int]*flock.Lock
}

// New returns a Recovery.
func New(opt Options) *Recovery { return &Recovery{opt: opt, shares: map[int]*flock.Lock{}} }

// unavailable says why a step can't be done.
func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", fmt.Errorf(format, args...), ErrUnavailable)
}

// spot is where a dongle hangs, and what is there.
type spot struct {
	path    usb.Path
	device  usb.Device
	plugged bool
}

// find looks where a dongle hangs. What is no dongle is left alone, wherever it is.
func (r *Recovery) find(n int) (spot, error) {
	path, err := r.opt.Map.Place(n)
	if err != nil {
		return spot{}, unavailable("%w", err)
	}
	tree, err := r.opt.Bus.Tree()
	if errors.Is(err, errors.ErrUnsupported) {
		return spot{}, unavailable("reading the USB: %w", err)
	}
	if err != nil {
		return spot{}, fmt.Errorf("reading the USB: %w", err)
	}
	s := spot{path: path}
	s.device, s.plugged = tree.Device(path)
	if s.plugged && !r.opt.Map.Is(n, s.device) {
		return spot{}, unavailable("at %s, where dongle %d should be, is a device that is none (%s); host.usb.ids tells which are", path, n, s.device.ID())
	}
	return s, nil
}

// Share keeps the dongle's hub from being power cycled for another one, until it
// is released. While that is being done, it waits.
func (r *Recovery) Share(ctx context.Context, n int) (release func(), err error) {
	path, err := r.opt.Map.Place(n)
	if err == nil && slices.Contains(r.opt.Hubs, path.Hub()) { // else it is never cycled
		if err := r.share(ctx, n, path.Hub()); err != nil {
			return nil, err
		}
	}
	return func() { r.unshare(n) }, nil
}

// share does nothing where the dongle has its share: whoever waits for the whole
// lock would wait for that, and keep it waiting at the gate.
func (r *Recovery) share(ctx context.Context, n int, hub usb.Path) error {
	if r.sharing(n) {
		return nil
	}
	lock, err := r.queue(ctx, hub, flock.Shared, nil)
	if err != nil {
		return fmt.Errorf("waiting for hub %s, which is being power cycled: %w", hub, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shares[n] = lock
	return nil
}

func (r *Recovery) sharing(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shares[n] != nil
}

func (r *Recovery) unshare(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.shares[n]; l != nil {
		_ = l.Unlock() // closing a file that was only locked
		delete(r.shares, n)
	}
}

// alone takes the whole lock of a hub, for which the dongle's share is given up,
// and tells whether it had to wait.
func (r *Recovery) alone(ctx context.Context, n int, hub usb.Path) (lock *flock.Lock, waited bool, err error) {
	r.unshare(n)
	limited, cancel := context.WithTimeout(ctx, r.opt.HubWait)
	defer cancel()
	lock, err = r.queue(limited, hub, flock.Exclusive, func() { waited = true })
	switch {
	case err == nil:
		return lock, waited, nil
	case ctx.Err() != nil:
		return nil, waited, context.Cause(ctx)
	case errors.Is(err, flock.ErrLocked):
		return nil, waited, unavailable("hub %s is busy: toggles of other dongles on it were under way for %s", hub, r.opt.HubWait)
	}
	return nil, waited, err
}

// queue waits for a hub's lock at its gate. Whoever waits for the whole lock keeps
// that shut: else toggles that go on beginning would never leave the hub to it.
func (r *Recovery) queue(ctx context.Context, hub usb.Path, mode flock.Mode, waiting func()) (*flock.Lock, error) {
	gate, err := flock.Wait(ctx, filepath.Join(r.opt.Dir, "hub-"+string(hub)+".gate"), mode, waiting)
	if err != nil {
		return nil, err
	}
	defer gate.Unlock() //nolint:errcheck // closing a file that was only locked
	return flock.Wait(ctx, r.lockPath(hub), mode, waiting)
}

func (r *Recovery) lockPath(hub usb.Path) string {
	return filepath.Join(r.opt.Dir, "hub-"+string(hub)+".lock")
}
