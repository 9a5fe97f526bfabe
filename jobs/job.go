package jobs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"switchyard/tasks"
)

// State of a job.
type State string

// The states. The last three are final.
const (
	Queued    State = "queued"
	Scheduled State = "scheduled"
	Running   State = "running"
	Retrying  State = "retrying"
	Completed State = "completed"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final reports whether a job in this state has ended.
func (s State) Final() bool { return s == Completed || s == Failed || s == Cancelled }

// Known reports whether it is one of the states.
func (s State) Known() bool {
	switch s {
	case Queued, Scheduled, Running, Retrying:
		return true
	}
	return s.Final()
}

// Job is a record as it was read.
type Job struct {
	ID      string
	Type    tasks.Type
	State   State
	Attempt int
	// Run is 1, and one more each time a client had it run again.
	Run int
	// Tries that failed, and Crashes that took its worker along, in this run.
	Tries, Crashes int

	ChatID  string
	Host    string
	Subnet  int
	Queue   string
	Payload json.RawMessage
	Parent  string

	JoinKey, OrderKey string
	Limit             time.Duration
	MaxTries          int
	Once              bool

	Created, Started, Completed time.Time // zero where not yet
	// Expires is when it ends if no worker has taken it up; zero: never. Each
	// attempt may wait as long as the first.
	Expires time.Time

	// Waiting: an earlier job of its order is still unfinished.
	Waiting bool
	// Holder is the handler that runs it, if one does.
	Holder string
	// CancelAsked: its worker has been asked to stop.
	CancelAsked bool

	Progress json.RawMessage
	Result   json.RawMessage
	Error    string
}

func (j *Job) home() home { return home(j.Host) }

// fields are the record's hash as accept writes it.
func (j *Job) fields() []any {
	const most = 44 // fields and values of a job that has them all
	f := append(make([]any, 0, most),
		"id", j.ID, "type", string(j.Type), "state", string(j.State), "attempt", j.Attempt, "run", j.Run,
		"queue", j.Queue, "payload", string(j.Payload), "limit", j.Limit.Milliseconds(), "max_tries", j.MaxTries,
		"created", j.Created.UnixMilli())
	add := func(k, v string) {
		if v != "" {
			f = append(f, k, v)
		}
	}
	add("chat_id", j.ChatID)
	add("host", j.Host)
	add("parent", j.Parent)
	add("join", j.JoinKey)
	add("order", j.OrderKey)
	if !j.Expires.IsZero() {
		f = append(f, "expires", j.Expires.UnixMilli(), "patience", j.Expires.Sub(j.Created).Milliseconds())
	}
	if j.Subnet != 0 {
		f = append(f, "subnet", j.Subnet)
	}
	if j.Once {
		f = append(f, "once", "1")
	}
	if j.Type.Spec().Owes {
		f = append(f, "owes", "1")
	}
	return f
}

// parseJob reads a record's hash; ok is false when there is none.
func parseJob(m map[string]string) (j *Job, ok bool, err error) {
	if m["id"] == "" {
		return nil, false, nil
	}
	p := parser{m: m}
	j = &Job{
		ID: m["id"], Type: tasks.Type(m["type"]), State: State(m["state"]),
		Attempt: p.number("attempt"), Run: p.number("run"), Tries: p.number("tries"), Crashes: p.number("crashes"),
		ChatID: m["chat_id"], Host: m["host"], Subnet: p.number("subnet"), Queue: m["queue"],
		Payload: json.RawMessage(m["payload"]), Parent: m["parent"],
		JoinKey: m["join"], OrderKey: m["order"],
		Limit: time.Duration(p.number("limit")) * time.Millisecond, MaxTries: p.number("max_tries"), Once: m["once"] == "1",
		Created: p.time("created"), Started: p.time("started"), Completed: p.time("completed"), Expires: p.time("expires"),
		Waiting: m["waiting"] == "1", Holder: m["owner"], CancelAsked: m["cancel"] == "1",
		Progress: p.raw("progress"), Result: p.raw("result"), Error: m["error"],
	}
	if p.err != nil {
		return nil, false, fmt.Errorf("record of job %s: %w", j.ID, p.err)
	}
	return j, true, nil
}

// parser collects the first fault of a hash.
type parser struct {
	m   map[string]string
	err error
}

func (p *parser) number(k string) int {
	s := p.m[k]
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("field %s: %w", k, err)
	}
	return n
}

func (p *parser) time(k string) time.Time {
	if n := p.number(k); n != 0 {
		return time.UnixMilli(int64(n)).UTC()
	}
	return time.Time{}
}

func (p *parser) raw(k string) json.RawMessage {
	if s := p.m[k]; s != "" {
		return json.RawMessage(s)
	}
	return nil
}

// millis is a time as scripts take it, "" for the zero time.
func millis(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}
