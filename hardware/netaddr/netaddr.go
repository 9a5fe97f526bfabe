package netaddr

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

var (
	// ErrNotPermitted: this process may not change interfaces.
	ErrNotPermitted = errors.New("bringing an interface up and giving it an address takes the capability CAP_NET_ADMIN, which this process lacks")
	// ErrSubnet: the interface got an address of another network, so the modem
	// has another subnet than it should.
	ErrSubnet = errors.New("the modem has another subnet")
	// ErrNoInterface: there is none of this name, or it has gone meanwhile.
	ErrNoInterface = errors.New("there is no such interface")
	// ErrNoAddress: it did not come, and may not be set.
	ErrNoAddress = errors.New("no address came")
)

// Clients of DHCP: who asks for the address.
const (
	ClientAuto    = "auto"    // who looks after the interface, if somebody does
	ClientNone    = "none"    // nobody
	ClientCommand = "command" // Options.Command
)

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
	// Log is told what was done and what failed on the way to a success. Nil:
	// nobody.
	Log *slog.Logger
}

// Assigner gives interfaces their addresses. Make it with New.
type Assigner struct {
	opt Options
}

// New returns an assigner.
func New(opt Options) *Assigner { return &Assigner{opt: opt} }

// Ensure returns when the interface is up and holds 192.168.N.100, N being the
// subnet; at once where it does, without any command. Errors: ErrNotPermitted,
// ErrSubnet, ErrNoInterface, ErrNoAddress, errors.ErrUnsupported, the cause of
// ctx; others say what to do.
func (a *Assigner) Ensure(ctx context.Context, iface string, subnet int) error {
	return errors.ErrUnsupported // to come
}
