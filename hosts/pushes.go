package hosts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"switchyard/events"
	"switchyard/tasks"
)

// PushesKept is how many outcomes are kept of each receiver of a host's pushes.
const PushesKept = 60

// Pushes are what is kept of a host's pushes.
type Pushes struct {
	// At is when the last one was composed; zero: there was none.
	At time.Time
	// Document is the last one, as it was posted.
	Document json.RawMessage
	// Receivers in the order of the configuration.
	Receivers []PushReceiver
	// Fault is why some of it is missing.
	Fault error
}

// PushReceiver is what is kept of the posts to one receiver.
type PushReceiver struct {
	Name string
	// Outcomes of the last posts, newest first.
	Outcomes []tasks.PushOutcome
}

// Pushed is what became of one push.
type Pushed struct {
	// ID of the push: noting it twice notes it once.
	ID string
	At time.Time
	tasks.PushResult
}

// pushesKey is one hash, so that one command reads it and one forgets it.
func pushesKey(host string) string { return "sw:v1:h:" + host + ":pushes" }

var pushedScript = script("pushed")

// NotePush keeps what became of a push, forgets receivers that are none any more,
// and tells by event of those whose outcome is not what it was. It returns their
// names.
func (r *Registry) NotePush(ctx context.Context, host string, p Pushed) (news []string, err error) {
	names := " "
	var each []any
	for _, o := range p.Receivers {
		names += o.Receiver + " "
		outcome, err := json.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("marshalling a post of host %s: %w", host, err)
		}
		event, err := json.Marshal(events.Push{
			Host: host, Receiver: o.Receiver, URLHost: o.URLHost, OK: o.OK, Status: o.Status, Error: o.Error, At: o.At,
		})
		if err != nil {
			return nil, fmt.Errorf("marshalling an event of host %s: %w", host, err)
		}
		state := "failed"
		if o.OK {
			state = "ok"
		}
		each = append(each, o.Receiver, state, outcome, event)
	}
	args := append([]any{
		p.ID, p.At.UnixMilli(), []byte(p.Document), PushesKept, events.HostEvents, events.PushKind, events.KindField, events.DataField, names,
	}, each...)
	news, err = pushedScript.Run(ctx, r.rdb, []string{pushesKey(host), events.HostStream}, args...).StringSlice()
	if err != nil {
		return nil, unavailable(fmt.Sprintf("noting a push of host %s", host), err)
	}
	return news, nil
}

// Pushes reads what is kept of a host's pushes. What can't be read is left out,
// and told of by Fault.
func (r *Registry) Pushes(ctx context.Context, host string) (Pushes, error) {
	m, err := r.rdb.HGetAll(ctx, pushesKey(host)).Result()
	switch {
	case wrongKind(err):
		return Pushes{Fault: fmt.Errorf("reading the pushes of host %s: %w", host, err)}, nil
	case err != nil:
		return Pushes{}, unavailable(fmt.Sprintf("reading the pushes of host %s", host), err)
	case len(m) == 0:
		return Pushes{}, nil
	}
	var p Pushes
	var faults []error
	number := func(field string) int64 {
		n, err := strconv.ParseInt(m[field], 10, 64)
		if err != nil {
			faults = append(faults, fmt.Errorf("field %s: %w", field, err))
		}
		return n
	}
	p.At = time.UnixMilli(number("at")).UTC()
	if d := json.RawMessage(m["document"]); json.Valid(d) {
		p.Document = d
	} else {
		faults = append(faults, errors.New("its document is not JSON"))
	}
	for _, name := range strings.Fields(m["receivers"]) {
		of := PushReceiver{Name: name}
		newest := number("count:" + name)
		for n := newest; n > 0 && n > newest-PushesKept; n-- {
			var o tasks.PushOutcome
			if err := json.Unmarshal([]byte(m["outcome:"+name+":"+strconv.FormatInt(n%PushesKept, 10)]), &o); err != nil {
				faults = append(faults, fmt.Errorf("an outcome of receiver %s: %w", name, err))
				continue
			}
			of.Outcomes = append(of.Outcomes, o)
		}
		p.Receivers = append(p.Receivers, of)
	}
	if len(faults) > 0 {
		p.Fault = fmt.Errorf("reading the pushes of host %s: %w", host, errors.Join(faults...))
	}
	return p, nil
}
