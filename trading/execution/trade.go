package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"switchyard/configs"
	"switchyard/events"
	"switchyard/tasks"
	"switchyard/trading/book"
	"switchyard/trading/exchange"
	"switchyard/trading/signal"
	"switchyard/trading/sizing"
)

// Opener opens accounts at their exchanges.
type Opener interface {
	Open(configs.TradingAccount, exchange.Market) (exchange.Exchange, error)
}

// Trader executes trading jobs. It is safe for concurrent use.
type Trader struct {
	Venues Opener
	Book   *book.Book
	// Config is the configuration as it is now.
	Config func() configs.Trading
	// Now is the clock that all processes share.
	Now func() time.Time
	// Events is told of every change of an order; nil: nobody is.
	Events *events.Publisher
	// Observe, if set, is told of every order whose fate is known, and how long after
	// its request it was sent; 0 if it wasn't.
	Observe func(exchange, status string, age time.Duration)
	// Window is how long after it was noted a request may reach the exchange: the
	// window that clients ask for, and what clocks and processes may be late. 0: 15s.
	Window time.Duration
	Log    *slog.Logger
}

// Job is a hold on a job.
type Job struct {
	ID string
	// Progress that was noted before; nil: none.
	Progress json.RawMessage
	// Check says whether the job is still ours; it is asked directly before every
	// effect.
	Check func(context.Context) error
	// Note writes the progress down, and returns when Redis has it. Error: the job is
	// not ours any more, or the cause of the context.
	Note func(context.Context, any) error
}

const (
	// usualWindow is Window where none is given.
	usualWindow = 15 * time.Second
	// noting is how long it may take to note a request: after longer it is noted anew.
	noting = 2 * time.Second
	// onTheWay is what may pass between noting a request and signing it.
	onTheWay = noting + exchange.OnTheWay
	// settleLimit is how long after its window the exchange is asked what became of it.
	settleLimit = 2 * time.Minute
	// lastLook is the last try to find that out when the job has to end.
	lastLook = 5 * time.Second
	// firstPause and mostPause are those between two tries at an exchange that is
	// busy.
	firstPause = 200 * time.Millisecond
	mostPause  = 3 * time.Second
	// bookTimeout bounds what is not worth waiting for.
	bookTimeout = 2 * time.Second
)

// errTooOld: the order is older than it may be.
var errTooOld = errors.New("too old: its turn came later than it may be sent")

// trade is one run.
type trade struct {
	*Trader
	job      Job
	payload  tasks.TradePayload
	signal   signal.Signal
	account  configs.TradingAccount
	exchange exchange.Exchange
	deadline time.Time // from then on nothing is sent
	so       *Progress
}

// Trade places the orders of a job, and returns what has become of them. Error: the
// cause of ctx, or the job is not ours any more; the progress is the state to go on
// from then. Everything else that can go wrong stands in the orders.
func (t *Trader) Trade(ctx context.Context, p tasks.TradePayload, job Job) (*Progress, error) {
	r := &trade{Trader: t, job: job, payload: p, so: &Progress{}, account: configs.TradingAccount{ID: p.Account}}
	if err := json.Unmarshal(p.Signal, &r.signal); err != nil {
		return r.so, fmt.Errorf("unreadable signal: %w", err)
	}
	if len(job.Progress) > 0 {
		if err := json.Unmarshal(job.Progress, r.so); err != nil {
			return r.so, fmt.Errorf("unreadable progress: %w", err)
		}
	}
	if len(r.so.Orders) != len(r.signal.Orders) {
		r.so = &Progress{TradeResult: tasks.TradeResult{Group: p.Group, AccountID: p.Account, Orders: queued(&r.signal)}}
	}
	if r.so.Exchange == "" {
		r.so.Exchange = r.signal.Exchange.Lower()
	}
	if err := r.open(); err != nil {
		r.refuse(err)
		return r.so, nil
	}
	if r.so.Plan == nil {
		if err := r.prepare(ctx); err != nil || r.so.Plan == nil {
			return r.so, err
		}
	}
	for i := range r.so.Plan {
		if r.so.Plan[i].Done {
			continue
		}
		if err := r.send(ctx, i); err != nil {
			return r.so, err
		}
		if err := job.Note(ctx, r.so); err != nil {
			return r.so, err
		}
	}
	return r.so, nil
}

// restore opens the account for what has been begun, as well as it can.
func (r *trade) restore() {
	if err := json.Unmarshal(r.payload.Signal, &r.signal); err != nil {
		return
	}
	if err := r.open(); err != nil {
		r.Log.Warn("an account can't be opened to find out about its orders", "job", r.job.ID, "account", r.payload.Account, "err", err)
	}
}

// open finds the account and its exchange.
func (r *trade) open() (err error) {
	c := r.Config()
	age := c.MaxAge.Other
	if r.signal.Type == signal.MarketOrder {
		age = c.MaxAge.Market
	}
	r.deadline = r.payload.Received.Add(age.Std())
	a, ok := c.Account(r.payload.Account)
	if !ok {
		return fmt.Errorf("account %d is not in the configuration any more", r.payload.Account)
	}
	r.account, r.so.AccountName, r.so.Exchange = a, a.Name, a.Exchange
	begun := r.so.Plan != nil
	g := c.Group(r.payload.Group)
	switch {
	case begun: // what was sent has to be found out about
	case g == nil || !g.Trades():
		return fmt.Errorf("group %s is not active any more", r.payload.Group)
	case !a.Trades():
		return fmt.Errorf("account %d is paused", a.ID)
	}
	r.exchange, err = r.Venues.Open(a, exchange.Market(r.signal.Market))
	return err
}

