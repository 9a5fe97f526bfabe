package hilink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// What holds where Options doesn't say.
const (
	// DefaultReattach is how long a modem needs back into the network.
	DefaultReattach = 2 * time.Second
	// DefaultSessionIdle is how long a session lasts that nobody uses.
	DefaultSessionIdle = 5 * time.Minute
	// DefaultLockTime is how long five wrong passwords lock a modem.
	DefaultLockTime = 5 * time.Minute
	// DefaultBoot is how long a reboot takes. A real one is away for a minute.
	DefaultBoot = 5 * time.Second
	// DefaultUser is the account of all these modems.
	DefaultUser = "admin"
)

// Options are what one modem is like.
type Options struct {
	// Subnet is N of 192.168.N.0/24. It tells modems apart: serial numbers and
	// the default addresses come from it.
	Subnet int
	// WebAddr and GatewayAddr, host:port, are where to listen. Default to
	// 127.0.0.1:0, any free port.
	WebAddr, GatewayAddr string
	// Addresses gives the address of each attachment that brings another one.
	// It is called with the modem's lock held. Defaults to a sequence of 12 in 203.0.113.0/24 that no
	// other of the subnets 11 to 30 shares.
	Addresses func() netip.Addr
	// Reattach is the time from leaving the network to being back, or from
	// switching mobile data on. Defaults to DefaultReattach.
	Reattach time.Duration
	// StickyBelow is how long mobile data has to be off for another address;
	// switched on sooner the old one returns. 0: always another.
	StickyBelow time.Duration
	// NetMode is the one set at the start. Defaults to the recorded one.
	NetMode NetMode
	// Family is the firmware. Defaults to E8372h320.
	Family Family
	// Handout is where sessions and tokens come from. Defaults to
	// HandoutSesTokInfo.
	Handout Handout
	// Password makes the modem want a login: for what depends on the family.
	// Empty: none.
	Password string
	// User is the account's name. Defaults to DefaultUser.
	User string
	// Login is the way in which the password is wanted. Defaults to the
	// family's.
	Login Scheme
	// LockTime is how long five wrong passwords lock logins. Defaults to
	// DefaultLockTime.
	LockTime time.Duration
	// SessionIdle is how long a session lasts that nobody uses. Defaults to
	// DefaultSessionIdle.
	SessionIdle time.Duration
	// Boot is how long the modem is away when it reboots. Defaults to
	// DefaultBoot.
	Boot time.Duration
	// ControlAddr, host:port, is where to listen for POST /_sim/…, which sets
	// faults while it runs. Empty: nowhere.
	ControlAddr string
	// Seed decides all that varies. Together with Subnet, so modems of one seed
	// differ.
	Seed uint64
}

// NetMode is a net mode as it is on the wire.
type NetMode struct {
	Mode        string // 00 automatic, 02 3G, 03 LTE
	NetworkBand string // hex mask
	LTEBand     string // hex mask
}

// Modem is one simulated stick. New makes it, Start brings it up, Close pulls
// it.
type Modem struct {
	done chan struct{} // closed by Close
	kick chan struct{} // the time to attach at may have changed

	// mu guards what follows. Order: mu, then a door's own lock.
	mu      sync.Mutex
	opt     Options
	phase   phase
	web     *door
	gateway *door
	desk    *door // of ControlAddr; nil without one
	running sync.WaitGroup

	radio    *radio
	visitors *visitors
	readings *readings
	firmware *firmware
	account  account
	faults   Faults
	refusals []Refusal
	requests []Request
	booted   time.Time // when the reboot under way ends; zero: there is none
	hanging  int       // requests that Faults.Hang holds
	ledger   []Entry
	changed  chan struct{} // closed and replaced when ledger, faults or hanging change
}

// phase is how far a modem's life has come.
type phase int

const (
	made phase = iota
	started
	closed
)

// New makes a modem. It listens once it is started.
func New(opt Options) *Modem {
	if opt.WebAddr == "" {
		opt.WebAddr = "127.0.0.1:0"
	}
	if opt.GatewayAddr == "" {
		opt.GatewayAddr = "127.0.0.1:0"
	}
	if opt.Addresses == nil {
		opt.Addresses = addresses(opt.Subnet, opt.Seed)
	}
	if opt.Reattach <= 0 {
		opt.Reattach = DefaultReattach
	}
	opt.Family = cmp.Or(opt.Family, E8372h320)
	opt.Handout = cmp.Or(opt.Handout, HandoutSesTokInfo)
	opt.User = cmp.Or(opt.User, DefaultUser)
	opt.LockTime = cmp.Or(opt.LockTime, DefaultLockTime)
	opt.SessionIdle = cmp.Or(opt.SessionIdle, DefaultSessionIdle)
	opt.Boot = cmp.Or(opt.Boot, DefaultBoot)
	if families[opt.Family] == nil {
		panic("simulated modem: no family " + string(opt.Family))
	}
	if opt.NetMode == (NetMode{}) {
		opt.NetMode = capturedMode()
	}
	random := rand.New(rand.NewPCG(opt.Seed, uint64(opt.Subnet)))
	m := &Modem{
		opt:      opt,
		done:     make(chan struct{}),
		kick:     make(chan struct{}, 1),
		firmware: families[opt.Family],
		visitors: newVisitors(random, opt.SessionIdle),
		readings: newReadings(random, time.Now()),
		changed:  make(chan struct{}),
	}
	m.account = account{user: opt.User, password: opt.Password, lockTime: opt.LockTime, salt: salt(opt)}
	m.radio = &radio{
		reattach: opt.Reattach, stickyBelow: opt.StickyBelow,
		next: opt.Addresses, mode: opt.NetMode, data: true, moved: m.moved,
	}
	return m
}

