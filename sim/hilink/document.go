package hilink

import (
	"bytes"
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

//go:embed captured/*.xml captured/*.html
var captured embed.FS

// element is a child of an answer or a request.
type element struct{ name, value string }

// document is a flat answer: what stands between <response> and </response>.
// All modems have the recorded ones in common; with copies.
type document []element

// recorded reads an answer that is built in; a bad one is a mistake of ours.
func recorded(name string) document {
	b, err := captured.ReadFile("captured/" + name + ".xml")
	if err != nil {
		panic(err)
	}
	d, err := parse(b, "response")
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return d
}

// page is the web page of a device that isn't a HiLink modem.
func page() []byte {
	b, err := captured.ReadFile("captured/not_a_hilink_shell.html")
	if err != nil {
		panic(err)
	}
	return b
}

// with returns the document with other values, and an element that it doesn't
// have at its end.
func (d document) with(values ...element) document {
	d = slices.Clone(d)
	for _, v := range values {
		if i := slices.IndexFunc(d, func(e element) bool { return e.name == v.name }); i >= 0 {
			d[i] = v
		} else {
			d = append(d, v)
		}
	}
	return d
}

// without returns the document with nothing said in these elements.
func (d document) without(names ...string) document {
	for _, name := range names {
		d = d.with(element{name, ""})
	}
	return d
}

// value returns what an element says.
func (d document) value(name string) string {
	for _, e := range d {
		if e.name == name {
			return e.value
		}
	}
	return ""
}

// or returns what an element says, or if it isn't there something else.
func (d document) or(name, otherwise string) string {
	if v := d.value(name); v != "" {
		return v
	}
	return otherwise
}

// number returns an element that is a whole number.
func (d document) number(name string) int {
	n, err := strconv.Atoi(d.value(name))
	if err != nil {
		panic(fmt.Sprintf("recorded %s: %v", name, err))
	}
	return n
}

// header starts every document of a modem.
const header = `<?xml version="1.0" encoding="UTF-8"?>`

// entities is how firmware writes values: more in entities than XML wants.
var entities = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "(", "&#40;", ")", "&#41;", "/", "&#x2F;", "+", "&#43;")

// bytes is the document as it is sent.
func (d document) bytes() []byte {
	var b bytes.Buffer
	b.WriteString(header + "\n<response>\n")
	for _, e := range d {
		b.WriteString("<" + e.name + ">" + entities.Replace(e.value) + "</" + e.name + ">\n")
	}
	b.WriteString("</response>\n")
	return b.Bytes()
}

// okAnswer is what a write is answered with.
var okAnswer = []byte(header + "<response>OK</response>")

// refusal is an error's document.
func refusal(code int) []byte {
	return fmt.Appendf(nil, "%s\n<error>\n<code>%d</code>\n<message></message>\n</error>\n", header, code)
}

// countedRefusal is the document of a refused password: it counts.
func countedRefusal(code, count int) []byte {
	return fmt.Appendf(nil, "%s\n<error>\n<message></message>\n<count>%d</count>\n<code>%d</code>\n</error>\n", header, count, code)
}

var errNotFlat = errors.New("not a flat document")

// parse reads a flat document: one root of that name, children that hold text,
// no attributes, nothing before or behind. Strict, as firmware is.
func parse(body []byte, root string) (document, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	var doc document
	depth, roots := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if roots != 1 {
				return nil, errNotFlat
			}
			return doc, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			switch {
			case len(t.Attr) > 0 || t.Name.Space != "" || depth > 2:
				return nil, errNotFlat
			case depth == 2:
				doc = append(doc, element{name: t.Name.Local})
			default:
				if roots++; roots > 1 || t.Name.Local != root {
					return nil, errNotFlat
				}
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 2 {
				doc[len(doc)-1].value += string(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, errNotFlat
			}
		case xml.Directive:
			return nil, errNotFlat
		}
	}
}
