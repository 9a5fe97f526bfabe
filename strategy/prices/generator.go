package prices

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"
)

// Generator is a Source of made-up prices. The same seed and symbol give the same
// prices on every machine: all is counted in whole numbers (of hundredths of a cent,
// and of millionths), since floating point rounds differently from one processor to
// another.
//
// They look like a market: all assets move with a common factor that has good and bad
// times, each by its own measure, and with noise of their own. Nothing can be learnt
// from them of how a strategy fares.
type Generator struct {
	// Seed of the world that the prices are of.
	Seed uint64
}

// Name implements Source.
func (g Generator) Name() string { return "generated" }

// The first and the last day that there are prices of.
var (
	generatedFirst = DayOf(2005, time.January, 3)
	generatedLast  = DayOf(2024, time.December, 31)
)

// character is how an asset moves, in millionths a day.
type character struct {
	// market is how much of the market's move it makes, in thousandths.
	market int64
	drift  int64
	noise  int64
}

// characters of the assets that the built-in strategies know: bonds hardly follow the
// market, or go against it.
var characters = map[string]character{
	"SPY": {1000, 60, 2500}, "QQQ": {1200, 90, 4500}, "IWM": {1200, 30, 4500}, "VGK": {1050, 20, 4500}, "EWJ": {850, 10, 5500},
	"VWO": {1150, 20, 6500}, "VEA": {1000, 20, 4000}, "VNQ": {1050, 40, 7000}, "DBC": {500, 0, 8500}, "GLD": {50, 200, 8500},
	"TLT": {-250, 150, 7000}, "IEF": {-120, 120, 3200}, "HYG": {350, 120, 2500}, "LQD": {20, 130, 3500}, "TIP": {-30, 120, 3200},
	"BND": {-40, 110, 2000}, "BIL": {0, 60, 60},
}

// Daily implements Source.
func (g Generator) Daily(ctx context.Context, symbol string) (*Series, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	symbol = strings.ToUpper(symbol)
	h := fnv.New64a()
	_, _ = h.Write([]byte(symbol)) // never fails
	sum := h.Sum64()
	c, known := characters[symbol]
	if !known {
		c = character{market: int64(sum % 1500), drift: int64(sum >> 16 % 150), noise: 2000 + int64(sum>>32%9000)}
	}
	own := rand.NewPCG(g.Seed, sum)
	market := newMarket(g.Seed)
	price := int64(20+sum%180) * unitsPerDollar
	s := &Series{Symbol: symbol, Bars: make([]Bar, 0, int(generatedLast-generatedFirst)*5/7+1)}
	for day := generatedFirst; day <= generatedLast; day++ {
		if weekend(day.Time()) {
			continue
		}
		move := c.drift + c.market*market.next()/1000 + c.noise*bell(own)/million
		overnight := move / 3
		opening := grown(price, overnight)
		price = grown(opening, move-overnight)
		s.Bars = append(s.Bars, Bar{Day: day, Open: dollars(opening), Close: dollars(price)})
	}
	return s, nil
}

const (
	million = 1_000_000
	// unitsPerDollar: prices are counted in hundredths of a cent.
	unitsPerDollar = 10_000
	// worst is the most that a price loses in a day, in millionths.
	worst = -300_000
)

// market is the factor that moves all assets.
type market struct {
	r    *rand.PCG
	good bool
	left int // trading days of this weather
}

func newMarket(seed uint64) *market {
	return &market{r: rand.NewPCG(seed, 0x6d61726b6574), good: true, left: 500} // "market"
}

// next is the market's move of a day, in millionths: slowly up in good times, down and
// twice as nervous in bad ones, which are shorter.
func (m *market) next() int64 {
	if m.left--; m.left < 0 {
		m.good = !m.good
		if m.left = 60 + int(m.r.Uint64()%140); m.good {
			m.left = 250 + int(m.r.Uint64()%600)
		}
	}
	if m.good {
		return 330 + 7_000*bell(m.r)/million
	}
	return -1_400 + 15_000*bell(m.r)/million
}

// bell is about normal, with the standard deviation 1, in millionths: the sum of
// twelve even ones (Irwin and Hall).
func bell(r *rand.PCG) int64 {
	var sum int64
	for range 6 {
		x := r.Uint64()
		sum += int64(x>>32%million) + int64(x&0xffffffff%million)
	}
	return sum - 6*million
}

func grown(price, move int64) int64 {
	return max(1, price+price*max(move, worst)/million)
}

// dollars of hundredths of a cent: the nearest float is the same everywhere.
func dollars(units int64) float64 { return float64(units) / unitsPerDollar }
