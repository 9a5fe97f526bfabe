package prices_test

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"switchyard/strategy/prices"
)

// series of closes by day.
func series(t testing.TB, symbol string, closes map[string]float64) *prices.Series {
	t.Helper()
	s := &prices.Series{Symbol: symbol}
	for d, c := range closes {
		s.Bars = append(s.Bars, prices.Bar{Day: day(t, d), Close: c})
	}
	sortBars(s)
	return s
}

func sortBars(s *prices.Series) {
	for i := range s.Bars {
		for k := i; k > 0 && s.Bars[k].Day < s.Bars[k-1].Day; k-- {
			s.Bars[k], s.Bars[k-1] = s.Bars[k-1], s.Bars[k]
		}
	}
}

// Ensure days that one asset misses have its last price, days before its first have
// none, and only those of the span count.
func TestAlign(t *testing.T) {
	t.Parallel()
	a := series(t, "A", map[string]float64{"2024-01-02": 1, "2024-01-03": 2, "2024-01-05": 3, "2024-01-08": 4})
	b := series(t, "B", map[string]float64{"2024-01-03": 10, "2024-01-04": 11, "2024-01-08": 12})
	table, err := prices.Align([]*prices.Series{a, b}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	want := [][]float64{{1, 2, 2, 3, 4}, {nan, 10, 11, 11, 12}}
	if diff := cmp.Diff(want, table.Close, cmpopts.EquateNaNs()); diff != "" || len(table.Days) != 5 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	table, err = prices.Align([]*prices.Series{a, b}, day(t, "2024-01-03"), day(t, "2024-01-06"))
	if err != nil || len(table.Days) != 3 || table.Days[2] != day(t, "2024-01-05") {
		t.Errorf("of three days: %+v, %v", table, err)
	}
	var format *prices.FormatError
	if _, err := prices.Align([]*prices.Series{a, b}, 0, day(t, "2024-01-02")); !errors.As(err, &format) || format.Where != "B" {
		t.Errorf("before the first: %v", err)
	}
}

// Ensure an asset that has no prices for longer than holidays last is an error that
// says where, not a price that stands still.
func TestAlignGaps(t *testing.T) {
	t.Parallel()
	monthly := map[string]float64{"2024-01-31": 1, "2024-02-29": 2, "2024-03-28": 3, "2024-04-30": 4}
	without := func(d string) map[string]float64 {
		out := map[string]float64{}
		for k, v := range monthly {
			if k != d {
				out[k] = v
			}
		}
		return out
	}
	full := series(t, "A", monthly)
	if _, err := prices.Align([]*prices.Series{full, series(t, "B", monthly)}, 0, 0); err != nil {
		t.Errorf("month-ends alone: %v", err)
	}
	var gap *prices.GapError
	if _, err := prices.Align([]*prices.Series{full, series(t, "B", without("2024-02-29"))}, 0, 0); !errors.As(err, &gap) ||
		gap.Symbol != "B" || gap.Last != day(t, "2024-01-31") || gap.Next != day(t, "2024-03-28") {
		t.Errorf("a month is missing: %v", err)
	}
	if _, err := prices.Align([]*prices.Series{full, series(t, "B", without("2024-04-30"))}, 0, 0); !errors.As(err, &gap) ||
		gap.Next != 0 || gap.Others != day(t, "2024-04-30") {
		t.Errorf("it ends too early: %v", err)
	}
	if _, err := prices.Align([]*prices.Series{full, series(t, "B", without("2024-04-30"))}, 0, day(t, "2024-04-29")); err != nil {
		t.Errorf("it ends too early, beyond the end: %v", err)
	}
}

// Ensure a month that all assets lack is an error, too, within the span that counts.
func TestAlignMissesAMonth(t *testing.T) {
	t.Parallel()
	all := []*prices.Series{
		series(t, "A", map[string]float64{"2024-01-31": 1, "2024-03-01": 2, "2024-04-30": 3}),
		series(t, "B", map[string]float64{"2024-01-31": 1, "2024-03-28": 2, "2024-04-30": 3}),
	}
	var format *prices.FormatError
	if _, err := prices.Align(all, 0, 0); !errors.As(err, &format) || err.Error() != "prices in A, B: there is none between 2024-01-31 and 2024-03-01: complete them, or set start_date or end_date" {
		t.Errorf("a month is missing: %v", err)
	}
	if err := prices.Complete("A", []prices.Day{day(t, "2023-11-30"), day(t, "2023-12-01"), day(t, "2024-01-31")}); err != nil {
		t.Errorf("over the turn of the year: %v", err)
	}
}

// Ensure month-ends are the last days that there are of months that are over.
func TestMonthEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		days, want []string
	}{
		{[]string{"2024-01-30", "2024-01-31", "2024-02-01", "2024-02-29"}, []string{"2024-01-31", "2024-02-29"}},
		{[]string{"2024-01-31", "2024-02-28"}, []string{"2024-01-31"}},                                           // a day to come
		{[]string{"2024-03-27", "2024-03-28"}, []string{"2024-03-28"}},                                           // Good Friday follows
		{[]string{"2024-01-15", "2024-02-01"}, []string{"2024-01-15"}},                                           // as good as there is
		{[]string{"2024-05-31", "2024-06-30", "2024-07-31"}, []string{"2024-05-31", "2024-06-30", "2024-07-31"}}, // ends of calendar months
	} {
		closes := map[string]float64{}
		for _, d := range tt.days {
			closes[d] = 1
		}
		table, err := prices.Align([]*prices.Series{series(t, "A", closes)}, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range table.MonthEnds() {
			got = append(got, table.Days[i].String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.days, diff)
		}
	}
}
