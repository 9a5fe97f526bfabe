package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Class is a kind of event with a stream of its own, so that none pushes another's
// out.
type Class string

// The classes.
const (
	Jobs        Class = "jobs"        // every change of a job, written by its scripts
	Hosts       Class = "hosts"       // proxy hosts and their dongles, pushes
	Orders      Class = "orders"      // orders at exchanges
	Deliveries  Class = "deliveries"  // callbacks and webhooks
	Alerts      Class = "alerts"      // raised and resolved
	Logs        Class = "logs"        // lines of the log
	Services    Class = "services"    // services and what became of them
	Deployments Class = "deployments" // nothing: see DeploymentOf; a cursor has its place
	Status      Class = "status"      // figures of processes and hosts
)

// Classes are all of them.
func Classes() []Class {
	return []Class{Jobs, Hosts, Orders, Deliveries, Alerts, Logs, Services, Deployments, Status}
}

// JobKind is the kind of a Job's event.
const JobKind = "job_event"

// Kept is about how many events of a class are kept for late readers.
const Kept = 10_000

const streamPrefix = "sw:v1:events:"

// Stream is the Redis stream of the class.
func (c Class) Stream() string { return streamPrefix + string(c) }

// Event is what happened, as its stream has it.
type Event struct {
	Class Class
	// ID of the entry in its stream; empty before it is written.
	ID string
	// Kind is the type of message that clients get: job_event, order_event, alert,
	// log_update, service_event, webhook_event, posco_event, status_update.
	Kind string
	// At is when it happened.
	At time.Time
	// Data is the member data of that message.
	Data json.RawMessage
}

// AtField is when it happened, in milliseconds; beside KindField and DataField.
const AtField = "at"

// New makes an event of what can be written as JSON.
func New(c Class, kind string, at time.Time, data any) (Event, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("marshalling a %s: %w", kind, err)
	}
	return Event{Class: c, Kind: kind, At: at, Data: b}, nil
}

// classOf is the class of a stream.
func classOf(stream string) Class { return Class(strings.TrimPrefix(stream, streamPrefix)) }

// parse reads an entry of any stream but that of jobs, whose fields its scripts
// choose. What can't be read is left out: an event tells of something, and nobody
// acts on it alone.
func parse(c Class, m redis.XMessage) Event {
	s := func(k string) string { x, _ := m.Values[k].(string); return x }
	e := Event{Class: c, ID: m.ID, Kind: s(KindField)}
	ms, err := strconv.ParseInt(s(AtField), 10, 64)
	if err != nil { // written without it: when Redis took it
		p, _ := parsePosition(m.ID, 10)
		ms = int64(p.ms)
	}
	e.At = time.UnixMilli(ms).UTC()
	if data := s(DataField); json.Valid([]byte(data)) {
		e.Data = json.RawMessage(data)
	}
	return e
}

// eventOf reads an entry of any stream, for those who watch everything.
func eventOf(c Class, m redis.XMessage) Event {
	e := parse(c, m)
	if c == Jobs {
		e = jobEvent(e, parseJob(m.Values))
	}
	return e
}

// jobEvent is the event of a job's change, for those who watch everything.
func jobEvent(e Event, j Job) Event {
	e.Kind = JobKind
	e.Data, _ = json.Marshal(j) // fails where a handler's progress is no JSON: then without
	return e
}
