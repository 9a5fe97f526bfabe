package signal

import (
	"regexp"
	"strings"

	"github.com/shopspring/decimal"
)

// numeral is a number as JSON or a person writes it. NaN, hexadecimals and
// grouped digits are none: "1,000" is a thousand to one reader and one to
// another.
var numeral = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?$`)

const (
	// longestNumeral and most bound a number before anything is calculated with
	// it: 1e999999999 is eleven letters and, written out, a gigabyte.
	longestNumeral = 64
	most           = 30 // digits in front of the point, and behind it
)

// number reads a decimal, exactly.
func number(s string) (decimal.Decimal, bool) {
	s = strings.TrimSpace(s)
	if len(s) > longestNumeral || !numeral.MatchString(s) {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(s)
	if err != nil {
		return decimal.Decimal{}, false
	}
	exponent, digits := int(d.Exponent()), d.NumDigits()
	if exponent < -most || exponent+digits > most {
		return decimal.Decimal{}, false
	}
	return d, true
}

var (
	whole = decimal.NewFromInt(100)
	// CloseAll is the qty_per that closes what is held.
	CloseAll = decimal.NewFromInt(-100)
)

// percent reads qty_per: above 0 and up to 100, or CloseAll.
func percent(s string) (decimal.Decimal, bool) {
	d, ok := number(s)
	return d, ok && (d.IsPositive() && d.LessThanOrEqual(whole) || d.Equal(CloseAll))
}

// amount reads a price.
func amount(s string) (decimal.Decimal, bool) {
	d, ok := number(s)
	return d, ok && d.IsPositive()
}
