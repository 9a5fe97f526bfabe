package exchange

import "context"

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

type guardKey struct{}

// Guarded returns a context whose requests are asked of guard, too, after
// Hooks.Before has let them pass and directly before they are sent: a client serves
// many jobs, and each has its own hold on its work to check.
func Guarded(ctx context.Context, guard func(context.Context, Call) error) context.Context {
	return context.WithValue(ctx, guardKey{}, guard)
}

// Guard asks the guard of ctx, if it has one. It is for whoever implements
// Hooks.Before, as the last thing that is done there.
func Guard(ctx context.Context, c Call) error {
	if guard, ok := ctx.Value(guardKey{}).(func(context.Context, Call) error); ok {
		return guard(ctx, c)
	}
	return nil
}
