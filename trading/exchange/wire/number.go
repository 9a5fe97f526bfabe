package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"switchyard/trading/exchange"
)

// Number is a decimal in an answer, as text or as a JSON number; an empty text is zero.
type Number struct{ decimal.Decimal }

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	var t Text
	if err := t.UnmarshalJSON(b); err != nil {
		return err
	}
	d, err := exchange.ParseDecimal(string(t))
	n.Decimal = d
	return err
}

// Text is a member that is a string in some answers and a number in others.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil { // null too
		*t = Text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("neither text nor number: %.40s", b)
	}
	*t = Text(n)
	return nil
}

// Millis is an instant in milliseconds since 1970, as text or number; what is none is
// the zero time.
func (t Text) Millis() time.Time {
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
