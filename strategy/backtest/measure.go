package backtest

import (
	"math"

	"switchyard/strategy/prices"
)

// daysPerYear is the mean of the Gregorian calendar's four years.
const daysPerYear = 365.25

func yearsBetween(a, b prices.Day) float64 { return float64(b-a) / daysPerYear }

// Measures are what is said of a curve of values. All are fractions: 0.25 is 25 %.
type Measures struct {
	FinalValue float64 `json:"final_value"`
	// Return from the first to the last value.
	Return float64 `json:"return"`
	// CAGR is the return of a year, compounded; over less than a year it is Return.
	CAGR float64 `json:"cagr"`
	// Volatility is the standard deviation of the returns from point to point, of a
	// year.
	Volatility float64 `json:"volatility"`
	// Sharpe is the mean of those returns, of a year, by Volatility; without interest.
	Sharpe float64 `json:"sharpe"`
	// MaxDrawdown is the deepest fall from a peak: -0.2 is a fifth of the value.
	MaxDrawdown float64 `json:"max_drawdown"`
}

// Measure measures a curve. begin is the capital before the first point.
func Measure(curve []Point, begin float64) Measures {
	m := Measures{FinalValue: begin}
	if len(curve) == 0 {
		return m
	}
	last := curve[len(curve)-1]
	m.FinalValue, m.Return = last.Value, last.Value/begin-1
	years := yearsBetween(curve[0].Day, last.Day)
	m.CAGR = m.Return
	if years >= 1 {
		m.CAGR = math.Pow(last.Value/begin, 1/years) - 1
	}
	peak := begin
	for _, p := range curve {
		peak = max(peak, p.Value)
		m.MaxDrawdown = min(m.MaxDrawdown, p.Value/peak-1)
	}
	if len(curve) < 3 || years <= 0 {
		return m
	}
	n := float64(len(curve) - 1)
	perYear := n / years
	mean := 0.0
	returns := make([]float64, 0, len(curve)-1)
	for i := 1; i < len(curve); i++ {
		r := 0.0
		if curve[i-1].Value > 0 {
			r = curve[i].Value/curve[i-1].Value - 1
		}
		returns = append(returns, r)
		mean += r / n
	}
	variance := 0.0
	for _, r := range returns {
		variance += (r - mean) * (r - mean) / (n - 1)
	}
	m.Volatility = math.Sqrt(variance * perYear)
	if m.Volatility > 1e-12 {
		m.Sharpe = mean * perYear / m.Volatility
	}
	return m
}

// MonthReturn is what a month brought.
type MonthReturn struct {
	Month  prices.Month `json:"month"`
	Return float64      `json:"return"`
}

// MonthReturns are those of the months of a curve; the first counts from begin.
func MonthReturns(curve []Point, begin float64) []MonthReturn {
	out := []MonthReturn{}
	from := begin
	for i, p := range curve {
		if i+1 < len(curve) && curve[i+1].Day.Month() == p.Day.Month() {
			continue
		}
		r := MonthReturn{Month: p.Day.Month()}
		if from > 0 {
			r.Return = p.Value/from - 1
		}
		out = append(out, r)
		from = p.Value
	}
	return out
}

// Thin keeps at most n points of a curve, evenly by their number, the first, the last,
// and those of the highest and the lowest value among them.
func Thin(curve []Point, n int) []Point {
	if len(curve) <= n {
		return curve
	}
	high, low := 0, 0
	for i, p := range curve {
		if p.Value > curve[high].Value {
			high = i
		}
		if p.Value < curve[low].Value {
			low = i
		}
	}
	n -= 2
	out := make([]Point, 0, n+2)
	k := 0
	for i := range curve {
		if even := k * (len(curve) - 1) / (n - 1); i == even {
			k++
		} else if i != high && i != low {
			continue
		}
		out = append(out, curve[i])
	}
	return out
}
