package paper

import (
	"context"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
)

const (
	// finest is how closely the path of a made-up price is followed, coarsest where
	// nobody has looked for longer than closeUp.
	finest   = time.Second
	coarsest = time.Minute
	closeUp  = 24 * time.Hour
	// longestPath is the most that is followed; an account that was left alone for
	// longer has seen every price of it.
	longestPath = 30 * 24 * time.Hour
	// longestLook is how much of the path may be gone over again next time because
	// nothing has happened on it.
	longestLook = time.Minute
)

// advance fills what the price has crossed since the account was looked at last. It
// reports whether anything has changed.
func (x *Exchange) advance(ctx context.Context, s *state) (bool, error) {
	now := x.now()
	last := time.UnixMilli(s.Looked)
	s.Looked = max(s.Looked, now.UnixMilli())
	if len(s.Open) == 0 {
		return false, nil
	}
	before := len(s.ended)
	changed := false
	for _, symbol := range symbols(s.Open) {
		r, err := x.of(symbol)
		if err != nil {
			continue
		}
		path := func(yield func(decimal.Decimal, time.Time) bool) {
			began := time.UnixMilli(s.Began)
			for t := later(last, now.Add(-longestPath)); t.Before(now); {
				step := finest
				if now.Sub(t) > closeUp {
					step = coarsest
				}
				if t = t.Add(step); t.After(now) {
					t = now
				}
				if !yield(madeUp(symbol, r.Price, r.Tick, began, t), t) {
					return
				}
			}
		}
		if x.opt.Prices != nil {
			p, err := x.opt.Prices.Price(ctx, symbol)
			if err != nil {
				return false, err
			}
			path = func(yield func(decimal.Decimal, time.Time) bool) { yield(p, now) }
		}
		for p, t := range path {
			if x.cross(s, symbol, p, t) {
				changed = true
			}
			if !slices.ContainsFunc(s.Open, func(o order) bool { return o.Symbol == symbol }) {
				break
			}
		}
	}
	return changed || len(s.ended) > before || now.Sub(last) > longestLook, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// symbols of the orders, each once, in their order.
func symbols(open []order) (out []string) {
	for _, o := range open {
		if !slices.Contains(out, o.Symbol) {
			out = append(out, o.Symbol)
		}
	}
	return out
}

// cross does what a price does to the open orders of its symbol.
func (x *Exchange) cross(s *state, symbol string, p decimal.Decimal, t time.Time) (changed bool) {
	for i := 0; i < len(s.Open); {
		o := &s.Open[i]
		if o.Symbol != symbol {
			i++
			continue
		}
		atOnce := false
		if o.waits() && (o.Rises && p.GreaterThanOrEqual(o.StopPrice) || !o.Rises && p.LessThanOrEqual(o.StopPrice)) {
			o.Touched, changed, atOnce = true, true, true
			o.Updated = t.UnixMilli()
		}
		if o.waits() || o.Type.Limited() && !marketable(*o, p) {
			i++
			continue
		}
		price := p
		if o.Type.Limited() && !atOnce {
			price = o.Price // it rested at its own
		}
		done := *o
		s.Open = slices.Delete(s.Open, i, i+1)
		x.fill(s, done, price, !atOnce, t)
		changed = true
	}
	return changed
}

// marketable reports whether a limit order would be filled at p.
func marketable(o order, p decimal.Decimal) bool {
	if o.Side == exchange.Buy {
		return p.LessThanOrEqual(o.Price)
	}
	return p.GreaterThanOrEqual(o.Price)
}

// fill ends an order that is no longer among the open ones: filled, as far as there
// is something to reduce, or cancelled where nobody can pay for it.
func (x *Exchange) fill(s *state, o order, price decimal.Decimal, rested bool, t time.Time) order {
	quantity := o.Quantity.Sub(o.Filled)
	if o.reduces() {
		p := s.Positions[positionKey(o.Symbol, o.Position)]
		if p.Quantity.IsPositive() != (o.Side == exchange.Sell) {
			p.Quantity = decimal.Zero
		}
		quantity = decimal.Min(quantity, p.Quantity.Abs())
	}
	o.Updated, o.Status = t.UnixMilli(), exchange.Filled
	if !quantity.IsPositive() || x.affords(s, touched(o, quantity), price, !rested) != nil {
		o.Status = exchange.CancelledOrder
		s.ended = append(s.ended, o)
		return o
	}
	x.pay(s, o, quantity, price, rested)
	o.Filled, o.Average = o.Filled.Add(quantity), price
	if o.Filled.LessThan(o.Quantity) {
		o.Status = exchange.CancelledOrder
	}
	s.ended = append(s.ended, o)
	return o
}

// touched is the order as it comes to the market.
func touched(o order, quantity decimal.Decimal) order {
	o.Touched, o.Quantity, o.Filled = true, quantity, decimal.Zero
	return o
}
