package delivery_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/jobs"
	"switchyard/tasks"
)

const (
	startBody  = `{"server_ip":"198.51.100.7","port":10016}`
	resultBody = `{"success":true,"ip":"203.0.113.9","traffic":{"upload":1,"download":2},"signal":null,"step":0,"server_ip":"198.51.100.7","port":10016}`
	failedBody = `{"success":false,"ip":null,"traffic":{"upload":0,"download":0},"signal":null,"step":0,"server_ip":"198.51.100.7","port":10016}`
)

var (
	accepted = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	begun    = accepted.Add(time.Second)
	ended    = accepted.Add(time.Minute)
)

// receivers are two that hear of both, one of results alone, one of starts
// alone.
func receivers() configs.Callbacks {
	return configs.Callbacks{
		Toggle: []configs.ToggleReceiver{
			{Name: "main", StartURL: "https://main.example/toggle/start", ResultURL: "https://main.example/toggle/result"},
			{Name: "dev", StartURL: "https://dev.example/toggle/start", ResultURL: "https://dev.example/toggle/result"},
			{Name: "late", ResultURL: "https://late.example/toggle/result"},
			{Name: "early", StartURL: "https://early.example/toggle/start"},
		},
		MaxAttempts: 8, Timeout: configs.Duration(5 * time.Second),
		FirstRetry: configs.Duration(2 * time.Second), MaxRetry: configs.Duration(10 * time.Minute),
	}
}

// toggled is the record of a toggle that was completed.
func toggled(change ...func(*jobs.Job)) *jobs.Job {
	j := &jobs.Job{
		ID: "j_1", Type: tasks.Toggle, State: jobs.Completed, Run: 1, Host: "seoul-1", Subnet: 16,
		Payload: []byte(`{"host":"seoul-1","server_ip":"198.51.100.7","subnet":16}`),
		Created: accepted, Started: begun, Completed: ended, Result: []byte(resultBody),
	}
	for _, c := range change {
		c(j)
	}
	return j
}

