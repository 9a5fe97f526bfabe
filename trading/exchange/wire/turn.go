package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchyard/trading/exchange"
)

// Turn has requests made when they may be, and signed with the exchange's time.
type Turn struct {
	Hooks exchange.Hooks
	Clock *Clock
	// AskTime asks the exchange for its time.
	AskTime func(context.Context) (time.Time, error)
}

// Take makes a request, and once more where it was refused because of the clock. send
// gets the time to sign it with, the zero time where it isn't signed. Errors: those of
// the hooks, of AskTime, of exchange.Signing and of send.
func (t Turn) Take(ctx context.Context, op string, c exchange.Call, signed bool, send func(now time.Time) error) error {
	err := t.once(ctx, op, c, signed, send)
	if signed && errors.Is(err, exchange.ErrClock) {
		t.Clock.Mistrust()
		return t.once(ctx, op, c, signed, send)
	}
	return err
}

func (t Turn) once(ctx context.Context, op string, c exchange.Call, signed bool, send func(now time.Time) error) error {
	if signed { // Whoever stands in Before may wait for long; so the time is had before and told after.
		if _, err := t.Clock.Now(ctx, t.AskTime); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	if t.Hooks.Before != nil {
		if err := t.Hooks.Before(ctx, c); err != nil {
			return err
		}
	}
	var now time.Time
	if signed {
		var err error
		if now, err = t.Clock.Now(ctx, t.AskTime); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		if c.Changes {
			if err := exchange.Signing(ctx, op); err != nil {
				return err
			}
		}
	}
	err := send(now)
	if t.Hooks.Refused != nil && (errors.Is(err, exchange.ErrRate) || errors.Is(err, exchange.ErrBanned)) {
		t.Hooks.Refused(err)
	}
	return err
}
