package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/configs"
	"switchyard/delivery"
	"switchyard/jobs"
	"switchyard/sim/receiver"
	"switchyard/tasks"
	"switchyard/worker"
)

const (
	startBody  = `{"server_ip":"198.51.100.7","port":10016}`
	resultBody = `{"success":true,"ip":"203.0.113.9","traffic":{"upload":1,"download":2},"signal":null,"step":0,"server_ip":"198.51.100.7","port":10016}`
	// loopback is what tests may deliver to.
	loopback = "127.0.0.0/8"
)

// post is a worker that delivers callbacks, and two receivers of toggles.
type post struct {
	*bundle
	main, dev *receiver.Receiver
	callbacks configs.Callbacks
	deliverer *delivery.Deliverer
	worker    *worker.Worker
	running   sync.Map // context of the last run, by job
}

// setupPost starts all of it. Pauses between tries are so long that nothing
// is tried again unless the test says so.
func setupPost(t *testing.T, change ...func(*configs.Callbacks, *configs.Delivery)) *post {
	t.Helper()
	p := &post{bundle: setup(t), main: newReceiver(t), dev: newReceiver(t)}
	p.callbacks = configs.Callbacks{
		MaxAttempts: 3, FirstRetry: configs.Duration(time.Hour), MaxRetry: configs.Duration(time.Hour), Timeout: configs.Duration(30 * time.Second),
	}
	for name, r := range map[string]*receiver.Receiver{"main": p.main, "dev": p.dev} {
		p.callbacks.Toggle = append(p.callbacks.Toggle, configs.ToggleReceiver{
			Name: name, StartURL: r.URL() + "/toggle/start", ResultURL: r.URL() + "/toggle/result",
		})
	}
	limits := configs.Delivery{PerDestination: 16, LongestWait: configs.Duration(time.Minute), MaxResponse: 4096, Allow: []string{loopback}}
	for _, c := range change {
		c(&p.callbacks, &limits)
	}
	s, err := delivery.NewSender(delivery.SenderOptions{Allow: limits.Allow, MaxResponse: limits.MaxResponse})
	must(t, err)
	t.Cleanup(s.Close)
	p.deliverer = delivery.NewDeliverer(s, func() configs.Callbacks { return p.callbacks }, limits)
	p.deliverer.BusyPause = time.Millisecond
	handle := (&worker.Callbacks{Deliverer: p.deliverer}).Handle
	p.worker = p.start(t, func(ctx context.Context, r *worker.Run) worker.Outcome {
		p.running.Store(r.ID, ctx)
		return handle(ctx, r)
	}, soon)
	return p
}

