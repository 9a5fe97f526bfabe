package execution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"switchyard/configs"
	"switchyard/tasks"
	"switchyard/trading/book"
	"switchyard/trading/exchange"
)

// cancelRounds is how often an exchange that is busy or out of reach is asked again
// within one job, about half a minute.
const cancelRounds = 12

// Cancel takes back what a group has opened on an account, as far as the filters say.
// so is what an earlier run came to; nil: there was none. Error: the cause of ctx, or
// the job is not ours any more. What can't be taken back stands in the result.
func (t *Trader) Cancel(ctx context.Context, p tasks.TradeCancelPayload, job Job, so *tasks.TradeCancelResult) (*tasks.TradeCancelResult, error) {
	if so == nil {
		so = &tasks.TradeCancelResult{}
	}
	so.Group, so.AccountID, so.Success, so.Errors = p.Group, p.Account, false, map[string]string{}
	a, ok := t.Config().Account(p.Account)
	if !ok {
		so.Errors["account"] = fmt.Sprintf("account %d is not in the configuration any more", p.Account)
		return so, nil
	}
	so.AccountName, so.Exchange = a.Name, a.Exchange
	for round := 0; ; round++ {
		left, err := t.cancelRound(ctx, a, p, job, so)
		switch {
		case err != nil:
			return so, err
		case len(left) == 0 || round == cancelRounds:
			so.Failed, so.Success = len(so.Errors), len(so.Errors) == 0
			return so, job.Note(ctx, so)
		}
		if err := job.Note(ctx, so); err != nil {
			return so, err
		}
		if err := rest(ctx, min(firstPause<<round, mostPause)); err != nil {
			return so, err
		}
	}
}

// cancelRound takes back what it can. left are the orders that another round may take
// back; their errors stand in so, too.
func (t *Trader) cancelRound(ctx context.Context, a configs.TradingAccount, p tasks.TradeCancelPayload, job Job, so *tasks.TradeCancelResult) (left []book.Entry, err error) {
	so.Errors = map[string]string{}
	all, err := t.entries(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, market := range []exchange.Market{exchange.Spot, exchange.Futures} {
		known := map[string]book.Entry{}
		var refs []exchange.Ref
		for _, e := range all {
			if e.Market == market {
				known[e.Order.ClientID] = e
				refs = append(refs, e.Ref())
			}
		}
		if len(refs) == 0 {
			continue
		}
		for _, c := range t.takeBack(ctx, a, market, refs, job) {
			e := known[c.Ref.ClientID]
			if c.Err != nil {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				so.Errors[c.Ref.ClientID] = c.Err.Error()
				if _, temporary := passing(c.Err); temporary || errors.Is(c.Err, exchange.ErrUnknownOutcome) {
					left = append(left, e)
				}
				continue
			}
			so.Cancelled++
			t.update(ctx, a, e, c.State)
		}
	}
	return left, ctx.Err()
}

// entries are the orders that are meant.
func (t *Trader) entries(ctx context.Context, p tasks.TradeCancelPayload) (out []book.Entry, err error) {
	for {
		all, err := t.Book.Of(ctx, p.Account, p.Group)
		if err == nil {
			for _, e := range all {
				if (p.Market == "" || p.Market == string(e.Market)) && (p.Symbol == "" || p.Symbol == e.Order.Symbol) {
					out = append(out, e)
				}
			}
			return out, nil
		}
		if err := rest(ctx, firstPause); err != nil {
			return nil, err
		}
	}
}

// takeBack cancels orders on one market. Where the exchange can't even be asked, that
// is said of every one of them.
func (t *Trader) takeBack(ctx context.Context, a configs.TradingAccount, m exchange.Market, refs []exchange.Ref, job Job) []exchange.Cancelled {
	x, err := t.Venues.Open(a, m)
	var out []exchange.Cancelled
	if err == nil {
		out, err = x.CancelOurs(exchange.Guarded(ctx, func(_ context.Context, c exchange.Call) error {
			if !c.Changes {
				return nil
			}
			return job.Check(ctx)
		}), refs)
	}
	if err == nil {
		return out
	}
	told := map[string]bool{}
	for _, c := range out {
		told[c.Ref.ClientID] = true
	}
	for _, ref := range refs {
		if !told[ref.ClientID] {
			out = append(out, exchange.Cancelled{Ref: ref, Err: err})
		}
	}
	return out
}

// update notes what the exchange says of an order in the book, and tells of it.
func (t *Trader) update(ctx context.Context, a configs.TradingAccount, e book.Entry, s exchange.State) {
	o := &e.Order
	o.Filled, o.AveragePrice, o.Status = s.Filled, s.AveragePrice, tasks.OrderStatus(s.Status)
	if s.ID != "" { // Binance doesn't repeat it of a stop that was taken back
		o.OrderID = s.ID
	}
	if o.Status == tasks.OrderUnknown {
		return // it says no more than was known
	}
	o.Error = ""
	t.publish(e, a)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bookTimeout)
	defer cancel()
	if err := t.keep(ctx, a.ID, e); err != nil {
		t.Log.Warn("the book of open orders could not be kept", "order", o.ClientID, "err", err)
	}
}

