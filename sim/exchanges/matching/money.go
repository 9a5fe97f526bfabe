package matching

import "github.com/shopspring/decimal"

// Bind takes what a spot order needs out of what is free, and reports whether there
// is enough.
func (b *Book) Bind(o *Order) bool {
	asset, need := o.Base, o.Qty
	if o.Buy {
		price := b.prices[o.Place]
		switch {
		case o.Limited:
			price = o.Price
		case o.Waits():
			price = o.Stop
		}
		asset, need = o.Quote, o.Qty.Mul(price)
	}
	p := o.Account.Spot.Purse(asset)
	if p.Free.LessThan(need) {
		return false
	}
	p.Free, p.Locked, o.lock, o.bound = p.Free.Sub(need), p.Locked.Add(need), need, p
	return true
}

// release gives back what an order that ended still binds.
func release(o *Order) {
	if o.Open() || o.lock.IsZero() {
		return
	}
	o.bound.Free, o.bound.Locked = o.bound.Free.Add(o.lock), o.bound.Locked.Sub(o.lock)
	o.lock = decimal.Decimal{}
}

// fillSpot exchanges one asset for the other. A buy pays out of what it binds, and
// the rest where the price went up past its stop.
func (b *Book) fillSpot(o *Order, qty, price decimal.Decimal) {
	pay, get, give := qty, o.Quote, qty.Mul(price)
	if o.Buy {
		pay, get, give = qty.Mul(price), o.Base, qty
	}
	fromLock := decimal.Min(pay, o.lock)
	o.lock = o.lock.Sub(fromLock)
	o.bound.Locked = o.bound.Locked.Sub(fromLock)
	o.bound.Free = o.bound.Free.Sub(pay.Sub(fromLock))
	got := o.Account.Spot.Purse(get)
	got.Free = got.Free.Add(give)
}

// Available is what is left of an asset on futures, beside positions and open orders.
// Stops bind nothing before they are triggered.
func (b *Book) Available(a *Account, asset string) decimal.Decimal {
	left, leverage := a.Futures.Purse(asset).Free, decimal.NewFromInt(int64(b.Leverage))
	for _, p := range a.Positions {
		if p.Quote == asset {
			left = left.Sub(p.Amount.Abs().Mul(p.Entry).Div(leverage))
		}
	}
	for _, o := range b.orders {
		if o.Account != a || o.Market != Futures || o.Apart || o.Waits() || !o.Open() || o.ReduceOnly || o.Quote != asset {
			continue
		}
		opens, _ := o.Opening()
		left = left.Sub(opens.Mul(o.Price).Div(leverage))
	}
	return left
}

// Verdict is what is against an order of futures.
type Verdict int

// The verdicts.
const (
	Fine Verdict = iota
	NoFunds
	NothingToReduce
)

// Afford looks whether there is margin for an order of futures, and something to
// reduce for one that reduces.
func (b *Book) Afford(o *Order) Verdict {
	opens, closes := o.Opening()
	if o.ReduceOnly || opens.IsZero() {
		if closes.IsZero() || o.Account.Hedge && o.Qty.GreaterThan(closes) {
			return NothingToReduce
		}
		return Fine
	}
	price := o.Price
	if !o.Limited {
		price = b.prices[o.Place]
	}
	if opens.Mul(price).Div(decimal.NewFromInt(int64(b.Leverage))).GreaterThan(b.Available(o.Account, o.Quote)) {
		return NoFunds
	}
	return Fine
}

// fillFutures changes the position, and returns how much was executed: an order that
// only reduces ends with the position.
func (b *Book) fillFutures(o *Order, qty, price decimal.Decimal) decimal.Decimal {
	a, k := o.Account, o.held()
	p := a.Positions[k]
	if p == nil {
		p = &Position{Quote: o.Quote}
		a.Positions[k] = p
	}
	opens, closes := o.Opening()
	if o.ReduceOnly || opens.IsZero() {
		qty = decimal.Min(qty, closes)
	}
	closed := decimal.Min(qty, closes)
	sign := decimal.NewFromInt(1)
	if !o.Buy {
		sign = sign.Neg()
	}
	if closed.IsPositive() {
		wallet := a.Futures.Purse(o.Quote)
		wallet.Free = wallet.Free.Add(closed.Mul(price.Sub(p.Entry)).Mul(sign.Neg()))
		p.Amount = p.Amount.Add(closed.Mul(sign))
	}
	if opened := qty.Sub(closed); opened.IsPositive() {
		before := p.Amount.Abs()
		p.Entry = before.Mul(p.Entry).Add(opened.Mul(price)).Div(before.Add(opened))
		p.Amount = p.Amount.Add(opened.Mul(sign))
	}
	if p.Amount.IsZero() {
		delete(a.Positions, k)
	}
	return qty
}