// Start listens and attaches the modem at once. ctx bounds the start only;
// Close ends the modem. A modem starts once.
func (m *Modem) Start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.phase {
	case started:
		return errors.New("simulated modem: started already")
	case closed:
		return errors.New("simulated modem: closed")
	}
	var lc net.ListenConfig
	if m.opt.ControlAddr != "" {
		desk, err := lc.Listen(ctx, "tcp", m.opt.ControlAddr)
		if err != nil {
			return fmt.Errorf("simulated modem: control: %w", err)
		}
		m.desk = newDoor(desk, m.controlAPI(), nil)
	}
	web, err := lc.Listen(ctx, "tcp", m.opt.WebAddr)
	if err != nil {
		m.desk.shut()
		return fmt.Errorf("simulated modem: web API: %w", err)
	}
	behind, err := lc.Listen(ctx, "tcp", m.opt.GatewayAddr)
	if err != nil {
		web.Close()
		m.desk.shut()
		return fmt.Errorf("simulated modem: gateway: %w", err)
	}
	m.web = newDoor(web, http.HandlerFunc(m.serveAPI), nil)
	m.gateway = newDoor(behind, http.HandlerFunc(m.serveEcho), m.Attached)
	m.phase = started
	now := time.Now()
	m.readings.on = now
	m.radio.attach(now)
	m.running.Go(m.dial)
	m.web.open()
	m.gateway.open()
	if m.desk != nil {
		m.desk.open()
	}
	return nil
}

// Close pulls the modem: it stops listening, cuts all connections, and waits
// for its goroutines. State and ledger can still be read. It may be called more
// than once, and before Start.
//
// In order: requests that wait are let go, control and the web API close, so that nothing
// changes any more, then the gateway, and last the dialling ends.
func (m *Modem) Close() {
	m.mu.Lock()
	was := m.phase
	m.phase = closed
	if was != closed {
		close(m.done)
	}
	web, gateway, desk := m.web, m.gateway, m.desk
	m.mu.Unlock()
	if desk != nil {
		desk.close()
	}
	if web != nil {
		web.close()
		gateway.close()
	}
	m.running.Wait()
}

// dial brings the modem back from a reboot and attaches it when its time has come, until it is closed.
func (m *Modem) dial() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		m.mu.Lock()
		due, some := m.due()
		m.mu.Unlock()
		var now <-chan time.Time
		if some {
			timer.Reset(time.Until(due))
			now = timer.C
		}
		select {
		case <-m.done:
			return
		case <-m.kick:
		case <-now:
			m.mu.Lock()
			m.boot(time.Now())
			m.radio.tick(time.Now())
			m.mu.Unlock()
		}
	}
}

// redial makes dial look again. It never blocks.
func (m *Modem) redial() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// moved is told by the radio that it attached or detached. Called with mu held.
func (m *Modem) moved(now time.Time, what string) {
	m.note(now, what)
	m.readings.connection(now, m.radio.attached)
	m.gateway.cut()
}

// URL is the web API's base, http://127.0.0.1:port; empty before Start.
func (m *Modem) URL() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.web == nil {
		return ""
	}
	return "http://" + m.web.Addr().String()
}

// Gateway is the host:port that stands for everything behind the modem; empty
// before Start.
func (m *Modem) Gateway() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gateway == nil {
		return ""
	}
	return m.gateway.Addr().String()
}

// ControlURL is the base of the simulator's own API; empty without ControlAddr
// and before Start.
func (m *Modem) ControlURL() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.desk == nil {
		return ""
	}
	return "http://" + m.desk.Addr().String()
}

// Attached reports whether the modem is in the network.
func (m *Modem) Attached() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.radio.attached
}

// Address is the modem's address in the network; the zero Addr while detached.
func (m *Modem) Address() netip.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.radio.address()
}

// Mode is the net mode that is set.
func (m *Modem) Mode() NetMode {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.radio.mode
}

// DataSwitch reports whether mobile data is switched on.
func (m *Modem) DataSwitch() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.radio.data
}
