package prices_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"switchyard/strategy/prices"
)

func day(t testing.TB, s string) prices.Day {
	t.Helper()
	d, err := prices.ParseDay(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Ensure both forms of tables are read, whatever the order of lines and columns, and
// adjusted as the rules say.
func TestParseCSV(t *testing.T) {
	t.Parallel()
	first, second := day(t, "2004-08-19"), day(t, "2004-08-20")
	plain := []prices.Bar{{first, 100, 100.34}, {second, 101.01, 108.31}}
	for name, tt := range map[string]struct {
		text string
		want []prices.Bar
	}{
		"with an adjusted close": {
			"Date,Open,High,Low,Close,Adj Close,Volume\n2004-08-19,100,104.06,95.96,100.34,50.17,22351900\n2004-08-20,101.01,109.08,100.5,108.31,108.31,11428600\n",
			[]prices.Bar{{first, 50, 50.17}, {second, 101.01, 108.31}},
		},
		"without":                       {"Date,Open,High,Low,Close,Volume\n2004-08-19,100,104.06,95.96,100.34,22351900\n2004-08-20,101.01,109.08,100.5,108.31,11428600\n", plain},
		"the days without a name":       {",Open,High,Low,Close,Volume\n2004-08-19,100,104.06,95.96,100.34,22351900\n2004-08-20,101.01,109.08,100.5,108.31,11428600", plain},
		"Stooq's":                       {"<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\r\nGOOG.US,D,20040819,000000,100,104.06,95.96,100.34,22351900,0\r\nGOOG.US,D,20040820,000000,101.01,109.08,100.5,108.31,11428600,0\r\n", plain},
		"the newest first":              {"Close,Date,Open\n108.31,2004-08-20,101.01\n100.34,2004-08-19,100\n", plain},
		"with a mark of its order":      {"\xEF\xBB\xBFDate,Open,Close\n2004-08-19,100,100.34\n2004-08-20,101.01,108.31\n", plain},
		"days without prices":           {"Date,Open,Close\n2004-08-18,NaN,NaN\n2004-08-19,100,100.34\n2004-08-20,101.01,108.31\n2004-08-23,,\n2004-08-24,null,null\n2004-08-25,5,-\n", plain},
		"closes alone":                  {"Date,Close\n2004-08-19,100.34\n2004-08-20,108.31\n", []prices.Bar{{first, 0, 100.34}, {second, 0, 108.31}}},
		"adjusted closes alone":         {"Date,Adj Close\n2004-08-19,100.34\n2004-08-20,108.31\n", []prices.Bar{{first, 0, 100.34}, {second, 0, 108.31}}},
		"names in quotes and in spaces": {"\"Date\", Open, Close\n\"2004-08-19\", 100, 100.34\n2004-08-20,101.01,108.31\n", plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := prices.ParseCSV("GOOG", "GOOG.csv", strings.NewReader(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, s.Bars); diff != "" || s.Symbol != "GOOG" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Ensure what can't be read says where and why.
func TestParseCSVRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                     "prices in x.csv: it is empty",
		"Date,Open\n2004-08-19,1\n":            "prices in x.csv, line 1: there is no column Close",
		"Day,Close\n2004-08-19,1\n":            "prices in x.csv, line 1: there is no column Date",
		"Date,Close\n":                         "prices in x.csv: there is no price in it",
		"Date,Close\n2004-08-19,NaN\n":         "prices in x.csv: there is no price in it",
		"Date,Close\n19.08.2004,1\n":           `prices in x.csv, line 2: "19.08.2004" is not a date such as 2024-06-28 or 20240628`,
		"Date,Close\n2004-02-30,1\n":           `prices in x.csv, line 2: "2004-02-30" is not a date`,
		"Date,Close\n2004-08-19,1\n\n,1\n":     `prices in x.csv, line 4: "" is not a date`,
		"Date,Close\n2004-08-19,0\n":           `prices in x.csv, line 2: the close is "0", which is not a price`,
		"Date,Close\n2004-08-19,-1\n":          `prices in x.csv, line 2: the close is "-1"`,
		"Date,Close\n2004-08-19,1e10\n":        `prices in x.csv, line 2: the close is "1e10"`,
		"Date,Close\n2004-08-19,Inf\n":         `prices in x.csv, line 2: the close is "Inf"`,
		"Date,Close\n2004-08-19,\"1,5\"\n":     `prices in x.csv, line 2: the close is "1,5"`,
		"Date,Open,Close\n2004-08-19,x,1\n":    `prices in x.csv, line 2: the open is "x"`,
		"Date,Close\n2004-08-19,1,2\n":         "prices in x.csv, line 2: wrong number of fields",
		"Date,Close\n2004-08-19,\"1\n":         "prices in x.csv, line 2: extraneous or missing \" in quoted-field",
		"Date,Close\n2004-08-19,1\n20040819,2": "prices in x.csv: 2004-08-19 is given twice",
		"<DATE>,<PER>,<CLOSE>\n20040819,5,1\n": `prices in x.csv, line 2: the period is "5", and has to be D`,
		"Date,Close\n" + strings.Repeat("2004-08-19,NaN\n", prices.MaxCSV/14): "prices in x.csv: it is larger than 8 MiB",
	} {
		_, err := prices.ParseCSV("X", "x.csv", strings.NewReader(text))
		var format *prices.FormatError
		if !errors.As(err, &format) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q: got %v, want %s", text, err, want)
		}
	}
}

// Ensure nothing that stands in a file breaks the reader, and that what it reads are
// prices in order.
func FuzzParseCSV(f *testing.F) {
	for _, s := range []string{
		"Date,Open,High,Low,Close,Adj Close,Volume\n2004-08-19,100,104.06,95.96,100.34,50.17,22351900\n", ",Close\n2004-08-19,1\n",
		"<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\nX,D,20040819,0,1,1,1,1,1\n", "\xEF\xBB\xBFDate,Close\n\"2004-08-19\",\"1\"\n", "Date,Close\n2004-08-19,nan\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := prices.ParseCSV("X", "x", strings.NewReader(text))
		if err != nil {
			var format *prices.FormatError
			if !errors.As(err, &format) {
				t.Fatal(err)
			}
			return
		}
		for i, b := range s.Bars {
			if b.Close <= 0 || b.Open < 0 || i > 0 && b.Day <= s.Bars[i-1].Day {
				t.Fatalf("%q: bar %d is %+v", text, i, b)
			}
		}
	})
}
