package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	null = "null"
	// maxText is the most letters of a value.
	maxText = 1000
	// shownText is how many of them a message repeats.
	shownText = 60
)

// ParameterError says why a request can't become an execution: a parameter is
// unknown, missing, given twice, or of the wrong type.
type ParameterError struct {
	// Code for programs: unknown_parameter, missing_parameter, invalid_parameter.
	Code string
	// Name of the parameter; empty where parameters as a whole are at fault.
	Name string
	// Words for people: a sentence.
	Words string
}

// Error implements error.
func (e *ParameterError) Error() string { return e.Words }

// Reading is what was sent for the parameters of a strategy.
type Reading struct {
	// Parameters in the strategy's order, defaults filled in; as they were sent
	// where there is a Fault.
	Parameters json.RawMessage
	// Fault says which value can't be used, and what can; empty: all can.
	Fault string
}

// values are parameters by name.
type values map[string]json.RawMessage

// Read reads a JSON object, or nothing. Error: a *ParameterError.
func (c *Catalog) Read(s Strategy, sent json.RawMessage) (Reading, error) {
	given, err := s.given(sent)
	if err != nil {
		return Reading{}, err
	}
	asSent := func(fault string) (Reading, error) {
		var b bytes.Buffer
		if err := json.Compact(&b, sent); err != nil {
			return Reading{}, &ParameterError{"invalid_parameter", "", "parameters is not valid JSON."}
		}
		return Reading{Parameters: b.Bytes(), Fault: fault}, nil
	}
	for _, p := range s.Parameters {
		if v, ok := given[p.Name]; ok {
			if fault := p.fault(v); fault != "" {
				return asSent(fault)
			}
		}
	}
	full := values{}
	for _, p := range s.Parameters {
		full[p.Name] = json.RawMessage(null)
		if len(p.Default) > 0 {
			full[p.Name] = p.Default
		}
	}
	if s.fill != nil {
		for name, v := range s.fill(given, c.real) {
			full[name] = v
		}
	}
	for name, v := range given {
		full[name] = v
	}
	for _, p := range s.Parameters {
		if v := full[p.Name]; p.Type == Integer && bytes.ContainsAny(v, ".eE") {
			f, _ := strconv.ParseFloat(string(v), 64) // a whole number: takes has seen to that
			full[p.Name] = json.RawMessage(digits(f)) // who reads an integer takes no 20.0
		}
	}
	if s.check != nil {
		if fault := s.check(full); fault != "" {
			return asSent(fault)
		}
	}
	return Reading{Parameters: s.write(full)}, nil
}

// write puts values into the strategy's order.
func (s Strategy) write(v values) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range s.Parameters {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(p.Name)) // a name of letters, digits and _
		b.WriteByte(':')
		b.Write(v[p.Name])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// given reads the members of a request. A null is one that isn't given.
func (s Strategy) given(sent json.RawMessage) (values, error) {
	out := values{}
	if len(bytes.TrimSpace(sent)) > 0 && string(bytes.TrimSpace(sent)) != null {
		if err := s.members(sent, out); err != nil {
			return nil, err
		}
	}
	for _, p := range s.Parameters {
		if _, ok := out[p.Name]; !ok && p.Required {
			return nil, &ParameterError{"missing_parameter", p.Name, fmt.Sprintf("Parameter %s is missing: %s needs it.", p.Name, s.Name)}
		}
	}
	return out, nil
}

