package configs

import (
	"fmt"

	"github.com/shopspring/decimal"
)

// Decimal is a number of money or of percent, exact. The zero value is one that
// isn't given.
type Decimal struct {
	value decimal.Decimal
	given bool
}

// maxDecimal is more characters than any amount has.
const maxDecimal = 40

// ParseDecimal reads a number such as 0.5, without an exponent.
func ParseDecimal(s string) (Decimal, error) {
	for _, c := range s {
		if (c < '0' || c > '9') && c != '.' && c != '-' {
			return Decimal{}, fmt.Errorf("%q is not a number: write digits and at most one point, such as 0.5", s)
		}
	}
	d, err := decimal.NewFromString(s)
	if err != nil || len(s) > maxDecimal {
		return Decimal{}, fmt.Errorf("%q is not a number: write digits and at most one point, such as 0.5", s)
	}
	return Decimal{value: d, given: true}, nil
}

// DecimalOf returns a given number of whole units.
func DecimalOf(d decimal.Decimal) Decimal { return Decimal{value: d, given: true} }

// Value is the number; 0 where none is given.
func (d Decimal) Value() decimal.Decimal { return d.value }

// Or is the number, or otherwise where none is given.
func (d Decimal) Or(otherwise decimal.Decimal) decimal.Decimal {
	if d.given {
		return d.value
	}
	return otherwise
}

// Given reports whether there is a number.
func (d Decimal) Given() bool { return d.given }

// String is the number in digits; empty where none is given.
func (d Decimal) String() string {
	if !d.given {
		return ""
	}
	return d.value.String()
}

// MarshalText writes d as String does. JSON and YAML use it too.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDecimal reads, or nothing.
func (d *Decimal) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*d = Decimal{}
		return nil
	}
	*d, err = ParseDecimal(string(text))
	return err
}