func newReceiver(t *testing.T) *receiver.Receiver {
	t.Helper()
	r, err := receiver.Start(t.Context(), "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// send has a callback accepted that may be tried so often.
func (p *post) send(t *testing.T, c tasks.CallbackPayload, order string, tries int) string {
	t.Helper()
	return p.accept(t, jobs.Request{Draft: tasks.NewCallback(c, "j_parent", order, time.Minute, tries)})
}

// now has a job that waits for its next try tried at once.
func (p *post) now(t *testing.T, id string, attempt int) {
	t.Helper()
	task := fmt.Sprintf("%s:%d", id, attempt)
	p.eventually(t, "its next try is planned", func() bool { return p.get(t, id).Attempt == attempt })
	must(t, p.asynq.RunTask(queue, task))
	p.ring(t)
}

// record is the result of a delivery, with its attempts.
func record(t *testing.T, j *jobs.Job) (tasks.CallbackResult, []delivery.Attempt) {
	t.Helper()
	var r tasks.CallbackResult
	if err := json.Unmarshal(j.Result, &r); err != nil {
		t.Fatalf("result %s: %v", j.Result, err)
	}
	var attempts []delivery.Attempt
	for _, raw := range r.Attempts {
		var a delivery.Attempt
		must(t, json.Unmarshal(raw, &a))
		attempts = append(attempts, a)
	}
	return r, attempts
}

// got waits until r has received n requests.
func (p *post) got(t *testing.T, r *receiver.Receiver, n int) []receiver.Received {
	t.Helper()
	var out []receiver.Received
	must(t, r.WaitFor(p.ctx, func(all []receiver.Received) bool {
		out = all
		return len(all) >= n
	}))
	return out
}

// Ensure a callback is tried until it is delivered, its tries are used up or it
// can't come to anything, always under one id; each try is in its record.
func TestCallback_tries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers []int
		tries   int
		want    jobs.State
		error   string
	}{
		{"delivered", []int{200}, 3, jobs.Completed, ""},
		{"delivered, whatever the 2xx", []int{204}, 3, jobs.Completed, ""},
		{"delivered at last", []int{500, 302, 200}, 3, jobs.Completed, ""},
		{"never", []int{500, 503, 404}, 3, jobs.Failed, "HTTP 404 Not Found"},
		{"gone", []int{410}, 3, jobs.Failed, "HTTP 410 Gone"},
		{"gone in between", []int{500, 410}, 3, jobs.Failed, "HTTP 410 Gone"},
		{"a start, delivered", []int{200}, 1, jobs.Completed, ""},
		{"a start, tried once", []int{500}, 1, jobs.Failed, "HTTP 500 Internal Server Error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := setupPost(t)
			p.main.Behave(receiver.Behaviour{Status: tt.answers[0]})
			id := p.send(t, tasks.CallbackPayload{Receiver: "toggle/main/result", Kind: "toggle/result", Body: resultBody}, "", tt.tries)
			for i, status := range tt.answers[1:] {
				p.got(t, p.main, i+1)
				p.eventually(t, "the try is recorded", func() bool { return p.get(t, id).State == jobs.Retrying })
				p.main.Behave(receiver.Behaviour{Status: status})
				p.now(t, id, i+2)
			}
			j := p.ended(t, id)
			if j.State != tt.want || j.Error != tt.error || j.Attempt != len(tt.answers) {
				t.Errorf("%s after %d attempts with %q, want %s after %d with %q", j.State, j.Attempt, j.Error, tt.want, len(tt.answers), tt.error)
			}
			r, attempts := record(t, j)
			r.Attempts = nil
			want := tasks.CallbackResult{Kind: "toggle/result", Receiver: "toggle/main/result", Parent: "j_parent", URLHost: strings.TrimPrefix(p.main.URL(), "http://")}
			if diff := cmp.Diff(want, r); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			var statuses []int
			for _, a := range attempts {
				statuses = append(statuses, a.Status)
			}
			if diff := cmp.Diff(tt.answers, statuses); diff != "" {
				t.Errorf("tries in the record (-want +got):\n%s", diff)
			}
			got := p.main.Received()
			if len(got) != len(tt.answers) {
				t.Fatalf("%d received, want %d", len(got), len(tt.answers))
			}
			for _, g := range got {
				if g.Headers["Webhook-Id"] != id || g.Body != resultBody || g.Fault != "" {
					t.Errorf("received %+v", g)
				}
			}
		})
	}
}

// Ensure the pause after a failed try is that of the deliverer: it grows with
// the tries that have failed.
func TestCallback_pause(t *testing.T) {
	t.Parallel()
	p := setupPost(t, func(c *configs.Callbacks, _ *configs.Delivery) { c.MaxRetry = configs.Duration(24 * time.Hour) })
	p.main.Behave(receiver.Behaviour{Status: 500})
	id := p.send(t, tasks.CallbackPayload{Receiver: "toggle/main/result", Body: resultBody}, "", 8)
	for i, want := range []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour} {
		p.eventually(t, "the try is recorded", func() bool { return p.get(t, id).Attempt == i+2 })
		ti, err := p.asynq.GetTaskInfo(queue, fmt.Sprintf("%s:%d", id, i+2))
		must(t, err)
		_, attempts := record(t, p.get(t, id))
		// Up to a tenth more, and a second, in which asynq counts.
		wait := ti.NextProcessAt.Sub(attempts[i].At)
		if wait < want || wait > want+want/10+time.Minute {
			t.Errorf("after try %d it waits %v, want %v", i+1, wait, want)
		}
		p.now(t, id, i+2)
	}
}

