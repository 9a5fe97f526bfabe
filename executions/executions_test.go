package executions_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"switchyard/executions"
	"switchyard/jobs"
	"switchyard/sim/redisserver"
	"switchyard/tasks"
)

// Ensure numbers only go up, whoever asks, lead to their jobs, and are forgotten with
// the oldest jobs.
func TestNumbers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	n := executions.NewNumbers(rdb, 30)
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[int64]string{}
	for i := range 40 {
		all.Go(func() {
			job := fmt.Sprint("j", i)
			x, err := n.Next(ctx, job)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || x < 1 || x > 40 || seen[x] != "" {
				t.Errorf("%s is %d, %v", job, x, err)
			}
			seen[x] = job
		})
	}
	all.Wait()
	for x := int64(0); x <= 41; x++ {
		job, err := n.Job(ctx, x)
		if kept := x > 10 && x <= 40; kept && (err != nil || job != seen[x]) || !kept && !errors.Is(err, executions.ErrUnknown) {
			t.Errorf("%d is %s, %v", x, job, err)
		}
	}
	srv.Stop()
	if _, err := n.Next(ctx, "x"); !errors.Is(err, executions.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
	if _, err := n.Job(ctx, 20); !errors.Is(err, executions.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
}

var began = time.Date(2025, 10, 4, 12, 0, 0, 0, time.UTC)

// job is an execution in a state.
func job(state jobs.State, change ...func(*jobs.Job)) *jobs.Job {
	j := &jobs.Job{
		ID: "j_x", Type: tasks.Strategy, State: state, Run: 1,
		Payload: json.RawMessage(`{"execution":123,"strategy":"BoldAssetAllocation","version":"1.0.0","parameters":{"variant":"BAA-G4"}}`),
	}
	for _, c := range change {
		c(j)
	}
	return j
}

func started(j *jobs.Job) { j.Started = began }
func over(j *jobs.Job)    { j.Started, j.Completed = began, began.Add(15*time.Second) }

// Ensure the document is that of the older executor, in each state.
func TestDocument(t *testing.T) {
	t.Parallel()
	const head = `{"execution_id":123,"strategy":"BoldAssetAllocation","version":"1.0.0","status":`
	const times = `"started_at":"2025-10-04T12:00:00.000Z","completed_at":"2025-10-04T12:00:15.000Z","execution_parameters":{"variant":"BAA-G4"}`
	for name, tt := range map[string]struct {
		job  *jobs.Job
		want string
	}{
		"pending":   {job(jobs.Queued), head + `"pending","started_at":null,"completed_at":null,"execution_parameters":{"variant":"BAA-G4"}}`},
		"running":   {job(jobs.Running, started), head + `"running","started_at":"2025-10-04T12:00:00.000Z","completed_at":null,"execution_parameters":{"variant":"BAA-G4"}}`},
		"retrying":  {job(jobs.Retrying, started), head + `"running","started_at":"2025-10-04T12:00:00.000Z","completed_at":null,"execution_parameters":{"variant":"BAA-G4"}}`},
		"again":     {job(jobs.Queued, over), head + `"running","started_at":"2025-10-04T12:00:00.000Z","completed_at":null,"execution_parameters":{"variant":"BAA-G4"}}`},
		"completed": {job(jobs.Completed, over, func(j *jobs.Job) { j.Result = json.RawMessage(`{"return":0.25}`) }), head + `"completed",` + times + `,"result":{"return":0.25}}`},
		"failed": {job(jobs.Failed, over, func(j *jobs.Job) { j.Error, j.Result = "Unknown variant", json.RawMessage(`{}`) }),
			head + `"failed",` + times + `,"error_message":"Unknown variant"}`},
		"cancelled": {job(jobs.Cancelled, over), head + `"cancelled",` + times + `,"error_message":"cancelled"}`},
	} {
		d, err := executions.Of(tt.job)
		b, _ := json.Marshal(d)
		if err != nil || string(b) != tt.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, b, tt.want)
		}
	}
	if _, err := executions.Of(&jobs.Job{Payload: json.RawMessage(`x`)}); err == nil {
		t.Error("a broken payload has a document")
	}
	if executions.Status("done").Known() || !executions.Status("failed").Known() {
		t.Error("the statuses are others")
	}
}

// Ensure what became of the callback is told as the older executor tells it.
func TestCallback(t *testing.T) {
	t.Parallel()
	const url = "https://hooks.example.com/x?token=1"
	post := func(state jobs.State, words, attempts string) *jobs.Job {
		return &jobs.Job{State: state, Error: words, Result: json.RawMessage(`{"attempts":[` + attempts + `]}`)}
	}
	for name, tt := range map[string]struct {
		post *jobs.Job
		want string
	}{
		"not yet":        {nil, `"sent":false,"sent_at":null,"response":null`},
		"under way":      {&jobs.Job{State: jobs.Running}, `"sent":false,"sent_at":null,"response":null`},
		"taken":          {post(jobs.Completed, "", `{"at":"2025-10-04T12:00:15.5Z","status":200,"response":"{\"status\": \"received\"}","response_headers":{"Content-Type":"application/json"}}`), `"sent":true,"sent_at":"2025-10-04T12:00:15.500Z","response":{"status_code":200,"response_text":"{\"status\": \"received\"}","headers":{"Content-Type":"application/json"}}`},
		"refused":        {post(jobs.Failed, "HTTP 500", `{"at":"2025-10-04T12:00:15.5Z","status":500,"response":"","error":"HTTP 500","code":"http_status"}`), `"sent":true,"sent_at":"2025-10-04T12:00:15.500Z","response":{"status_code":500,"response_text":""}`},
		"redirected":     {post(jobs.Failed, "x", `{"at":"2025-10-04T12:00:15.5Z","status":302,"response":"","error":"Redirect not followed (302)","code":"redirect"}`), `"sent":false,"sent_at":null,"response":{"error":"Redirect not followed (302)"}`},
		"unreachable":    {post(jobs.Failed, "x", `{"at":"2025-10-04T12:00:15.5Z","status":0,"error":"Connection refused","code":"connect"}`), `"sent":false,"sent_at":null,"response":{"error":"Connection refused"}`},
		"second try":     {post(jobs.Completed, "", `{"at":"2025-10-04T12:00:15.5Z","status":0,"error":"Connection refused"},{"at":"2025-10-04T12:00:18Z","status":204,"response":""}`), `"sent":true,"sent_at":"2025-10-04T12:00:18.000Z","response":{"status_code":204,"response_text":""}`},
		"nobody can say": {&jobs.Job{State: jobs.Failed, Error: "its worker died"}, `"sent":false,"sent_at":null,"response":{"error":"its worker died"}`},
	} {
		b, err := json.Marshal(executions.CallbackOf(url, tt.post))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(`{"url":"`+url+`",`+tt.want+`}`, string(b)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	j := job(jobs.Completed, over)
	again := *j
	again.Run = 2
	if a, b := executions.CallbackID(j, url), executions.CallbackID(&again, url); a == b || !jobs.ValidID(a) || a != executions.CallbackID(j, url) {
		t.Errorf("ids %s, %s", a, b)
	}
}