// refuse ends all orders that are not done.
func (r *trade) refuse(err error) {
	if r.so.Plan == nil {
		r.so.Plan = make([]Step, len(r.so.Orders))
	}
	for i := range r.so.Plan {
		if r.so.Plan[i].Done {
			continue
		}
		if r.so.Plan[i].Sending {
			r.end(i, tasks.OrderUnknown, err)
			continue
		}
		r.end(i, tasks.OrderFailed, err)
	}
}

// capital is what the group may use of the account.
func (r *trade) capital() sizing.Capital {
	c := r.Config()
	out := sizing.Capital{ReservePercent: c.ReservePercent.Value()}
	if g := c.Group(r.payload.Group); g != nil {
		out.Leverage = g.Sizing.Leverage
		for _, s := range g.Accounts {
			if s.ID == r.account.ID {
				out.Fixed = s.Capital.Value()
			}
		}
	}
	return out
}

// prepare looks at the account and writes down what will be sent. An exchange that
// can't be asked is asked again, as long as the orders may still be sent.
func (r *trade) prepare(ctx context.Context) error {
	for wait := firstPause; ; wait = min(2*wait, mostPause) {
		if !r.Now().Before(r.deadline) {
			r.refuse(errTooOld)
			return nil
		}
		at, rules, err := look(ctx, r.exchange, &r.signal, r.account)
		switch {
		case err == nil && !rules.Trading:
			r.refuse(fmt.Errorf("%s is not traded at present", r.signal.Symbol))
			return nil
		case err == nil:
			r.so.plan(&r.signal, at, rules, r.capital(), r.job.ID)
			for i, step := range r.so.Plan {
				if step.Done {
					r.tell(i)
				}
			}
			return r.job.Note(ctx, r.so)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		again, err := r.again(ctx, err, wait)
		if err != nil {
			return err
		}
		if !again {
			return nil
		}
	}
}

// again waits before an exchange is asked once more. Where that makes no sense, or
// not in time, all orders are refused, and again is false. Error: the cause of ctx.
func (r *trade) again(ctx context.Context, why error, wait time.Duration) (bool, error) {
	after, temporary := passing(why)
	if !temporary {
		r.refuse(why)
		return false, nil
	}
	after = max(after, wait)
	if r.Now().Add(after).After(r.deadline) {
		r.refuse(why)
		return false, nil
	}
	return true, rest(ctx, after)
}

// end notes the fate of an order.
func (r *trade) end(i int, s tasks.OrderStatus, why error) {
	o := &r.so.Orders[i]
	o.Status = s
	if why != nil {
		o.Error = why.Error()
	}
	r.so.Plan[i].Done = true
	r.tell(i)
}

// apply notes what the exchange says of an order.
func (r *trade) apply(i int, s exchange.State) {
	o := &r.so.Orders[i]
	o.OrderID, o.Filled, o.AveragePrice = s.ID, s.Filled, s.AveragePrice
	if o.Type == string(exchange.MarketOrder) && s.AveragePrice.IsPositive() {
		o.Price = s.AveragePrice
	}
	if o.Sent == nil {
		now := r.Now()
		o.Sent = &now
	}
	var why error
	if s.Status == exchange.Failed {
		why = errors.New("the exchange took the order and then refused it")
	}
	r.end(i, tasks.OrderStatus(s.Status), why)
}

// tell publishes the fate of an order, and keeps the book.
func (r *trade) tell(i int) {
	o := r.so.Orders[i]
	e := book.Entry{Group: r.payload.Group, Market: exchange.Market(r.signal.Market), Order: o, Job: r.job.ID, Webhook: r.payload.Webhook, Entered: r.Now()}
	r.publish(e, r.account)
	if r.Observe != nil {
		age := time.Duration(0)
		if o.Sent != nil {
			age = o.Sent.Sub(r.payload.Received)
		}
		r.Observe(r.so.Exchange, string(o.Status), age)
	}
	if o.ClientID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), bookTimeout)
	defer cancel()
	if err := r.keep(ctx, r.account.ID, e); err != nil {
		// It stays in the book as it was, and is looked after.
		r.Log.Warn("the book of open orders could not be kept", "job", r.job.ID, "order", o.ClientID, "err", err)
	}
}

// keep enters an order that may be open, and strikes out one that isn't.
func (t *Trader) keep(ctx context.Context, account int, e book.Entry) error {
	switch e.Order.Status {
	case tasks.OrderPending, tasks.OrderPartiallyFilled, tasks.OrderUnknown, tasks.OrderQueued:
		return t.Book.Enter(ctx, account, e)
	}
	return t.Book.Strike(ctx, account, e.Order.ClientID)
}

// window is how long after it was noted an order may reach the exchange: Window, or the
// usual one, or longer where the exchange takes it for longer.
func (t *Trader) window(x exchange.Exchange, kind exchange.Type) time.Duration {
	w := t.Window
	if w <= 0 {
		w = usualWindow
	}
	if e, ok := x.(exchange.Enduring); ok {
		w = max(w, e.ValidFor(kind)+onTheWay)
	}
	return w
}

// publish tells those who watch.
func (t *Trader) publish(e book.Entry, a configs.TradingAccount) {
	now := t.Now()
	ev, err := events.New(events.Orders, events.OrderKind, now, events.Order{
		TradeOrder: e.Order, WebhookID: e.Webhook, JobID: e.Job, Group: e.Group,
		AccountID: a.ID, AccountName: a.Name, Exchange: a.Exchange, Market: string(e.Market), At: now.UTC(),
	})
	if err != nil {
		t.Log.Error("an order's event could not be written", "err", err)
		return
	}
	t.Events.Publish(ev)
}

// rest waits for d. Error: the cause of ctx.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
