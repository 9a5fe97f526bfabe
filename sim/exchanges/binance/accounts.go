package binance

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// purse is a balance of spot.
type purse struct{ free, locked decimal.Decimal }

// held is what a position is kept under.
type held struct{ symbol, side string }

type position struct{ amount, entry decimal.Decimal }

type account struct {
	key, secret string
	hedge       bool
	spot        map[string]*purse
	wallet      map[string]decimal.Decimal // of futures
	positions   map[held]*position
}

func newAccount(a Account) (*account, error) {
	out := &account{key: a.Key, secret: a.Secret, hedge: a.Hedge, spot: map[string]*purse{}, wallet: map[string]decimal.Decimal{}, positions: map[held]*position{}}
	if a.Key == "" || a.Secret == "" {
		return nil, fmt.Errorf("an account without key or secret")
	}
	for asset, v := range a.Spot {
		d, err := decimal.NewFromString(v)
		if err != nil {
			return nil, fmt.Errorf("balance of %s: %w", asset, err)
		}
		out.spot[asset] = &purse{free: d}
	}
	for asset, v := range a.Futures {
		d, err := decimal.NewFromString(v)
		if err != nil {
			return nil, fmt.Errorf("balance of %s: %w", asset, err)
		}
		out.wallet[asset] = d
	}
	return out, nil
}

func (a *account) purse(asset string) *purse {
	if a.spot[asset] == nil {
		a.spot[asset] = &purse{}
	}
	return a.spot[asset]
}

// bind takes what a spot order needs out of what is free.
func (s *Server) bind(o *order) *refusal {
	x := s.symbols[o.symbol]
	asset, need := x.Base, o.qty
	if o.side == "BUY" {
		price := s.prices[place{o.market, o.symbol}]
		switch {
		case o.limited():
			price = o.price
		case o.conditional():
			price = o.stop
		}
		asset, need = x.Quote, o.qty.Mul(price)
	}
	p := o.account.purse(asset)
	if p.free.LessThan(need) {
		return refuse(-2010, "Account has insufficient balance for requested action.")
	}
	p.free, p.locked, o.lock, o.bound = p.free.Sub(need), p.locked.Add(need), need, p
	return nil
}

// release gives back what an order that ended still binds.
func (o *order) release() {
	if o.open() || o.lock.IsZero() {
		return
	}
	p := o.bound
	p.free, p.locked, o.lock = p.free.Add(o.lock), p.locked.Sub(o.lock), decimal.Decimal{}
}

// fillSpot exchanges one asset for the other. A buy pays out of what it binds, and
// the rest where the price went up past its stop.
func (s *Server) fillSpot(o *order, qty, price decimal.Decimal) {
	x := s.symbols[o.symbol]
	pay, get, give := qty, x.Quote, qty.Mul(price)
	if o.side == "BUY" {
		pay, get, give = qty.Mul(price), x.Base, qty
	}
	fromLock := decimal.Min(pay, o.lock)
	o.lock = o.lock.Sub(fromLock)
	o.bound.locked = o.bound.locked.Sub(fromLock)
	o.bound.free = o.bound.free.Sub(pay.Sub(fromLock))
	got := o.account.purse(get)
	got.free = got.free.Add(give)
}

// opening returns how much of an order opens a position, and how much there is to
// close by it.
func (o *order) opening() (opens, closes decimal.Decimal) {
	p := o.account.positions[held{o.symbol, o.positionSide}]
	if p == nil {
		p = &position{}
	}
	against := p.amount.IsPositive() && o.side == "SELL" || p.amount.IsNegative() && o.side == "BUY"
	left := o.qty.Sub(o.filled)
	if o.account.hedge && (o.positionSide == "LONG") == (o.side == "SELL") {
		return decimal.Decimal{}, p.amount.Abs()
	}
	if !against {
		return left, decimal.Decimal{}
	}
	return decimal.Max(left.Sub(p.amount.Abs()), decimal.Decimal{}), p.amount.Abs()
}

// available is what is left of the wallet beside positions and open orders.
func (s *Server) available(a *account, asset string) decimal.Decimal {
	left, leverage := a.wallet[asset], decimal.NewFromInt(int64(s.opt.Leverage))
	for k, p := range a.positions {
		if s.symbols[k.symbol].Quote == asset {
			left = left.Sub(p.amount.Abs().Mul(p.entry).Div(leverage))
		}
	}
	for _, o := range s.orders {
		if o.account != a || o.market != Futures || o.algo || !o.open() || o.reduceOnly || s.symbols[o.symbol].Quote != asset {
			continue
		}
		opens, _ := o.opening()
		left = left.Sub(opens.Mul(o.price).Div(leverage))
	}
	return left
}

// fillFutures changes the position, and returns how much was executed: an order that
// only reduces ends with the position.
func (s *Server) fillFutures(o *order, qty, price decimal.Decimal) decimal.Decimal {
	k := held{o.symbol, o.positionSide}
	p := o.account.positions[k]
	if p == nil {
		p = &position{}
		o.account.positions[k] = p
	}
	opens, closes := o.opening()
	if o.reduceOnly || opens.IsZero() {
		qty = decimal.Min(qty, closes)
	}
	closed := decimal.Min(qty, closes)
	sign := decimal.NewFromInt(1)
	if o.side == "SELL" {
		sign = sign.Neg()
	}
	if closed.IsPositive() {
		quote := s.symbols[o.symbol].Quote
		gain := closed.Mul(price.Sub(p.entry)).Mul(sign.Neg())
		o.account.wallet[quote] = o.account.wallet[quote].Add(gain)
		p.amount = p.amount.Add(closed.Mul(sign))
	}
	if opened := qty.Sub(closed); opened.IsPositive() {
		before := p.amount.Abs()
		p.entry = before.Mul(p.entry).Add(opened.Mul(price)).Div(before.Add(opened))
		p.amount = p.amount.Add(opened.Mul(sign))
	}
	if p.amount.IsZero() {
		delete(o.account.positions, k)
	}
	return qty
}
