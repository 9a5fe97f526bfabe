package prices

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxGap is how many days an asset may keep its last price while others have newer
// ones: longer than any holidays.
const maxGap = 10

// Table is the closes of several assets, day by day.
type Table struct {
	Days   []Day
	Assets []string
	// Close of each asset on each day; NaN before its first one.
	Close [][]float64
}

// GapError: an asset has no prices where others have.
type GapError struct {
	Symbol string
	// Last and Next day with a price; Next is 0 where there is none.
	Last, Next Day
	// Others is the last day of the others.
	Others Day
}

// Error implements error.
func (e *GapError) Error() string {
	if e.Next == 0 {
		return fmt.Sprintf("the prices of %s end on %s, others go on until %s: bring them up to date, or set end_date", e.Symbol, e.Last, e.Others)
	}
	return fmt.Sprintf("there is no price of %s between %s and %s, where others have some: complete them, or set start_date or end_date", e.Symbol, e.Last, e.Next)
}

// Align puts series side by side, up to and with the day end (0: all there is), from
// the day from (0: all). Error: a *GapError; or, where nothing is left, a *FormatError.
func Align(all []*Series, from, end Day) (*Table, error) {
	t := &Table{}
	bars := make([][]Bar, len(all))
	for i, s := range all {
		t.Assets = append(t.Assets, s.Symbol)
		bars[i] = between(s.Bars, from, end)
		if len(bars[i]) == 0 {
			return nil, &FormatError{Where: s.Symbol, Reason: fmt.Sprintf("there are none between %s and %s", orOpen(from, "the beginning"), orOpen(end, "the end"))}
		}
		for _, b := range bars[i] {
			t.Days = append(t.Days, b.Day)
		}
	}
	slices.Sort(t.Days)
	t.Days = slices.Compact(t.Days)
	if err := Complete(strings.Join(t.Assets, ", "), t.Days); err != nil {
		return nil, err
	}
	for i, b := range bars {
		row, err := t.row(all[i].Symbol, b)
		if err != nil {
			return nil, err
		}
		t.Close = append(t.Close, row)
	}
	return t, nil
}

// Complete reports whether there is a price in each month from the first to the last
// day; what is missing from all series at once shows in no other way. Error: a
// *FormatError.
func Complete(where string, days []Day) error {
	for i := 1; i < len(days); i++ {
		if days[i].Month() > days[i-1].Month()+1 {
			return &FormatError{Where: where, Reason: fmt.Sprintf("there is none between %s and %s: complete them, or set start_date or end_date", days[i-1], days[i])}
		}
	}
	return nil
}

func orOpen(d Day, open string) string {
	if d == 0 {
		return open
	}
	return d.String()
}

func between(bars []Bar, from, end Day) []Bar {
	if from != 0 {
		i, _ := slices.BinarySearchFunc(bars, from, func(b Bar, d Day) int { return int(b.Day) - int(d) })
		bars = bars[i:]
	}
	if end != 0 {
		i, _ := slices.BinarySearchFunc(bars, end+1, func(b Bar, d Day) int { return int(b.Day) - int(d) })
		bars = bars[:i]
	}
	return bars
}

// row spreads an asset's closes over the days of all.
func (t *Table) row(symbol string, bars []Bar) ([]float64, error) {
	row := make([]float64, len(t.Days))
	next := 0
	for i, day := range t.Days {
		switch {
		case next < len(bars) && bars[next].Day == day:
			row[i] = bars[next].Close
			next++
		case next == 0:
			row[i] = math.NaN()
		case day-bars[next-1].Day > maxGap:
			gap := &GapError{Symbol: symbol, Last: bars[next-1].Day, Others: t.Days[len(t.Days)-1]}
			if next < len(bars) {
				gap.Next = bars[next].Day
			}
			return nil, gap
		default:
			row[i] = row[i-1]
		}
	}
	return row, nil
}

// MonthEnds are the indexes of the last day of each month, in order. The last month
// counts only if it is over: if the table has its last trading day.
func (t *Table) MonthEnds() []int {
	var out []int
	for i, day := range t.Days {
		m := day.Month()
		if i+1 < len(t.Days) && t.Days[i+1].Month() == m {
			continue
		}
		if i+1 == len(t.Days) && day < m.LastTradingDay() {
			continue
		}
		out = append(out, i)
	}
	return out
}
