package webhooks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"switchyard/tasks"
	"switchyard/webhooks"
)

func templates(t *testing.T) webhooks.Templates {
	t.Helper()
	known, err := webhooks.NewTemplates(map[string]string{
		"news": "{title}: {url}", "said": "> {message}", "fixed": "{{}} nothing to fill", "void": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}

// Ensure each kind gets the JSON that it reads, with the words of the template or
// else of the message, and nothing that it would take for markup or a mention.
func TestCompose(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 12, 4, 5, 6e6, time.FixedZone("", 9*3600))
	news := webhooks.Message{Text: "not said", TemplateID: "news", Variables: map[string]string{"title": "A & <b>", "url": "{title}"}}
	for _, tt := range []struct {
		kind webhooks.Kind
		m    webhooks.Message
		want string
	}{
		{webhooks.Discord, webhooks.Message{Text: "hi @everyone"}, `{"content":"hi @everyone","allowed_mentions":{"parse":[]}}`},
		{webhooks.Discord, news, `{"content":"A & <b>: {title}","allowed_mentions":{"parse":[]}}`},
		{webhooks.Slack, news, `{"text":"A &amp; &lt;b&gt;: {title}"}`},
		{webhooks.Slack, webhooks.Message{Text: "hi", TemplateID: "said"}, `{"text":"&gt; hi"}`},
		{webhooks.Slack, webhooks.Message{TemplateID: "fixed"}, `{"text":"{} nothing to fill"}`},
		{webhooks.Generic, news, `{"message":"A & <b>: {title}","variables":{"title":"A & <b>","url":"{title}"},"template_id":"news","timestamp":"2026-01-02T03:04:05.006Z"}`},
		{webhooks.Generic, webhooks.Message{Text: "hi"}, `{"message":"hi","variables":{},"template_id":null,"timestamp":"2026-01-02T03:04:05.006Z"}`},
		{webhooks.Generic, webhooks.Message{Text: "hi", Variables: map[string]string{"a": "1"}}, `{"message":"hi","variables":{"a":"1"},"template_id":null,"timestamp":"2026-01-02T03:04:05.006Z"}`},
	} {
		got, err := webhooks.Compose(tt.kind, tt.m, templates(t), at)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s of %+v:\n%s, %v, want\n%s", tt.kind, tt.m, got, err, tt.want)
		}
	}
}

// Ensure what can't be said as it was meant is refused, by an error that tells
// which part of it is at fault.
func TestCompose_strict(t *testing.T) {
	t.Parallel()
	both := map[string]string{"title": "a", "url": "b"}
	for _, tt := range []struct {
		kind webhooks.Kind
		m    webhooks.Message
		want string
	}{
		{"teams", webhooks.Message{Text: "a"}, `*webhooks.KindError: unknown kind of webhook "teams"`},
		{webhooks.Slack, webhooks.Message{Text: "a", TemplateID: "old"}, `*webhooks.UnknownError: unknown template "old"`},
		{webhooks.Slack, webhooks.Message{TemplateID: "news", Variables: map[string]string{"title": "a"}}, `*webhooks.MissingError: the template needs the variable "url"`},
		{webhooks.Slack, webhooks.Message{TemplateID: "said", Variables: both}, `*webhooks.MissingError: the template needs the variable "message"`},
		{webhooks.Slack, webhooks.Message{Text: "a", TemplateID: "said", Variables: both}, `*webhooks.UnusedError: there is no place for the variable "title"`},
		{webhooks.Slack, webhooks.Message{Text: "a", TemplateID: "said", Variables: map[string]string{"message": "b"}}, `*webhooks.UnusedError: there is no place for the variable "message"`},
		{webhooks.Generic, webhooks.Message{TemplateID: "fixed", Variables: both}, `*webhooks.UnusedError: there is no place for the variable "title"`},
		{webhooks.Discord, webhooks.Message{Text: "a", Variables: both}, `*webhooks.UnusedError: there is no place for the variable "title"`},
		{webhooks.Discord, webhooks.Message{Text: " \n"}, `*errors.errorString: the message is empty`},
		{webhooks.Generic, webhooks.Message{Text: "a", TemplateID: "void"}, `*errors.errorString: the message is empty`},
		{webhooks.Telegram, webhooks.Message{Text: "a"}, `*errors.errorString: messages to Telegram go to a chat, not to a URL`},
	} {
		_, err := webhooks.Compose(tt.kind, tt.m, templates(t), time.Time{})
		if got := fmt.Sprintf("%T: %v", err, err); got != tt.want {
			t.Errorf("%s of %+v: %s, want %s", tt.kind, tt.m, got, tt.want)
		}
	}
}