// Ensure a receiver's result waits for the try at its start, however that
// ends, and that a receiver that hangs delays no other.
func TestCallback_order(t *testing.T) {
	t.Parallel()
	p := setupPost(t)
	p.main.Behave(receiver.Behaviour{Path: "/toggle/start", Hang: true})
	send := func(receiver, kind, body string, tries int) string {
		return p.send(t, tasks.CallbackPayload{Receiver: "toggle/" + receiver + kind[len("toggle"):], Kind: kind, Body: body}, "k:"+receiver, tries)
	}
	start, result := send("main", "toggle/start", startBody, 1), send("main", "toggle/result", resultBody, 3)
	dev := []string{send("dev", "toggle/start", startBody, 1), send("dev", "toggle/result", resultBody, 3)}
	p.got(t, p.main, 1)
	for _, id := range dev {
		if j := p.ended(t, id); j.State != jobs.Completed {
			t.Errorf("beside a hanging receiver: %+v", j)
		}
	}
	if got := paths(p.dev); got != "/toggle/start /toggle/result" {
		t.Errorf("the other received %s", got)
	}
	if j := p.get(t, result); !j.Waiting || j.State != jobs.Queued {
		t.Errorf("the result doesn't wait for the start: %+v", j)
	}
	if got := paths(p.main); got != "/toggle/start" {
		t.Errorf("the hanging one received %s", got)
	}
	p.main.Behave(receiver.Behaviour{}) // ends the start without an answer
	if j := p.ended(t, start); j.State != jobs.Failed || j.Attempt != 1 {
		t.Errorf("the start: %+v", j)
	}
	if j := p.ended(t, result); j.State != jobs.Completed {
		t.Errorf("the result: %+v", j)
	}
	if got := paths(p.main); got != "/toggle/start /toggle/result" {
		t.Errorf("in the end it received %s", got)
	}
}

func paths(r *receiver.Receiver) string {
	var out []string
	for _, g := range r.Received() {
		out = append(out, g.Path)
	}
	return strings.Join(out, " ")
}

// Ensure a toggle's start and result reach all receivers and those who gave a
// URL, each document once, from the debt to the receiver.
func TestCallback_endToEnd(t *testing.T) {
	t.Parallel()
	p := setupPost(t)
	guest := newReceiver(t)
	s := &delivery.Settler{Store: p.store, Callbacks: func() configs.Callbacks { return p.callbacks }, Client: p.rdb, Interval: 5 * time.Second, Log: discard}
	p.run(t, s.Run)
	id := p.accept(t, jobs.Request{Draft: tasks.NewToggle(tasks.TogglePayload{Host: "h1", ServerIP: "198.51.100.7", Subnet: 16}, time.Minute, time.Time{})})
	joined := jobs.Request{Draft: tasks.NewToggle(tasks.TogglePayload{Host: "h1", ServerIP: "198.51.100.7", Subnet: 16}, time.Minute, time.Time{})}
	joined.CallbackURL = guest.URL() + "/toggle/result"
	if got := p.accept(t, joined); got != id {
		t.Fatalf("the second request made job %s", got)
	}
	claim, v, err := p.store.Claim(p.ctx, jobs.TaskPayload{Job: id, Attempt: 1, Host: "h1"}, "p#1")
	must(t, err)
	if v != jobs.Run {
		t.Fatalf("verdict %v", v)
	}
	for _, r := range []*receiver.Receiver{p.main, p.dev} {
		if got := p.got(t, r, 1); got[0].Body != startBody {
			t.Errorf("the start is %s", got[0].Body)
		}
	}
	must(t, claim.Finish(p.ctx, jobs.End{State: jobs.Completed, Result: json.RawMessage(resultBody)}))
	p.got(t, p.main, 2)
	p.got(t, p.dev, 2)
	p.got(t, guest, 1)
	page, err := p.store.List(p.ctx, jobs.Filter{Type: tasks.Callback}, 100, "")
	must(t, err)
	for _, j := range page.Jobs {
		if j = p.ended(t, j.ID); j.State != jobs.Completed || j.Parent != id {
			t.Errorf("delivery %+v", j)
		}
	}
	ids := map[string]bool{}
	for _, r := range []*receiver.Receiver{p.main, p.dev, guest} {
		for _, g := range r.Received() {
			ids[g.Headers["Webhook-Id"]] = true
			if g.Fault != "" || g.Path == "/toggle/result" && g.Body != resultBody {
				t.Errorf("received %+v", g)
			}
		}
	}
	if paths(p.main) != "/toggle/start /toggle/result" || paths(p.dev) != paths(p.main) || paths(guest) != "/toggle/result" || len(ids) != 5 || len(page.Jobs) != 5 {
		t.Errorf("received %q, %q, %q by %d jobs under %d ids", paths(p.main), paths(p.dev), paths(guest), len(page.Jobs), len(ids))
	}
}

