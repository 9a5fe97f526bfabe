package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/events"
	"switchyard/hosts"
	"switchyard/jobs"
	"switchyard/sim/receiver"
	"switchyard/tasks"
)

// aclPassword is that of every user of a test.
const aclPassword = "made-for-this-test"

// user makes a Redis user with this access, and returns what has a
// configuration use it.
func (b *bundle) user(t *testing.T, name string, access jobs.Access) func(*configs.Config) {
	t.Helper()
	args := []any{"ACL", "SETUSER", name, "reset", "on", ">" + aclPassword}
	for _, r := range access.Rules() {
		args = append(args, r)
	}
	must(t, b.redis(t).Do(b.ctx, args...).Err())
	return func(c *configs.Config) { c.Redis.Username, c.Redis.Password = name, configs.NewSecret(aclPassword) }
}

// as is a client logged in as this user.
func (b *bundle) as(t *testing.T, name string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{
		Addr: b.srv.Addr(), Username: name, Password: aclPassword, DisableIdentity: true, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// denied lists what Redis has refused to anybody.
func (b *bundle) denied(t *testing.T) []string {
	t.Helper()
	log, err := b.redis(t).Do(b.ctx, "ACL", "LOG").Slice()
	must(t, err)
	var out []string
	for _, entry := range log {
		line, err := json.Marshal(plain(entry))
		must(t, err)
		out = append(out, string(line))
	}
	return out
}

// plain makes of a RESP3 map what JSON can show.
func plain(v any) any {
	m, ok := v.(map[any]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for _, k := range []string{"reason", "context", "object", "username", "count"} {
		out[k] = m[k]
	}
	return out
}

// Ensure every role does all its work as the user that its rules make: toggles
// with their callbacks, cancelling, running again, taking over what a dead
// worker left, restarts. Redis denies nothing of it.
func TestRolesWithTheirOwnRights(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	host := b.user(t, "host", jobs.HostAccess("seoul-1"))
	api := b.start(t, b.config(b.user(t, "api", jobs.APIAccess())), app.API)
	scheduler := b.config(b.user(t, "scheduler", jobs.SchedulerAccess()))
	scheduler.Scheduler.SweepInterval = configs.Duration(50_000_000)
	scheduler.Metrics.Listen = "127.0.0.1:0"
	clock := b.start(t, scheduler, app.Scheduler)
	b.start(t, b.config(b.user(t, "worker", jobs.WorkerAccess())), app.Worker)
	first := b.start(t, b.config(b.asHost, host, b.pushes), app.Worker)

	// Pushes: one of the clock, one that is asked for; a receiver that fails.
	b.eventually(t, "the host has pushed by the clock", func() bool {
		_, answer, err := b.ask(api, http.MethodGet, "/api/v1/hosts/seoul-1/pushes", "")
		return err == nil && strings.Contains(answer, `"manual":false,"ok":true`)
	})
	b.receiver.Behave(receiver.Behaviour{Path: "/api/proxy", Status: 500})
	b.wants(t, api, http.MethodPost, "/api/v1/hosts/seoul-1/push", `{"wait":60}`, 200, `"manual":true,"ok":false,"status":500`)
	b.receiver.Behave(receiver.Behaviour{})

	// Whole toggles: one by a short way, one with an idempotency key and a chat.
	b.wants(t, api, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	b.wants(t, api, http.MethodGet, "/status", "", 200, `"subnet":12`)
	b.wants(t, api, http.MethodPost, "/api/v1/proxies/toggle",
		`{"subnet":12,"chat_id":42,"wait":60,"callback_url":"`+b.receiver.URL()+`/own"}`, 200, `"success":true`)

	// Without a worker: cancelled, run again, cancelled while it runs.
	must(t, first.Stop(b.ctx))
	id := b.accepted(t, api, 11)
	b.wants(t, api, http.MethodPost, "/api/v1/jobs/"+id+"/cancel", "", 202, `"cancelled"`)
	b.eventually(t, "its end has been told", func() bool {
		n, err := b.redis(t).ZCard(b.ctx, jobs.Prefix+"owed").Result()
		return err == nil && n == 0
	})
	b.wants(t, api, http.MethodPost, "/api/v1/jobs/"+id+"/retry", "", 202, id)

	// Another one was begun by a worker that died.
	orphan := b.accepted(t, api, 12)
	dead := jobs.NewStore(jobs.Options{Client: b.as(t, "host"), Hub: events.NewHub(), EventStream: 100, MaxCrashes: 5, ProcessTTL: 1e11})
	t.Cleanup(func() { must(t, dead.Close()) })
	p := dead.NewProcess(false, "seoul-1")
	must(t, p.Beat(b.ctx))
	_, verdict, err := dead.Claim(b.ctx, jobs.TaskPayload{Job: orphan, Attempt: 1, Host: "seoul-1"}, p.NewOwner())
	must(t, err)
	if verdict != jobs.Run {
		t.Fatalf("verdict %v", verdict)
	}
	second := b.start(t, b.config(b.asHost, host), app.Worker)
	for _, id := range []string{id, orphan} {
		b.eventually(t, "job "+id+" is done", func() bool {
			_, answer, err := b.ask(api, http.MethodGet, "/api/v1/jobs/"+id, "")
			return err == nil && strings.Contains(answer, `"completed"`) && strings.Contains(answer, `"success":true`)
		})
	}
	b.eventually(t, "asynq has told of its servers", func() bool {
		n, err := b.redis(t).ZCard(b.ctx, "asynq:servers").Result()
		return err == nil && n >= 4
	})

	// Cancelled while it runs: its worker is told.
	b.modems[0].Close()
	running := b.accepted(t, api, 11)
	b.eventually(t, "it runs", func() bool {
		_, answer, err := b.ask(api, http.MethodGet, "/api/v1/jobs/"+running, "")
		return err == nil && strings.Contains(answer, `"running"`)
	})
	b.wants(t, api, http.MethodPost, "/api/v1/jobs/"+running+"/cancel", "", 202, running)
	b.eventually(t, "it is cancelled", func() bool {
		_, answer, err := b.ask(api, http.MethodGet, "/api/v1/jobs/"+running, "")
		return err == nil && strings.Contains(answer, `"cancelled"`)
	})
	must(t, second.Stop(b.ctx))

	// What operators look at, and a host that is no more.
	b.wants(t, api, http.MethodGet, "/metrics", "", 200, "switchyard_queue_")
	b.wants(t, api, http.MethodGet, "/monitoring/api/queues", "", 200, "host:seoul-1")
	b.wants(t, api, http.MethodGet, "/monitoring/api/servers", "", 200, "servers")
	if text := b.figures(t, clock.MetricsAddr()); !strings.Contains(text, "switchyard_queue_") {
		t.Errorf("the scheduler tells nothing of queues:\n%s", text)
	}
	b.accepted(t, api, 12)
	if status, answer, err := b.ask(api, http.MethodPost, "/api/v1/proxies/toggle", `{"subnet":12}`, "Idempotency-Key", "a"); err != nil || status != 202 {
		t.Errorf("answer %d %s, %v", status, answer, err)
	}
	b.wants(t, api, http.MethodDelete, "/api/v1/hosts/seoul-1", "", 200, "seoul-1")
	// One whose removal was broken off is the scheduler's.
	registry := hosts.New(b.redis(t), time.Minute)
	_, err = registry.Claim(b.ctx, hosts.Info{Name: "busan-1", Machine: "m", Process: "p", ServerIP: "203.0.113.9", Seen: time.Now().Add(-time.Hour)})
	must(t, err)
	must(t, registry.Remove(b.ctx, "busan-1", time.Now()))
	b.eventually(t, "its removal is over", func() bool {
		_, err := registry.Get(b.ctx, "busan-1")
		return errors.Is(err, hosts.ErrUnknown)
	})
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
}

// accepted asks for a toggle and returns its job.
func (b *bundle) accepted(t *testing.T, api *process, subnet int) string {
	t.Helper()
	body, err := json.Marshal(map[string]int{"subnet": subnet})
	must(t, err)
	var a struct {
		JobID string `json:"job_id"`
	}
	must(t, json.Unmarshal([]byte(b.wants(t, api, http.MethodPost, "/api/v1/proxies/toggle", string(body), 202, "job_id")), &a))
	return a.JobID
}

// Ensure who steals a host's password can do nothing with what is other hosts',
// the requests' or everybody's, whichever way he tries.
func TestStolenHost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	admin := b.redis(t)
	store := jobs.NewStore(jobs.Options{
		Client: admin, Hub: events.NewHub(), Retention: 1e15, MaxPerType: 100, EventStream: 100, IdempotencyWindow: 1e13, MaxCrashes: 5, ProcessTTL: 1e11,
	})
	t.Cleanup(func() { must(t, store.Close()) })
	a, err := store.Accept(b.ctx, jobs.Request{
		IdempotencyScope: "key", Fingerprint: []byte("x"),
		Draft: tasks.NewToggle(tasks.TogglePayload{Host: "seoul-2", ServerIP: "198.51.100.8", Subnet: 11}, 1e10, store.Now().Add(1e12)),
	})
	must(t, err)
	must(t, admin.ZAdd(b.ctx, "sw:v1:owed", redis.Z{Score: 1, Member: a.ID + "|seoul-2|end|1"}).Err())
	must(t, admin.Set(b.ctx, "sw:v1:h:seoul-2:info", "{}", 0).Err())
	must(t, admin.HSet(b.ctx, "asynq:workers:{other:1:x}", "t", "secret").Err())
	before := snapshot(b.ctx, t, admin)

	b.user(t, "thief", jobs.HostAccess("seoul-1"))
	thief := b.as(t, "thief")
	victim := "sw:v1:h:seoul-2:job:" + a.ID
	for _, attack := range []string{
		// Others' jobs.
		"HGETALL " + victim, "HSET " + victim + " state completed", "DEL " + victim, "GET sw:v1:h:seoul-2:info", "SET sw:v1:h:seoul-2:info x",
		"ZRANGE sw:v1:h:seoul-2:open 0 -1", "HGETALL sw:v1:job:" + a.ID, "SMEMBERS sw:v1:h:seoul-2:audience:" + a.ID,
		"RENAME " + victim + " sw:v1:h:seoul-1:x", "COPY " + victim + " sw:v1:h:seoul-1:x", "DUMP " + victim, "SORT " + victim,
		"ZUNIONSTORE sw:v1:h:seoul-1:x 1 sw:v1:h:seoul-2:open", "SUNION sw:v1:hosts", "OBJECT ENCODING " + victim, "TYPE " + victim,
		"ZREM sw:v1:h:seoul-2:processes x", "ZADD sw:v1:h:seoul-2:processes 1 x",
		// Queues.
		"LPUSH asynq:{host:seoul-2}:pending x", "LPUSH asynq:{trading}:pending x", "LPUSH asynq:{delivery}:pending x",
		"LRANGE asynq:{host:seoul-2}:pending 0 -1", "HSET asynq:{trading}:t:x msg x", "SET asynq:{host:seoul-2}:paused 1", "SREM asynq:queues trading",
		"RPOPLPUSH asynq:{host:seoul-2}:pending asynq:{host:seoul-1}:pending", "LMOVE asynq:{host:seoul-2}:pending sw:v1:h:seoul-1:x LEFT LEFT",
		// Requests, chats, indexes.
		"GET sw:v1:idempotency:key", "HGETALL sw:v1:idempotency:key", "DEL sw:v1:idempotency:key", "ZRANGE sw:v1:index:type:toggle 0 -1",
		"ZRANGE sw:v1:index:chat:42 0 -1", "ZADD sw:v1:index:host:seoul-1 0 x",
		// What all share: adding to it is all.
		"ZRANGE sw:v1:owed 0 -1", "ZREM sw:v1:owed " + a.ID + "|seoul-2|end", "DEL sw:v1:owed", "EXPIRE sw:v1:owed 1", "ZPOPMIN sw:v1:owed",
		"XRANGE sw:v1:events:jobs - +", "XREAD COUNT 1 STREAMS sw:v1:events:jobs 0", "DEL sw:v1:events:jobs", "XTRIM sw:v1:events:jobs MAXLEN 0",
		"SMEMBERS sw:v1:hosts", "SREM sw:v1:hosts seoul-2", "SMEMBERS asynq:queues", "ZRANGE asynq:servers 0 -1",
		"HGETALL asynq:workers:{other:1:x}", "GET asynq:servers:{other:1:x}",
		// Channels.
		"SUBSCRIBE sw:v1:h:seoul-2:cancels", "SUBSCRIBE sw:v1:bell:trading", "PSUBSCRIBE *", "PUBLISH sw:v1:h:seoul-2:cancels " + a.ID,
		"PUBLISH sw:v1:bell:host:seoul-2 1", "PUBLISH asynq:cancel x", "SUBSCRIBE sw:v1:bell:owed", "PUBSUB CHANNELS",
		// The server and its other clients.
		"CONFIG GET *", "CONFIG SET requirepass x", "KEYS *", "SCAN 0", "FLUSHDB", "FLUSHALL", "DBSIZE", "RANDOMKEY", "SWAPDB 0 1", "MOVE " + victim + " 1",
		"ACL LIST", "ACL SETUSER thief allkeys", "ACL WHOAMI", "ACL LOG", "CLIENT LIST", "CLIENT KILL TYPE normal", "CLIENT NO-EVICT ON", "MONITOR",
		"SHUTDOWN NOSAVE", "REPLICAOF 192.0.2.1 6379", "SAVE", "BGREWRITEAOF", "SLOWLOG GET", "LATENCY DOCTOR", "MODULE LIST", "FAILOVER",
		"SCRIPT FLUSH", "SCRIPT KILL", "FUNCTION LIST", "WAIT 1 1", "MEMORY USAGE " + victim, "MIGRATE 192.0.2.1 6379 " + victim + " 0 1",
	} {
		// A connection of its own: one that has subscribed takes nothing else.
		if err := attackBy(b.ctx, thief, anys(strings.Fields(attack))...); !redis.HasErrorPrefix(err, "NOPERM") {
			t.Errorf("%s: %v, want it denied", attack, err)
		}
	}
	for _, attack := range []struct {
		text string
		keys []string
	}{
		{"return redis.call('HGETALL', KEYS[1])", []string{victim}},
		{"return redis.call('HGETALL', '" + victim + "')", nil},
		{"return redis.call('HGETALL', '" + victim + "')", []string{"sw:v1:owed"}},
		{"return redis.call('ZRANGE', KEYS[1], 0, -1)", []string{"sw:v1:owed"}},
		{"return redis.call('ZREM', KEYS[1], '" + a.ID + "|seoul-2|end')", []string{"sw:v1:owed"}},
		{"return redis.call('DEL', KEYS[1])", []string{"sw:v1:events:jobs"}},
		{"return redis.call('XRANGE', KEYS[1], '-', '+')", []string{"sw:v1:events:jobs"}},
		{"return redis.call('SMEMBERS', KEYS[1])", []string{"sw:v1:hosts"}},
		{"return redis.call('HGETALL', KEYS[1])", []string{"asynq:workers:{other:1:x}"}},
		{"return redis.call('LPUSH', 'asynq:{trading}:pending', 'x')", nil},
		{"return redis.call('PUBLISH', 'sw:v1:h:seoul-2:cancels', 'x')", nil},
		{"return redis.call('FLUSHALL')", nil},
		{"return redis.call('KEYS', '*')", nil},
		{"return redis.call('CONFIG', 'GET', '*')", nil},
	} {
		err := thief.Eval(b.ctx, attack.text, attack.keys).Err()
		said := ""
		if err != nil {
			said = err.Error()
		}
		if !regexp.MustCompile(`NOPERM|No permissions|can't run this command|can't access|can't publish|not allowed from script`).MatchString(said) {
			t.Errorf("EVAL %q %v: %v, want it denied", attack.text, attack.keys, err)
		}
	}
	if after := snapshot(b.ctx, t, admin); !slices.Equal(before, after) {
		t.Errorf("the database has changed:\n%s\nit was\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
	// What is left to him: his own, and adding to what all share.
	must(t, thief.Set(b.ctx, "sw:v1:h:seoul-1:info", "{}", 0).Err())
	must(t, thief.ZAdd(b.ctx, "sw:v1:owed", redis.Z{Score: 1, Member: "x"}).Err())
}

func attackBy(ctx context.Context, c *redis.Client, args ...any) error {
	conn := c.Conn()
	defer func() { _ = conn.Close() }()
	return conn.Do(ctx, args...).Err()
}

func anys(words []string) []any {
	out := make([]any, len(words))
	for i, w := range words {
		out[i] = w
	}
	return out
}

// snapshot is the whole database.
func snapshot(ctx context.Context, t *testing.T, admin *redis.Client) []string {
	t.Helper()
	keys, err := admin.Keys(ctx, "*").Result()
	must(t, err)
	for i, k := range keys {
		dump, err := admin.Dump(ctx, k).Result()
		must(t, err)
		keys[i] = k + " " + dump
	}
	slices.Sort(keys)
	return keys
}

// Ensure the other roles have no more than they need either.
func TestRolesAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t)
	everybody := []string{
		"CONFIG GET *", "KEYS *", "SCAN 0", "FLUSHDB", "FLUSHALL", "ACL LIST", "CLIENT LIST", "CLIENT KILL TYPE normal", "MONITOR",
		"SHUTDOWN", "REPLICAOF 192.0.2.1 6379", "SCRIPT FLUSH", "FUNCTION FLUSH", "GET somebody-else", "SET somebody-else x", "PSUBSCRIBE *", "SWAPDB 0 1",
	}
	for _, role := range []struct {
		name    string
		access  jobs.Access
		attacks []string
	}{
		{"api", jobs.APIAccess(), []string{"SUBSCRIBE sw:v1:cancels", "PUBLISH asynq:cancel x"}},
		{"worker", jobs.WorkerAccess(), []string{
			"HGETALL sw:v1:idempotency:x", "DEL sw:v1:idempotency:x", "HSET sw:v1:h:seoul-1:job:x state completed", "LPUSH asynq:{host:seoul-1}:pending x",
			"XRANGE sw:v1:events:jobs - +", "DEL sw:v1:events:jobs", "SREM sw:v1:hosts x", "PUBLISH sw:v1:h:seoul-1:cancels x",
			"SUBSCRIBE sw:v1:h:seoul-1:cancels",
		}},
		{"scheduler", jobs.SchedulerAccess(), []string{
			"HGETALL sw:v1:idempotency:x", "DEL sw:v1:idempotency:x", "XRANGE sw:v1:events:logs - +", "XREAD STREAMS sw:v1:events:jobs 0", "DEL sw:v1:events:jobs", "SADD sw:v1:hosts x",
			"DEL sw:v1:hosts", "ZADD sw:v1:hosts:removed 1 x", "DEL asynq:queues", "SUBSCRIBE sw:v1:bell:owed", "PUBLISH sw:v1:h:seoul-1:cancels x",
		}},
	} {
		b.user(t, role.name, role.access)
		c := b.as(t, role.name)
		for _, attack := range append(slices.Clone(everybody), role.attacks...) {
			if err := attackBy(b.ctx, c, anys(strings.Fields(attack))...); !redis.HasErrorPrefix(err, "NOPERM") {
				t.Errorf("%s: %s: %v, want it denied", role.name, attack, err)
			}
		}
	}
}

// Ensure a process of several roles has the rights of each, and no more.
func TestRightsTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	all := slices.Concat(jobs.APIAccess(), jobs.WorkerAccess(), jobs.SchedulerAccess(), jobs.HostAccess("seoul-1"))
	p := b.start(t, b.config(b.asHost, alsoDelivers, b.user(t, "all", all)), app.Roles()...)
	b.wants(t, p, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	b.toldOnce(t)
	for _, d := range b.denied(t) {
		t.Errorf("Redis denied %s", d)
	}
	if err := b.as(t, "all").Keys(b.ctx, "*").Err(); !redis.HasErrorPrefix(err, "NOPERM") {
		t.Errorf("KEYS: %v", err)
	}
}

// Ensure that each command which a script of ours calls is one that somebody is
// allowed: a script that learns another is noticed here, before it is denied.
func TestRightsKnowTheScripts(t *testing.T) {
	t.Parallel()
	allowed := strings.ToUpper(strings.Join(slices.Concat(jobs.APIAccess(), jobs.WorkerAccess()).Rules(), " ") + " ")
	var files []string
	for _, pattern := range []string{"../jobs/scripts/*.lua", "../intake/scripts/*.lua", "../limits/*.lua", "../trading/exchange/paper/*.lua"} {
		found, err := filepath.Glob(pattern)
		must(t, err)
		files = append(files, found...)
	}
	n := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		must(t, err)
		for _, m := range regexp.MustCompile(`redis\.call\('([A-Z]+)'`).FindAllStringSubmatch(string(text), -1) {
			n++
			if !regexp.MustCompile(`\+` + m[1] + `[ )]`).MatchString(allowed) {
				t.Errorf("%s calls %s, which jobs/acl.go allows to nobody", f, m[1])
			}
		}
	}
	if n < 50 {
		t.Errorf("found %d calls in %d scripts: are they looked for rightly?", n, len(files))
	}
}
