package tasks

import (
	"encoding/json"
	"time"
)

// PushPayload asks a host to post its status document to everybody who is to
// have it. Times are unix milliseconds on Redis' clock.
type PushPayload struct {
	Host string `json:"host"`
	// Due is when it should be made: the beginning of its minute, or when it was
	// asked for.
	Due int64 `json:"due"`
	// Until is when it is too old: no post begins after that.
	Until int64 `json:"until"`
	// Manual: somebody asked for it, and waits for its result.
	Manual bool `json:"manual,omitempty"`
}

// PushResult is what became of a push.
type PushResult struct {
	// Document is the status document as it was posted.
	Document json.RawMessage `json:"document"`
	// Receivers are the posts, in the order of the configuration.
	Receivers []PushOutcome `json:"receivers"`
}

// PushOutcome is one post of a status document to one receiver.
type PushOutcome struct {
	// Receiver is the name that stands in place of the address.
	Receiver string `json:"receiver"`
	// URLHost is all that is shown of the address.
	URLHost string `json:"url_host"`
	// At is when the post began.
	At time.Time `json:"at"`
	// Attempt is always 1: a push is not tried again, the next minute brings
	// another.
	Attempt int `json:"attempt"`
	// Manual: somebody asked for the push.
	Manual bool `json:"manual"`
	// OK: the receiver took it.
	OK bool `json:"ok"`
	// Status is the HTTP status of the answer, 0 where none came.
	Status     int    `json:"status"`
	DurationMS int64  `json:"duration_ms"`
	Response   string `json:"response"`
	// Truncated: there was more of the answer.
	Truncated bool `json:"response_truncated"`
	// Error says in words what went wrong, Code the same for programs; both are
	// empty where nothing did.
	Error string `json:"error"`
	Code  string `json:"code"`
}

// NewPush drafts the push of a host that is due at a time, and worth nothing
// any more maxAge later. postLimit is how long a post may take. Whether it was
// posted can't be told after a crash, so it is never run twice. One of the clock
// leaves no record behind: what is kept of it are the outcomes.
func NewPush(host string, due time.Time, maxAge, postLimit time.Duration) Draft {
	return newPush(PushPayload{Host: host, Due: due.UnixMilli(), Until: due.Add(maxAge).UnixMilli()}, postLimit)
}

// NewManualPush drafts a push that somebody asks for now. Requests join.
func NewManualPush(host string, now time.Time, maxAge, postLimit time.Duration) Draft {
	d := newPush(PushPayload{Host: host, Due: now.UnixMilli(), Until: now.Add(maxAge).UnixMilli(), Manual: true}, postLimit)
	d.JoinKey, d.Fleeting = "push", false
	return d
}

// pushSlack is what recording the outcomes may take, beside collecting and
// posting.
const pushSlack = 5 * time.Second

func newPush(p PushPayload, postLimit time.Duration) Draft {
	until := time.UnixMilli(p.Until)
	return Draft{
		Type: Push, Host: p.Host, Queue: HostStatusQueue(p.Host), Payload: mustJSON(p),
		Limit: until.Sub(time.UnixMilli(p.Due)) + postLimit + pushSlack, MaxTries: 1, Expires: until, Fleeting: true,
	}
}

// HeartbeatTime is t as last_heartbeat_at shows it: local time with
// microseconds and no zone.
func HeartbeatTime(t time.Time, loc *time.Location) string {
	return t.In(loc).Format("2006-01-02T15:04:05.000000")
}
