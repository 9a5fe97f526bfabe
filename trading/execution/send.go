package execution

import (
	"context"
	"errors"
	"time"

	"switchyard/configs"
	"switchyard/tasks"
	"switchyard/trading/book"
	"switchyard/trading/exchange"
	"switchyard/trading/pace"
)

// passing tells whether a request may be made again as it was, since nothing was
// done, and after how long.
func passing(err error) (after time.Duration, ok bool) {
	for _, kind := range []error{exchange.ErrUnavailable, exchange.ErrRate, exchange.ErrBanned, exchange.ErrClock} {
		if errors.Is(err, kind) {
			return exchange.RetryAfter(err), true
		}
	}
	return 0, false
}

// send has an order placed, once, and finds out what became of it. Error: the cause of
// ctx, or the job is not ours any more.
func (r *trade) send(ctx context.Context, i int) error {
	step := &r.so.Plan[i]
	var used error // the exchange has said that it has the id
	for wait := firstPause; ; wait = min(2*wait, mostPause) {
		if step.Sending {
			again, err := r.settle(ctx, i)
			if err != nil || !again {
				return err
			}
			if used != nil { // and that it hasn't: it can't say
				r.end(i, tasks.OrderUnknown, used)
				return nil
			}
			step.Sending = false
		}
		if !r.Now().Before(r.deadline) {
			r.end(i, tasks.OrderFailed, errTooOld)
			return nil
		}
		s, err := r.place(ctx, i)
		after, temporary := passing(err)
		switch {
		case err == nil:
			r.apply(i, r.filled(ctx, i, s))
			return nil
		case errors.Is(err, exchange.ErrUnknownOutcome):
			if at := exchange.SettledAt(err); !at.IsZero() {
				step.Settled = r.Now().Add(time.Until(at))
			}
			r.Log.Warn("the answer to an order is missing; the exchange is asked what became of it", "job", r.job.ID, "order", r.so.Orders[i].ClientID, "err", err)
			if err := r.job.Note(ctx, r.so); err != nil {
				return err
			}
			continue
		case errors.Is(err, exchange.ErrDuplicate):
			used = err
			continue // it is there: an answer was lost
		}
		step.Sending = false // nothing was done
		switch {
		case errors.Is(err, errTooOld):
			r.end(i, tasks.OrderFailed, errTooOld)
			return nil
		case errors.Is(err, exchange.ErrTrigger) && r.touch(i):
			continue
		case temporary:
			if after = max(after, wait); r.Now().Add(after).After(r.deadline) {
				r.end(i, tasks.OrderFailed, err)
				return nil
			}
			if err := rest(ctx, after); err != nil {
				return err
			}
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case r.refusal(err):
			r.end(i, tasks.OrderFailed, err)
			return nil
		default:
			return err // of the hold on the job
		}
	}
}

// refusal tells whether an exchange has said no, or a client of ours before it.
func (*trade) refusal(err error) bool {
	_, ok := errors.AsType[*exchange.Error](err)
	return ok
}

// touch makes of a stop whose price was reached on the way the order behind it.
func (r *trade) touch(i int) bool {
	o := &r.so.Orders[i]
	switch exchange.Type(o.Type) {
	case exchange.StopMarket:
		o.Type = string(exchange.MarketOrder)
	case exchange.StopLimit:
		o.Type = string(exchange.LimitOrder)
	default:
		return false
	}
	r.Log.Info("the stop was reached before it was placed; the order behind it is sent", "job", r.job.ID, "order", o.ClientID)
	return true
}

// place sends the order. Directly before the request goes out it is written down that
// it does, and from then on it isn't broken off: nobody could tell whether it had
// arrived.
func (r *trade) place(ctx context.Context, i int) (exchange.State, error) {
	if err := r.enter(ctx, i); err != nil {
		return exchange.State{}, err
	}
	held, release := context.WithCancelCause(context.WithoutCancel(ctx))
	defer release(nil)
	disarm := context.AfterFunc(ctx, func() { release(context.Cause(ctx)) })
	defer disarm()
	counted, waited := pace.Waited(held)
	o, step := &r.so.Orders[i], &r.so.Plan[i]
	s, err := r.exchange.Place(exchange.Guarded(counted, func(_ context.Context, c exchange.Call) error {
		if !c.Changes {
			return nil
		}
		if err := r.note(ctx, i); err != nil {
			step.Sending, o.Sent = false, nil
			return err
		}
		disarm()
		return nil
	}), r.so.order(i))
	o.WaitedMS += waited().Milliseconds()
	if err != nil && !errors.Is(err, exchange.ErrUnknownOutcome) && !errors.Is(err, exchange.ErrDuplicate) {
		o.Sent = nil
	}
	return s, err
}