// run has f run until the test ends.
func (p *post) run(t *testing.T, f func(ctx context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(p.ctx)
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// Ensure a URL from a request reaches nothing on this machine and is tried no
// second time, unless that is allowed; the record says why.
func TestCallback_guard(t *testing.T) {
	t.Parallel()
	for _, allow := range [][]string{nil, {loopback}} {
		t.Run(fmt.Sprint(allow), func(t *testing.T) {
			t.Parallel()
			p := setupPost(t, func(_ *configs.Callbacks, d *configs.Delivery) { d.Allow = allow })
			guest := newReceiver(t)
			id := p.send(t, tasks.CallbackPayload{URL: guest.URL() + "/hook?key=s3cr3t", Kind: "toggle/result", Body: resultBody}, "", 3)
			j := p.ended(t, id)
			r, attempts := record(t, j)
			if r.URLHost != strings.TrimPrefix(guest.URL(), "http://") || len(attempts) != 1 || strings.Contains(string(j.Result), "s3cr3t") {
				t.Fatalf("record %s", j.Result)
			}
			if allow != nil {
				if j.State != jobs.Completed || len(guest.Received()) != 1 {
					t.Errorf("allowed, and yet %+v", j)
				}
				return
			}
			const why = "address not allowed: 127.0.0.1"
			if j.State != jobs.Failed || j.Error != why || attempts[0].Error != why || attempts[0].Code != delivery.CodeAddress || attempts[0].Sent() {
				t.Errorf("%+v; attempt %+v", j, attempts[0])
			}
			if n := len(guest.Received()); n > 0 {
				t.Errorf("%d received", n)
			}
		})
	}
}

// Ensure one destination holds only so many handlers; what finds no place comes
// again without a try being counted, and other destinations don't notice.
func TestCallback_perDestination(t *testing.T) {
	t.Parallel()
	p := setupPost(t, func(_ *configs.Callbacks, d *configs.Delivery) { d.PerDestination = 1 })
	p.main.Behave(receiver.Behaviour{After: time.Hour})
	var ids []string
	for range 3 {
		ids = append(ids, p.send(t, tasks.CallbackPayload{Receiver: "toggle/main/result", Body: resultBody}, "", 1))
	}
	p.got(t, p.main, 1)
	if j := p.ended(t, p.send(t, tasks.CallbackPayload{Receiver: "toggle/dev/result", Body: resultBody}, "", 1)); j.State != jobs.Completed {
		t.Errorf("another destination: %+v", j)
	}
	p.eventually(t, "the others are put off", func() bool {
		off := 0
		for _, id := range ids {
			if p.get(t, id).Attempt > 1 {
				off++
			}
		}
		return off == 2
	})
	if n := len(p.main.Received()); n != 1 {
		t.Errorf("%d at once", n)
	}
	p.main.Behave(receiver.Behaviour{})
	for _, id := range ids {
		j := p.ended(t, id)
		if _, attempts := record(t, j); j.State != jobs.Completed || j.Tries != 0 || len(attempts) != 1 {
			t.Errorf("%+v after tries %+v", j, attempts)
		}
	}
	if n := len(p.main.Received()); n != 3 {
		t.Errorf("%d received, want 3", n)
	}
}

// Ensure a cancelled callback is not tried any more, and that a try that is
// under way is brought to its end and counts.
func TestCallback_cancel(t *testing.T) {
	t.Parallel()
	result := tasks.CallbackPayload{Receiver: "toggle/main/result", Kind: "toggle/result", Body: resultBody}
	cancel := func(t *testing.T, p *post, id string, want jobs.State) {
		t.Helper()
		if st, err := p.store.Cancel(p.ctx, id); err != nil || st != want {
			t.Fatalf("cancelling: %s, %v, want %s", st, err, want)
		}
	}
	// Ensure one that waits for its receiver's start is not sent.
	t.Run("behind a start", func(t *testing.T) {
		t.Parallel()
		p := setupPost(t)
		p.main.Behave(receiver.Behaviour{Path: "/toggle/start", After: time.Hour})
		start := p.send(t, tasks.CallbackPayload{Receiver: "toggle/main/start", Body: startBody}, "k", 1)
		id := p.send(t, result, "k", 3)
		last := p.send(t, result, "k", 3)
		p.got(t, p.main, 1)
		cancel(t, p, id, jobs.Cancelled)
		p.main.Behave(receiver.Behaviour{})
		p.ended(t, start)
		p.ended(t, last)
		if got := p.main.Received(); len(got) != 2 || got[1].Headers["Webhook-Id"] != last {
			t.Errorf("received %+v", got)
		}
	})
	// Ensure one that waits for its next try has none.
	t.Run("between tries", func(t *testing.T) {
		t.Parallel()
		p := setupPost(t)
		p.main.Behave(receiver.Behaviour{Status: 500})
		id := p.send(t, result, "", 3)
		p.eventually(t, "the try is recorded", func() bool { return p.get(t, id).State == jobs.Retrying })
		cancel(t, p, id, jobs.Cancelled)
		p.taskGone(t, id+":1")
		must(t, p.asynq.RunTask(queue, id+":2"))
		p.ring(t)
		p.taskGone(t, id+":2")
		if j := p.get(t, id); j.State != jobs.Cancelled || len(p.main.Received()) != 1 {
			t.Errorf("%d received: %+v", len(p.main.Received()), j)
		}
	})
	// Ensure a cancellation that nobody heard is found before the next try, and
	// what is known of the tries before stays.
	t.Run("unheard", func(t *testing.T) {
		t.Parallel()
		p := setupPost(t)
		p.main.Behave(receiver.Behaviour{Status: 500})
		id := p.send(t, result, "", 3)
		p.eventually(t, "the try is recorded", func() bool { return p.get(t, id).State == jobs.Retrying })
		must(t, p.rdb.HSet(p.ctx, "sw:v1:job:"+id, "cancel", "1").Err())
		p.now(t, id, 2)
		j := p.ended(t, id)
		if _, attempts := record(t, j); j.State != jobs.Cancelled || len(attempts) != 1 || len(p.main.Received()) != 1 {
			t.Errorf("%d received: %+v", len(p.main.Received()), j)
		}
	})
	for _, tt := range []struct {
		name   string
		status int
		want   jobs.State
	}{{"in a try that is taken", 200, jobs.Completed}, {"in a try that is not", 500, jobs.Cancelled}, {"in a try that ends it", 410, jobs.Failed}} {
		// Ensure the receiver's answer is waited for, and no other try made.
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := setupPost(t)
			p.main.Behave(receiver.Behaviour{After: time.Hour, Status: tt.status})
			id := p.send(t, result, "", 3)
			p.got(t, p.main, 1)
			p.eventually(t, "the worker listens", func() bool {
				n, err := p.rdb.PubSubNumSub(p.ctx, "sw:v1:cancels").Result()
				must(t, err)
				return n["sw:v1:cancels"] == 1
			})
			cancel(t, p, id, jobs.Running)
			run, _ := p.running.Load(id)
			p.until(t, "the handler is told", run.(context.Context).Done())
			p.main.Behave(receiver.Behaviour{})
			j := p.ended(t, id)
			if _, attempts := record(t, j); j.State != tt.want || len(attempts) != 1 || attempts[0].Status != tt.status {
				t.Errorf("%+v after %+v", j, attempts)
			}
			if n := len(p.main.Received()); n != 1 {
				t.Errorf("%d received", n)
			}
		})
	}
}