const (
	// followAge is how old an entry is before it is looked after: whoever is placing
	// the order does so itself.
	followAge = 20 * time.Second
	// forgetAge is when an order that the exchange doesn't know is struck out.
	forgetAge = 10 * time.Minute
	// goneAge is when an order of a symbol that the exchange doesn't know is struck out.
	goneAge = 24 * time.Hour
)

// Follow looks after the orders of all accounts that may be open: what has been filled
// or cancelled is told, and struck out of the book. It returns when ctx ends. who tells
// this process from others; of an account one process looks after.
func (t *Trader) Follow(ctx context.Context, who string) {
	for {
		c := t.Config()
		every := c.FollowInterval.Std()
		pause := every
		if every == 0 {
			pause = time.Minute // until it is set
		}
		if rest(ctx, pause) != nil {
			return
		}
		if every == 0 {
			continue
		}
		for _, a := range c.Accounts {
			if err := t.follow(ctx, a, who, every); err != nil && ctx.Err() == nil {
				t.Log.Warn("open orders could not be looked after", "account", a.ID, "exchange", a.Exchange, "err", err)
			}
		}
	}
}

// place is where orders are.
type place struct {
	market exchange.Market
	symbol string
}

func (t *Trader) follow(ctx context.Context, a configs.TradingAccount, who string, every time.Duration) error {
	all, err := t.Book.Of(ctx, a.ID, "")
	if err != nil || len(all) == 0 {
		return err
	}
	mine, err := t.Book.Lease(ctx, a.ID, who, every-every/10)
	if err != nil || !mine {
		return err
	}
	groups := map[place][]book.Entry{}
	for _, e := range all {
		if t.Now().Sub(e.Entered) >= followAge || a.Mode == "paper" && e.Order.Status != tasks.OrderQueued {
			p := place{e.Market, e.Order.Symbol}
			groups[p] = append(groups[p], e)
		}
	}
	var errs []error
	for p, entries := range groups {
		err := t.followPlace(ctx, a, p, entries)
		errs = append(errs, err)
		if everywhere(err) || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// everywhere reports whether an error met with one symbol will be met with all.
func everywhere(err error) bool {
	_, temporary := passing(err)
	return temporary || errors.Is(err, exchange.ErrAuth)
}

// followPlace looks after the orders of a symbol. Where the market has no such symbol
// any more, those that are a day old are struck out: nothing can come of them.
func (t *Trader) followPlace(ctx context.Context, a configs.TradingAccount, p place, entries []book.Entry) error {
	x, err := t.Venues.Open(a, p.market)
	if err != nil {
		return err
	}
	open, err := x.OpenOrders(ctx, p.symbol)
	if err != nil {
		err = fmt.Errorf("asking for the open orders of %s: %w", p.symbol, err)
		if errors.Is(err, exchange.ErrSymbol) {
			return errors.Join(err, t.forget(ctx, a, entries))
		}
		return err
	}
	now := map[string]exchange.State{}
	for _, s := range open {
		now[s.ClientID] = s
	}
	var errs []error
	for _, e := range entries {
		err := t.followOne(ctx, a, x, e, now)
		errs = append(errs, err)
		if everywhere(err) || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// forget strikes out orders of a symbol that is gone.
func (t *Trader) forget(ctx context.Context, a configs.TradingAccount, entries []book.Entry) error {
	var old []string
	for _, e := range entries {
		if t.Now().Sub(e.Entered) > goneAge {
			old = append(old, e.Order.ClientID)
			t.Log.Info("an order's symbol is gone; it is struck out", "account", a.ID, "order", e.Order.ClientID, "symbol", e.Order.Symbol)
		}
	}
	return t.Book.Strike(ctx, a.ID, old...)
}

// followOne compares an order with what is open.
func (t *Trader) followOne(ctx context.Context, a configs.TradingAccount, x exchange.Exchange, e book.Entry, open map[string]exchange.State) error {
	s, ok := open[e.Order.ClientID]
	if !ok {
		var err error
		s, err = x.Query(ctx, e.Ref())
		switch {
		case errors.Is(err, exchange.ErrNotFound) && t.Now().Sub(e.Entered) > forgetAge:
			t.Log.Info("the exchange doesn't know an order any more; it is struck out", "account", a.ID, "order", e.Order.ClientID)
			return t.Book.Strike(ctx, a.ID, e.Order.ClientID)
		case errors.Is(err, exchange.ErrNotFound):
			return nil
		case err != nil:
			return fmt.Errorf("asking for order %s: %w", e.Order.ClientID, err)
		}
	}
	if tasks.OrderStatus(s.Status) != e.Order.Status || !s.Filled.Equal(e.Order.Filled) {
		t.update(ctx, a, e, s)
	}
	return nil
}
