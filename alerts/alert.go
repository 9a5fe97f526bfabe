package alerts

import (
	"maps"
	"time"

	"switchyard/events"
)

// State of an alert.
type State string

// The states. A dismissed one is still so, but nobody is told of it any more.
const (
	Open      State = "open"
	Dismissed State = "dismissed"
	Over      State = "resolved"
)

// States are all of them.
func States() []State { return []State{Open, Dismissed, Over} }

// Alert is one that was raised.
type Alert struct {
	ID      string            `json:"id" example:"a_01k9zd3v5y8m1q2r3s4t5v6w7x"`
	State   State             `json:"state" enum:"open,dismissed,resolved"`
	Kind    Kind              `json:"kind" enum:"cpu,memory,disk,host_offline,dongle_lost,poor_signal,toggle_failed,queue_backlog,delivery_failed,exchange_ban"`
	Subject string            `json:"subject" doc:"What it is about, such as a host's name or a queue's" example:"seoul-1"`
	Level   events.AlertLevel `json:"level" enum:"info,warning,error,critical"`
	Title   string            `json:"title" example:"높은 CPU 사용률 감지"`
	Message string            `json:"message" example:"CPU 사용률이 90%를 초과했습니다"`
	// Category is what it is about, Source who noticed.
	Category string               `json:"category" example:"performance"`
	Source   string               `json:"source" example:"system_monitor"`
	Actions  []events.AlertAction `json:"actions"`
	Metadata map[string]any       `json:"metadata"`
	// Raised when, and when it was over and dismissed: zero until then.
	Raised    time.Time `json:"raised_at"`
	Ended     time.Time `json:"resolved_at,omitzero"`
	Dismissed time.Time `json:"dismissed_at,omitzero"`
}

// raise makes the alert that an observation raises.
func raise(o Observation, r Rule, w Watch, now time.Time) *Alert {
	words := wording[o.Kind]
	a := &Alert{
		ID: w.ID, State: Open, Kind: o.Kind, Subject: o.Subject, Level: r.Level, Title: words.title, Category: words.category, Source: words.source,
		Message: words.message(o, r), Actions: []events.AlertAction{}, Metadata: map[string]any{}, Raised: now.UTC(),
	}
	if words.processes {
		a.Actions = append(a.Actions, events.AlertAction{Label: "프로세스 확인", Action: "view_processes"})
	}
	a.Actions = append(a.Actions, events.AlertAction{Label: "알림 끄기", Action: "dismiss_alert"})
	maps.Copy(a.Metadata, o.Details)
	if words.value != "" {
		a.Metadata["threshold"] = r.Threshold
	}
	if r.For > 0 {
		a.Metadata["duration"] = int(r.For.Seconds())
	}
	return a
}

// event is what clients are told. A resolved or dismissed one is for information, and
// goes to those who have seen it raised.
func (a *Alert) event() events.Alert {
	e := events.Alert{
		Level: a.Level, Title: a.Title, Message: a.Message, Category: a.Category, Source: a.Source, Actions: a.Actions,
		Metadata: maps.Clone(a.Metadata),
	}
	e.Metadata["id"], e.Metadata["state"], e.Metadata["kind"], e.Metadata["subject"] = a.ID, a.State, a.Kind, a.Subject
	if a.State != Open {
		e.Metadata["raised_level"] = a.Level
		e.Level, e.Actions = events.Info, []events.AlertAction{}
		e.Title, e.Message = a.TitleNow(), a.MessageNow()
	}
	return e
}
