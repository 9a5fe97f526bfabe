package webhooks

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"time"
	"unicode"

	"switchyard/tasks"
)

const (
	// MaxDiscord is the longest content that Discord takes, in letters.
	MaxDiscord = 2000
	// MaxSlack is the longest text that Slack shows, in letters as it counts
	// them, which is after & < > were escaped.
	MaxSlack = 40_000
)

// ErrEmpty says that there is nothing to see in the message.
var ErrEmpty = errors.New("the message is empty")

// ErrNoBody says that a kind is posted to no URL: Telegram.
var ErrNoBody = errors.New("messages to Telegram go to a chat, not to a URL")

// Message is what is to be said.
type Message struct {
	// Text is said where there is no template, and is {message} where there is one
	// that has it.
	Text string
	// TemplateID names the template that wins over Text. Empty: none.
	TemplateID string
	// Variables of the template, beside message. Of Generic they are also told as
	// they are, with a template or without.
	Variables map[string]string
}

// Words returns the text that the message comes to for a kind, before it is put into
// that kind's form. Errors: a *KindError, *UnknownError, *MissingError or
// *UnusedError, or ErrEmpty.
func Words(k Kind, m Message, known Templates) (string, error) {
	if !k.Known() {
		return "", &KindError{k}
	}
	text := m.Text
	switch {
	case m.TemplateID != "":
		t, ok := known[m.TemplateID]
		if !ok {
			return "", &UnknownError{m.TemplateID}
		}
		var err error
		if text, err = t.fillWith(m); err != nil {
			return "", err
		}
	case k != Generic:
		if _, err := (Template{}).Fill(m.Variables); err != nil {
			return "", err
		}
	}
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsSpace(r) }) < 0 {
		return "", ErrEmpty
	}
	return text, nil
}

// fillWith fills the template from a message.
func (t Template) fillWith(m Message) (string, error) {
	if _, twice := m.Variables[MessageVariable]; twice {
		return "", &UnusedError{MessageVariable} // the message itself has that place
	}
	variables := maps.Clone(m.Variables)
	if variables == nil {
		variables = map[string]string{}
	}
	for _, n := range t.Names() {
		if n == MessageVariable && m.Text != "" {
			variables[MessageVariable] = m.Text
		}
	}
	return t.Fill(variables)
}

// Compose returns the JSON to post to a receiver of the kind. What is longer than
// the receiver takes ends with "…". at is the timestamp that Generic tells. Errors:
// those of Words, and ErrNoBody for Telegram.
func Compose(k Kind, m Message, known Templates, at time.Time) ([]byte, error) {
	if k == Telegram {
		return nil, ErrNoBody
	}
	text, err := Words(k, m, known)
	if err != nil {
		return nil, err
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	switch k {
	case Discord:
		// allowed_mentions: nobody is called by what a variable says.
		return plainJSON(struct {
			Content  string         `json:"content"`
			Mentions map[string]any `json:"allowed_mentions"`
		}{cut(text, MaxDiscord, same), map[string]any{"parse": []string{}}})
	case Slack:
		return plainJSON(struct {
			Text string `json:"text"`
		}{cut(text, MaxSlack, slackLetter)})
	}
	g := struct {
		Message    string            `json:"message"`
		Variables  map[string]string `json:"variables"`
		TemplateID *string           `json:"template_id"`
		Timestamp  string            `json:"timestamp"`
	}{Message: text, Variables: m.Variables, Timestamp: at.UTC().Format(tasks.MilliTime)}
	if g.Variables == nil {
		g.Variables = map[string]string{}
	}
	if m.TemplateID != "" {
		g.TemplateID = &m.TemplateID
	}
	return plainJSON(g)
}

// ComposeTelegram drafts the message to a chat, an integer in decimal or
// "@channel". Its text is plain, whatever stands in it. Errors: those of Words.
func ComposeTelegram(chat string, m Message, known Templates) (tasks.Draft, error) {
	text, err := Words(Telegram, m, known)
	if err != nil {
		return tasks.Draft{}, err
	}
	return tasks.NewTelegram(tasks.TelegramPayload{ChatID: chat, Text: text, Hook: true}, ""), nil
}

func same(r rune) string { return string(r) }

// slackLetter is a letter as Slack wants it: these three are its markup.
func slackLetter(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return string(r)
}

// cut writes text by letter, in at most so many units of UTF-16 (which is never
// fewer than its letters, however the receiver counts), with "…" in place of what
// is too much.
func cut(text string, most int, letter func(rune) string) string {
	var out strings.Builder
	units, fits := 0, 0 // fits is as much as "…" still has a place behind
	for _, r := range text {
		s := letter(r)
		units += len(s)
		if len(s) == len(string(r)) {
			units += width(r) - len(s)
		}
		if units > most {
			return out.String()[:fits] + "…"
		}
		out.WriteString(s)
		if units < most {
			fits = out.Len()
		}
	}
	return out.String()
}

// width is how many units of UTF-16 a letter takes.
func width(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

// plainJSON writes v without the escapes that only HTML needs.
func plainJSON(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}
