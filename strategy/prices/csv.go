package prices

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxCSV is the largest file that is read, in bytes: 200 years of days.
	MaxCSV = 8 << 20
	// maxPrice is beyond all prices.
	maxPrice = 1e9
)

// columns of a file; -1: it has none.
type columns struct{ date, open, close, adjusted, period int }

// ParseCSV reads prices as Yahoo's and other tables have them
// (Date,Open,High,Low,Close,Adj Close,Volume) or as Stooq's
// (<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,…). Columns are found by their names, in any
// order; the first may be without one, and holds the days then. where names the file
// in errors, which are *FormatError.
func ParseCSV(symbol, where string, r io.Reader) (*Series, error) {
	fault := func(line int, format string, args ...any) error {
		return &FormatError{Where: where, Line: line, Reason: fmt.Sprintf(format, args...)}
	}
	limited := &io.LimitedReader{R: r, N: MaxCSV + 1}
	text := bufio.NewReader(limited)
	if mark, err := text.Peek(3); err == nil && bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
		_, _ = text.Discard(len(mark)) // they are there: they were peeked at
	}
	records := csv.NewReader(text)
	records.ReuseRecord, records.TrimLeadingSpace = true, true
	head, err := records.Read()
	if err != nil {
		return nil, fault(0, "it is empty, or no CSV")
	}
	c, missing := columnsOf(head)
	if missing != "" {
		return nil, fault(1, "there is no column %s", missing)
	}
	s := &Series{Symbol: symbol}
	for {
		record, err := records.Read()
		if limited.N <= 0 {
			return nil, fault(0, "it is larger than %d MiB", MaxCSV>>20)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			return nil, fault(parse.Line, "%v", parse.Err)
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", where, err)
		}
		line, _ := records.FieldPos(0)
		bar, ok, reason := c.bar(record)
		if reason != "" {
			return nil, fault(line, "%s", reason)
		}
		if ok {
			s.Bars = append(s.Bars, bar)
		}
	}
	slices.SortFunc(s.Bars, func(a, b Bar) int { return int(a.Day) - int(b.Day) })
	for i := 1; i < len(s.Bars); i++ {
		if s.Bars[i].Day == s.Bars[i-1].Day {
			return nil, fault(0, "%s is given twice", s.Bars[i].Day)
		}
	}
	if len(s.Bars) == 0 {
		return nil, fault(0, "there is no price in it")
	}
	return s, nil
}

func columnsOf(head []string) (c columns, missing string) {
	c = columns{-1, -1, -1, -1, -1}
	for i, name := range head {
		switch strings.ToLower(strings.Trim(strings.TrimSpace(name), "<>")) {
		case "date":
			c.date = i
		case "":
			if i == 0 {
				c.date = i
			}
		case "open":
			c.open = i
		case "close":
			c.close = i
		case "adj close", "adj_close", "adjclose", "adjusted close":
			c.adjusted = i
		case "per":
			c.period = i
		}
	}
	switch {
	case c.date < 0:
		return c, "Date"
	case c.close < 0 && c.adjusted < 0:
		return c, "Close"
	case c.close < 0:
		c.close = c.adjusted
	}
	return c, ""
}

// bar reads one line; ok is false for one without a price.
func (c columns) bar(record []string) (b Bar, ok bool, reason string) {
	if c.period >= 0 && record[c.period] != "D" {
		return b, false, fmt.Sprintf("the period is %q, and has to be D: daily prices", record[c.period])
	}
	day, err := parseDate(record[c.date])
	if err != nil {
		return b, false, fmt.Sprintf("%q is not a date such as 2024-06-28 or 20240628", record[c.date])
	}
	closing, reason := price(record, c.close, "the close")
	adjusted := closing
	if reason == "" && c.adjusted >= 0 {
		adjusted, reason = price(record, c.adjusted, "the adjusted close")
	}
	var opening float64
	if reason == "" && c.open >= 0 {
		opening, reason = price(record, c.open, "the open")
	}
	if reason != "" || closing == 0 || adjusted == 0 {
		return b, false, reason
	}
	if adjusted != closing {
		opening *= adjusted / closing
	}
	return Bar{Day: day, Open: opening, Close: adjusted}, true, ""
}

func parseDate(s string) (Day, error) {
	if len(s) == len("20240628") && !strings.Contains(s, "-") {
		s = s[:4] + "-" + s[4:6] + "-" + s[6:]
	}
	return ParseDay(s)
}

// price is 0 where there is none.
func price(record []string, column int, what string) (p float64, reason string) {
	s := strings.TrimSpace(record[column])
	switch strings.ToLower(s) {
	case "", "nan", "null", "n/a", "-":
		return 0, ""
	}
	p, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(p, 0) || math.IsNaN(p) || p <= 0 || p > maxPrice {
		return 0, fmt.Sprintf("%s is %q, which is not a price", what, s)
	}
	return p, ""
}
