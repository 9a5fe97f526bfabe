package jobs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"switchyard/events"
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
	// CallbackURL of the request that made it; those of joined requests are in
	// its audience.
	CallbackURL string

	JoinKey, OrderKey string
	Limit             time.Duration
	MaxTries          int
	Once              bool
	// Fleeting: it is forgotten when it ends (see AcceptDue).
	Fleeting bool

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

// A record's hash has what never changes in three fields, since every field
// costs each script that touches the record: about, which its events repeat,
// spec and payload. The others are what changes, or what scripts ask for.

// spec is the field of what a record is asked for only as a whole.
type spec struct {
	Queue       string `json:"queue"`
	LimitMS     int64  `json:"limit_ms"`
	MaxTries    int    `json:"max_tries"`
	Created     int64  `json:"created"` // ms
	JoinKey     string `json:"join,omitempty"`
	OrderKey    string `json:"order,omitempty"`
	Parent      string `json:"parent,omitempty"`
	CallbackURL string `json:"callback_url,omitempty"`
}

func (j *Job) about() events.About {
	return events.About{Type: string(j.Type), Host: j.Host, Subnet: j.Subnet, ChatID: j.ChatID}
}

func (j *Job) spec() (string, error) {
	b, err := json.Marshal(spec{
		Queue: j.Queue, LimitMS: j.Limit.Milliseconds(), MaxTries: j.MaxTries, Created: j.Created.UnixMilli(),
		JoinKey: j.JoinKey, OrderKey: j.OrderKey, Parent: j.Parent, CallbackURL: j.CallbackURL,
	})
	if err != nil {
		return "", fmt.Errorf("marshalling what job %s is: %w", j.ID, err)
	}
	return string(b), nil
}

// moreFields are those of a new record that not every job has.
func (j *Job) moreFields() []any {
	var f []any
	if !j.Expires.IsZero() {
		f = append(f, "expires", j.Expires.UnixMilli(), "patience", j.Expires.Sub(j.Created).Milliseconds())
	}
	if j.Once {
		f = append(f, "once", "1")
	}
	if j.Type.Spec().OwesStart {
		f = append(f, "owes", "1")
	}
	return f
}

// parseJob reads the hash of record id in home h; ok is false when there is none.
// A host's process may write whatever it likes into its home, so a record there is
// one of that host's jobs, and waits in its queues, or can't be read.
func parseJob(h home, id string, m map[string]string) (j *Job, ok bool, err error) {
	if m["id"] == "" {
		return nil, false, nil
	}
	p := parser{m: m}
	about, spec := p.about(), p.spec()
	j = &Job{
		ID: m["id"], Type: tasks.Type(about.Type), State: State(m["state"]),
		Attempt: p.number("attempt"), Run: p.number("run"), Tries: p.number("tries"), Crashes: p.number("crashes"),
		ChatID: about.ChatID, Host: about.Host, Subnet: about.Subnet, Queue: spec.Queue,
		Payload: json.RawMessage(m["payload"]), Parent: spec.Parent, CallbackURL: spec.CallbackURL,
		JoinKey: spec.JoinKey, OrderKey: spec.OrderKey,
		Limit: time.Duration(spec.LimitMS) * time.Millisecond, MaxTries: spec.MaxTries, Once: m["once"] == "1", Fleeting: m["fleeting"] == "1",
		Created: time.UnixMilli(spec.Created).UTC(), Started: p.time("started"), Completed: p.time("completed"), Expires: p.time("expires"),
		Waiting: m["waiting"] == "1", Holder: m["owner"], CancelAsked: m["cancel"] == "1",
		Progress: p.raw("progress"), Result: p.raw("result"), Error: m["error"],
	}
	switch {
	case p.err != nil:
	case j.ID != id || j.home() != h:
		p.err = fmt.Errorf("it says that it is job %q of host %q", j.ID, j.Host)
	case h != "" && j.Queue != tasks.HostQueue(j.Host) && j.Queue != tasks.HostStatusQueue(j.Host):
		p.err = fmt.Errorf("queue %q is not its host's", j.Queue)
	}
	if p.err != nil {
		return nil, false, fmt.Errorf("record of job %s: %w", id, p.err)
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

func (p *parser) about() events.About {
	a, err := events.ParseAbout(p.m["about"])
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("field about: %w", err)
	}
	return a
}

func (p *parser) spec() (s spec) {
	if err := json.Unmarshal([]byte(p.m["spec"]), &s); err != nil && p.err == nil {
		p.err = fmt.Errorf("field spec: %w", err)
	}
	return s
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
