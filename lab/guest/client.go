package guest

import (
	"context"
	"fmt"
	"net"
	"net/rpc"
	"strings"
	"time"
)

// service is the name under which the machine answers.
const service = "Guest"

// Client directs a machine over a connection that it made. Its methods may be
// called from any goroutine.
type Client struct{ rpc *rpc.Client }

// NewClient takes over a connection.
func NewClient(c net.Conn) *Client { return &Client{rpc: rpc.NewClient(c)} }

// Close drops the connection, which ends the machine.
func (c *Client) Close() error { return c.rpc.Close() }

// call is one call, given up with ctx.
func (c *Client) call(ctx context.Context, method string, args, reply any) error {
	call := c.rpc.Go(service+"."+method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error != nil {
			return fmt.Errorf("the machine, asked to %s: %w", strings.ToLower(method), call.Error)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the machine, asked to %s, does not answer: %w", strings.ToLower(method), context.Cause(ctx))
	}
}

// Setup makes the machine what it is to be. It is called once.
func (c *Client) Setup(ctx context.Context, s Setup) error { return c.call(ctx, "Setup", s, new(bool)) }

// Sh runs a shell script and returns what it says. A status other than 0 is an
// error.
func (c *Client) Sh(ctx context.Context, script string) (string, error) {
	var out string
	err := c.call(ctx, "Sh", script, &out)
	return strings.TrimSpace(out), err
}

// Put writes a file.
func (c *Client) Put(ctx context.Context, f File) error { return c.call(ctx, "Put", f, new(bool)) }

// Start starts the worker under test.
func (c *Client) Start(ctx context.Context, p Program) error {
	return c.call(ctx, "Start", p, new(bool))
}

// Signal sends the worker a signal and, where end is set, waits until it has
// ended.
func (c *Client) Signal(ctx context.Context, sig int, end bool) error {
	return c.call(ctx, "Signal", Signal{Number: sig, End: end}, new(bool))
}

// Modem tells of the modem of a dongle.
func (c *Client) Modem(ctx context.Context, subnet int) (m ModemState, err error) {
	err = c.call(ctx, "Modem", subnet, &m)
	return m, err
}

// Starve has a modem lose its network, and find it again only when its net mode
// is set.
func (c *Client) Starve(ctx context.Context, subnet int) error {
	return c.call(ctx, "Starve", subnet, new(bool))
}

// Hang has a modem lose its network and answer nothing any more, until it loses
// its power.
func (c *Client) Hang(ctx context.Context, subnet int) error {
	return c.call(ctx, "Hang", subnet, new(bool))
}

// Events are those after the nth. Where there are none it waits for one, up to
// a limit.
func (c *Client) Events(ctx context.Context, after int, wait time.Duration) (all []Event, err error) {
	err = c.call(ctx, "Events", EventsQuery{After: after, Wait: wait}, &all)
	return all, err
}

// Clock is the machine's.
func (c *Client) Clock(ctx context.Context) (t time.Time, err error) {
	err = c.call(ctx, "Clock", true, &t)
	return t, err
}

// Signal is what Client.Signal asks for.
type Signal struct {
	Number int
	End    bool
}
