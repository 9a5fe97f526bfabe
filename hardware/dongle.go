package hardware

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"switchyard/hardware/hilink"
	"switchyard/hosts"
	"switchyard/tasks"
)

// Modem is what the ladder needs of a modem's web API.
type Modem interface {
	NetMode(context.Context) (hilink.NetMode, error)
	SetNetMode(context.Context, hilink.NetMode) error
	SetDataSwitch(context.Context, bool) error
	Signal(context.Context) (hilink.Signal, error)
	Traffic(context.Context) (hilink.Traffic, error)
	Status(context.Context) (hilink.Status, error)
	CloseIdle()
	Close()
}

var _ Modem = (*hilink.Client)(nil)

// Dongle is one modem of the host and the network behind it.
type Dongle struct {
	Subnet  int
	Modem   Modem
	Network Network
	Prober  Prober
	// Router knows how the network is reached; nil: nothing stands between, as
	// with a simulated dongle.
	Router Router
	// ReadLimit bounds reading the modem's traffic and signal; 0: nothing does
	// but the modem's own limit of each request.
	ReadLimit time.Duration
	// LockPath is the file that keeps two processes from working on the modem
	// at once.
	LockPath string
	// ShareHub keeps the dongle's USB hub from being power cycled for another one
	// until it is released. nil: there is none that is.
	ShareHub func(context.Context) (release func(), err error)
}

// Diagnosis is what is found at a toggle's start.
type Diagnosis string

// The diagnoses.
const (
	Healthy        Diagnosis = "healthy"
	NoInterface    Diagnosis = "no_interface"
	NoRouting      Diagnosis = "no_routing"
	NoConnectivity Diagnosis = "no_connectivity"
)

// FirstStep is where the ladder begins.
func (d Diagnosis) FirstStep() int {
	switch d {
	case NoInterface:
		return 3
	case NoRouting:
		return 1
	}
	return 2
}

// Diagnose finds out what is wrong with the dongle, and its address if nothing
// is.
func (d *Dongle) Diagnose(ctx context.Context) (Diagnosis, netip.Addr, error) {
	name, err := d.Network.Interface()
	if err != nil {
		return NoInterface, netip.Addr{}, err
	}
	if name == "" {
		return NoInterface, netip.Addr{}, nil
	}
	// Seen, not probed: a probe that fails doesn't tell why.
	if ok, err := d.routed(); err != nil || !ok {
		return NoRouting, netip.Addr{}, err
	}
	ip, err := d.Prober.Look(ctx, d.Network)
	switch {
	case err == nil:
		return Healthy, ip, nil
	case ctx.Err() != nil:
		return NoConnectivity, netip.Addr{}, context.Cause(ctx)
	case errors.Is(err, ErrLeak):
		return NoRouting, netip.Addr{}, nil
	case errors.Is(err, ErrNames):
		// No fault of the dongle's, and no step would be seen to help.
		return NoConnectivity, netip.Addr{}, err
	}
	return NoConnectivity, netip.Addr{}, nil
}

// Collect reads signal, traffic and address. A modem that doesn't answer costs
// its own members, which then are unknown.
func (d *Dongle) Collect(ctx context.Context) hosts.Dongle {
	var out hosts.Dongle
	found := make(chan netip.Addr, 1)
	go func() {
		ip, err := d.Prober.Look(ctx, d.Network)
		if err != nil {
			ip = netip.Addr{}
		}
		found <- ip
	}()
	out.Traffic, out.Signal = d.radio(ctx)
	if ip := <-found; ip.IsValid() {
		s := ip.String()
		out.ExternalIP, out.Connected = &s, true
	}
	return out
}

// radio reads traffic and signal; what the modem doesn't say, or not in time, is
// zero or nil. A modem off the network answers with empty values: there is no
// signal then, not one of nothing but nulls.
func (d *Dongle) radio(ctx context.Context) (tasks.Traffic, *tasks.Signal) {
	if d.ReadLimit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.ReadLimit)
		defer cancel()
	}
	var traffic tasks.Traffic
	if t, err := d.Modem.Traffic(ctx); err == nil {
		traffic = tasks.Traffic{Upload: t.Upload, Download: t.Download}
	}
	s, err := d.Modem.Signal(ctx)
	if err != nil || s == (hilink.Signal{}) {
		return traffic, nil
	}
	return traffic, &tasks.Signal{
		RSRP: (*tasks.Decibel)(s.RSRP), RSRQ: (*tasks.Decibel)(s.RSRQ), RSSI: (*tasks.Decibel)(s.RSSI), SINR: (*tasks.Decibel)(s.SINR),
		Band: s.Band, CellID: s.CellID, PCI: s.PCI, PLMN: s.PLMN,
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprint(err)
}
