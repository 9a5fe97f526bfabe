package netaddr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"switchyard/hardware/netevent"
)

var (
	// ErrNotPermitted: this process may not change interfaces.
	ErrNotPermitted = errors.New("bringing an interface up and giving it an address takes the capability CAP_NET_ADMIN, which this process lacks")
	// ErrSubnet: the interface has an address of another network, so the modem
	// has another subnet than it should.
	ErrSubnet = errors.New("the modem has another subnet")
	// ErrNoInterface: there is none of this name, or it has gone meanwhile.
	ErrNoInterface = errors.New("there is no such interface")
	// ErrNoAddress: it did not come, and may not be set.
	ErrNoAddress = errors.New("no address came")
)

// Who asks for the address.
const (
	ClientAuto    = "auto"    // who looks after the interface, if somebody does
	ClientNone    = "none"    // nobody
	ClientCommand = "command" // Options.Command
)

// defaultWait is for Options.Wait.
const defaultWait = 10 * time.Second

// Options are those of an Assigner.
type Options struct {
	// Client is ClientAuto, ClientNone or ClientCommand. Defaults to ClientAuto.
	Client string
	// Command is what ClientCommand runs, {interface} standing for the name.
	Command []string
	// Wait is how long the address is waited for. Defaults to 10 s.
	Wait time.Duration
	// Static sets the address where it doesn't come.
	Static bool
	// Log is told of what failed on the way to a success. Nil: nobody is.
	Log *slog.Logger
}

// Assigner gives interfaces their addresses. Make it with New.
type Assigner struct {
	opt   Options
	open  func() (kernel, error)
	watch func() (changes, error)
	// run is where programs say that they run: /run.
	run string
}

// changes is what is needed of a watch.
type changes interface {
	Changes() <-chan struct{}
	Err() error
	Close()
}

var _ changes = (*netevent.Watcher)(nil)

// New returns an assigner. Where the system has no such interfaces Ensure fails
// with errors.ErrUnsupported.
func New(opt Options) *Assigner {
	opt.Client, opt.Wait = cmp.Or(opt.Client, ClientAuto), cmp.Or(opt.Wait, defaultWait)
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	watch := func() (changes, error) { return netevent.Watch(netevent.Options{}) }
	return &Assigner{opt: opt, open: openKernel, watch: watch, run: "/run"}
}

// Ensure returns when the interface is up and holds 192.168.N.100, N being the
// subnet; at once where it does, and then nothing was changed or run. Errors:
// ErrNotPermitted, ErrSubnet, ErrNoInterface, ErrNoAddress,
// errors.ErrUnsupported, the cause of ctx; they say what to do.
func (a *Assigner) Ensure(ctx context.Context, iface string, subnet int) error {
	k, err := a.open()
	if err != nil {
		return err
	}
	defer k.close()
	e := &ensuring{Assigner: a, k: k, name: iface, subnet: subnet}
	if there, err := e.look(); err != nil || there {
		return err
	}
	if e.w, err = a.watch(); err != nil {
		return err
	}
	defer e.w.Close()
	return e.ensure(ctx)
}

// ensuring is one call of Ensure.
type ensuring struct {
	*Assigner
	k      kernel
	w      changes
	name   string
	subnet int
	seen   link // when it was last looked at
}

// address is the host's in the dongle's network, with the length of that.
func (e *ensuring) address() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(e.subnet), 100}), 24)
}

// look tells whether all is as it should be.
func (e *ensuring) look() (there bool, err error) {
	all, err := e.k.links()
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(all, func(l link) bool { return l.name == e.name })
	if i < 0 {
		return false, fmt.Errorf("interface %s: %w: see that the modem is plugged in", e.name, ErrNoInterface)
	}
	if e.seen.index != 0 && e.seen.index != all[i].index {
		// Names change hands when modems come back: this one is another's now.
		return false, fmt.Errorf("interface %s: %w: it has gone, and another one has its name", e.name, ErrNoInterface)
	}
	e.seen = all[i]
	if e.seen.holds(e.address().Addr()) {
		return e.seen.up, nil
	}
	for _, l := range all {
		if l.holds(e.address().Addr()) {
			return false, fmt.Errorf("interface %s can't have %s, which %s holds: give each modem a subnet of its own", e.name, e.address().Addr(), l.name)
		}
	}
	return false, nil
}

