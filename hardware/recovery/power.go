package recovery

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"switchyard/hardware/flock"
	"switchyard/hardware/statefile"
	"switchyard/hardware/usb"
)

// off are the ports of a hub that may be without power, as a file says.
type off struct {
	Ports []int     `json:"ports"`
	Since time.Time `json:"since"`
}

const offSuffix = ".off"

func (r *Recovery) offPath(hub usb.Path) string {
	return filepath.Join(r.opt.Dir, "hub-"+string(hub)+offSuffix)
}

// cut takes the power from ports of a hub for a while. They have it again when it
// returns, or their file says that they may not. Call it with the hub's whole
// lock.
func (r *Recovery) cut(ctx context.Context, hub usb.Path, ports []int) (err error) {
	earlier, err := r.leftOff(hub)
	if err != nil {
		return err
	}
	left := off{Since: time.Now().UTC(), Ports: slices.Concat(ports, earlier)}
	slices.Sort(left.Ports)
	left.Ports = slices.Compact(left.Ports)
	if err := statefile.Write(r.offPath(hub), left); err != nil {
		return fmt.Errorf("noting which ports are switched off: %w", err)
	}
	defer func() { err = errors.Join(err, r.restore(context.WithoutCancel(ctx), hub, left.Ports)) }()
	for _, port := range ports {
		if err := r.opt.Bus.SetPower(ctx, hub, port, false); err != nil {
			return fmt.Errorf("switching off port %d of hub %s: %w", port, hub, err)
		}
	}
	return pause(ctx, r.opt.OffTime)
}

// leftOff reads which ports of a hub may be without power: all, where that can't
// be read. A hub that was put in the place of a larger one lacks some of them.
func (r *Recovery) leftOff(hub usb.Path) ([]int, error) {
	var left off
	_, err := statefile.Read(r.offPath(hub), &left)
	if err == nil && len(left.Ports) == 0 {
		return nil, nil
	}
	tree, treeErr := r.opt.Bus.Tree()
	if treeErr != nil {
		return nil, errors.Join(err, fmt.Errorf("reading the USB: %w", treeErr))
	}
	d, _ := tree.Device(hub)
	if err == nil {
		return slices.DeleteFunc(left.Ports, func(port int) bool { return d.Ports > 0 && port > d.Ports }), nil
	}
	for port := 1; port <= d.Ports; port++ {
		left.Ports = append(left.Ports, port)
	}
	return left.Ports, nil
}

// restorePause is between two tries to switch a port on.
const restorePause = 500 * time.Millisecond

// restore switches ports on, again and again until they are or the time for it is
// over.
func (r *Recovery) restore(ctx context.Context, hub usb.Path, ports []int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.opt.OnLimit, fmt.Errorf("not done within %s", r.opt.OnLimit))
	defer cancel()
	for {
		err := r.switchOn(ctx, hub, ports)
		if err == nil {
			return nil
		}
		if pauseErr := pause(ctx, restorePause); pauseErr != nil {
			return fmt.Errorf("%w: %w", err, pauseErr)
		}
	}
}

// switchOn switches ports on, those that are so too, and forgets that they were
// off.
func (r *Recovery) switchOn(ctx context.Context, hub usb.Path, ports []int) error {
	var errs []error
	for _, port := range ports {
		if err := r.opt.Bus.SetPower(ctx, hub, port, true); err != nil {
			errs = append(errs, fmt.Errorf("switching port %d of hub %s on again: %w", port, hub, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return statefile.Remove(r.offPath(hub))
}

// PowerOn switches on what killed processes have left switched off, and returns
// the ports that it did that for, as paths. Ports whose process lives are left to
// it, and those of a hub that isn't there until it is. It tries once: call it
// again.
func (r *Recovery) PowerOn(ctx context.Context) ([]usb.Path, error) {
	files, err := filepath.Glob(filepath.Join(r.opt.Dir, "hub-*"+offSuffix))
	if err != nil || len(files) == 0 {
		return nil, err
	}
	tree, err := r.opt.Bus.Tree()
	if err != nil {
		return nil, fmt.Errorf("switching on ports that a killed toggle left off: %w", err)
	}
	var on []usb.Path
	var errs []error
	for _, file := range files {
		hub := usb.Path(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "hub-"), offSuffix))
		if d, _ := tree.Device(hub); !d.IsHub() {
			continue
		}
		did, err := r.powerOn(ctx, hub)
		on = append(on, did...)
		errs = append(errs, err)
	}
	return on, errors.Join(errs...)
}

func (r *Recovery) powerOn(ctx context.Context, hub usb.Path) ([]usb.Path, error) {
	// A share is enough: none has all of it meanwhile.
	lock, err := flock.Try(r.lockPath(hub), flock.Shared)
	if errors.Is(err, flock.ErrLocked) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer lock.Unlock() //nolint:errcheck // closing a file that was only locked
	ports, err := r.leftOff(hub)
	if err != nil {
		return nil, err
	}
	if err := r.switchOn(ctx, hub, ports); err != nil {
		return nil, err
	}
	var on []usb.Path
	for _, port := range ports {
		on = append(on, hub.At(port))
	}
	return on, nil
}
