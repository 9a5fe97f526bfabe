package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/configs"
	"switchyard/jobs"
)

// needRedis are the requests that can't be answered without Redis.
var needRedis = []struct {
	method, path, body string
	legacy             bool // answers {"error": …}
}{
	{http.MethodPost, togglePath, `{"port":10016}`, false},
	{http.MethodPost, togglePath, `{"port":10016,"host":"seoul-1","wait":200}`, false},
	{http.MethodGet, "/toggle/16", "", true},
	{http.MethodPost, "/toggle/16?server_ip=198.51.100.7", "", true},
	{http.MethodGet, "/status", "", true},
	{http.MethodGet, "/api/v1/jobs", "", false},
	{http.MethodGet, "/api/v1/jobs?chat_id=1&state=queued", "", false},
	{http.MethodGet, "/api/v1/jobs/j_01k9zd3v5y8m1q2r3s4t5v6w7x", "", false},
	{http.MethodGet, "/api/v1/hosts", "", false},
	{http.MethodGet, "/api/v1/hosts/seoul-1", "", false},
	{http.MethodDelete, "/api/v1/hosts/seoul-1", "", false},
	{http.MethodGet, "/api/v1/proxies", "", false},
	{http.MethodGet, "/api/v1/proxies?host=seoul-1&connected=true", "", false},
	{http.MethodPost, "/api/v1/jobs/j_01k9zd3v5y8m1q2r3s4t5v6w7x/cancel", "", false},
	{http.MethodPost, "/api/v1/jobs/j_01k9zd3v5y8m1q2r3s4t5v6w7x/retry", "", false},
}

// brief gives a request little time for Redis. Without that bound the commands
// of these tests take minutes, and each request has seconds (see unavailable).
func brief(c *configs.Config) { c.Redis.CommandTimeout = configs.Duration(100 * time.Millisecond) }

// unavailable holds that every request that needs Redis is answered with 503,
// Retry-After and no look inside, long before a command would give up.
func (b *bundle) unavailable(t *testing.T) {
	t.Helper()
	late := time.AfterFunc(20*time.Second, b.http.CloseClientConnections)
	defer late.Stop()
	var asking sync.WaitGroup
	for _, tt := range needRedis {
		asking.Go(func() {
			a, err := b.try(tt.method, tt.path, strings.NewReader(tt.body))
			switch {
			case err != nil:
				t.Errorf("%s %s: %v", tt.method, tt.path, err)
				return
			case tt.legacy:
				a.wants(t, 503, `{"error":"The job store is out of reach. Nothing was accepted; try again."}`)
			case a.status != 503 || !strings.Contains(a.body, `"code":"redis_unavailable"`):
				t.Errorf("%s %s: answer %d %s", tt.method, tt.path, a.status, a.body)
			}
			a.wantsRetryAfter(t)
			a.leaksNothing(t)
		})
	}
	asking.Wait()
}

// Ensure that with Redis dead every request that needs it is answered with 503
// and when to come again, nothing was accepted, and that all is well once
// Redis is back.
func TestRedisIsDead(t *testing.T) {
	t.Parallel()
	b := setup(t, brief).register(t, seoul)
	before := b.keys(t)
	b.srv.Kill()
	b.unavailable(t)
	b.get(t, "/health").wants(t, 200, `{"status":"ok"}`)
	b.toggle(t, `{"port":5}`).wantsProblem(t, 400, "invalid_port", "port")
	b.get(t, "/api/v1/jobs/x").wantsProblem(t, 404, "unknown_job", "")

	must(t, b.srv.Restart(b.ctx))
	b.untouched(t, before)
	b.eventually(t, "requests are accepted again", func() bool { return b.toggle(t, `{"port":10016}`).status == 202 })
	b.onlyJob(t)
}

// Ensure the same where Redis hangs: the bound is redis.command_timeout.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	b := setup(t, brief).register(t, seoul)
	before := b.keys(t)
	must(t, b.srv.Hang())
	b.unavailable(t)
	must(t, b.srv.Resume())
	b.untouched(t, before)
	b.eventually(t, "requests are accepted again", func() bool { return b.toggle(t, `{"port":10016}`).status == 202 })
	b.onlyJob(t)
}

// Ensure a request that was refused because Redis hung at the moment of its
// acceptance is not accepted behind the client's back when Redis goes on.
func TestRedisHangsAtTheAcceptance(t *testing.T) {
	t.Parallel()
	b := setup(t, brief).register(t, seoul)
	// Its scripts are known to it from here on.
	b.complete(t, b.toggle(t, `{"port":10016}`).jobID(t), result(t, toggled()))
	before := b.keys(t)
	var once sync.Once
	hang := func(c redis.Cmder) {
		if c.Name() == "evalsha" {
			once.Do(func() {
				if err := b.srv.Hang(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	b.hooks.before.Store(&hang)
	b.toggle(t, `{"port":10017,"chat_id":5}`).wantsProblem(t, 503, "redis_unavailable", "")
	must(t, b.srv.Resume())
	b.eventually(t, "Redis answers", func() bool { return b.rdb.Ping(b.ctx).Err() == nil })
	b.untouched(t, before)
}

// Ensure a request that waits when Redis dies is answered with what is known
// once its time is over, and one whose toggle ends after Redis has come back
// with the result.
func TestRedisDiesWhileRequestsWait(t *testing.T) {
	t.Parallel()
	b := setup(t, brief).register(t, seoul)
	later := b.later(t, http.MethodPost, togglePath, `{"port":10016,"wait":50}`)
	short := b.later(t, http.MethodPost, togglePath, `{"port":10017,"wait":5}`) // longer than both take to come that far
	b.eventually(t, "both wait", func() bool { return b.hub.Watching() == 2 })
	b.srv.Kill()
	a := receive(t, b, short)
	a.wants(t, 202, `{"job_id":"`+a.jobID(t)+`","status":"queued"}`)
	must(t, b.srv.Restart(b.ctx))
	var id string
	b.eventually(t, "Redis answers", func() bool {
		p, err := b.store.List(b.ctx, jobs.Filter{}, 10, "")
		for _, j := range p.Jobs {
			if j.Subnet == 16 {
				id = j.ID
			}
		}
		return err == nil
	})
	b.complete(t, id, result(t, toggled()))
	receive(t, b, later).wants(t, 200, result(t, toggled()))
}
