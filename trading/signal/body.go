package signal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// A member is one of a JSON object, as it stands there.
type member struct {
	name  string
	value json.RawMessage
}

var errNotObject = errors.New("not a JSON object")

// members reads an object in the order of its text. A map would keep the last of
// two members of one name, and say nothing.
func members(text []byte) (list []member, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errNotObject
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var m member
		var ok bool
		if m.name, ok = name.(string); !ok {
			return nil, errNotObject
		}
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	if _, err := d.Token(); err != nil { // The closing brace.
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return list, nil
}

// body returns the members of a request's body. A byte order mark in front is
// what some editors leave, and no fault.
func body(text []byte) ([]member, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	if !utf8.Valid(text) {
		return nil, ErrJSON // The decoder would replace what it can't read.
	}
	list, err := members(text)
	if err != nil {
		return nil, ErrJSON // How exactly it is no JSON is nothing for a trading alert.
	}
	return list, nil
}

// fields are the members that the webhook knows, by their one name.
type fields map[string]json.RawMessage

// collect sorts members into those known and the names of others. One that stands
// there twice is refused, unless both say the same.
func collect(list []member, prefix string) (known fields, others []string, err error) {
	known = fields{}
	for _, m := range list {
		name, ok := fieldNames[plain(m.name)]
		if !ok {
			if len(others) < mostIgnored {
				others = append(others, shown(m.name))
			}
			continue
		}
		if before, ok := known[name]; ok && text(before) != text(m.value) {
			return nil, nil, twice(prefix + name)
		}
		known[name] = m.value
	}
	return known, others, nil
}

// mostIgnored is how many unknown fields are named: enough to find a slip.
const mostIgnored = 10

// fieldNames are the names and aliases, as plain gives them.
var fieldNames = map[string]string{
	"groupname":  "group_name",
	"token":      "token",
	"exchange":   "exchange",
	"platform":   "exchange",
	"markettype": "market_type",
	"market":     "market_type",
	"currency":   "currency",
	"symbol":     "symbol",
	"ordertype":  "order_type",
	"side":       "side",
	"price":      "price",
	"stopprice":  "stop_price",
	"qtyper":     "qty_per",
	"orders":     "orders",
}

// plain brings the spellings of a word together: order_type, orderType,
// ORDER-TYPE. Only letters of ASCII lose their case: beyond it are letters that
// fold onto others, such as the Kelvin sign onto k.
func plain(word string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_', r == '-', r == ' ':
			return -1
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, word)
}

// text is what a value says: a string without its quotes, anything else as it
// stands there.
func text(value json.RawMessage) string {
	var s string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value)
}

// trimmed is text without the space around it.
func (f fields) trimmed(name string) string { return strings.TrimSpace(text(f[name])) }

// has tells whether the field says something: null, "" and [] don't.
func (f fields) has(name string) bool {
	switch s := f.trimmed(name); {
	case s == "", isNull(f[name]):
		return false
	case f[name][0] == '[':
		return strings.Trim(s, "[] \t\r\n") != ""
	}
	return true
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }
