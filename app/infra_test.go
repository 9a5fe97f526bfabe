package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/events"
	"switchyard/jobs"
	"switchyard/limits"
	simcloudflare "switchyard/sim/cloudflare"
	simtelegram "switchyard/sim/telegram"
	"switchyard/tasks"
)

const (
	canaryCloudflare = "canary-cloudflare-token-b7e2"
	cfAccount        = "023e105f4ecef8ad9ca31a8372d0c353"
)

// edge starts a Cloudflare and returns what has a configuration use it.
func (b *bundle) edge(t *testing.T, opt ...simcloudflare.Options) (*simcloudflare.Server, func(*configs.Config)) {
	t.Helper()
	o := simcloudflare.Options{Token: canaryCloudflare, Accounts: []string{cfAccount}}
	if len(opt) > 0 {
		o = opt[0]
	}
	s, err := simcloudflare.Start(b.ctx, "127.0.0.1:0", o)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, func(c *configs.Config) {
		c.Cloudflare.Token, c.Cloudflare.AccountID, c.Cloudflare.BaseURL = configs.NewSecret(canaryCloudflare), cfAccount, s.URL()
		c.Cloudflare.FirstRetry, c.Cloudflare.MaxRetry = configs.Duration(time.Second), configs.Duration(time.Second)
		c.Worker.DelayedCheck = configs.Duration(20 * time.Millisecond)
	}
}

// asked sends a request to the infra API, and returns its job.
func (b *bundle) asked(t *testing.T, api *process, path string) string {
	t.Helper()
	var a struct {
		JobID string `json:"job_id"`
	}
	must(t, json.Unmarshal([]byte(b.wants(t, api, http.MethodPost, path, "", 202, "job_id")), &a))
	return a.JobID
}

// ended waits until a job has.
func (b *bundle) ended(t *testing.T, p *process, id string) *jobs.Job {
	t.Helper()
	var j *jobs.Job
	b.eventually(t, "job "+id+" has ended", func() bool {
		var err error
		j, err = p.Store().Get(b.ctx, id)
		return err == nil && j.State.Final()
	})
	return j
}

// told are the messages that chats get because of a job, as "chat: text".
func (b *bundle) told(t *testing.T, p *process, parent string) (out []string) {
	t.Helper()
	page, err := p.Store().List(b.ctx, jobs.Filter{Type: tasks.Telegram}, 200, "")
	must(t, err)
	for _, j := range page.Jobs {
		var x tasks.TelegramPayload
		must(t, json.Unmarshal(j.Payload, &x))
		if j.Parent == parent {
			out = append(out, x.ChatID+": "+x.Text)
		}
	}
	slices.Sort(out)
	return out
}

// settled waits until nobody has to be told anything any more.
func (b *bundle) settled(t *testing.T) {
	t.Helper()
	rdb := b.redis(t)
	b.eventually(t, "nothing is owed", func() bool {
		n, err := rdb.ZCard(b.ctx, jobs.Prefix+"owed").Result()
		return err == nil && n == 0
	})
}

// Ensure what the infra API is asked for is done at Cloudflare, chat by chat in
// the order in which it was asked for, and that each chat is told once of what it
// asked for, with several of everything at work, each with its own rights.
func TestInfra(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cf, at := b.edge(t)
	api := b.start(t, b.config(at, b.user(t, "api", jobs.APIAccess())), app.API)
	worker := b.user(t, "worker", jobs.WorkerAccess())
	b.start(t, b.config(at, b.user(t, "scheduler", jobs.SchedulerAccess())), app.Scheduler)

	// Accepted before anybody works, so that the order is that of acceptance. In
	// another order, they would have other outcomes.
	want := map[string][]string{}
	var order []string
	for i, chat := range []string{"-100", "42", "@operators"} {
		ip := fmt.Sprintf("192.0.2.%d", i+1)
		for _, x := range []struct{ action, text string }{
			{"search", "Search <b>%s</b>: no rule covers it."}, {"block", "Block <b>%s</b>: blocked."}, {"release", "Release <b>%s</b>: released."},
			{"block", "Block <b>%s</b>: blocked."}, {"release", "Release <b>%s</b>: released."},
		} {
			id := b.asked(t, api, "/v1/cf/"+x.action+"?ip="+ip+"&chat_id="+chat)
			want[id] = []string{chat + ": " + fmt.Sprintf(x.text, ip)}
			order = append(order, id)
		}
	}
	joined := b.asked(t, api, "/api/v1/cf/release?ip=192.0.2.1&chat_id=-100")
	if joined != order[4] {
		t.Errorf("the same wish made another job")
	}
	if len(want) != len(order) {
		t.Errorf("%d jobs, want %d: one has joined past one that undoes it", len(want), len(order))
	}
	for range 2 {
		b.start(t, b.config(at, worker), app.Worker)
	}
	for _, id := range order {
		if j := b.ended(t, api, id); j.State != jobs.Completed {
			t.Errorf("job %+v", j)
		}
	}
	b.settled(t)
	for id, texts := range want {
		if diff := cmp.Diff(texts, b.told(t, api, id)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if rules := cf.Rules(); len(rules) != 0 {
		t.Errorf("left at Cloudflare: %+v", rules)
	}
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
}

// Ensure a chat is told in words why a job failed, and that a failed one can be
// run again, which is told anew.
func TestInfraFailure(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cf, at := b.edge(t)
	all := b.start(t, b.config(at), app.API, app.Worker)
	cf.Fail(simcloudflare.Fault{Status: 403, Code: 10000, Message: "Authentication <error>"})
	id := b.asked(t, all, "/api/v1/cf/block?ip=192.0.2.1&chat_id=5")
	if j := b.ended(t, all, id); j.State != jobs.Failed || !strings.Contains(j.Error, "code 10000") {
		t.Errorf("%+v", j)
	}
	b.settled(t)
	first := b.told(t, all, id)
	if len(first) != 1 || !strings.HasPrefix(first[0], "5: Block <b>192.0.2.1</b>: failed: Cloudflare refused the token") || !strings.Contains(first[0], "Authentication &lt;error&gt;") {
		t.Errorf("told %q", first)
	}
	cf.Recover()
	b.wants(t, all, http.MethodPost, "/api/v1/jobs/"+id+"/retry", "", 202, id)
	b.eventually(t, "it is told anew", func() bool { return len(b.told(t, all, id)) == 2 })
	if again := b.told(t, all, id); again[0] != "5: Block <b>192.0.2.1</b>: blocked." {
		t.Errorf("told %q", again)
	}
}

// Ensure every chat that asked for a toggle, or joined one, gets one line of what
// came of it.
func TestToggleTellsChats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	api := b.start(t, b.config(), app.API, app.Scheduler)
	first := b.start(t, b.config(b.asHost), app.Worker)
	must(t, first.Stop(b.ctx)) // it is known, and away: all three ask for one toggle
	var id string
	for _, body := range []string{`{"subnet":11,"chat_id":-7}`, `{"subnet":11,"chat_id":"@operators"}`, `{"subnet":11,"chat_id":-7}`} {
		status, answer, err := b.ask(api, http.MethodPost, "/api/v1/proxies/toggle", body, "Content-Type", "application/json")
		must(t, err)
		var a struct {
			JobID string `json:"job_id"`
		}
		must(t, json.Unmarshal([]byte(answer), &a))
		if status != http.StatusAccepted || id != "" && a.JobID != id {
			t.Fatalf("answer %d %s, after job %s", status, answer, id)
		}
		id = a.JobID
	}
	b.start(t, b.config(b.asHost, alsoDelivers), app.Worker)
	j := b.ended(t, api, id)
	b.settled(t)
	var r tasks.ToggleResult
	must(t, json.Unmarshal(j.Result, &r))
	if r.IP == nil {
		t.Fatalf("no address: %s", j.Result)
	}
	got := b.told(t, api, id)
	if len(got) != 2 {
		t.Fatalf("told %q, want each chat once", got)
	}
	for i, chat := range []string{"-7", "@operators"} {
		if !strings.HasPrefix(got[i], chat+": Dongle 11 of seoul-1: new address "+*r.IP+", before ") || strings.Contains(got[i], "\n") {
			t.Errorf("told %q", got[i])
		}
	}
}

// Ensure a job whose worker was killed between Cloudflare's doing and its own word
// is taken up again, ends as done, with one rule, and is told of once.
func TestInfraKilledWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cf, at := b.edge(t)
	quick := func(c *configs.Config) {
		c.Worker.Heartbeat, c.Worker.TTL = configs.Duration(200*time.Millisecond), configs.Duration(time.Second)
		c.Scheduler.SweepInterval = configs.Duration(100 * time.Millisecond)
	}
	api := b.start(t, b.config(at, quick), app.API, app.Scheduler)
	block := b.asked(t, api, "/api/v1/cf/block?ip=192.0.2.1&chat_id=5")
	release := b.asked(t, api, "/api/v1/cf/release?ip=192.0.2.2&chat_id=6")

	// The worker that dies: it has taken both, has done what they ask for, and
	// written down what it was about to do.
	rdb := b.redis(t)
	dead := jobs.NewStore(jobs.Options{Client: rdb, Hub: events.NewHub(), EventStream: 100, MaxCrashes: 5, ProcessTTL: 100 * time.Millisecond})
	t.Cleanup(func() { must(t, dead.Close()) })
	p := dead.NewProcess(true)
	must(t, p.Beat(b.ctx))
	for _, id := range []string{block, release} {
		c, verdict, err := dead.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1}, p.NewOwner())
		must(t, err)
		if verdict != jobs.Run {
			t.Fatalf("verdict %v", verdict)
		}
		if id == release {
			must(t, c.Progress(b.ctx, tasks.CFResult{Action: "release", IP: "192.0.2.2", Outcome: tasks.CFPending, Scopes: []tasks.CFScope{
				{Scope: "account", ID: cfAccount, Outcome: tasks.CFPending, RuleID: "gone", Rules: []tasks.CFRule{}},
			}}))
		}
	}
	_, err := cf.Add(cfAccount, "", "block", "192.0.2.1", "switchyard "+block)
	must(t, err)

	b.start(t, b.config(at, quick), app.Worker)
	for id, outcome := range map[string]tasks.CFOutcome{block: tasks.CFBlocked, release: tasks.CFReleased} {
		j := b.ended(t, api, id)
		var r tasks.CFResult
		must(t, json.Unmarshal(j.Result, &r))
		if j.State != jobs.Completed || j.Attempt != 2 || r.Outcome != outcome {
			t.Errorf("%+v, %s", j, j.Result)
		}
	}
	b.settled(t)
	if got := b.told(t, api, block); len(got) != 1 {
		t.Errorf("told %q", got)
	}
	if rules := cf.Rules(); len(rules) != 1 {
		t.Errorf("rules %+v", rules)
	}
}

