package events

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// JobStream is the Redis stream of job events.
const JobStream = "sw:v1:events:jobs"

// Job is one change of a job, as clients see it (`job_event`). Result is there
// once the job has ended, unless it is longer than 8 KiB: then the job's record
// has it.
type Job struct {
	JobID    string          `json:"job_id"`
	Type     string          `json:"type"`
	State    string          `json:"state"`
	Progress json.RawMessage `json:"progress"`
	ChatID   string          `json:"chat_id"`
	Host     string          `json:"host"`
	Subnet   int             `json:"subnet"`
	Attempt  int             `json:"attempt"`
	Error    string          `json:"error"`
	Result   json.RawMessage `json:"result"`
}

// Final reports whether the job has ended with this event.
func (j Job) Final() bool {
	return j.State == "completed" || j.State == "failed" || j.State == "cancelled"
}

// About is what is the same in all events of a job. It is one field of them
// and of the record, type|host|subnet|chat, since Redis pays for each field
// whenever the job changes.
type About struct {
	Type   string
	Host   string // "": none
	Subnet int    // 0: none
	ChatID string // "": none
}

// String returns the field.
func (a About) String() string {
	subnet := ""
	if a.Subnet != 0 {
		subnet = strconv.Itoa(a.Subnet)
	}
	return a.Type + "|" + a.Host + "|" + subnet + "|" + a.ChatID
}

// ParseAbout reads the field.
func ParseAbout(s string) (a About, err error) {
	p := strings.SplitN(s, "|", 4)
	if len(p) != 4 {
		return About{}, fmt.Errorf("%q has not four parts", s)
	}
	a = About{Type: p[0], Host: p[1], ChatID: p[3]}
	if p[2] != "" {
		if a.Subnet, err = strconv.Atoi(p[2]); err != nil {
			return About{}, fmt.Errorf("the subnet in %q: %w", s, err)
		}
	}
	return a, nil
}

// parseJob reads an entry of JobStream; the fields are those that the jobs
// scripts write.
func parseJob(v map[string]any) Job {
	s := func(k string) string { x, _ := v[k].(string); return x }
	n := func(k string) int { x, _ := strconv.Atoi(s(k)); return x }
	about, _ := ParseAbout(s("about")) // what can't be read is left out
	raw := func(k string) json.RawMessage {
		if x := s(k); x != "" {
			return json.RawMessage(x)
		}
		return nil
	}
	return Job{
		JobID: s("id"), Type: about.Type, State: s("state"), ChatID: about.ChatID, Host: about.Host,
		Subnet: about.Subnet, Attempt: n("attempt"), Error: s("error"), Progress: raw("progress"), Result: raw("result"),
	}
}
