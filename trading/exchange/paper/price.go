package paper

import (
	"hash/fnv"
	"time"

	"github.com/shopspring/decimal"
)

// waves are what the made-up price swings by: periods in seconds, and how far, in
// hundred-thousandths of the price it began with. Together they stay within 5 %, so
// that 95,000 stays between 90,000 and 100,000; the periods have no common measure,
// so that it doesn't repeat within years. The shortest lets orders near the price be
// filled while somebody watches.
var waves = []struct{ period, swing int64 }{{61, 300}, {397, 900}, {1801, 1500}, {10_007, 2300}}

// madeUp is the price at t of one that began at base, in whole ticks: a sum of
// triangle waves, all at 0 when the account began. Integers alone, so that every
// machine comes to the same. Symbols swing apart from each other.
func madeUp(symbol string, base, tick decimal.Decimal, began, t time.Time) decimal.Decimal {
	second := max(0, int64(t.Sub(began)/time.Second))
	h := fnv.New32a()
	_, _ = h.Write([]byte(symbol)) // never fails
	swing := int64(0)
	for i, w := range waves {
		part := triangle(second, w.period) * w.swing / w.period
		if h.Sum32()>>i&1 == 1 {
			part = -part
		}
		swing += part
	}
	p := base.Add(base.Mul(decimal.New(swing, -5)))
	ticks, _ := p.QuoRem(tick, 0)
	return ticks.Mul(tick)
}

// triangle goes 0, period, 0, -period, 0 within a period.
func triangle(t, period int64) int64 {
	switch p := 4 * (t % period); {
	case p <= period:
		return p
	case p <= 3*period:
		return 2*period - p
	default:
		return p - 4*period
	}
}
