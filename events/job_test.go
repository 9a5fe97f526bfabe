package events_test

import (
	"testing"

	"switchyard/events"
)

// What is written about a job is read again, whatever its chat is called.
func TestAboutIsReadAsWritten(t *testing.T) {
	t.Parallel()
	for text, about := range map[string]events.About{
		"toggle|seoul-1|16|-100": {Type: "toggle", Host: "seoul-1", Subnet: 16, ChatID: "-100"},
		"callback|||":            {Type: "callback"},
		"callback|||a|b|":        {Type: "callback", ChatID: "a|b|"},
	} {
		if got := about.String(); got != text {
			t.Errorf("%+v is written %q, want %q", about, got, text)
		}
		if got, err := events.ParseAbout(text); err != nil || got != about {
			t.Errorf("%q is read %+v, %v; want %+v", text, got, err, about)
		}
	}
	for _, text := range []string{"", "toggle", "toggle|h1|16", "toggle|h1|x|"} {
		if got, err := events.ParseAbout(text); err == nil {
			t.Errorf("%q is read %+v", text, got)
		}
	}
}
