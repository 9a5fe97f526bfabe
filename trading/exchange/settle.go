package exchange

import (
	"context"
	"errors"
	"time"
)

// How long Settle waits between two questions, at first and at most.
const (
	firstWait = 250 * time.Millisecond
	mostWait  = 4 * time.Second
)

// Settle finds out what became of an order after ErrUnknownOutcome, by asking for it
// until there is an answer. It returns the order, or ErrNotFound once the exchange
// said so after settled (see SettledAt): only then was it never taken, and only then
// may it be sent again. Where the exchange can't say until ctx ends, or refuses to,
// the outcome stays unknown, and ErrUnknownOutcome comes back with the reason.
//
// Who takes up an order after a restart, without the error, passes the time at which
// the latest request it may have sent is too late for the exchange.
func Settle(ctx context.Context, x Exchange, r Ref, settled time.Time) (State, error) {
	for wait := firstWait; ; wait = min(2*wait, mostWait) {
		asked := time.Now()
		s, err := x.Query(ctx, r)
		var pause time.Duration
		switch {
		case err == nil:
			return s, nil
		case errors.Is(err, ErrNotFound) && !asked.Before(settled):
			return State{}, err
		case errors.Is(err, ErrNotFound):
			pause = min(wait, settled.Sub(asked))
		case errors.Is(err, ErrUnavailable), errors.Is(err, ErrRate), errors.Is(err, ErrBanned), errors.Is(err, ErrClock):
			pause = max(wait, RetryAfter(err))
		default:
			return State{}, &Error{Kind: ErrUnknownOutcome, Op: "settling " + r.ClientID, Settled: settled, Err: err}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return State{}, &Error{Kind: ErrUnknownOutcome, Op: "settling " + r.ClientID, Message: "last answer: " + err.Error(), Settled: settled, Err: context.Cause(ctx)}
		}
	}
}
