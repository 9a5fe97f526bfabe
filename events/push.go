package events

import (
	"encoding/json"
	"fmt"
	"time"
)

// HostStream is the Redis stream of events about proxy hosts. It is apart from
// that of jobs, so that neither pushes the other's out. HostEvents is about how
// many are kept.
const (
	HostStream = "sw:v1:events:hosts"
	HostEvents = 10_000
)

// The fields of an entry of HostStream: what it tells of, and the event in JSON.
const (
	KindField = "kind"
	DataField = "data"
)

// PushKind is the kind of a Push.
const PushKind = "push"

// Push tells that a host's status doesn't reach a receiver any more, or does
// again. The first post is told of if it fails.
type Push struct {
	Host     string    `json:"host"`
	Receiver string    `json:"receiver"`
	URLHost  string    `json:"url_host"`
	OK       bool      `json:"ok"`
	Status   int       `json:"status"`
	Error    string    `json:"error"`
	At       time.Time `json:"at"` // when the post began
}

// ParsePush reads an entry of HostStream; ok is false for one of another kind.
func ParsePush(v map[string]any) (p Push, ok bool, err error) {
	if v[KindField] != PushKind {
		return Push{}, false, nil
	}
	data, _ := v[DataField].(string)
	if err := json.Unmarshal([]byte(data), &p); err != nil {
		return Push{}, true, fmt.Errorf("reading an event of a push: %w", err)
	}
	return p, true, nil
}
