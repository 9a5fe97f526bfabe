package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"switchyard/configs"
	"switchyard/trading/exchange"
	"switchyard/trading/venue"
)

const (
	// checkLimit bounds the looks at one account.
	checkLimit = 20 * time.Second
	// clockSlack is how far a clock may be off before it is worth a word: clients
	// adapt, but what else runs on this machine may not.
	clockSlack = time.Second
)

// CheckTrading examines whether the accounts can be traded with: the exchange is
// reached, its clock, the key and what it may do, the position mode, and what is free.
// Nothing is placed or changed. account limits it to one; 0: all.
func CheckTrading(ctx context.Context, c *configs.Config, account int) []Finding {
	v := venue.New(venue.Options{UserAgent: "switchyard-check"})
	defer v.Close()
	var chosen []configs.TradingAccount
	for _, a := range c.Trading.Accounts {
		if account == 0 || a.ID == account {
			chosen = append(chosen, a)
		}
	}
	if len(chosen) == 0 {
		return []Finding{{Check: "accounts", Status: Fail, Says: "there is none to check", Do: "add it to trading.accounts"}}
	}
	found := make([][]Finding, len(chosen))
	var all sync.WaitGroup
	for i, a := range chosen {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, checkLimit)
			defer cancel()
			found[i] = checkAccount(ctx, v, a)
		})
	}
	all.Wait()
	var out []Finding
	for _, f := range found {
		out = append(out, f...)
	}
	return out
}

func checkAccount(ctx context.Context, v *venue.Venues, a configs.TradingAccount) (out []Finding) {
	look := func(what string, f func(context.Context) Finding) {
		out = append(out, check{fmt.Sprintf("account %d %s", a.ID, what), f}.run(ctx))
	}
	if a.Mode == "paper" {
		look(a.Exchange, func(context.Context) Finding { return ok("exists here only, on paper") })
		return out
	}
	for _, m := range []exchange.Market{exchange.Spot, exchange.Futures} {
		where := strings.ToLower(a.Exchange + " " + string(m))
		x, err := v.Open(a, m)
		if err != nil {
			look(where, func(context.Context) Finding { return fail(err.Error(), "choose another exchange or mode") })
			continue
		}
		look(where+" clock", func(ctx context.Context) Finding { return exchangeClock(ctx, x) })
		look(where+" key", func(ctx context.Context) Finding { return keyAccepted(ctx, x, m) })
		if p, is := x.(exchange.Permitted); is {
			f := permitted(ctx, p)
			if f.Says != "" {
				look(where+" rights", func(context.Context) Finding { return f })
			}
		}
	}
	return out
}

func exchangeClock(ctx context.Context, x exchange.Exchange) Finding {
	began := time.Now()
	t, err := x.ServerTime(ctx)
	if err != nil {
		return fail(err.Error(), "see that the exchange can be reached from here (HTTPS)")
	}
	off := began.Add(time.Since(began) / 2).Sub(t).Round(time.Millisecond)
	if off.Abs() > clockSlack {
		return warn(fmt.Sprintf("this machine's clock is off by %s", off), "run a time service, such as chrony")
	}
	return ok(fmt.Sprintf("reached; this machine's clock is off by %s", off))
}

func keyAccepted(ctx context.Context, x exchange.Exchange, m exchange.Market) Finding {
	b, err := x.Balance(ctx, "USDT")
	switch {
	case errors.Is(err, exchange.ErrAuth):
		return fail(err.Error(), "see that key and secret are of this exchange and mode, that the key may read and trade here, and that it is taken from this machine's address")
	case err != nil:
		return fail(err.Error(), "try again; if it stays so, ask the exchange")
	}
	says := fmt.Sprintf("accepted; %s USDT free of %s", b.Free, b.Total)
	if m != exchange.Futures {
		return ok(says)
	}
	hedged, err := x.Hedged(ctx)
	if err != nil {
		return fail(err.Error(), "see that the key may read futures")
	}
	if hedged {
		return ok(says + "; hedge mode")
	}
	return ok(says + "; one-way mode")
}

// permitted says what the key may do; nothing where the exchange doesn't tell here.
func permitted(ctx context.Context, x exchange.Permitted) Finding {
	p, err := x.Permissions(ctx)
	switch {
	case errors.Is(err, exchange.ErrNotFound):
		return Finding{}
	case err != nil:
		return warn("what the key may do can't be asked for: "+err.Error(), "look at it where the key was made: it must not be allowed to withdraw")
	case p.Withdraw:
		return fail("the key may withdraw: whoever gets hold of it can take the money out", "make a key without that right, and delete this one")
	case !p.Spot && !p.Futures:
		return fail("the key may not trade", "allow it spot or futures trading")
	}
	var words []string
	if !p.Bound {
		words = append(words, "it is taken from any address: bind it to this machine's")
	}
	if !p.Expires.IsZero() {
		words = append(words, "it ends on "+p.Expires.Format(time.DateOnly))
	}
	says := fmt.Sprintf("spot %s, futures %s, no withdrawals", yes(p.Spot), yes(p.Futures))
	if len(words) > 0 {
		return warn(says, strings.Join(words, "; "))
	}
	return ok(says + ", bound to addresses")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
