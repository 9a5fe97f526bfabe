package hilink

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"
)

// answer is a modem's <response>: nearly all of them are flat.
type answer struct {
	text   string            // directly in the root: "OK"
	fields map[string]string // the root's children that hold text, by name
}

// field returns a child's text without the space around it; empty where the
// modem says nothing.
func (a answer) field(name string) string { return a.fields[name] }

// number returns a child that is a whole number, else -1.
func (a answer) number(name string) int {
	n, err := strconv.Atoi(a.field(name))
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// ok is nil where the answer is the OK that every write is answered with.
func (a answer) ok() error {
	if !strings.EqualFold(a.text, "OK") {
		return fmt.Errorf("the modem answered %.40q and not OK", a.text)
	}
	return nil
}

// decode reads an answer. An <error> is returned as *Error, whatever is not an
// answer of a modem (its own web pages too) as ErrNotHiLink.
//
// The decoder isn't strict: operators' names come with a bare "&" in them.
func decode(body []byte) (answer, error) {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	d.Strict = false
	// Firmware declares encodings that it doesn't use; what isn't UTF-8 after
	// all is found by the decoder.
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }

	root, err := rootElement(d)
	if err != nil {
		return answer{}, err
	}
	a, err := flat(d)
	if err != nil {
		return answer{}, fmt.Errorf("the modem's answer is unreadable: %w", err)
	}
	if root == "response" {
		return a, nil
	}
	return answer{}, &Error{Code: max(0, a.number("code")), Message: a.field("message"), Tries: max(0, a.number("count"))}
}

// rootElement reads up to the root and returns its name, response or error.
func rootElement(d *xml.Decoder) (string, error) {
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("%w: empty", ErrNotHiLink)
		}
		if err != nil {
			return "", fmt.Errorf("%w: no XML", ErrNotHiLink)
		}
		switch t := token.(type) {
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return "", fmt.Errorf("%w: no XML", ErrNotHiLink)
			}
		case xml.StartElement:
			switch name := t.Name.Local; {
			case name == "response", name == "error":
				return name, nil
			case strings.EqualFold(name, "html"):
				return "", fmt.Errorf("%w: a web page", ErrNotHiLink)
			default:
				return "", fmt.Errorf("%w: <%.20s>", ErrNotHiLink, name)
			}
		}
	}
}

// flat reads to the end of the root. Of elements that repeat the first is
// kept; what is nested deeper is passed over.
func flat(d *xml.Decoder) (answer, error) {
	a := answer{fields: make(map[string]string)}
	var text, child strings.Builder
	var name string
	for depth := 1; depth > 0; {
		token, err := d.Token()
		if err != nil {
			return answer{}, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			if depth == 2 {
				name = t.Name.Local
				child.Reset()
			}
		case xml.EndElement:
			if depth == 2 {
				if _, known := a.fields[name]; !known {
					a.fields[name] = plain(child.String())
				}
			}
			depth--
		case xml.CharData:
			switch depth {
			case 1:
				text.Write(t)
			case 2:
				child.Write(t)
			}
		}
	}
	a.text = plain(text.String())
	return a, nil
}

// plain takes off the space around a value and the entities still in it: some
// firmware encodes twice.
func plain(s string) string {
	return strings.TrimSpace(html.UnescapeString(s))
}

// field is one element of a request. Modems read them by position, so the
// order is part of every request.
type field struct{ name, value string }

// encode writes a request. Names are ours, values are escaped.
func encode(fields ...field) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><request>`)
	for _, f := range fields {
		b.WriteString("<" + f.name + ">")
		_ = xml.EscapeText(&b, []byte(f.value)) // a Buffer takes everything
		b.WriteString("</" + f.name + ">")
	}
	b.WriteString("</request>")
	return b.Bytes()
}
