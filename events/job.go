package events

import (
	"encoding/json"
	"strconv"
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

// parseJob reads an entry of JobStream; the fields are those that the jobs
// scripts write.
func parseJob(v map[string]any) Job {
	s := func(k string) string { x, _ := v[k].(string); return x }
	n := func(k string) int { x, _ := strconv.Atoi(s(k)); return x }
	raw := func(k string) json.RawMessage {
		if x := s(k); x != "" {
			return json.RawMessage(x)
		}
		return nil
	}
	return Job{
		JobID: s("id"), Type: s("type"), State: s("state"), ChatID: s("chat_id"), Host: s("host"),
		Subnet: n("subnet"), Attempt: n("attempt"), Error: s("error"), Progress: raw("progress"), Result: raw("result"),
	}
}
