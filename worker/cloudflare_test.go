package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"switchyard/cloudflare"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/limits"
	simcloudflare "switchyard/sim/cloudflare"
	"switchyard/tasks"
	"switchyard/worker"
)

const (
	cfToken   = "made-for-this-test"
	cfAccount = "023e105f4ecef8ad9ca31a8372d0c353"
)

// edge is workers that do jobs at a simulated Cloudflare.
type edge struct {
	*bundle
	sim     *simcloudflare.Server
	config  configs.Cloudflare
	workers []*worker.Worker
}

// setupEdge starts n workers, each with a client and a limiter of its own.
func setupEdge(t *testing.T, n int, change ...func(*configs.Cloudflare)) *edge {
	t.Helper()
	e := &edge{bundle: setup(t), config: configs.Default().Cloudflare}
	s, err := simcloudflare.Start(e.ctx, "127.0.0.1:0", simcloudflare.Options{Token: cfToken, Accounts: []string{cfAccount}})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	e.sim = s
	c := &e.config
	c.Token, c.AccountID, c.BaseURL = configs.NewSecret(cfToken), cfAccount, s.URL()
	c.FirstRetry, c.MaxRetry, c.MaxAttempts = configs.Duration(time.Second), configs.Duration(time.Second), 3
	for _, f := range change {
		f(c)
	}
	for range n {
		e.workers = append(e.workers, e.edgeWorker(t))
	}
	return e
}

func (e *edge) edgeWorker(t *testing.T) *worker.Worker {
	t.Helper()
	client := cloudflare.New(e.config, "switchyard/test")
	t.Cleanup(client.Close)
	h := &worker.Cloudflare{Client: client, Limits: limits.New(e.rdb), Config: e.config, Log: discard}
	return e.start(t, nil, soon, func(o *worker.Options) {
		o.Queues = []worker.Queue{{Name: tasks.QueueInteractive, Concurrency: 4}}
		o.Handlers = map[tasks.Type]worker.Handler{tasks.CFBlock: h.Handle, tasks.CFRelease: h.Handle, tasks.CFSearch: h.Handle}
	})
}

// ask has a job accepted for a chat.
func (e *edge) ask(t *testing.T, typ tasks.Type, ip, chat string) string {
	t.Helper()
	x, err := tasks.ParseTarget(ip)
	must(t, err)
	return e.accept(t, jobs.Request{Draft: tasks.NewCF(typ, x, chat, e.config.MaxAttempts)})
}

func outcome(t *testing.T, j *jobs.Job) tasks.CFResult {
	t.Helper()
	var r tasks.CFResult
	if err := json.Unmarshal(j.Result, &r); err != nil {
		t.Fatalf("job %+v: result %s: %v", j, j.Result, err)
	}
	return r
}

// Ensure jobs of a chat are done at Cloudflare in the order in which they were
// accepted, and end with what came of them.
func TestCloudflare(t *testing.T) {
	t.Parallel()
	e := setupEdge(t, 2)
	want := map[string]tasks.CFOutcome{
		e.ask(t, tasks.CFSearch, "192.0.2.1", "-5"):  tasks.CFNotFound,
		e.ask(t, tasks.CFBlock, "192.0.2.1", "-5"):   tasks.CFBlocked,
		e.ask(t, tasks.CFBlock, "192.0.2.2", "-5"):   tasks.CFBlocked,
		e.ask(t, tasks.CFRelease, "192.0.2.1", "-5"): tasks.CFReleased,
		e.ask(t, tasks.CFRelease, "192.0.2.3", "-5"): tasks.CFNotBlocked,
	}
	for id, outcomeWanted := range want {
		j := e.ended(t, id)
		if r := outcome(t, j); j.State != jobs.Completed || r.Outcome != outcomeWanted || j.Error != "" {
			t.Errorf("%s: %s, %+v, %q; want %s", j.Type, j.State, r, j.Error, outcomeWanted)
		}
	}
	again := e.ended(t, e.ask(t, tasks.CFBlock, "192.0.2.2", "-6"))
	if r := outcome(t, again); r.Outcome != tasks.CFAlreadyBlocked {
		t.Errorf("again: %+v", r)
	}
	if rules := e.sim.Rules(); len(rules) != 1 || !strings.HasPrefix(rules[0].Notes, "switchyard j_") {
		t.Errorf("rules %+v", rules)
	}
}

