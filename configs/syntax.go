package configs

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// parseYAML returns the one document of a file, nil for an empty one.
func parseYAML(name string, data []byte) (*yaml.Node, *Fault) {
	at := func(line int, message string) (*yaml.Node, *Fault) {
		return nil, &Fault{Origin: Origin{File: name, Line: line}, Message: message}
	}
	if line := unprintable(data); line > 0 {
		return at(line, "holds a byte that YAML does not allow: save the file as plain UTF-8 without control characters")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return at(syntaxFault(data, err))
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
		return doc.Content[0], nil
	case err != nil:
		return at(syntaxFault(data, err))
	default:
		return at(second.Line, "a second document begins here: keep one, and take out the line ---")
	}
}

// unprintable returns the line of the first byte that YAML does not allow, 0
// where there is none. The parser finds it too, but doesn't say where.
func unprintable(data []byte) int {
	line := 1
	for rest := bytes.TrimPrefix(data, []byte("\uFEFF")); len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == '\n':
			line++
		case r == '\t', r == '\r', r == '\u0085':
		case r < ' ', r >= 0x7F && r < 0xA0, r == '\uFEFF', r == '\uFFFE', r == '\uFFFF',
			r == utf8.RuneError && size == 1:
			return line
		}
		rest = rest[size:]
	}
	return 0
}

var syntaxLine = regexp.MustCompile(`^line (\d+): `)

// syntaxFault words what the parser says, and finds the line that it means.
func syntaxFault(data []byte, err error) (int, string) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // the pattern lets only digits through
		text = text[len(m[0]):]
	}
	if strings.HasPrefix(text, "unknown anchor") {
		// It would quote the anchor, which may be an unquoted password.
		return brokenLine(data, line), noAliases
	}
	for _, inexact := range []string{"did not find expected", "found incompatible", "found duplicate", "found undefined"} {
		if strings.HasPrefix(text, inexact) {
			line = brokenLine(data, line)
		}
	}
	return line, "is not valid YAML: " + text +
		"; check the indentation, and put text with special characters ([ ] { } : # & * ! % @) in quotes"
}

// reparsed bounds the search for a broken line, in bytes: half a second.
const reparsed = 4 << 20

// brokenLine finds the line where a document stops to be one. The parser names
// the start of the surrounding block, often many lines above; so the longest
// run of whole lines that still parses is looked for, backwards from the line
// up to which the parser read. Usually that is one or two lines further.
func brokenLine(data []byte, reported int) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	reader := &lineReader{lines: lines}
	_ = parseAll(reader) // it fails; how far it came is what counts
	budget := reparsed
	for n := reader.next - 1; n >= 0; n-- {
		if n > 0 && blank(lines[n-1]) {
			continue
		}
		head := bytes.Join(lines[:n], nil)
		if budget -= len(head); budget < 0 {
			return reported
		}
		if parseAll(bytes.NewReader(head)) == nil {
			for n < len(lines)-1 && blank(lines[n]) {
				n++
			}
			return n + 1
		}
	}
	return reported
}

// parseAll returns the first syntax error of a file.
func parseAll(r io.Reader) error {
	dec := yaml.NewDecoder(r)
	for range 2 { // a third document adds nothing: the second is refused
		if err := dec.Decode(&yaml.Node{}); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

func blank(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#'
}

// lineReader hands out one line a call, and so knows how far it was read.
type lineReader struct {
	lines [][]byte
	next  int
	rest  []byte
}

func (r *lineReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.next == len(r.lines) {
			return 0, io.EOF
		}
		r.rest = r.lines[r.next]
		r.next++
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
