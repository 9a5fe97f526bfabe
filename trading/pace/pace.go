package pace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"switchyard/configs"
	"switchyard/limits"
	"switchyard/trading/exchange"
)

const (
	// mostWait is the longest that a request waits for its turn; then whoever sends
	// it is told how long it would be.
	mostWait = time.Minute
	// logged is the wait from which on it is worth a line.
	logged = 100 * time.Millisecond
	// awayPause is the pause between two tries to reach Redis.
	awayPause = 200 * time.Millisecond
	// freezeTimeout bounds telling the others.
	freezeTimeout = 3 * time.Second
	// usualBan and usualPause are for refusals that don't say how long.
	usualBan   = 2 * time.Minute
	usualPause = 10 * time.Second
	// nearly is the part of a limit, in percent, from which on the exchange's own
	// count stops everybody until its interval is over.
	nearly = 95
)

// Pacer has requests wait for their turn. It is safe for concurrent use.
type Pacer struct {
	// Limits are shared by all workers.
	Limits *limits.Limiter
	// Address names the public address that this process calls from; processes
	// behind the same one share its limits.
	Address func() string
	Log     *slog.Logger
	// Banned, if set, is told when an exchange has shut the address out.
	Banned func(exchangeName, address string, d time.Duration)
}

// Hooks are those of a client for an account on a market: before a request is sent it
// waits for its turn, and then asks the guard of its context.
func (p *Pacer) Hooks(a configs.TradingAccount, m exchange.Market) exchange.Hooks {
	l := laneOf(a, m, p.Address())
	return exchange.Hooks{
		Before: func(ctx context.Context, c exchange.Call) error {
			if err := p.turn(ctx, l, c); err != nil {
				return err
			}
			return exchange.Guard(ctx, c)
		},
		Observe: func(u exchange.Usage) { p.observe(l, u) },
		Refused: func(err error) { p.refused(l, err) },
	}
}

type waitedKey struct{}

// Waited returns a context that counts how long requests under it wait for their
// turn, and what tells that.
func Waited(ctx context.Context) (context.Context, func() time.Duration) {
	n := &atomic.Int64{}
	return context.WithValue(ctx, waitedKey{}, n), func() time.Duration { return time.Duration(n.Load()) }
}

// turn waits for a place, and for Redis, which has them. Errors: exchange.ErrRate and
// *limits.LaterError where there is none within a minute, or the cause of ctx.
func (p *Pacer) turn(ctx context.Context, l lane, c exchange.Call) error {
	began := time.Now()
	defer func() {
		d := time.Since(began)
		if n, ok := ctx.Value(waitedKey{}).(*atomic.Int64); ok {
			n.Add(int64(d))
		}
		if d >= logged {
			p.Log.Info("a request waited for its turn at the exchange", "exchange", l.exchange, "market", l.market, "account", l.account, "request", c.Name, "waited", d.Round(time.Millisecond))
		}
	}()
	for {
		err := p.Limits.Wait(ctx, mostWait, l.rates(c)...)
		if !errors.Is(err, limits.ErrUnavailable) {
			return l.late(err)
		}
		t := time.NewTimer(awayPause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		}
	}
}

// late is the error of who gets no turn: where it is for how long, it is a limit like
// those that the exchange tells of.
func (l lane) late(err error) error {
	if err == nil {
		return nil
	}
	op := "waiting for a turn at " + l.exchange
	if later, ok := errors.AsType[*limits.LaterError](err); ok {
		return &exchange.Error{Kind: exchange.ErrRate, Op: op, RetryAfter: later.After, Err: err}
	}
	return fmt.Errorf("%s: %w", op, err)
}

// observe stops everybody for the rest of an interval that is nearly used up by the
// exchange's own count, which knows of requests that were not ours.
func (p *Pacer) observe(l lane, u exchange.Usage) {
	for _, x := range l.limits {
		most := x.events + x.burst
		mine := u.Limit == "weight" && x.name == "weight" || u.Limit == "orders" && x.scope == byAccount && x.per == u.Per
		if !mine || x.per != u.Per || u.Used*100 < most*nearly {
			continue
		}
		left := u.Per - time.Duration(time.Now().UnixNano())%u.Per
		p.Log.Warn("a limit of the exchange is nearly used up; everybody waits", "exchange", l.exchange, "market", l.market, "limit", x.name, "used", u.Used, "wait", left.Round(time.Second))
		p.freeze(left, l.rate(x, 1))
	}
}

// refused stops whom the exchange means.
func (p *Pacer) refused(l lane, err error) {
	d := exchange.RetryAfter(err)
	e, _ := errors.AsType[*exchange.Error](err)
	switch {
	case errors.Is(err, exchange.ErrBanned):
		if d <= 0 {
			d = usualBan
		}
		p.Log.Error("the exchange has shut this address out; nobody asks it for a while", "exchange", l.exchange, "address", l.address, "wait", d, "err", err)
		if p.Banned != nil {
			p.Banned(l.exchange, l.address, d)
		}
		p.freeze(d, l.ban())
	case e != nil && e.Account:
		p.stop(l, byAccount, d, err)
	default:
		p.stop(l, byAddress, d, err)
	}
}

func (p *Pacer) stop(l lane, s scope, d time.Duration, err error) {
	if d <= 0 {
		d = usualPause
	}
	p.Log.Warn("the exchange was asked too often; nobody asks it for a while", "exchange", l.exchange, "market", l.market, "account", l.account, "wait", d, "err", err)
	p.freeze(d, l.of(s)...)
}

func (p *Pacer) freeze(d time.Duration, rates ...limits.Rate) {
	ctx, cancel := context.WithTimeout(context.Background(), freezeTimeout)
	defer cancel()
	for _, r := range rates {
		if err := p.Limits.Freeze(ctx, d, r); err != nil {
			p.Log.Warn("could not tell the other workers to leave the exchange alone", "err", err)
			return
		}
	}
}
