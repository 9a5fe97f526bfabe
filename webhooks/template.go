package webhooks

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MessageVariable is the placeholder that stands for the message itself.
const MessageVariable = "message"

// A Template is text with placeholders, read once. The zero value is empty text.
type Template struct{ pieces []piece }

// piece is text, or the name of a variable.
type piece struct{ text, name string }

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// SyntaxError says what is wrong with the text of a template.
type SyntaxError struct {
	// Offset is the byte at which it is.
	Offset int
	// Reason follows the name of the text: "has a } without {".
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return "the template " + e.Reason + " (byte " + strconv.Itoa(e.Offset) + ")"
}

// UnknownError says that there is no template with this id.
type UnknownError struct{ ID string }

// Error implements error.
func (e *UnknownError) Error() string { return "unknown template " + quoted(e.ID) }

// MissingError says that a placeholder has no variable.
type MissingError struct{ Name string }

// Error implements error.
func (e *MissingError) Error() string { return "the template needs the variable " + quoted(e.Name) }

// UnusedError says that a variable goes nowhere.
type UnusedError struct{ Name string }

// Error implements error.
func (e *UnusedError) Error() string { return "there is no place for the variable " + quoted(e.Name) }

// quoted is what a client sent, as an error may repeat it.
func quoted(s string) string {
	const most = 64
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}

// Parse reads a template. The error is a *SyntaxError.
func Parse(text string) (Template, error) {
	var t Template
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			t.pieces = append(t.pieces, piece{text: plain.String()})
			plain.Reset()
		}
	}
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "{{"), strings.HasPrefix(text[i:], "}}"):
			plain.WriteByte(text[i])
			i += 2
		case text[i] == '}':
			return Template{}, &SyntaxError{i, "has a } without a {; }} stands for the brace itself"}
		case text[i] == '{':
			name, _, closed := strings.Cut(text[i+1:], "}")
			if !closed {
				return Template{}, &SyntaxError{i, "has a { without a }; {{ stands for the brace itself"}
			}
			if !variableName.MatchString(name) {
				return Template{}, &SyntaxError{i, "has a placeholder that is no name of letters, digits and _, at most 64"}
			}
			flush()
			t.pieces = append(t.pieces, piece{name: name})
			i += len(name) + 2
		default:
			plain.WriteByte(text[i])
			i++
		}
	}
	flush()
	return t, nil
}

// Names are the variables that it needs, in alphabetical order.
func (t Template) Names() []string {
	names := map[string]bool{}
	for _, p := range t.pieces {
		if p.name != "" {
			names[p.name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Fill puts the variables in. The error is a *MissingError or an *UnusedError;
// of several, the first by name.
func (t Template) Fill(variables map[string]string) (string, error) {
	names := t.Names()
	for _, n := range names {
		if _, ok := variables[n]; !ok {
			return "", &MissingError{n}
		}
	}
	for _, v := range slices.Sorted(maps.Keys(variables)) {
		if !slices.Contains(names, v) {
			return "", &UnusedError{v}
		}
	}
	var out strings.Builder
	for _, p := range t.pieces {
		out.WriteString(p.text)
		if p.name != "" {
			out.WriteString(variables[p.name])
		}
	}
	return out.String(), nil
}

// Templates are those that there are, by id. A nil one has none.
type Templates map[string]Template

// NewTemplates reads the texts of templates, by id.
func NewTemplates(texts map[string]string) (Templates, error) {
	out := make(Templates, len(texts))
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		t, err := Parse(texts[id])
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", id, err)
		}
		out[id] = t
	}
	return out, nil
}