// note writes down that the order goes out now, and until when it may be on its way.
// Where that took long, since Redis was away, it is no longer now: the order may have
// become too old, and else it is noted anew.
func (r *trade) note(ctx context.Context, i int) error {
	o, step := &r.so.Orders[i], &r.so.Plan[i]
	for {
		now := r.Now()
		if !now.Before(r.deadline) {
			return errTooOld
		}
		step.Sending, step.Settled, o.Sent = true, now.Add(r.window(r.exchange, exchange.Type(o.Type))), &now
		if err := r.job.Note(ctx, r.so); err != nil {
			return err
		}
		if err := r.job.Check(ctx); err != nil {
			return err
		}
		if r.Now().Sub(now) <= noting {
			return nil
		}
	}
}

// enter puts the order into the book, and waits for Redis to have it.
func (r *trade) enter(ctx context.Context, i int) error {
	e := book.Entry{Group: r.payload.Group, Market: exchange.Market(r.signal.Market), Order: r.so.Orders[i], Job: r.job.ID, Webhook: r.payload.Webhook, Entered: r.Now()}
	for {
		err := r.Book.Enter(ctx, r.account.ID, e)
		if err == nil {
			return nil
		}
		if err := rest(ctx, firstPause); err != nil {
			return err
		}
		if !r.Now().Before(r.deadline) {
			return errTooOld
		}
		r.Log.Debug("an order could not be entered into the book yet", "job", r.job.ID, "err", err)
	}
}

// settle finds out what became of an order that may have been sent. again: it was
// never taken, and never will be. Error: the cause of ctx.
func (r *trade) settle(ctx context.Context, i int) (again bool, err error) {
	step := r.so.Plan[i]
	// The time stands in the clock that all share, and is waited for by this machine's.
	left := step.Settled.Sub(r.Now())
	asking, cancel := context.WithTimeout(ctx, max(left, 0)+settleLimit)
	defer cancel()
	s, err := exchange.Settle(asking, r.exchange, r.so.order(i).Ref(), time.Now().Add(left))
	switch {
	case err == nil:
		r.apply(i, s)
		return false, nil
	case errors.Is(err, exchange.ErrNotFound):
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	}
	r.end(i, tasks.OrderUnknown, err)
	return false, nil
}

// filled asks for a moment whether an order at the market has been filled, where the
// exchange only said that it had taken it.
func (r *trade) filled(ctx context.Context, i int, s exchange.State) exchange.State {
	o := r.so.order(i)
	for wait := 50 * time.Millisecond; o.Type == exchange.MarketOrder && s.Status.Open() && wait < time.Second; wait *= 2 {
		if rest(ctx, wait) != nil {
			return s
		}
		now, err := r.exchange.Query(ctx, o.Ref())
		if err != nil {
			r.Log.Debug("a filled order could not be asked for", "job", r.job.ID, "err", err)
			continue
		}
		s = now
	}
	return s
}

// WrapUp ends a job that doesn't go on: what was not sent stays so, and of what may
// have been sent it is found out what became of it, if that can be had at once. why is
// said of the orders.
func (t *Trader) WrapUp(ctx context.Context, p tasks.TradePayload, job Job, so *Progress, s tasks.OrderStatus, why error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	r := &trade{Trader: t, job: job, payload: p, so: so, account: configs.TradingAccount{ID: p.Account}}
	r.restore()
	if so.Plan == nil {
		so.Plan = make([]Step, len(so.Orders))
	}
	for i := range so.Plan {
		switch step := so.Plan[i]; {
		case step.Done:
		case !step.Sending:
			r.end(i, s, why)
		case r.exchange == nil:
			r.end(i, tasks.OrderUnknown, why)
		default:
			if state, err := r.exchange.Query(ctx, so.order(i).Ref()); err == nil {
				r.apply(i, state)
			} else {
				r.end(i, tasks.OrderUnknown, errors.Join(why, err))
			}
		}
	}
}