// Ensure what may pass is tried again up to the number of tries, and what can't is
// final at once, with Cloudflare's reason in words.
func TestCloudflare_retries(t *testing.T) {
	t.Parallel()
	e := setupEdge(t, 1)
	e.sim.Fail(simcloudflare.Fault{Status: 502, HTML: true, Times: 1})
	j := e.ended(t, e.ask(t, tasks.CFBlock, "192.0.2.1", "-5"))
	if j.State != jobs.Completed || j.Tries != 1 || j.Attempt != 2 {
		t.Errorf("after a 502: %+v", j)
	}
	e.sim.Fail(simcloudflare.Fault{Status: 403, Code: 9109, Message: "Unauthorized to access requested resource", Times: 1})
	before := len(e.sim.Ledger())
	j = e.ended(t, e.ask(t, tasks.CFBlock, "192.0.2.2", "-5"))
	if j.State != jobs.Failed || j.Attempt != 1 || !strings.Contains(j.Error, "code 9109") || len(e.sim.Ledger()) != before+1 {
		t.Errorf("after a 403: %+v, %d requests", j, len(e.sim.Ledger())-before)
	}
	e.sim.Fail(simcloudflare.Fault{Drop: true})
	j = e.ended(t, e.ask(t, tasks.CFBlock, "192.0.2.3", "-5"))
	if j.State != jobs.Failed || j.Attempt != 3 || !strings.HasPrefix(j.Error, "Cloudflare can't be reached") || outcome(t, j).Outcome != tasks.CFPending {
		t.Errorf("out of reach: %+v", j)
	}
}

// Ensure all workers leave Cloudflare alone when one of them was told that too
// much was asked, and that the jobs of the others are not counted as tried.
func TestCloudflare_limited(t *testing.T) {
	t.Parallel()
	e := setupEdge(t, 2)
	e.sim.Fail(simcloudflare.Fault{Status: 429, Code: 971, RetryAfter: "3000"})
	first := e.ask(t, tasks.CFBlock, "192.0.2.1", "-1")
	e.eventually(t, "the first is to be tried again", func() bool { return e.get(t, first).State == jobs.Retrying })
	e.sim.Recover()
	var others []string
	for i := range 6 {
		others = append(others, e.ask(t, tasks.CFBlock, "192.0.2.1", fmt.Sprint(100+i)))
	}
	for _, id := range others {
		e.eventually(t, "another waits", func() bool { return e.get(t, id).State == jobs.Retrying })
		if j := e.get(t, id); j.Tries != 0 || j.Error != "" {
			t.Errorf("%+v", j)
		}
	}
	if j := e.get(t, first); j.Tries != 1 || !strings.HasPrefix(j.Error, "Cloudflare was asked too often") {
		t.Errorf("%+v", j)
	}
	if n := len(e.sim.Ledger()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	ttl := e.rdb.PTTL(e.ctx, limits.Prefix+"cloudflare").Val()
	if ttl < 2000*time.Second || ttl > 4000*time.Second {
		t.Errorf("closed for %s", ttl)
	}
}

// Ensure all workers together ask no more often than was configured, and that of
// the jobs that wait for their turn the one that has begun goes on, and the
// others come back later.
func TestCloudflare_rate(t *testing.T) {
	t.Parallel()
	e := setupEdge(t, 2, func(c *configs.Cloudflare) { c.Requests = 5 }) // one at once, the next in more than a minute
	var all []string
	for i := range 8 {
		all = append(all, e.ask(t, tasks.CFSearch, "192.0.2.1", fmt.Sprint(100+i)))
	}
	count := map[jobs.State]int{}
	e.eventually(t, "one has begun, and the others are to come back", func() bool {
		clear(count)
		for _, id := range all {
			count[e.get(t, id).State]++
		}
		return count[jobs.Running] == 1 && count[jobs.Retrying] == 7
	})
	if n := len(e.sim.Ledger()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// Ensure a job that is cancelled while Cloudflare gives no answer ends at once.
func TestCloudflare_cancelled(t *testing.T) {
	t.Parallel()
	e := setupEdge(t, 1)
	e.sim.Fail(simcloudflare.Fault{Hang: true})
	id := e.ask(t, tasks.CFBlock, "192.0.2.1", "-5")
	e.eventually(t, "it runs", func() bool { return e.get(t, id).State == jobs.Running })
	_, err := e.store.Cancel(e.ctx, id)
	must(t, err)
	if j := e.ended(t, id); j.State != jobs.Cancelled {
		t.Errorf("%+v", j)
	}
}

// Ensure a worker that stops hands its job back, and that another one ends it,
// with one rule made and the outcome told as it was.
func TestCloudflare_stopped(t *testing.T) {
	t.Parallel()
	e := setupEdge(t, 1)
	e.sim.Fail(simcloudflare.Fault{Method: http.MethodPost, Done: true, Hang: true, Times: 1})
	id := e.ask(t, tasks.CFBlock, "192.0.2.1", "-5")
	e.eventually(t, "the rule is made", func() bool { return len(e.sim.Rules()) == 1 })
	e.stop(t, e.workers[0])
	if j := e.get(t, id); j.State != jobs.Queued || j.Tries != 0 {
		t.Errorf("%+v", j)
	}
	e.edgeWorker(t)
	j := e.ended(t, id)
	if r := outcome(t, j); j.State != jobs.Completed || r.Outcome != tasks.CFBlocked || len(e.sim.Rules()) != 1 {
		t.Errorf("%+v, rules %+v", j, e.sim.Rules())
	}
}
