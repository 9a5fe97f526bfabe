package prices_test

import (
	"encoding/json"
	"testing"
	"time"

	"switchyard/strategy/prices"
)

// Ensure a month's last trading day is that of the exchanges, in months whose last
// weekday is a holiday, too.
func TestLastTradingDay(t *testing.T) {
	t.Parallel()
	for _, want := range []string{
		"2024-06-28", "2024-08-30", "2024-03-28", "2018-03-29", "2013-03-28", "2002-03-28", // Good Friday in the four at the end
		"2021-05-28", "2004-05-28", "2010-05-28", // Memorial Day on the last day, or on the one before the weekend
		"2024-02-29", "2023-02-28", "2024-05-31", "2023-12-29", "2021-12-31", "2021-04-30",
	} {
		d := day(t, want)
		if got := d.Month().LastTradingDay(); got != d {
			t.Errorf("%s ends on %s, want %s", d.Month(), got, want)
		}
	}
}

// Ensure days and months are read and written as they are said.
func TestDay(t *testing.T) {
	t.Parallel()
	d := prices.DayOf(2024, time.February, 29)
	if d.String() != "2024-02-29" || d.Month().String() != "2024-02" || (d+1).Month().String() != "2024-03" || prices.DayOf(1970, 1, 1) != 0 {
		t.Errorf("%s, %s", d, d.Month())
	}
	var back struct{ D prices.Day }
	b, err := json.Marshal(map[string]any{"D": d, "M": d.Month()})
	if err != nil || string(b) != `{"D":"2024-02-29","M":"2024-02"}` || json.Unmarshal(b, &back) != nil || back.D != d {
		t.Errorf("%s, %v, %+v", b, err, back)
	}
	if _, err := prices.ParseDay("2023-02-29"); err == nil {
		t.Error("there is a 29th of February in 2023")
	}
}