// Ensure a chat that can't be told of its jobs, because Telegram has it wait, doesn't
// keep them from being done.
func TestInfraChatThatCantBeTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, at := b.edge(t)
	s, bot := b.messenger(t)
	s.Fail(simtelegram.Fault{Chat: "-7", Status: 429, RetryAfter: 3600})
	all := b.start(t, b.config(at, bot), app.API, app.Worker, app.Scheduler)
	for i := range 3 {
		if j := b.ended(t, all, b.asked(t, all, fmt.Sprintf("/api/v1/cf/block?ip=192.0.2.%d&chat_id=-7", i+1))); j.State != jobs.Completed {
			t.Errorf("%+v", j)
		}
		must(t, s.WaitFor(b.ctx, func(all []simtelegram.Call) bool { return len(all) > 0 })) // it is tried
		b.settled(t)
	}
}

// Ensure the workers of two processes together ask Cloudflare no more often than
// it takes, so that it never has to refuse.
func TestInfraRate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cf, at := b.edge(t, simcloudflare.Options{Token: canaryCloudflare, Accounts: []string{cfAccount}, Limit: 30})
	slow := func(c *configs.Config) { c.Cloudflare.Requests = 30 } // three at once, then one in eleven seconds
	api := b.start(t, b.config(at, slow), app.API, app.Worker)
	b.start(t, b.config(at, slow), app.Worker)
	for i := range 20 {
		b.asked(t, api, fmt.Sprintf("/api/v1/cf/block?ip=192.0.2.%d&chat_id=%d", i+1, i+1))
	}
	b.eventually(t, "most of them wait for their turn", func() bool {
		page, err := api.Store().List(b.ctx, jobs.Filter{State: jobs.Retrying}, 200, "")
		return err == nil && len(page.Jobs) >= 10
	})
	for _, c := range cf.Ledger() {
		if c.Status != http.StatusOK {
			t.Errorf("%+v", c)
		}
	}
	if n := b.redis(t).Exists(b.ctx, limits.Prefix+"cloudflare").Val(); n != 1 {
		t.Error("there is no shared rate in Redis: is this the right place to look?")
	}
}