func plan(t *testing.T, j *jobs.Job, phase jobs.Phase, urls ...string) []jobs.Request {
	t.Helper()
	out, err := delivery.Plan(j, phase, urls, receivers())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// line is a planned delivery in short: to whom, in which order, how often.
type line struct {
	To, Kind, Body, Order string
	Tries                 int
	Once                  bool
}

func lines(t *testing.T, requests []jobs.Request) []line {
	t.Helper()
	var out []line
	for _, r := range requests {
		var p tasks.CallbackPayload
		if err := json.Unmarshal(r.Payload, &p); err != nil {
			t.Fatal(err)
		}
		if r.Type != tasks.Callback || r.Queue != tasks.QueueDelivery || r.Parent != "j_1" || r.Limit <= 5*time.Second || !jobs.ValidID(r.ID) || (p.URL == "") == (p.Receiver == "") {
			t.Errorf("planned %+v", r)
		}
		out = append(out, line{p.Receiver + p.URL, p.Kind, p.Body, r.OrderKey, r.MaxTries, r.Once})
	}
	return out
}

func ids(requests []jobs.Request) []string {
	var out []string
	for _, r := range requests {
		out = append(out, r.ID)
	}
	return out
}

// Ensure each phase of a toggle is told to those who are to hear of it: starts
// once, results until they are taken, behind the start of the same receiver.
func TestPlan(t *testing.T) {
	t.Parallel()
	start := func(name string) line {
		return line{"toggle/" + name + "/start", "toggle/start", startBody, "callback:j_1:1:" + name, 1, true}
	}
	result := func(name, body string) line {
		return line{"toggle/" + name + "/result", "toggle/result", body, "callback:j_1:1:" + name, 8, false}
	}
	url := func(u, body string) line { return line{u, "toggle/result", body, "", 8, false} }
	const a, b = "https://a.example/hook", "https://b.example/hook?x=1"
	starts := []line{start("main"), start("dev"), start("early")}
	results := func(body string) []line {
		return []line{result("main", body), result("dev", body), result("late", body), url(a, body), url(b, body)}
	}
	for _, tt := range []struct {
		name  string
		phase jobs.Phase
		job   *jobs.Job
		want  []line
	}{
		{"start", jobs.PhaseStart, toggled(func(j *jobs.Job) { j.State, j.Completed, j.Result = jobs.Running, time.Time{}, nil }), starts},
		{"start, settled after the end", jobs.PhaseStart, toggled(), starts},
		{"result", jobs.PhaseResult, toggled(), append(slices.Clone(starts), results(resultBody)...)},
		{"result, and running again", jobs.PhaseResult, toggled(func(j *jobs.Job) { j.State = jobs.Running }), starts},
		{"cancelled or expired before it started", jobs.PhaseResult,
			toggled(func(j *jobs.Job) {
				j.State, j.Started, j.Result = jobs.Cancelled, time.Time{}, []byte(failedBody)
			}), results(failedBody)},
		{"start, but it never started", jobs.PhaseStart, toggled(func(j *jobs.Job) { j.Started = time.Time{} }), nil},
		{"failed without a result", jobs.PhaseResult,
			toggled(func(j *jobs.Job) { j.State, j.Result = jobs.Failed, nil }), append(slices.Clone(starts), results(failedBody)...)},
		{"not a toggle", jobs.PhaseResult, toggled(func(j *jobs.Job) { j.Type = tasks.Collect }), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, lines(t, plan(t, tt.job, tt.phase, b, a))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if out, err := delivery.Plan(toggled(func(j *jobs.Job) { j.Payload = []byte("{") }), jobs.PhaseResult, nil, receivers()); err == nil || out != nil {
		t.Errorf("an unreadable payload: %v, %v", out, err)
	}
}

// Ensure the ids of deliveries follow from the fact that they tell: the same
// whoever plans them and whenever, others for another receiver, phase, run or
// job.
func TestPlan_ids(t *testing.T) {
	t.Parallel()
	const a, b = "https://a.example/hook", "https://b.example/hook"
	first := ids(plan(t, toggled(), jobs.PhaseResult, a, b))
	if diff := cmp.Diff(first, ids(plan(t, toggled(), jobs.PhaseResult, b, a))); diff != "" {
		t.Errorf("planned twice (-want +got):\n%s", diff)
	}
	// The start's plan has the same deliveries, though nothing had ended then.
	running := toggled(func(j *jobs.Job) { j.State, j.Completed, j.Result = jobs.Running, time.Time{}, nil })
	if diff := cmp.Diff(first[:3], ids(plan(t, running, jobs.PhaseStart))); diff != "" {
		t.Errorf("starts (-want +got):\n%s", diff)
	}
	seen := map[string]string{}
	note := func(what string, all []string) {
		for _, id := range all {
			if before, twice := seen[id]; twice {
				t.Errorf("%s and %s have the id %s", before, what, id)
			}
			seen[id] = what
		}
	}
	note("the first run", first)
	note("the second run", ids(plan(t, toggled(func(j *jobs.Job) { j.Run = 2 }), jobs.PhaseResult, a, b)))
	note("another job", ids(plan(t, toggled(func(j *jobs.Job) { j.ID = "j_2" }), jobs.PhaseResult, a, b)))
	if len(seen) != 3*8 {
		t.Errorf("%d ids, want 24", len(seen))
	}
	// They sort by when it happened.
	if all := ids(plan(t, toggled(), jobs.PhaseResult, a)); slices.Max(all[:3]) >= slices.Min(all[3:]) {
		t.Errorf("starts sort behind results: %q", all)
	}
}

// Ensure the deliveries to one receiver about one run keep their order, and no
// others wait for them.
func TestPlan_order(t *testing.T) {
	t.Parallel()
	keys := map[string]int{}
	for _, j := range []*jobs.Job{toggled(), toggled(func(j *jobs.Job) { j.Run = 2 }), toggled(func(j *jobs.Job) { j.ID = "j_2" })} {
		for _, r := range plan(t, j, jobs.PhaseResult, "https://a.example/hook") {
			if r.OrderKey != "" {
				keys[r.OrderKey]++
			}
		}
	}
	want := map[string]int{}
	for _, run := range []string{"j_1:1", "j_1:2", "j_2:1"} {
		for name, n := range map[string]int{"main": 2, "dev": 2, "late": 1, "early": 1} {
			want["callback:"+run+":"+name] = n
		}
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ensure the end of a job becomes one message for each chat that asked for it, in a
// line of the chat's notices, with an id that follows from the fact.
func TestNotices(t *testing.T) {
	t.Parallel()
	chats := []string{"42", "@Operators", "@operators", "-5"}
	blocked := &jobs.Job{
		ID: "j_2", Type: tasks.CFBlock, State: jobs.Completed, Run: 1, Payload: []byte(`{"ip":"192.0.2.1"}`),
		Result: []byte(`{"action":"block","ip":"192.0.2.1","outcome":"blocked"}`), Completed: ended,
	}
	seen := map[string]bool{}
	for _, j := range []*jobs.Job{blocked, toggled(), toggled(func(j *jobs.Job) { j.Run = 2 })} {
		got := delivery.Notices(j, jobs.PhaseResult, chats)
		if len(got) != 3 {
			t.Fatalf("%s: %d messages, want 3: %+v", j.Type, len(got), got)
		}
		for i, chat := range []string{"-5", "42", "@Operators"} {
			r := got[i]
			var p tasks.TelegramPayload
			if err := json.Unmarshal(r.Payload, &p); err != nil {
				t.Fatal(err)
			}
			if r.Type != tasks.Telegram || r.Queue != tasks.QueueInteractive || r.Parent != j.ID || r.ChatID != chat || p.ChatID != chat || !p.HTML || p.Text == "" ||
				r.OrderKey != "notices:"+strings.ToLower(chat) || r.JoinKey != "" || !jobs.ValidID(r.ID) || seen[r.ID] {
				t.Errorf("%s to %s: %+v", j.Type, chat, r)
			}
			seen[r.ID] = true
		}
		if diff := cmp.Diff(ids(got), ids(delivery.Notices(j, jobs.PhaseResult, []string{"-5", "@operators", "@Operators", "42"}))); diff != "" {
			t.Errorf("%s planned twice (-want +got):\n%s", j.Type, diff)
		}
	}
	for name, got := range map[string][]jobs.Request{
		"a start":            delivery.Notices(toggled(), jobs.PhaseStart, chats),
		"one that runs":      delivery.Notices(toggled(func(j *jobs.Job) { j.State = jobs.Running }), jobs.PhaseResult, chats),
		"nobody asked":       delivery.Notices(toggled(), jobs.PhaseResult, nil),
		"a message":          delivery.Notices(&jobs.Job{ID: "j_3", Type: tasks.Telegram, State: jobs.Completed, Run: 1}, jobs.PhaseResult, chats),
		"a job of our own":   delivery.Notices(&jobs.Job{ID: "j_3", Type: tasks.Collect, State: jobs.Completed, Run: 1}, jobs.PhaseResult, chats),
		"one without an end": delivery.Notices(&jobs.Job{ID: "j_3", Type: tasks.CFBlock, State: jobs.Queued, Run: 1}, jobs.PhaseResult, chats),
	} {
		if got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
