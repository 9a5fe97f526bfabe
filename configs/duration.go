package configs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that is written with its unit, as in 500ms, 5s
// or 1h30m, in YAML, in JSON and as text. A plain number is refused, because
// nobody can tell seconds from milliseconds by looking at it; only 0 needs no
// unit.
type Duration time.Duration

// ParseDuration reads a duration with its unit. Its error says what to write
// instead.
func ParseDuration(s string) (Duration, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return Duration(d), nil
	}
	if s == "" {
		return 0, errors.New("is empty: write a duration such as 5s, or 0s")
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, fmt.Errorf("%q has no unit: write %ss for seconds, %sm for minutes, %sms for milliseconds", s, s, s, s)
	}
	return 0, fmt.Errorf("%q is not a duration: write a number and its unit (ms, s, m, h), such as 5s or 1h30m; a day is 24h", s)
}

// ParseDays reads a duration as ParseDuration does, or a number of days, as in 90d.
func ParseDays(s string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(s, "d"); ok {
		days, err := strconv.Atoi(n)
		if err != nil || days < 1 || days > 36500 {
			return 0, fmt.Errorf("%q is not a number of days, such as 90d", s)
		}
		return time.Duration(days) * 24 * time.Hour, nil
	}
	d, err := ParseDuration(s)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q is no time to come", s)
	}
	return d.Std(), err
}

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String prints d in the short form that people write: 2m, not 2m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes d as String does. JSON and YAML use it too.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration reads. YAML uses it too.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// UnmarshalJSON reads a string as UnmarshalText does, and takes a number too
// so that its refusal can ask for a unit.
func (d *Duration) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	text := string(data)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
	}
	return d.UnmarshalText([]byte(text))
}
