package ws

import (
	"encoding/json"
	"slices"
	"strings"

	"switchyard/api/access"
	"switchyard/configs"
	"switchyard/events"
)

// The types of events.
const (
	typeStatus  = "status_update"
	typeService = "service_event"
	typeAlert   = events.AlertKind
	typeLog     = "log_update"
	typeWebhook = "webhook_event"
	typePosco   = events.DeploymentKind
	typeJob     = events.JobKind
	typeOrder   = events.OrderKind
	typeHost    = "host_event"
)

// scopes of the types, beside events:read, which all take.
var scopes = map[string]configs.Scope{
	typeStatus: configs.EventsRead, typeService: configs.EventsRead, typeAlert: configs.EventsRead, typeLog: configs.EventsRead,
	typeWebhook: configs.EventsRead, typePosco: configs.EventsRead, typeHost: configs.EventsRead,
	typeJob: configs.JobsRead, typeOrder: configs.TradingRead,
}

// known reports whether clients may subscribe to a type. What isn't broadcast may be
// named, too: the clients that were there before do so.
func known(eventType string) bool {
	return scopes[eventType] != "" || eventType == typeConnection || eventType == typePong || eventType == typeError
}

// filters narrow types; nil: everything of the type.
type filters struct {
	Services    []string `json:"service_ids"`
	AlertLevels []string `json:"alert_levels"`
	LogLevels   []string `json:"log_levels"`
	Hosts       []string `json:"hosts"`
	JobTypes    []string `json:"job_types"`
	Chats       []chat   `json:"chat_ids"`
}

// chat is a chat's id, a number or text.
type chat string

// UnmarshalJSON implements json.Unmarshaler.
func (c *chat) UnmarshalJSON(b []byte) error {
	var n json.Number
	if json.Unmarshal(b, &n) == nil {
		*c = chat(n)
		return nil
	}
	return json.Unmarshal(b, (*string)(c))
}

// subscription is what a connection gets. It is for one goroutine at a time.
type subscription struct {
	caller *access.Caller
	// chosen are the types asked for; nil before the first subscribe: all.
	chosen map[string]bool
	// left are those unsubscribed from while chosen is nil.
	left map[string]bool
	by   filters
}

// subscribeData is the data of subscribe and of unsubscribe.
type subscribeData struct {
	Types   []string `json:"event_types"`
	Filters *filters `json:"filters"`
}

func (d subscribeData) check(text json.RawMessage) *Error {
	if d.Types == nil {
		return Fail(InvalidFormat, "expected_fields", []string{"event_types"}, "received_message", clip(text), "reason", "data.event_types is missing")
	}
	for _, t := range d.Types {
		if !known(t) {
			return Fail(InvalidFormat, "expected_fields", []string{"event_types"}, "received_message", clip(text), "reason", "unknown event type", "event_type", clip([]byte(t)))
		}
	}
	return nil
}

// subscribe: the first one replaces everything, later ones add; a filter replaces the
// one of its kind.
func (s *subscription) subscribe(d subscribeData) {
	if s.chosen == nil {
		s.chosen = map[string]bool{}
	}
	for _, t := range d.Types {
		s.chosen[t] = true
	}
	f := d.Filters
	if f == nil {
		return
	}
	replace := func(to *[]string, from []string) {
		if from != nil {
			*to = from
		}
	}
	replace(&s.by.Services, f.Services)
	replace(&s.by.AlertLevels, f.AlertLevels)
	replace(&s.by.LogLevels, f.LogLevels)
	replace(&s.by.Hosts, f.Hosts)
	replace(&s.by.JobTypes, f.JobTypes)
	if f.Chats != nil {
		s.by.Chats = f.Chats
	}
}

func (s *subscription) unsubscribe(d subscribeData) {
	for _, t := range d.Types {
		if s.chosen != nil {
			delete(s.chosen, t)
			continue
		}
		if s.left == nil {
			s.left = map[string]bool{}
		}
		s.left[t] = true
	}
}

// wants reports whether the connection is to get a message.
func (s *subscription) wants(m *message) bool {
	if !s.takes(m.kind) {
		return false
	}
	in := func(list []string, v string) bool { return list == nil || slices.Contains(list, v) }
	switch m.kind {
	case typeService:
		return in(s.by.Services, m.about.Service) && in(s.by.Hosts, m.about.Host)
	case typeAlert:
		// That one is over is told those who were told of it.
		return in(s.by.AlertLevels, m.about.Level) || in(s.by.AlertLevels, m.about.Metadata.Raised)
	case typeJob:
		return in(s.by.JobTypes, m.about.Type) && in(s.by.Hosts, m.about.Host) && (s.by.Chats == nil || slices.Contains(s.by.Chats, chat(m.about.Chat)))
	case typeStatus, typeHost:
		return in(s.by.Hosts, m.about.Host)
	}
	return true
}

// takes reports whether the connection gets messages of a type at all.
func (s *subscription) takes(kind string) bool {
	if s.chosen != nil && !s.chosen[kind] || s.left[kind] {
		return false
	}
	return s.caller.May(scopes[kind]) == nil
}

// levels are the levels of the log that it takes, as a key: "" for all.
func (s *subscription) levels() string {
	if s.by.LogLevels == nil {
		return ""
	}
	all := slices.Clone(s.by.LogLevels)
	slices.Sort(all)
	return "," + strings.Join(slices.Compact(all), ",") + ","
}

// about is what filters ask of an event.
type about struct {
	Service string `json:"service_id"`
	Level   string `json:"level"`
	Type    string `json:"type"`
	Host    string `json:"host"`
	Chat    string `json:"chat_id"`
	// Metadata of an alert that is over.
	Metadata struct {
		Raised string `json:"raised_level"`
	} `json:"metadata"`
}
