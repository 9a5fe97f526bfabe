package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"switchyard/jobs"
	"switchyard/tasks"
)

var shownTime = regexp.MustCompile(`"(created_at|started_at|completed_at)":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)

// job is the document of a job, its times replaced.
func (b *bundle) job(t *testing.T, id string) string {
	t.Helper()
	a := b.get(t, "/api/v1/jobs/"+id)
	if a.status != 200 {
		t.Fatalf("answer %d %s", a.status, a.body)
	}
	a.wantsType(t, "application/json")
	return strings.TrimSpace(shownTime.ReplaceAllString(a.body, `"$1":"TIME"`))
}

// Ensure a job is shown with all its members, in order, null where there is
// nothing yet, from its acceptance to its end.
func TestJobIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	id := b.toggle(t, `{"subnet":16,"chat_id":-5}`).jobID(t)
	holds := func(want string) {
		t.Helper()
		if got := b.job(t, id); got != want {
			t.Errorf("the job is\n%s, want\n%s", got, want)
		}
	}
	start := `{"job_id":"` + id + `","type":"toggle",`
	holds(start + `"state":"queued","chat_id":"-5","host":"seoul-1","subnet":16,"parent":null,"created_at":"TIME","started_at":null,"completed_at":null,` +
		`"attempts":1,"progress":null,"result":null,"error":null}`)
	c := b.claim(t, id)
	must(t, c.Progress(b.ctx, map[string]string{"diagnosis": "healthy"}))
	holds(start + `"state":"running","chat_id":"-5","host":"seoul-1","subnet":16,"parent":null,"created_at":"TIME","started_at":"TIME","completed_at":null,` +
		`"attempts":1,"progress":{"diagnosis":"healthy"},"result":null,"error":null}`)
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Completed, Result: json.RawMessage(`{"rsrp":-105.0}`), Error: "no step brought connectivity"}))
	holds(start + `"state":"completed","chat_id":"-5","host":"seoul-1","subnet":16,"parent":null,"created_at":"TIME","started_at":"TIME","completed_at":"TIME",` +
		`"attempts":1,"progress":{"diagnosis":"healthy"},"result":{"rsrp":-105.0},"error":"no step brought connectivity"}`)

	child, err := b.store.Accept(b.ctx, jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{Kind: "toggle/result"}, id, "", time.Second, 1)})
	must(t, err)
	if got, want := b.job(t, child.ID), `{"job_id":"`+child.ID+`","type":"callback","state":"queued","chat_id":null,"host":null,"subnet":null,"parent":"`+id+`",`; !strings.HasPrefix(got, want) {
		t.Errorf("the job is\n%s, want the start\n%s", got, want)
	}
}

// Ensure whatever can't be a job's id, and an id of none, is answered as an
// unknown job, by every method.
func TestJobUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	before := b.keys(t)
	for _, id := range []string{jobs.NewID(b.store.Now()), "x", "j_", "j_01K9ZD3V5Y8M1Q2R3S4T5V6W7X", "h:seoul-1:info", "%2e%2e", "j_%00", "*"} {
		for _, op := range []struct{ method, suffix string }{{http.MethodGet, ""}, {http.MethodPost, "/cancel"}, {http.MethodPost, "/retry"}} {
			b.do(t, op.method, "/api/v1/jobs/"+id+op.suffix, "").wantsProblem(t, 404, "unknown_job", "")
		}
	}
	b.untouched(t, before)
}

// listed is a page as clients read it: ids in order.
func (b *bundle) listed(t *testing.T, query url.Values) (ids []string, next *string) {
	t.Helper()
	a := b.get(t, "/api/v1/jobs?"+query.Encode())
	a.wantsType(t, "application/json")
	var page struct {
		Jobs []struct {
			JobID string `json:"job_id"`
		} `json:"jobs"`
		NextCursor *string `json:"next_cursor"`
	}
	d := json.NewDecoder(strings.NewReader(a.body))
	if err := d.Decode(&page); err != nil || a.status != 200 || page.Jobs == nil {
		t.Fatalf("answer %d %s: %v", a.status, a.body, err)
	}
	for _, j := range page.Jobs {
		ids = append(ids, j.JobID)
	}
	return ids, page.NextCursor
}

// Ensure the list shows the newest jobs first, by each filter, a chat's joined
// ones too, and an empty list as one.
func TestJobsAreListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.get(t, "/api/v1/jobs").wants(t, 200, `{"jobs":[],"next_cursor":null}`)
	b.register(t, seoul, busan)
	id := func(body string) string { t.Helper(); return b.toggle(t, body).jobID(t) }
	s16 := id(`{"subnet":16,"host":"seoul-1","chat_id":1}`)
	s17 := id(`{"subnet":17,"host":"seoul-1","chat_id":2}`)
	b16 := id(`{"subnet":16,"host":"busan-1","chat_id":"@operators"}`)
	if joined := id(`{"subnet":16,"host":"seoul-1","chat_id":2}`); joined != s16 {
		t.Fatalf("%s did not join", joined)
	}
	callback, err := b.store.Accept(b.ctx, jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{}, "", "", time.Second, 1)})
	must(t, err)
	b.claim(t, s17)
	newest := func(ids ...string) []string {
		slices.Sort(ids)
		slices.Reverse(ids)
		return ids
	}
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"", newest(s16, s17, b16, callback.ID)},
		{"type=toggle", newest(s16, s17, b16)},
		{"type=callback", newest(callback.ID)},
		{"type=collect", nil},
		{"host=seoul-1", newest(s16, s17)},
		{"host=nowhere", nil},
		{"state=queued", newest(s16, b16, callback.ID)},
		{"state=running", newest(s17)},
		{"chat_id=1", newest(s16)},
		{"chat_id=2", newest(s16, s17)},
		{"chat_id=@operators", newest(b16)},
		{"chat_id=3", nil},
		{"chat_id=2&state=running", newest(s17)},
		{"host=seoul-1&type=toggle&state=queued&limit=200", newest(s16)},
	} {
		q, err := url.ParseQuery(tt.query)
		must(t, err)
		if got, next := b.listed(t, q); !slices.Equal(got, tt.want) || next != nil {
			t.Errorf("?%s: %q (next %v), want %q", tt.query, got, next, tt.want)
		}
	}
}

// Ensure the cursor leads through all jobs once, newest first, whatever comes
// in meanwhile, and null marks the end.
func TestJobsArePaged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	accept := func() string {
		t.Helper()
		a, err := b.store.Accept(b.ctx, jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{}, "", "", time.Second, 1)})
		must(t, err)
		return a.ID
	}
	for range 7 {
		want = append(want, accept())
	}
	slices.Sort(want)
	slices.Reverse(want)
	var got []string
	q := url.Values{"limit": {"3"}}
	for _, size := range []int{3, 3, 1} {
		ids, next := b.listed(t, q)
		if len(ids) != size || (next == nil) != (size == 1) {
			t.Fatalf("a page of %d, next %v; want %d", len(ids), next, size)
		}
		got = append(got, ids...)
		if next != nil {
			q.Set("cursor", *next)
		}
		accept()
	}
	if !slices.Equal(got, want) {
		t.Errorf("paged %q, want %q", got, want)
	}
}

// Ensure every faulty parameter of the list is refused by name.
func TestJobsListRefusesFaultyParameters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tt := range []struct{ query, code, field string }{
		{"limit=0", "invalid_limit", "limit"},
		{"limit=-1", "invalid_limit", "limit"},
		{"limit=201", "invalid_limit", "limit"},
		{"limit=ten", "invalid_limit", "limit"},
		{"limit=1.5", "invalid_limit", "limit"},
		{"type=teleport", "invalid_type", "type"},
		{"state=asleep", "invalid_state", "state"},
		{"cursor=x", "invalid_cursor", "cursor"},
		{"cursor=" + strings.Repeat("x", 129), "invalid_cursor", "cursor"},
		{"chat_id=" + strings.Repeat("1", 65), "invalid_chat_id", "chat_id"},
		{"chat_id=operators", "invalid_chat_id", "chat_id"},
		{"chat_id=1.5", "invalid_chat_id", "chat_id"},
		{"chat_id=@x", "invalid_chat_id", "chat_id"},
		{"host=Seoul", "invalid_host", "host"},
		{"host=seoul_1", "invalid_host", "host"},
		{"chat=5", "unknown_parameter", "chat"},
		{"host=" + strings.Repeat("h", 65), "invalid_host", "host"},
	} {
		t.Run(fmt.Sprintf("%.20s", tt.query), func(t *testing.T) {
			t.Parallel()
			b.get(t, "/api/v1/jobs?"+tt.query).wantsProblem(t, 400, tt.code, tt.field)
		})
	}
}

// settle has everything told that is owed, as a worker for deliveries does.
func (b *bundle) settle(t *testing.T) {
	t.Helper()
	debts, err := b.store.Debts(b.ctx, 0, 100)
	must(t, err)
	for _, d := range debts {
		must(t, b.store.Settle(b.ctx, d))
	}
}

// Ensure a waiting job is cancelled at once, a running one asked to stop, and
// one that has ended refused.
func TestJobCancel(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	cancel := func(id string) answer { return b.do(t, http.MethodPost, "/api/v1/jobs/"+id+"/cancel", "") }
	queued := b.toggle(t, `{"subnet":16}`).jobID(t)
	cancel(queued).wants(t, 202, `{"job_id":"`+queued+`","status":"cancelled"}`)
	if got := b.job(t, queued); !strings.Contains(got, `"state":"cancelled"`) || !strings.Contains(got, `"success":false`) {
		t.Errorf("the job is %s", got)
	}
	cancel(queued).wantsProblem(t, 409, "job_ended", "")

	running := b.toggle(t, `{"subnet":16}`).jobID(t)
	c := b.claim(t, running)
	cancel(running).wants(t, 202, `{"job_id":"`+running+`","status":"running"}`)
	if err := c.Check(b.ctx); !strings.Contains(fmt.Sprint(err), "cancelled") {
		t.Errorf("its worker is told %v", err)
	}
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Cancelled, Error: "cancelled"}))
	cancel(running).wantsProblem(t, 409, "job_ended", "")

	done := b.toggle(t, `{"subnet":16}`).jobID(t)
	b.complete(t, done, result(t, toggled()))
	cancel(done).wantsProblem(t, 409, "job_ended", "")
}

// Ensure a failed or cancelled job is run again, waiting as long as at first,
// and every other one refused with the reason.
func TestJobRetry(t *testing.T) {
	t.Parallel()
	b := setup(t).register(t, seoul)
	retry := func(id string) answer { return b.do(t, http.MethodPost, "/api/v1/jobs/"+id+"/retry", "") }

	id := b.toggle(t, `{"subnet":16}`).jobID(t)
	retry(id).wantsProblem(t, 409, "not_retryable", "")
	c := b.claim(t, id)
	retry(id).wantsProblem(t, 409, "not_retryable", "")
	must(t, c.Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "internal error"}))
	retry(id).wantsProblem(t, 409, "busy", "") // its end is still being told
	b.settle(t)
	b.wind(t, time.Minute)
	retry(id).wants(t, 202, `{"job_id":"`+id+`","status":"queued"}`)
	j, err := b.store.Get(b.ctx, id)
	must(t, err)
	if left, want := j.Expires.Sub(b.store.Now()), b.config.Toggle.MaxWait.Std(); left > want || left < want-40*time.Second || j.Attempt != 2 {
		t.Errorf("attempt %d expires in %s, want 2 and %s", j.Attempt, left, want)
	}

	if _, err := b.store.Cancel(b.ctx, id); err != nil {
		t.Fatal(err)
	}
	b.settle(t)
	other := b.toggle(t, `{"subnet":16}`).jobID(t)
	retry(id).wantsProblem(t, 409, "busy", "")
	b.complete(t, other, result(t, toggled()))
	retry(id).wants(t, 202, `{"job_id":"`+id+`","status":"queued"}`)
	b.settle(t)
	retry(other).wantsProblem(t, 409, "not_retryable", "")
}