func (s Strategy) members(sent json.RawMessage, out values) error {
	d := json.NewDecoder(bytes.NewReader(sent))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return &ParameterError{"invalid_parameter", "", "parameters is an object: names and values."}
	}
	unreadable := &ParameterError{"invalid_parameter", "", "parameters is not valid JSON."}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return unreadable
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return unreadable
		}
		i := slices.IndexFunc(s.Parameters, func(p Parameter) bool { return p.Name == name })
		switch {
		case i < 0:
			return &ParameterError{"unknown_parameter", clip(name), fmt.Sprintf("%s has no parameter %s. It has: %s.", s.Name, clip(name), s.parameterNames())}
		case seen[name]:
			return &ParameterError{"invalid_parameter", name, fmt.Sprintf("Parameter %s is given twice.", name)}
		}
		seen[name] = true
		if string(v) == null {
			continue
		}
		if p := s.Parameters[i]; !p.Type.takes(v) {
			return &ParameterError{"invalid_parameter", name, fmt.Sprintf("Parameter %s has to be %s.", name, p.Type.words())}
		}
		out[name] = v
	}
	if _, err := d.Token(); err != nil {
		return unreadable
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return unreadable
	}
	return nil
}

func (s Strategy) parameterNames() string {
	out := make([]string, len(s.Parameters))
	for i, p := range s.Parameters {
		out[i] = p.Name
	}
	return strings.Join(out, ", ")
}

func (t Type) words() string {
	switch t {
	case Integer:
		return "an integer"
	case Number:
		return "a number"
	case Boolean:
		return "true or false"
	case Date:
		return "a date as text, such as \"2024-06-28\""
	}
	return "text"
}

// takes reports whether a JSON value is of the type. That a number is too large or a
// date is none is a matter of its value.
func (t Type) takes(v json.RawMessage) bool {
	switch t {
	case Text, Date:
		var s string
		return json.Unmarshal(v, &s) == nil && v[0] == '"'
	case Boolean:
		return string(v) == "true" || string(v) == "false"
	}
	if c := v[0]; c != '-' && (c < '0' || c > '9') {
		return false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return false
	}
	return t == Number || f == math.Trunc(f)
}

// fault says what is wrong with a value of the right type; empty: nothing.
func (p Parameter) fault(v json.RawMessage) string {
	shown := plain(v)
	if len(p.Allowed) > 0 {
		for _, a := range p.Allowed {
			if p.same(a, v) {
				return ""
			}
		}
		return fmt.Sprintf("Unknown %s: %s. Available %ss: %s", p.Name, shown, p.Name, list(p.Allowed))
	}
	switch p.Type {
	case Integer, Number:
		f, err := strconv.ParseFloat(string(v), 64)
		switch {
		case err != nil || !finite(f) || math.Abs(f) > maxNumber:
			return fmt.Sprintf("Invalid %s: %s is too large a number", p.Name, shown)
		case p.Min != nil && f < *p.Min:
			return fmt.Sprintf("Invalid %s: %s is less than %s", p.Name, shown, digits(*p.Min))
		case p.Max != nil && f > *p.Max:
			return fmt.Sprintf("Invalid %s: %s is more than %s", p.Name, shown, digits(*p.Max))
		}
	case Date:
		if _, err := time.Parse(time.DateOnly, shown); err != nil {
			return fmt.Sprintf("Invalid %s: %s is not a date such as 2024-06-28", p.Name, shown)
		}
	case Text:
		var s string
		_ = json.Unmarshal(v, &s) // it is text: takes has seen to that
		if utf8.RuneCountInString(s) > maxText || p.form != nil && !p.form(s) {
			return fmt.Sprintf("Invalid %s: %s", p.Name, shown)
		}
	}
	return ""
}

// same compares values, not how they are written.
func (p Parameter) same(a, b json.RawMessage) bool {
	switch p.Type {
	case Integer, Number:
		x, errX := strconv.ParseFloat(string(a), 64)
		y, errY := strconv.ParseFloat(string(b), 64)
		return errX == nil && errY == nil && x == y
	case Boolean:
		return string(a) == string(b)
	}
	var x, y string
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && x == y
}

// plain is a value as people write it: text without quotes.
func plain(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) != nil || v[0] != '"' {
		s = string(v)
	}
	return clip(s)
}

// clip cuts what a request may have made long.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > shownText {
		return string(r[:shownText]) + "…"
	}
	return s
}

func list(all []json.RawMessage) string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = plain(v)
	}
	return strings.Join(out, ", ")
}

func digits(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
