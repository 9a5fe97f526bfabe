package configs

import (
	"regexp"

	"switchyard/webhooks"
)

// Webhooks are messages to other people's services that WebSocket clients send.
type Webhooks struct {
	// Templates of their texts. Empty by default.
	Templates []WebhookTemplate `yaml:"templates"`
	// Receivers are told of alerts, by alerts.routes. Empty by default.
	Receivers []WebhookReceiver `yaml:"receivers"`
}

// WebhookReceiver is somebody who is told of alerts.
type WebhookReceiver struct {
	// Name that routes have.
	Name string `yaml:"name"`
	// Type is discord, slack or generic.
	Type string `yaml:"type"`
	// URL that messages are posted to; who has it can post there.
	URL Secret `yaml:"url"`
}

// Receiver is the one with a name.
func (w Webhooks) Receiver(name string) (WebhookReceiver, bool) {
	for _, r := range w.Receivers {
		if r.Name == name {
			return r, true
		}
	}
	return WebhookReceiver{}, false
}

// WebhookTemplate is one text.
type WebhookTemplate struct {
	// ID that clients name in template_id: a-z, 0-9, _ and -.
	ID string `yaml:"id"`
	// Text with placeholders such as {title}; {{ and }} stand for braces.
	Text string `yaml:"text"`
}

// Parsed are the templates by id; those that can't be read are left out, which Load
// has refused.
func (w Webhooks) Parsed() webhooks.Templates {
	out := webhooks.Templates{}
	for _, t := range w.Templates {
		if x, err := webhooks.Parse(t.Text); err == nil {
			out[t.ID] = x
		}
	}
	return out
}

var templateID = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

func (k *checker) webhooks() {
	k.webhookReceivers()
	first := map[string]int{}
	for i, t := range k.c.Webhooks.Templates {
		path := item("webhooks.templates", i)
		if templateID.MatchString(t.ID) {
			k.ownName("webhooks.templates", i, "id", t.ID, "give each template its own", first)
		} else {
			k.fault(path+".id", "must be a name of a-z, 0-9, _ and -, at most 64")
		}
		if t.Text == "" {
			k.fault(path+".text", "is missing: the words, with placeholders such as {title}")
		} else if _, err := webhooks.Parse(t.Text); err != nil {
			k.fault(path+".text", "can't be read: %v", err)
		}
	}
}
