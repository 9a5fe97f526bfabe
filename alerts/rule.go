package alerts

import (
	"time"

	"switchyard/events"
)

// Kind is what an alert is about.
type Kind string

// The kinds.
const (
	CPU            Kind = "cpu"
	Memory         Kind = "memory"
	Disk           Kind = "disk"
	HostOffline    Kind = "host_offline"
	DongleLost     Kind = "dongle_lost"
	PoorSignal     Kind = "poor_signal"
	ToggleFailed   Kind = "toggle_failed"
	QueueBacklog   Kind = "queue_backlog"
	DeliveryFailed Kind = "delivery_failed"
	ExchangeBan    Kind = "exchange_ban"
)

// Kinds are all of them.
func Kinds() []Kind {
	return []Kind{CPU, Memory, Disk, HostOffline, DongleLost, PoorSignal, ToggleFailed, QueueBacklog, DeliveryFailed, ExchangeBan}
}

// Rule is when an alert of a kind is raised.
type Rule struct {
	Enabled bool
	Level   events.AlertLevel
	// Threshold that a value has to be above, and Hysteresis by which it has to fall below
	// that to be good again. Kinds without a value have neither.
	Threshold, Hysteresis float64
	// For is how long it has to be bad. 0: it is raised at once.
	For time.Duration
}

// Rules by kind. One that isn't there is not enabled.
type Rules map[Kind]Rule

// Verdict is what an observation comes to.
type Verdict int

// The verdicts. Between is no longer bad, and not good yet.
const (
	Good Verdict = iota
	Between
	Bad
)

// Judge a value.
func (r Rule) Judge(value float64) Verdict {
	switch {
	case value > r.Threshold:
		return Bad
	case value > r.Threshold-r.Hysteresis:
		return Between
	}
	return Good
}

// BadIf is the verdict on what has no value.
func BadIf(bad bool) Verdict {
	if bad {
		return Bad
	}
	return Good
}

// Observation is what somebody has seen.
type Observation struct {
	Kind Kind
	// Subject is what it is about, such as a host's name or a queue's: of each there is
	// one alert of a kind at a time.
	Subject string
	Verdict Verdict
	// Until: it is over by itself at this time. Zero: somebody will see that it is.
	Until time.Time
	// Details are told with the alert: metadata, and what its words are made of.
	Details map[string]any
}

// unseen is how long a bad thing may go without being looked at and still be the same:
// longer than any round of those who look.
const unseen = 3 * time.Minute

// seenEvery is how often it is noted that a bad thing is still so.
const seenEvery = 30 * time.Second

// Watch is what is known of a subject that was seen to be bad. Its zero value is one of
// which nothing is known.
type Watch struct {
	// Since it is bad, and Seen the last look that was noted.
	Since time.Time `json:"since"`
	Seen  time.Time `json:"seen"`
	// ID of the alert that was raised; empty: it hasn't been bad for long enough.
	ID string `json:"id,omitempty"`
	// Until is when it is over by itself; zero: it isn't.
	Until time.Time `json:"until,omitzero"`
	// Dismissed: nobody is to be told of it any more.
	Dismissed bool `json:"dismissed,omitempty"`
}

// Change is what an observation changes.
type Change int

// The changes. Noted: what is known has changed, but there is nothing to tell.
const (
	Nothing Change = iota
	Noted
	Raised
	Resolved
)

// Next is what is known after an observation, and what that changes. A zero Watch means
// that there is nothing left to know.
func (w Watch) Next(o Observation, r Rule, now time.Time, newID string) (Watch, Change) {
	bad := o.Verdict == Bad && r.Enabled
	switch {
	case w.ID != "" && (o.Verdict == Good || !r.Enabled):
		return Watch{}, Resolved
	case w.ID != "":
		next := w
		if o.Until.After(w.Until) {
			next.Until = o.Until
		}
		if now.Sub(w.Seen) >= seenEvery {
			next.Seen = now
		}
		if next == w {
			return w, Nothing
		}
		return next, Noted
	case !bad && w == (Watch{}):
		return w, Nothing
	case !bad:
		return Watch{}, Noted
	}
	next := w
	if w.Since.IsZero() || now.Sub(w.Seen) > unseen {
		next = Watch{Since: now, Seen: now}
	}
	if now.Sub(next.Since) >= r.For {
		next.ID, next.Until, next.Seen = newID, o.Until, now
		return next, Raised
	}
	if now.Sub(next.Seen) >= seenEvery {
		next.Seen = now
	}
	if next == w {
		return w, Nothing
	}
	return next, Noted
}

// Machine is what is to be seen of a machine's figures, in percent.
func (r Rules) Machine(name string, cpu, memory, disk float64) []Observation {
	var out []Observation
	for _, m := range []struct {
		kind  Kind
		value float64
	}{{CPU, cpu}, {Memory, memory}, {Disk, disk}} {
		out = append(out, Observation{
			Kind: m.kind, Subject: name, Verdict: r[m.kind].Judge(m.value), Details: map[string]any{wording[m.kind].value: m.value, "machine": name},
		})
	}
	return out
}
