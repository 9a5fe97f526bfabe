package telegram_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"switchyard/telegram"
)

// limit is the longest message that Telegram takes.
const limit = 4096

func units(s string) int { return len(utf16.Encode([]rune(s))) }

// Ensure a text is cut where people read it best, and that nothing but what it is
// cut at gets lost.
func TestSplit(t *testing.T) {
	t.Parallel()
	a := func(n int) string { return strings.Repeat("a", n) }
	for _, tt := range []struct {
		name, text string
		html       bool
		want       []string
	}{
		{"nothing", "", false, nil},
		{"nothing to see", " \n\t", false, nil},
		{"short", "test message", false, []string{"test message"}},
		{"as long as may be", a(limit), false, []string{a(limit)}},
		{"one longer", a(limit + 1), false, []string{a(limit), "a"}},
		{"at the last line break that fits", a(10) + "\n" + a(4000) + "\n" + a(4000), false, []string{a(10) + "\n" + a(4000), a(4000)}},
		{"rather than at a later space", a(4000) + "\n" + a(50) + " " + a(4000), false, []string{a(4000), a(50) + " " + a(4000)}},
		{"at a space where no line ends", a(4000) + " " + a(4000), false, []string{a(4000), a(4000)}},
		{"a break just behind what fits", a(limit) + "\nb", false, []string{a(limit), "b"}},
		{"pages of nothing", a(4000) + strings.Repeat("\n", 5000) + "b", false, []string{a(4000) + strings.Repeat("\n", 96), strings.Repeat("\n", 806) + "b"}},
		{"letters of two units", strings.Repeat("😀", 2049), false, []string{strings.Repeat("😀", 2048), "😀"}},
		{"not in the middle of one", "a" + strings.Repeat("😀", 2048), false, []string{"a" + strings.Repeat("😀", 2047), "😀"}},
		{"letters of three bytes", strings.Repeat("가", limit) + "나", false, []string{strings.Repeat("가", limit), "나"}},
		{"plain text is no HTML", strings.Repeat("&lt;", 1024) + "<b>", false, []string{strings.Repeat("&lt;", 1024), "<b>"}},
		{"tags don't count", "<b>" + a(limit) + "</b>", true, []string{"<b>" + a(limit) + "</b>"}},
		{"entities count as what they show", strings.Repeat("&lt;", limit) + "b", true, []string{strings.Repeat("&lt;", limit), "b"}},
		{"no entity of Telegram's", strings.Repeat("&eacute;", 512) + "b", true, []string{strings.Repeat("&eacute;", 512), "b"}},
		{"an entity of two units", strings.Repeat("&#128512;", 2049), true, []string{strings.Repeat("&#128512;", 2048), "&#128512;"}},
		{"open tags go on", `<b>x<a href="https://example.com/?a=b">` + a(4000) + "\n" + a(4000) + "</a></b>c", true, []string{
			`<b>x<a href="https://example.com/?a=b">` + a(4000) + "</a></b>", `<b><a href="https://example.com/?a=b">` + a(4000) + "</a></b>c",
		}},
		{"closed tags don't", "<b>" + a(4000) + "</b>\n<i>" + a(4000) + "</i>", true, []string{"<b>" + a(4000) + "</b>", "<i>" + a(4000) + "</i>"}},
		{"no tag", "1 < 2 & 3", true, []string{"1 < 2 & 3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, telegram.Split(tt.text, tt.html)); diff != "" {
				t.Errorf("(-want +got):\n%.600s", diff)
			}
		})
	}
}

var anyTag = regexp.MustCompile(`</?[A-Za-z][^<>]*>`)

// seen is what there is to see of a text, without what parts may be cut at.
func seen(text string, isHTML bool) string {
	if isHTML {
		text = html.UnescapeString(anyTag.ReplaceAllString(text, ""))
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
}

// balanced reports whether each tag is closed, the last one first.
func balanced(text string) bool {
	var open []string
	for _, tag := range anyTag.FindAllString(text, -1) {
		name := strings.Trim(strings.Fields(strings.Trim(tag, "<>"))[0], "/")
		switch {
		case !strings.HasPrefix(tag, "</"):
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			return false
		default:
			open = open[:len(open)-1]
		}
	}
	return len(open) == 0
}

// Ensure that of whatever is split each part is one that Telegram takes, and that
// together they show what the text shows. pattern is repeated to a long text, since
// nobody finds one of 4096 letters by chance.
func FuzzSplit(f *testing.F) {
	for _, x := range []string{"a", "ab \n", "😀x", "가나 다\n", "<b>a</b>&lt;", `<a href="x">b<i>c</i></a>`, "&#128512;", "&amp", "<", "\xff", "\u200d\u0301", "e\u0301"} {
		f.Add(x, uint16(700), true)
		f.Add(x, uint16(5000), false)
	}
	f.Fuzz(func(t *testing.T, pattern string, times uint16, isHTML bool) {
		if len(pattern) > 200 || !utf8.ValidString(pattern) {
			return
		}
		for _, r := range pattern {
			if isHTML && r == '&' && html.UnescapeString(pattern) != pattern && !regexp.MustCompile(`^([^&]|&(lt|gt|amp|quot);)*$`).MatchString(pattern) {
				return // what Telegram and html read differently
			}
		}
		text := strings.Repeat(pattern, int(times%6000))
		if isHTML && (!balanced(text) || strings.ContainsAny(anyTag.ReplaceAllString(text, ""), "<>") || strings.Contains(html.UnescapeString(text), "\r")) {
			return
		}
		var all strings.Builder
		for _, part := range telegram.Split(text, isHTML) {
			shown := part
			if isHTML {
				shown = html.UnescapeString(anyTag.ReplaceAllString(part, ""))
				if !balanced(part) {
					t.Fatalf("%.200q leaves a tag open", part)
				}
			}
			if n := units(shown); n > limit {
				t.Fatalf("a part of %d units", n)
			}
			if strings.TrimSpace(shown) == "" {
				t.Fatalf("an empty part %q", part)
			}
			if !utf8.ValidString(part) {
				t.Fatalf("a letter is cut: %.50q", part)
			}
			all.WriteString(seen(part, isHTML))
		}
		if want := seen(text, isHTML); all.String() != want {
			t.Fatalf("%d bytes to see of %d", all.Len(), len(want))
		}
	})
}