func (e *ensuring) ensure(ctx context.Context) error {
	if !e.seen.up {
		if err := e.k.setUp(e.seen.index); err != nil {
			return fmt.Errorf("bringing interface %s up: %w", e.name, err)
		}
	}
	if there, err := e.look(); err != nil || there {
		return err // it had the address all the time
	}
	why, err := e.ask(ctx)
	if err != nil || why == "" {
		return err
	}
	if other, found := e.seen.elsewhere(e.address()); found {
		return e.wrongSubnet(other)
	}
	if !e.opt.Static {
		return fmt.Errorf("interface %s: %w: %s: see why, or have %s set (host.address.static)", e.name, ErrNoAddress, why, e.address())
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := e.k.add(e.seen.index, e.address()); err != nil {
		return fmt.Errorf("giving interface %s the address %s: %w", e.name, e.address(), err)
	}
	there, err := e.look()
	if err == nil && !there {
		return fmt.Errorf("interface %s has lost %s again: see whether a network manager removes it (ip monitor)", e.name, e.address())
	}
	return err
}

// ask has somebody bring the address, and waits for it. Where it didn't come,
// why tells.
func (e *ensuring) ask(ctx context.Context) (why string, err error) {
	limited, cancel := context.WithTimeout(ctx, e.opt.Wait)
	defer cancel()
	who := ""
	switch e.opt.Client {
	case ClientCommand:
		who = "the command"
		if err := e.command(limited); err != nil && ctx.Err() == nil {
			// Where the address is set all the same nobody else would hear of it.
			e.opt.Log.Warn("the command for an interface's address failed", "interface", e.name, "err", err)
			there, lookErr := e.look()
			return unless(there, err.Error()), lookErr
		}
	case ClientAuto:
		who = manager(e.run, e.seen)
	}
	if who == "" && e.opt.Static {
		return "nobody asks for one", nil
	}
	there, err := e.await(limited)
	switch {
	case there || err != nil:
		return "", err
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case who == "":
		return fmt.Sprintf("nobody asked for one, and none came within %s", e.opt.Wait), nil
	}
	return fmt.Sprintf("%s brought none within %s", who, e.opt.Wait), nil
}

func unless(there bool, why string) string {
	if there {
		return ""
	}
	return why
}

// await looks whenever something has changed, until the address is there or ctx
// ends.
func (e *ensuring) await(ctx context.Context) (there bool, err error) {
	for {
		if there, err := e.look(); err != nil || there {
			return there, err
		}
		select {
		case _, more := <-e.w.Changes():
			if !more {
				return false, e.w.Err()
			}
		case <-ctx.Done():
			return e.look()
		}
	}
}

func (e *ensuring) wrongSubnet(other netip.Prefix) error {
	modem := other.Masked().Addr().Next()
	return fmt.Errorf("interface %s got %s in place of %s: %w: it was reset to %s; set its own address back to 192.168.%d.1 on its page at http://%s (DHCP)",
		e.name, other.Addr(), e.address().Addr(), ErrSubnet, other.Masked(), e.subnet, modem)
}

// kernel is what is needed of the kernel's interfaces. IPv4 alone.
type kernel interface {
	links() ([]link, error)
	setUp(index int) error
	// add gives an address; that it is there already is no error.
	add(index int, addr netip.Prefix) error
	close()
}

// link is an interface with its addresses.
type link struct {
	index int
	name  string
	up    bool
	addrs []netip.Prefix
}

func (l link) holds(addr netip.Addr) bool {
	return slices.ContainsFunc(l.addrs, func(p netip.Prefix) bool { return p.Addr() == addr })
}

// elsewhere is an address that is not of this network. Those that an interface
// gives itself for want of another don't count.
func (l link) elsewhere(network netip.Prefix) (netip.Prefix, bool) {
	for _, p := range l.addrs {
		if !network.Contains(p.Addr()) && !p.Addr().IsLinkLocalUnicast() {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// fill puts the interface's name into the command.
func fill(command []string, name string) []string {
	out := make([]string, len(command))
	for i, arg := range command {
		out[i] = strings.ReplaceAll(arg, "{interface}", name)
	}
	return out
}
