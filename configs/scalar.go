package configs

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// kind says what YAML may hold for a Go type of a value.
type kind struct {
	// tags are the types as the YAML parser resolves them.
	tags []string
	// want is the message when it is another one.
	want string
	// text: an empty value is possible.
	text bool
	// secret: the value is not to be quoted.
	secret bool
}

func (k kind) takes(tag string) bool { return slices.Contains(k.tags, tag) }

func kindOf(t reflect.Type) kind {
	switch t {
	case reflect.TypeFor[Secret]():
		return kind{tags: []string{"!!str"}, want: "must be text: put it in quotes", text: true, secret: true}
	case reflect.TypeFor[Duration]():
		// Numbers pass so that the refusal can ask for the unit.
		return kind{tags: []string{"!!str", "!!int", "!!float"}, want: "must be a duration with its unit, such as 5s"}
	case reflect.TypeFor[Literal]():
		return kind{tags: []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, want: "must be one value", text: true}
	case reflect.TypeFor[Decimal]():
		return kind{tags: []string{"!!str", "!!int", "!!float"}, want: "must be a number, such as 0.5", text: true}
	}
	switch t.Kind() {
	case reflect.Bool:
		return kind{tags: []string{"!!bool"}, want: "must be true or false, without quotes"}
	case reflect.Int, reflect.Int64:
		return kind{tags: []string{"!!int"}, want: "must be a whole number, without quotes"}
	default:
		return kind{tags: []string{"!!str"}, want: "must be text: put it in quotes", text: true}
	}
}

// setText reads one value from its text, which stands in a file or in a
// variable, and returns what is wrong with it.
func (l *loader) setText(v reflect.Value, text string) (problem string) {
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = text
	case *Scope:
		*p = Scope(text)
	case *Literal:
		*p = Literal(text)
	case *bool:
		switch strings.ToLower(text) {
		case "true":
			*p = true
		case "false":
			*p = false
		default:
			return fmt.Sprintf("%q is neither true nor false", text)
		}
	case *int:
		var n int64
		n, problem = wholeNumber(text, strconv.IntSize)
		*p = int(n)
	case *int64:
		*p, problem = wholeNumber(text, 64)
	case *Duration:
		d, err := ParseDuration(text)
		if err != nil {
			return err.Error()
		}
		*p = d
	case *Decimal:
		if err := p.UnmarshalText([]byte(text)); err != nil {
			return err.Error()
		}
	case *Secret:
		*p, problem = l.resolve(text)
	default:
		// A test holds that no field of Config gets here.
		return "can't be set: its type is unknown to this program"
	}
	return problem
}

func wholeNumber(text string, bits int) (int64, string) {
	n, err := strconv.ParseInt(text, 0, bits)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, text + " is too large a number"
	case err != nil:
		return 0, fmt.Sprintf("%q is not a whole number", text)
	}
	return n, ""
}