// Ensure a try that is under way when the worker stops is brought to its end,
// recorded, and not repeated.
func TestCallback_stop(t *testing.T) {
	t.Parallel()
	p := setupPost(t)
	p.main.Behave(receiver.Behaviour{After: time.Hour})
	id := p.send(t, tasks.CallbackPayload{Receiver: "toggle/main/start", Body: startBody}, "", 1)
	p.got(t, p.main, 1)
	out := p.stopping(p.ctx, p.worker)
	p.eventually(t, "the worker stops", p.worker.Stopping)
	p.main.Behave(receiver.Behaviour{})
	p.stopped(t, out)
	if j := p.get(t, id); j.State != jobs.Completed || j.Attempt != 1 || len(p.main.Received()) != 1 {
		t.Errorf("%d received: %+v", len(p.main.Received()), j)
	}
}

// Ensure what can't be delivered at all ends at once, with a reason.
func TestCallback_impossible(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		tweak func(t *testing.T, p *post, r *jobs.Request)
		error string
	}{
		{"no such receiver", func(_ *testing.T, _ *post, r *jobs.Request) {
			r.Draft = tasks.NewCallback(tasks.CallbackPayload{Receiver: "toggle/gone/result"}, "", "", time.Minute, 3)
		}, "receiver toggle/gone/result is no longer configured"},
		{"no URL", func(_ *testing.T, _ *post, r *jobs.Request) {
			r.Draft = tasks.NewCallback(tasks.CallbackPayload{URL: "ftp://127.0.0.1/"}, "", "", time.Minute, 3)
		}, "Invalid URL: it is neither http nor https"},
		{"a broken payload", func(_ *testing.T, _ *post, r *jobs.Request) { r.Payload = []byte("{") }, "unreadable payload: unexpected end of JSON input"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := setupPost(t)
			r := jobs.Request{Draft: tasks.NewCallback(tasks.CallbackPayload{Receiver: "toggle/main/result"}, "", "", time.Minute, 3)}
			tt.tweak(t, p, &r)
			if j := p.ended(t, p.accept(t, r)); j.State != jobs.Failed || j.Error != tt.error || j.Attempt != 1 {
				t.Errorf("%+v", j)
			}
		})
	}
}
