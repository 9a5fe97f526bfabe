package crossover

import (
	"math"

	"switchyard/strategy/backtest"
	"switchyard/strategy/prices"
)

// maxShares is the largest position: as many as can be counted one by one.
const maxShares = 1 << 53

// account is money, and at most one position.
type account struct {
	p    Parameters
	cash float64 // profits and commissions of the past; an open position isn't in it

	size    int64 // shares, negative where it is short
	entry   float64
	entered prices.Day
	paid    float64 // commission of the entry

	trades        []Trade
	costs, turned float64
	broke         bool
}

// equity at a price.
func (a *account) equity(price float64) float64 {
	return a.cash + float64(a.size)*(price-a.entry)
}

// turn takes the side of a cross (1 long, -1 short) at an open.
func (a *account) turn(side int, day prices.Day, price float64) {
	a.close(day, price)
	if side < 0 && !a.p.AllowShort {
		return
	}
	n := min(math.Floor(a.cash/(price*(1+a.p.Commission))), maxShares)
	if n < 1 {
		return
	}
	a.size = int64(n)
	a.entry, a.entered, a.paid = price, day, n*price*a.p.Commission
	a.turned += n * price / a.cash
	if side < 0 {
		a.size = -a.size
	}
	a.cash -= a.paid
	a.costs += a.paid
}

// close ends the position, if there is one.
func (a *account) close(day prices.Day, price float64) {
	if a.size == 0 {
		return
	}
	size := math.Abs(float64(a.size))
	commission := size * price * a.p.Commission
	gain := float64(a.size) * (price - a.entry)
	a.cash += gain - commission
	a.costs += commission
	t := Trade{
		Side: "long", Size: int64(size), EntryDate: a.entered, EntryPrice: a.entry, ExitDate: day, ExitPrice: price,
		Profit: gain - commission - a.paid,
	}
	if a.size < 0 {
		t.Side = "short"
	}
	t.Return = t.Profit / (size * a.entry)
	a.trades = append(a.trades, t)
	a.size = 0
}

// check ends everything where nothing is left: a short position can lose more than all.
func (a *account) check(b prices.Bar) {
	if a.equity(b.Close) > 0 {
		return
	}
	a.close(b.Day, b.Close)
	a.cash, a.broke = 0, true
}

// weights at a price.
func (a *account) weights(symbol string, price float64) backtest.Weights {
	if a.size == 0 {
		return backtest.Weights{}
	}
	return backtest.Weights{{Asset: symbol, Part: float64(a.size) * price / a.equity(price)}}
}