// Ensure Cloudflare's token is found in no log line, no answer, no page and
// nowhere in Redis, whatever Cloudflare does with it.
func TestCloudflareTokenStaysSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cf, at := b.edge(t)
	all := b.start(t, b.config(at), app.API, app.Worker, app.Scheduler)
	for i, f := range []simcloudflare.Fault{
		{}, {Status: 403, Code: 10000, Message: "no such token: " + canaryCloudflare}, {Status: 400, Code: 1, Message: canaryCloudflare},
		{Status: 200, HTML: true, Message: canaryCloudflare}, {Drop: true, Times: 1},
	} {
		cf.Recover()
		cf.Fail(f)
		id := b.asked(t, all, fmt.Sprintf("/api/v1/cf/block?ip=192.0.2.%d&chat_id=%d", i+1, i+1))
		b.eventually(t, "it was tried", func() bool {
			j, err := all.Store().Get(b.ctx, id)
			return err == nil && (j.State.Final() || j.Tries > 0)
		})
	}
	b.settled(t)
	shown := []string{all.log.String()}
	for _, path := range []string{"/api/v1/jobs", "/metrics", "/monitoring/api/queues/interactive/scheduled_tasks", "/openapi.json"} {
		shown = append(shown, b.wants(t, all, http.MethodGet, path, "", 200, ""))
	}
	for where, text := range b.dump(t, b.redis(t)) {
		shown = append(shown, where+" "+text)
	}
	for _, text := range shown {
		if strings.Contains(text, canaryCloudflare) {
			t.Errorf("the token is shown: …%s…", around(text, canaryCloudflare))
		}
	}
}

// Ensure the doctor tells a good token from a bad one, and from a Cloudflare that
// can't be reached, and asks only where there is something to ask for.
func TestDoctorAndCloudflare(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cf, at := b.edge(t)
	look := func(change ...func(*configs.Config)) (found []app.Finding) {
		for _, f := range app.Doctor(b.ctx, app.DoctorOptions{Config: b.config(append([]func(*configs.Config){at}, change...)...), Roles: []app.Role{app.Worker}}) {
			if f.Check == "cloudflare.token" {
				found = append(found, f)
			}
		}
		return found
	}
	wants := func(found []app.Finding, status app.Status, part string) {
		t.Helper()
		if len(found) != 1 || found[0].Status != status || !strings.Contains(found[0].Says, part) || (status == app.OK) != (found[0].Do == "") {
			t.Errorf("found %+v; want %s with %s", found, status, part)
		}
	}
	wants(look(), app.OK, "may read the Access Rules in one scope")
	wants(look(func(c *configs.Config) { c.Cloudflare.Token = configs.NewSecret("x") }), app.Fail, "refused the token")
	cf.Fail(simcloudflare.Fault{Drop: true, Times: 1})
	wants(look(), app.Warn, "can't be reached")
	if found := look(func(c *configs.Config) { c.Worker.Queues = []string{"delivery"} }); found != nil {
		t.Errorf("a worker without the queue: %+v", found)
	}
	if found := look(func(c *configs.Config) { c.Cloudflare = configs.Default().Cloudflare }); found != nil {
		t.Errorf("nothing configured: %+v", found)
	}
}

// Ensure the demo has its own Cloudflare, and blocks there, with a redis-server
// and without one.
func TestDemoCloudflare(t *testing.T) {
	for name, path := range map[string]string{"with a redis-server": os.Getenv("PATH"), "without one": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", path)
			d, tmp, err := startDemo(t, app.DemoOptions{})
			must(t, err)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL()+"/v1/cf/block?ip=192.0.2.44&chat_id=-12345678", nil)
			must(t, err)
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			res, err := (&http.Client{Transport: tr}).Do(req)
			must(t, err)
			must(t, res.Body.Close())
			if res.StatusCode != http.StatusAccepted {
				t.Errorf("status %d", res.StatusCode)
			}
			must(t, d.Cloudflare.WaitFor(ctx, func(all []simcloudflare.Call) bool { return len(all) == 1 && all[0].Status == 200 }))
			must(t, d.Stop(ctx))
			leftNothing(t, tmp)
		})
	}
}
