package hardware_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"switchyard/hardware"
	"switchyard/hardware/hilink"
	"switchyard/tasks"
)

// fakeModem answers by its function fields. Where they are nil it has nothing
// to say and takes everything.
type fakeModem struct {
	NetModeFn       func(context.Context) (hilink.NetMode, error)
	SetNetModeFn    func(context.Context, hilink.NetMode) error
	SetDataSwitchFn func(context.Context, bool) error
	SignalFn        func(context.Context) (hilink.Signal, error)
	TrafficFn       func(context.Context) (hilink.Traffic, error)
	StatusFn        func(context.Context) (hilink.Status, error)
}

var _ hardware.Modem = (*fakeModem)(nil)

func call[T any](ctx context.Context, f func(context.Context) (T, error)) (out T, err error) {
	if f == nil {
		return out, nil
	}
	return f(ctx)
}

func (m *fakeModem) NetMode(ctx context.Context) (hilink.NetMode, error) {
	return call(ctx, m.NetModeFn)
}
func (m *fakeModem) Signal(ctx context.Context) (hilink.Signal, error) { return call(ctx, m.SignalFn) }
func (m *fakeModem) Traffic(ctx context.Context) (hilink.Traffic, error) {
	return call(ctx, m.TrafficFn)
}
func (m *fakeModem) Status(ctx context.Context) (hilink.Status, error) { return call(ctx, m.StatusFn) }

func (m *fakeModem) SetNetMode(ctx context.Context, n hilink.NetMode) error {
	if m.SetNetModeFn == nil {
		return nil
	}
	return m.SetNetModeFn(ctx, n)
}

func (m *fakeModem) SetDataSwitch(ctx context.Context, on bool) error {
	if m.SetDataSwitchFn == nil {
		return nil
	}
	return m.SetDataSwitchFn(ctx, on)
}

func (m *fakeModem) CloseIdle() {}
func (m *fakeModem) Close()     {}

// The addresses of a place's dongle: before a toggle, and after.
var (
	oldIP = netip.MustParseAddr("203.0.113.4")
	newIP = netip.MustParseAddr("203.0.113.9")
)

// What a way of step 2 does to the dongle.
const (
	changes = "changes" // back with another address
	keeps   = "keeps"   // back with the same address
	loses   = "loses"   // never back
	refused = "refused" // the modem doesn't take it
	ignored = "ignored" // the modem takes it and does nothing
)

// What a repair does, beside changes and keeps: then there is connectivity.
const (
	missing  = ""         // there is none
	cannot   = "cannot"   // says that it isn't available here
	fails    = "fails"    // an error, and nothing done
	idle     = "idle"     // no error, and nothing done
	breaks   = "breaks"   // an error, after it took connectivity away
	recovers = "recovers" // an error, and yet there is connectivity
)

// reattach is how long a place's modem needs back into the network. It is over
// between two polls, never at one.
const reattach = 1950 * time.Millisecond

var errNoAccess = errors.New("permission denied")

// place is a dongle in a bubble: modem, network and the echo service behind
// it, all in memory and on the bubble's clock. What each way and each repair
// does is the test's to say.
type place struct {
	t       *testing.T
	ways    map[hardware.Method]string
	repairs map[int]string

	mu       sync.Mutex
	iface    bool
	leaks    bool       // probes leave by the host's own uplink
	ip       netip.Addr // zero: off the network
	mode     hilink.NetMode
	data     bool
	back     *time.Timer // into the network
	cut      []string    // repairs that ran, and what they cut
	did      []string    // writes, in order
	original hilink.NetMode
	note     string // file of what is left to put back
}

func newPlace(t *testing.T, found hardware.Diagnosis) *place {
	p := &place{t: t, ways: map[hardware.Method]string{}, repairs: map[int]string{}, iface: true, data: true, ip: oldIP}
	p.setMode("03")
	switch found {
	case hardware.NoInterface:
		p.iface, p.ip = false, netip.Addr{}
	case hardware.NoRouting:
		p.leaks = true
	case hardware.NoConnectivity:
		p.ip = netip.Addr{}
	}
	return p
}

// setMode is the mode that is set before a toggle.
func (p *place) setMode(mode string) {
	p.mode = hilink.NetMode{Mode: mode, NetworkBand: "3FFFFFFF", LTEBand: "80800D5"}
	p.original = p.mode
}

func (p *place) modem() *fakeModem {
	return &fakeModem{
		NetModeFn: func(context.Context) (hilink.NetMode, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.mode, nil
		},
		SetNetModeFn: func(_ context.Context, m hilink.NetMode) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			way := p.ways[hardware.MethodNetMode]
			if way == refused {
				return &hilink.Error{Code: 112003, Op: "set net mode"}
			}
			p.did = append(p.did, "mode "+m.Mode)
			same := m == p.mode
			p.mode = m
			if !same && way != ignored {
				p.leave(way)
			}
			return nil
		},
		SetDataSwitchFn: func(_ context.Context, on bool) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			way := p.ways[hardware.MethodDataswitch]
			if way == refused {
				return &hilink.Error{Code: 100002, Op: "set data switch"}
			}
			p.did = append(p.did, fmt.Sprintf("data %v", on))
			same := p.data == on
			p.data = on
			switch {
			case same, way == ignored:
			case on:
				p.leave(way)
			default:
				p.leave(loses)
			}
			return nil
		},
		StatusFn: func(context.Context) (hilink.Status, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if !p.ip.IsValid() {
				return hilink.Status{Connection: 902}, nil
			}
			return hilink.Status{Connection: 901}, nil
		},
		TrafficFn: func(context.Context) (hilink.Traffic, error) { return hilink.Traffic{Upload: 7, Download: 9}, nil },
		SignalFn: func(context.Context) (hilink.Signal, error) {
			return hilink.Signal{RSRP: ptr(-96.0), Band: ptr("3")}, nil
		},
	}
}