// Ensure nothing is longer than its receiver takes, whatever a letter is counted
// as, that no letter is cut in two, and that what fits is left whole.
func TestCompose_long(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind webhooks.Kind
		text string
		most int
		want string // the end of it
	}{
		{webhooks.Discord, strings.Repeat("가", 2000), 2000, "가가"},
		{webhooks.Discord, strings.Repeat("가", 2001), 2000, "가…"},
		{webhooks.Discord, strings.Repeat("😀", 1000), 2000, "😀😀"},
		{webhooks.Discord, strings.Repeat("😀", 1001), 2000, "😀…"},
		{webhooks.Slack, strings.Repeat("&", 8000), 40_000, "&amp;&amp;"},
		{webhooks.Slack, strings.Repeat("&", 8001), 40_000, "&amp;…"},
	} {
		body, err := webhooks.Compose(tt.kind, webhooks.Message{Text: tt.text}, nil, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Content, Text string }
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatal(err)
		}
		got := doc.Content + doc.Text
		if n := len(utf16.Encode([]rune(got))); n > tt.most || n < tt.most-5 || !strings.HasSuffix(got, tt.want) || strings.ContainsRune(got, '\uFFFD') {
			t.Errorf("%s of %.12s…: %d units, ends with %q", tt.kind, tt.text, n, got[len(got)-12:])
		}
	}
}

// Ensure a message to Telegram is a message like any other to its chat, in the
// words of the template.
func TestComposeTelegram(t *testing.T) {
	t.Parallel()
	m := webhooks.Message{TemplateID: "news", Variables: map[string]string{"title": "<b>", "url": "u"}}
	got, err := webhooks.ComposeTelegram("-100123", m, templates(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tasks.NewTelegram(tasks.TelegramPayload{ChatID: "-100123", Text: "<b>: u", Hook: true}, ""), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var unknown *webhooks.UnknownError
	if _, err := webhooks.ComposeTelegram("1", webhooks.Message{TemplateID: "x"}, nil); !errors.As(err, &unknown) {
		t.Errorf("an unknown template: %v", err)
	}
}

// Ensure a template whose braces don't match says where, and by which id.
func TestParse_syntax(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"{": 0, "a {b": 2, "a}": 1, "{}": 0, "{a b}": 0, "{1a}": 0, "{{{": 2, "}}}": 2, "{a{b}}": 0, "가{-}": 3} {
		_, err := webhooks.NewTemplates(map[string]string{"t": text})
		var fault *webhooks.SyntaxError
		if !errors.As(err, &fault) || fault.Offset != want || !strings.HasPrefix(err.Error(), "template t: the template has a ") {
			t.Errorf("%q: %v, want a fault at %d", text, err, want)
		}
	}
}

// Ensure any text is either refused or read, and that what was read says the same
// again: filled with its own placeholders, braces doubled, it is the text.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a", "{a}", "{{a}}", "{{{a}}}", "{", "}", "{a}{a}", "{a b}", "{가}", "\xff{x}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := webhooks.Parse(text)
		if err != nil {
			var fault *webhooks.SyntaxError
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset >= len(text) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		// No text has these two bytes where a letter could stand.
		const open, shut = "\xc0", "\xc1"
		if strings.Contains(text, open) || strings.Contains(text, shut) {
			return
		}
		own := map[string]string{}
		for _, n := range parsed.Names() {
			own[n] = open + n + shut
		}
		filled, err := parsed.Fill(own)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := strings.NewReplacer("{", "{{", "}", "}}", open, "{", shut, "}").Replace(filled); got != text {
			t.Fatalf("%q is read as %q", text, got)
		}
		own["no_such"] = ""
		var unused *webhooks.UnusedError
		if _, err := parsed.Fill(own); len(own) > len(parsed.Names()) && !errors.As(err, &unused) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
