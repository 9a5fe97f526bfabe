package hardware

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"switchyard/configs"
	"switchyard/hardware/netaddr"
	"switchyard/hardware/netevent"
	"switchyard/metrics"
)

// Changes is what KeepRouted needs of a watch of the network.
type Changes interface {
	// Changes tells that something has changed; closed, that Err ended it.
	Changes() <-chan struct{}
	Err() error
	Close()
}

var _ Changes = (*netevent.Watcher)(nil)

// Assigner gives an interface the host's address in a dongle's network.
type Assigner interface {
	Ensure(ctx context.Context, iface string, subnet int) error
}

var _ Assigner = (*netaddr.Assigner)(nil)

// NewAssigner returns one that does as configured. A nil log is told nothing.
func NewAssigner(c configs.Address, log *slog.Logger) Assigner {
	return netaddr.New(netaddr.Options{Client: c.Client, Command: c.Command, Wait: c.Wait.Std(), Static: c.Static, Log: log})
}

const (
	// settled is how long the network has to be quiet before it is looked at.
	settled = 50 * time.Millisecond
	// keepInterval is how often it is looked at unasked.
	keepInterval = 30 * time.Second
)

func watchNetwork() (Changes, error) { return netevent.Watch(netevent.Options{Quiet: settled}) }

// KeepRouted repairs the routing of a dongle as soon as it is seen to be wrong,
// and puts up its fence before it comes. It gives an interface that lost its
// address the address again, and finds dongles that come (Discover). It returns
// when ctx has ended, at once where there is nothing to do.
//
// A dongle that somebody works on, by its lock, is left alone until it is free.
// What changes is logged, not what stays. Without the right to repair it says so
// once, and goes on finding dongles.
func (h *Host) KeepRouted(ctx context.Context, log *slog.Logger) {
	k := &keeper{Host: h, log: log, kept: map[int]*kept{}}
	k.idle.Store(!h.config.KeepRouted)
	finds := len(h.config.Dongles) == 0
	routed := slices.ContainsFunc(h.all(), func(d *Dongle) bool { return d.Router != nil })
	if finds || routed && h.config.KeepRouted {
		k.run(ctx)
	}
}

// keeper is one call of KeepRouted.
type keeper struct {
	*Host

	log *slog.Logger
	// idle: nothing is to be repaired, or can be.
	idle    atomic.Bool
	kept    map[int]*kept // by subnet
	running sync.WaitGroup
	// unwatched is why the network isn't watched, as last said.
	unwatched string
}

func (k *keeper) run(ctx context.Context) {
	defer k.running.Wait()
	t := time.NewTicker(keepInterval)
	defer t.Stop()
	var w Changes
	defer func() {
		if w != nil {
			w.Close()
		}
	}()
	for ctx.Err() == nil {
		var changes <-chan struct{}
		if w == nil {
			var err error
			if w, err = k.Watch(); errors.Is(err, errors.ErrUnsupported) {
				return
			} else if err != nil {
				w = nil
				k.sayUnwatched(err)
			}
		}
		if w != nil {
			changes = w.Changes()
		}
		k.round(ctx) // after the watch has begun, so that nothing is missed
		select {
		case <-ctx.Done():
		case <-t.C:
		case _, more := <-changes:
			if more {
				continue
			}
			k.sayUnwatched(w.Err())
			w.Close()
			w = nil
			// Not at once: what has ended it may do so again.
			select {
			case <-ctx.Done():
			case <-t.C:
			}
		}
	}
}

func (k *keeper) sayUnwatched(err error) {
	if text := words(err); text != k.unwatched {
		k.unwatched = text
		k.log.Warn("changes of the network are not told; it is looked at now and then", "every", keepInterval, "err", err)
	}
}

// round has every dongle looked at, those too that have just come.
func (k *keeper) round(ctx context.Context) {
	if found, err := k.Discover(); err != nil {
		k.log.Warn("could not look for new dongles", "err", err)
	} else if len(found) > 0 {
		k.log.Info("found dongles", "subnets", found)
	}
	for _, d := range k.all() {
		if d.Router == nil || k.idle.Load() {
			continue
		}
		one := k.kept[d.Subnet]
		if one == nil {
			one = &kept{keeper: k, d: d, wake: make(chan struct{}, 1), log: k.log.With("dongle", d.Subnet)}
			k.kept[d.Subnet] = one
			k.running.Go(func() { one.run(ctx) })
			continue
		}
		select {
		case one.wake <- struct{}{}:
		default: // it is going to look
		}
	}
}

// forbid ends all repairs, and says so once.
func (k *keeper) forbid(subnet int, err error) {
	if k.idle.Swap(true) {
		return
	}
	k.Meter.DongleRepaired(subnet, metrics.RepairForbidden)
	k.log.Warn("the routing of dongles is not kept: see 'switchyard doctor', or set host.keep_routed: false", "dongle", subnet, "err", err)
}