// leave takes the modem off the network; how it comes back the way says.
func (p *place) leave(way string) {
	if p.back != nil {
		p.back.Stop()
	}
	p.ip = netip.Addr{}
	if way == loses {
		return
	}
	p.back = time.AfterFunc(reattach, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.data {
			p.ip = addressAfter(way)
		}
	})
}

func addressAfter(what string) netip.Addr {
	if what == changes {
		return newIP
	}
	return oldIP
}

func (p *place) network() *fakeNetwork {
	return &fakeNetwork{
		InterfaceFn: func() (string, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if !p.iface {
				return "", nil
			}
			return "eth16", nil
		},
		DialFn: func(ctx context.Context, _, _ string) (net.Conn, error) {
			p.mu.Lock()
			iface, leaks, ip := p.iface, p.leaks, p.ip
			p.mu.Unlock()
			switch {
			case !iface:
				return nil, errRefused
			case leaks:
				return answering(says(http.StatusOK, hostAddress)), nil
			case !ip.IsValid():
				return deadEnd(ctx)
			}
			return answering(says(http.StatusOK, ip.String())), nil
		},
	}
}

// connected reports whether the dongle has connectivity, and by which address.
func (p *place) connected() (netip.Addr, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ok := p.iface && !p.leaks && p.ip.IsValid()
	if !ok {
		return netip.Addr{}, false
	}
	return p.ip, true
}

// repair is what the ladder calls for a step. It notes whether it was called
// while the dongle worked.
func (p *place) repair(step int) hardware.Repair {
	return func(_ context.Context, d *hardware.Dongle) error {
		if d.Subnet != 16 {
			p.t.Errorf("repair %d was given dongle %d", step, d.Subnet)
		}
		_, works := p.connected()
		p.mu.Lock()
		defer p.mu.Unlock()
		note := fmt.Sprintf("%d", step)
		if works {
			note += " while it worked"
		}
		p.cut = append(p.cut, note)
		what := p.repairs[step]
		switch what {
		case cannot:
			p.cut = p.cut[:len(p.cut)-1]
			return fmt.Errorf("no hub is known: %w", hardware.ErrUnavailable)
		case fails:
			return errNoAccess
		case breaks:
			p.ip = netip.Addr{}
			return errNoAccess
		case idle:
			return nil
		}
		p.iface, p.leaks, p.ip = true, false, addressAfter(what)
		if what == recovers {
			return errNoAccess
		}
		return nil
	}
}

func (p *place) dongle(t *testing.T, m hardware.Modem) *hardware.Dongle {
	t.Helper()
	dir := t.TempDir()
	p.note = filepath.Join(dir, "dongle-16.unfinished")
	return &hardware.Dongle{
		Subnet: 16, Modem: m, Network: p.network(),
		Prober:   hardware.Prober{URLs: []string{"http://ip.example/"}, Timeout: probeTimeout, HostIP: netip.MustParseAddr(hostAddress)},
		LockPath: filepath.Join(dir, "dongle-16.lock"),
	}
}

func (p *place) ladder() *hardware.Ladder {
	l := &hardware.Ladder{
		Methods: []hardware.Method{hardware.MethodNetMode, hardware.MethodDataswitch}, StepLimit: 45 * time.Second,
		Holds: []time.Duration{6 * time.Second, 15 * time.Second}, Poll: 250 * time.Millisecond, Repairs: map[int]hardware.Repair{},
		DropLimit: 3 * time.Second, SettleLimit: 2 * time.Second, RestoreLimit: restoreLimit,
	}
	for step, what := range p.repairs {
		if what != missing {
			l.Repairs[step] = p.repair(step)
		}
	}
	return l
}

// inOrder fails the test unless the modem was left as it was found.
func (p *place) inOrder(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode != p.original {
		t.Errorf("the modem is left in mode %+v, it was %+v; writes: %q", p.mode, p.original, p.did)
	}
	if !p.data {
		t.Errorf("mobile data is left switched off; writes: %q", p.did)
	}
	if p.noted() {
		t.Errorf("it is still noted that something is left to put back; writes: %q", p.did)
	}
}

// noted reports whether something is written down that is left to put back.
func (p *place) noted() bool {
	_, err := os.Stat(p.note)
	return err == nil
}

// journal keeps what a toggle says of itself.
type journal struct {
	// CheckFn is asked before each effect; nil: go on.
	CheckFn func(context.Context) error

	mu   sync.Mutex
	said []tasks.ToggleProgress
}

func (j *journal) hooks() hardware.Hooks {
	return hardware.Hooks{
		Check: func(ctx context.Context) error {
			if j.CheckFn == nil {
				return nil
			}
			return j.CheckFn(ctx)
		},
		Progress: func(_ context.Context, p tasks.ToggleProgress) {
			j.mu.Lock()
			defer j.mu.Unlock()
			p.Steps = slices.Clone(p.Steps)
			j.said = append(j.said, p)
		},
	}
}

// last is the record of how it went.
func (j *journal) last() tasks.ToggleProgress {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.said) == 0 {
		return tasks.ToggleProgress{}
	}
	return j.said[len(j.said)-1]
}

// steps are the record's, one text each: "2 net_mode failed: why".
func (j *journal) steps() []string {
	var out []string
	for _, s := range j.last().Steps {
		text := fmt.Sprint(s.Step)
		if s.Method != "" {
			text += " " + s.Method
		}
		text += " " + s.Outcome
		if s.Reason != "" {
			text += ": " + s.Reason
		}
		out = append(out, text)
	}
	return out
}

func ptr[T any](v T) *T { return &v }
