package paper

import (
	"fmt"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
)

// digits are how exact fees and average prices are kept.
const digits = 10

// positionKey is where a position is kept: one a symbol, or in hedge mode one a side.
func positionKey(symbol string, side exchange.PositionSide) string { return symbol + string(side) }

// fee of an order that is filled for this much.
func (x *Exchange) fee(value decimal.Decimal, rested bool) decimal.Decimal {
	rate := x.taker
	if rested {
		rate = x.maker
	}
	return value.Mul(rate).RoundUp(digits)
}

// reduces reports whether the order can only take from a position.
func (o order) reduces() bool {
	return o.ReduceOnly || o.Position == exchange.Long && o.Side == exchange.Sell || o.Position == exchange.Short && o.Side == exchange.Buy
}

// bound is how much of an asset open orders and positions bind.
func (x *Exchange) bound(s *state, asset string) decimal.Decimal {
	sum := decimal.Zero
	for _, o := range s.Open {
		if a, n := x.binds(s, o); a == asset {
			sum = sum.Add(n)
		}
	}
	if x.opt.Market == exchange.Futures {
		for key, p := range s.Positions {
			if q, ok := x.quoteOf(key); ok && q == asset {
				sum = sum.Add(p.Quantity.Abs().Mul(p.Entry).Div(x.leverage))
			}
		}
	}
	return sum
}

// binds is what one open order binds, of which asset.
func (x *Exchange) binds(_ *state, o order) (asset string, n decimal.Decimal) {
	r, err := x.of(o.Symbol)
	if err != nil {
		return "", decimal.Zero // its rules are gone with a new version; it rests
	}
	left, price := o.Quantity.Sub(o.Filled), o.Price
	if !o.Type.Limited() {
		price = o.StopPrice
	}
	if x.opt.Market == exchange.Spot {
		if o.Side == exchange.Sell {
			return r.Base, left
		}
		return r.Quote, left.Mul(price)
	}
	if o.reduces() || o.waits() {
		return r.Quote, decimal.Zero
	}
	return r.Quote, left.Mul(price).Div(x.leverage)
}

func (x *Exchange) free(s *state, asset string) decimal.Decimal {
	return s.Cash[asset].Sub(x.bound(s, asset))
}

// affords checks that the account can pay for an order that would be filled at price.
// bound: at once; else it comes to rest, and its fee is paid out of what the market
// leaves then.
func (x *Exchange) affords(s *state, o order, price decimal.Decimal, atOnce bool) error {
	r, err := x.of(o.Symbol)
	if err != nil {
		return err
	}
	short := func(asset string, need decimal.Decimal) error {
		have := x.free(s, asset)
		if have.GreaterThanOrEqual(need) {
			return nil
		}
		return &exchange.Error{Kind: exchange.ErrFunds, Op: "placing " + o.ClientID, Message: fmt.Sprintf("%s %s needed, %s free", need, asset, have)}
	}
	value := o.Quantity.Mul(price)
	fee := decimal.Zero
	if atOnce {
		fee = x.fee(value, false)
	}
	switch {
	case x.opt.Market == exchange.Spot && o.Side == exchange.Sell:
		return short(r.Base, o.Quantity)
	case x.opt.Market == exchange.Spot:
		return short(r.Quote, value.Add(fee))
	case o.reduces():
		p := s.Positions[positionKey(o.Symbol, o.Position)]
		if !p.Quantity.IsZero() && p.Quantity.IsPositive() == (o.Side == exchange.Sell) {
			return nil
		}
		return &exchange.Error{Kind: exchange.ErrRefused, Op: "placing " + o.ClientID, Message: "there is no position to reduce"}
	case o.waits():
		return nil
	}
	opening := o.Quantity
	if p := s.Positions[positionKey(o.Symbol, o.Position)]; !p.Quantity.IsZero() && p.Quantity.IsPositive() == (o.Side == exchange.Sell) {
		opening = decimal.Max(decimal.Zero, o.Quantity.Sub(p.Quantity.Abs()))
	}
	return short(r.Quote, opening.Mul(price).Div(x.leverage).Add(fee))
}

// pay moves the money of an order that is filled at price.
func (x *Exchange) pay(s *state, o order, quantity, price decimal.Decimal, rested bool) {
	r, err := x.of(o.Symbol)
	if err != nil {
		return // no order of such a symbol is open
	}
	value := quantity.Mul(price)
	s.Cash[r.Quote] = s.Cash[r.Quote].Sub(x.fee(value, rested))
	signed := quantity
	if o.Side == exchange.Sell {
		signed = quantity.Neg()
	}
	if x.opt.Market == exchange.Spot {
		s.Cash[r.Base] = s.Cash[r.Base].Add(signed)
		s.Cash[r.Quote] = s.Cash[r.Quote].Sub(signed.Mul(price))
		return
	}
	key := positionKey(o.Symbol, o.Position)
	p := s.Positions[key]
	if p.Quantity.Sign()*signed.Sign() < 0 { // it closes, first of all
		closed := decimal.Min(p.Quantity.Abs(), quantity)
		won := price.Sub(p.Entry).Mul(closed)
		if p.Quantity.IsNegative() {
			won = won.Neg()
		}
		s.Cash[r.Quote] = s.Cash[r.Quote].Add(won)
		if quantity.GreaterThan(p.Quantity.Abs()) {
			p.Entry = price
		}
		p.Quantity = p.Quantity.Add(signed)
	} else {
		all := p.Quantity.Abs().Add(quantity)
		p.Entry = p.Quantity.Abs().Mul(p.Entry).Add(value).DivRound(all, digits)
		p.Quantity = p.Quantity.Add(signed)
	}
	if p.Quantity.IsZero() {
		delete(s.Positions, key)
		return
	}
	s.Positions[key] = p
}

// quoteOf is the asset that the position under key is counted in.
func (x *Exchange) quoteOf(key string) (string, bool) {
	for _, side := range []exchange.PositionSide{exchange.Long, exchange.Short, exchange.OneWay} {
		if n := len(key) - len(side); n > 0 && key[n:] == string(side) {
			if r, err := x.of(key[:n]); err == nil {
				return r.Quote, true
			}
		}
	}
	return "", false
}
