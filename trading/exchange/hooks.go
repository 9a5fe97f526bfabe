package exchange

import (
	"context"
	"sync/atomic"
	"time"
)

// Hooks stand around every request of a client. Each is optional.
type Hooks struct {
	// Before is asked directly before every request, each repetition of one too; its
	// error ends the call, is returned as it is, and nothing was sent.
	Before func(context.Context, Call) error
	// Observe is told what the exchange says has been used of its limits.
	Observe func(Usage)
	// Refused is told of every answer that asks for a pause: errors of kind ErrRate
	// and ErrBanned.
	Refused func(error)
}

// OnTheWay is what may pass between a guard's answer and the signing of a request that
// changes something.
const OnTheWay = 3 * time.Second

type guardKey struct{}

// guard is asked before requests, and remembers when it last let a change pass.
type guard struct {
	ask    func(context.Context, Call) error
	passed atomic.Pointer[time.Time]
}

// Guarded returns a context whose requests are asked of ask, too, after Hooks.Before has
// let them pass and directly before they are sent: a client serves many jobs, and each
// has its own hold on its work to check.
func Guarded(ctx context.Context, ask func(context.Context, Call) error) context.Context {
	return context.WithValue(ctx, guardKey{}, &guard{ask: ask})
}

// Guard asks the guard of ctx, if it has one. It is for whoever implements
// Hooks.Before, as the last thing that is done there.
func Guard(ctx context.Context, c Call) error {
	g, ok := ctx.Value(guardKey{}).(*guard)
	if !ok {
		return nil
	}
	if err := g.ask(ctx, c); err != nil {
		return err
	}
	if c.Changes {
		now := time.Now()
		g.passed.Store(&now)
	}
	return nil
}

// Signing is asked by clients once they have the time that a change is signed with, for
// until then it can be held up: by a process that is halted, by asking for the time
// again. What the guard has said, and noted of when the request will have settled, is
// no longer true then. Error: an ErrUnavailable; the request must not be sent.
func Signing(ctx context.Context, op string) error {
	g, ok := ctx.Value(guardKey{}).(*guard)
	if !ok {
		return nil
	}
	at := g.passed.Load()
	if at == nil {
		return nil
	}
	now := time.Now()
	// The one clock stands still while the machine sleeps, the other may be set.
	if held := max(now.Sub(*at), now.Round(0).Sub(at.Round(0))); held > OnTheWay {
		return &Error{Kind: ErrUnavailable, Op: op, Message: "held up for " + held.Round(time.Millisecond).String() + " on its way out, and not sent"}
	}
	return nil
}
