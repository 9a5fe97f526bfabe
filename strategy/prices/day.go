package prices

import "time"

// Day is a calendar day, counted from 1970-01-01.
type Day int32

// DayOf is the day of a date.
func DayOf(year int, month time.Month, day int) Day {
	return Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay)
}

const secondsPerDay = 24 * 60 * 60

// ParseDay reads 2024-06-28.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, err
	}
	return Day(t.Unix() / secondsPerDay), nil
}

// Time is midnight of the day, UTC.
func (d Day) Time() time.Time { return time.Unix(int64(d)*secondsPerDay, 0).UTC() }

// String writes 2024-06-28.
func (d Day) String() string { return d.Time().Format(time.DateOnly) }

// MarshalText writes the day as String does.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDay reads.
func (d *Day) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDay(string(text))
	return err
}

// Month is a calendar month, counted from the year 0.
type Month int32

// Month of the day.
func (d Day) Month() Month {
	y, m, _ := d.Time().Date()
	return Month(y*12 + int(m) - 1)
}

// String writes 2024-06.
func (m Month) String() string { return m.first().Format("2006-01") }

// MarshalText writes the month as String does.
func (m Month) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

func (m Month) first() time.Time {
	return time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC)
}

// LastTradingDay is the last day of the month on which the exchanges of the United
// States trade: no weekend, nor one of the two holidays that can fall on a month's
// last weekday, Memorial Day (the last Monday of May) and Good Friday.
func (m Month) LastTradingDay() Day {
	d := m.first().AddDate(0, 1, -1)
	for weekend(d) || goodFriday(d) || d.Month() == time.May && d.Weekday() == time.Monday {
		d = d.AddDate(0, 0, -1)
	}
	return Day(d.Unix() / secondsPerDay)
}

func weekend(d time.Time) bool { return d.Weekday() == time.Saturday || d.Weekday() == time.Sunday }

// goodFriday is two days before Easter, which is found by the method of Butcher
// (Nature, 20 April 1876).
func goodFriday(d time.Time) bool {
	year := d.Year()
	a, b, c := year%19, year/100, year%100
	h := (19*a + b - b/4 - (b-(b+8)/25+1)/3 + 15) % 30
	l := (32 + 2*(b%4) + 2*(c/4) - h - c%4) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	easter := time.Date(year, time.Month(n/31), n%31+1, 0, 0, 0, 0, time.UTC)
	return d.Equal(easter.AddDate(0, 0, -2))
}
