package telegram

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// most is the longest message that Telegram takes, in the units it counts in: those
// of UTF-16, of what is left when the HTML has been read.
const most = 4096

// Split cuts a text into messages that Telegram takes: at the last line break that
// makes one fit, else at the last space, else anywhere but in the middle of a
// letter. What it cuts at is left out, as are messages without anything to see. In
// HTML no tag and no entity is cut; what is open at a cut is closed there and opened
// again behind it.
func Split(text string, isHTML bool) []string {
	var out []string
	var open []string // tags, as they were written
	for text != "" {
		p := fit(text, isHTML, open)
		part := strings.Join(open, "") + text[:p.end]
		for _, tag := range slices.Backward(p.open) {
			part += "</" + tagName(tag) + ">"
		}
		if p.visible {
			out = append(out, part)
		}
		text, open = text[p.next:], p.open
	}
	return out
}

// cut is where a message ends.
type cut struct {
	// end is behind its last byte, next where the following one begins.
	end, next int
	// open are the tags that are open there.
	open []string
	// visible: there is something to see in front of it.
	visible bool
}

// fit finds the end of the first message of text.
func fit(text string, isHTML bool, open []string) cut {
	var line, space, hard cut
	units, visible := 0, false
	for i := 0; i < len(text); {
		if isHTML && text[i] == '<' {
			if tag := tagForm.FindString(text[i:]); tag != "" {
				open = follow(open, tag)
				i += len(tag)
				continue
			}
		}
		n, width, letter := unit(text[i:], isHTML)
		if units+width > most {
			here := cut{i, i + n, open, visible}
			switch {
			case letter == '\n':
				return here
			case line.next > 0:
				return line
			case letter == ' ':
				return here
			case space.next > 0:
				return space
			}
			return hard
		}
		switch letter {
		case '\n':
			line = cut{i, i + n, open, visible}
		case ' ', '\t', '\r':
			space = cut{i, i + n, open, visible}
		default:
			visible = visible || !unicode.IsSpace(letter)
		}
		units += width
		i += n
		hard = cut{i, i, open, visible}
	}
	return cut{len(text), len(text), open, visible}
}

var (
	tagForm    = regexp.MustCompile(`^</?[A-Za-z][^<>]*>`)
	entityForm = regexp.MustCompile(`^&(lt|gt|amp|quot|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});`)
)

// unit is what the text begins with that can't be cut: its bytes, its width in a
// message, and which letter it is, the first of several.
func unit(text string, isHTML bool) (n, width int, letter rune) {
	if isHTML && text[0] == '&' {
		if e := entityForm.FindString(text); e != "" {
			letter, _ = utf8.DecodeRuneInString(html.UnescapeString(e))
			return len(e), utf16Width(letter), letter
		}
	}
	letter, n = utf8.DecodeRuneInString(text)
	return n, utf16Width(letter), letter
}

func utf16Width(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

// follow is what is open behind a tag. It makes a list of its own: cuts keep the
// one before.
func follow(open []string, tag string) []string {
	if !strings.HasPrefix(tag, "</") {
		return append(slices.Clone(open), tag)
	}
	for i, o := range slices.Backward(open) {
		if tagName(o) == tagName(tag) {
			return slices.Delete(slices.Clone(open), i, i+1)
		}
	}
	return open
}

// tagName is the name of a tag that opens or closes something.
func tagName(tag string) string {
	name := strings.Trim(tag, "</>")
	if i := strings.IndexAny(name, " \t\n"); i >= 0 {
		name = name[:i]
	}
	return strings.ToLower(name)
}
