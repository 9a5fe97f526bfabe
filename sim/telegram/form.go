package telegram

import (
	"bytes"
	"errors"
	"html"
	"io"
	"mime/multipart"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
)

// addMultipart adds the fields of a form as the library of bots sends them.
func addMultipart(to url.Values, body []byte, boundary string) error {
	m := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		p, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errForm
		}
		v, err := io.ReadAll(p)
		if err != nil || p.FileName() != "" {
			return errForm
		}
		to.Add(p.FormName(), string(v))
	}
}

// tags are those that Telegram reads.
var tags = []string{"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "span", "tg-spoiler", "a", "code", "pre", "blockquote"}

var (
	tagForm    = regexp.MustCompile(`^<(/?)([a-z-]+)( [^<>]*)?>`)
	entityForm = regexp.MustCompile(`^&(lt|gt|amp|quot|#[0-9]+|#x[0-9a-fA-F]+);`)
)

// plain is the text of a message when its HTML has been read, as Telegram reads it.
func plain(text string) (string, *refusal) {
	var out strings.Builder
	var open []string
	for i := 0; i < len(text); {
		switch rest := text[i:]; rest[0] {
		case '<':
			m := tagForm.FindStringSubmatch(rest)
			switch {
			case m == nil:
				return "", bad("can't parse entities: Unexpected end of tag")
			case !slices.Contains(tags, m[2]):
				return "", bad(`can't parse entities: Unsupported start tag "` + m[2] + `"`)
			case m[1] == "":
				open = append(open, m[2])
			case len(open) == 0 || open[len(open)-1] != m[2]:
				return "", bad(`can't parse entities: Unexpected end tag "` + m[2] + `"`)
			default:
				open = open[:len(open)-1]
			}
			i += len(m[0])
		case '&':
			if e := entityForm.FindString(rest); e != "" {
				out.WriteString(html.UnescapeString(e))
				i += len(e)
				continue
			}
			fallthrough
		default:
			out.WriteByte(rest[0])
			i++
		}
	}
	if len(open) > 0 {
		return "", bad(`can't parse entities: Can't find end tag corresponding to start tag "` + open[len(open)-1] + `"`)
	}
	return out.String(), nil
}

// units is the length of a text as Telegram counts.
func units(s string) int { return len(utf16.Encode([]rune(s))) }
