package wire

import (
	"context"
	"errors"
	"time"

	"switchyard/trading/exchange"
)

// How long Watch waits between two questions, at first and at most.
const (
	firstWait = 20 * time.Millisecond
	mostWait  = 320 * time.Millisecond
)

// Watch asks for an order until it is as it is expected, or for so long, and returns
// what it last saw of it; seen is false where it saw nothing. It is for exchanges that
// only acknowledge: it needs no answer, and whoever does asks again. Limits, refusals
// and the end of ctx end it.
func Watch[T any](ctx context.Context, within time.Duration, ask func(context.Context) (T, error), enough func(T) bool) (last T, seen bool) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for wait := firstWait; ; wait = min(2*wait, mostWait) {
		switch now, err := ask(ctx); {
		case err == nil:
			if last, seen = now, true; enough(now) {
				return last, seen
			}
		case errors.Is(err, exchange.ErrNotFound), errors.Is(err, exchange.ErrUnavailable):
		default:
			return last, seen
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return last, seen
		}
	}
}
