package app_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/app"
	"switchyard/configs"
	"switchyard/jobs"
	"switchyard/sim/redisserver"
)

// watched is a Redis with one replica and three Sentinels.
func (b *bundle) watched(t *testing.T, args ...string) (*redisserver.Watched, func(*configs.Config)) {
	t.Helper()
	var w *redisserver.Watched
	var err error
	for range 2 {
		// A machine that stands still for a moment has them fail over before they
		// know each other, which can take longer to heal than to begin anew.
		ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
		w, err = redisserver.StartWatched(ctx, redisserver.WatchedOptions{
			Dir: t.TempDir(), Fsync: "everysec", Replicas: 1, Sentinels: 3, DownAfter: 400 * time.Millisecond, Args: args,
		})
		cancel()
		if err == nil {
			break
		}
	}
	must(t, err)
	t.Cleanup(w.Kill)
	return w, func(c *configs.Config) {
		c.Redis.Addr = "127.0.0.1:1" // nobody is there
		c.Redis.Sentinel.Master, c.Redis.Sentinel.Addrs = w.Name, w.Addrs()
		c.Scheduler.SweepInterval = configs.Duration(200 * time.Millisecond)
	}
}

// Ensure all that an app does moves over to the new master when the old one
// dies: commands, the fetches of its queues, the bells that wake them, and the
// events that those who wait for a job are woken by.
func TestMasterDies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	w, bySentinel := b.watched(t)
	api := b.start(t, b.config(bySentinel), app.API, app.Scheduler)
	b.start(t, b.config(b.asHost, alsoDelivers, bySentinel), app.Worker)
	b.wants(t, api, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	old := w.Nodes[0]
	old.Kill()
	b.eventually(t, "another one is the master", func() bool { m := w.Master(b.ctx); return m != nil && m != old })
	b.await(t, api, 200, "ok")
	rdb := redis.NewClient(&redis.Options{Addr: w.Nodes[1].Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	// The bells are heard there.
	b.eventually(t, "the worker listens at the new master", func() bool {
		n, err := rdb.PubSubNumSub(b.ctx, "sw:v1:bell:host:seoul-1", "sw:v1:h:seoul-1:cancels", "sw:v1:bell:owed").Result()
		return err == nil && n["sw:v1:bell:host:seoul-1"] == 1 && n["sw:v1:h:seoul-1:cancels"] == 1 && n["sw:v1:bell:owed"] == 1
	})
	// The event stream is read there: a blocked XREAD shows in the client list.
	b.eventually(t, "the api reads the events at the new master", func() bool {
		list, err := rdb.ClientList(b.ctx).Result()
		return err == nil && strings.Contains(list, "cmd=xread")
	})
	b.wants(t, api, http.MethodPost, "/api/v1/proxies/toggle", `{"subnet":12,"wait":60}`, 200, `"success":true`)

	// The old one comes back, as a replica, and nobody minds.
	must(t, old.Restart(b.ctx))
	must(t, w.AwaitWhole(b.ctx))
	b.wants(t, api, http.MethodPost, "/api/v1/proxies/toggle", `{"subnet":11,"wait":60}`, 200, `"success":true`)
}

// Ensure a master that hangs and is replaced keeps nobody: its clients leave it
// though their connections are open, and what was refused meanwhile is not done
// when it goes on.
func TestMasterHangs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.plug(t)
	w, bySentinel := b.watched(t)
	api := b.start(t, b.config(bySentinel), app.API, app.Scheduler)
	b.start(t, b.config(b.asHost, alsoDelivers, bySentinel), app.Worker)
	b.wants(t, api, http.MethodGet, "/toggle/11", "", 200, `"success":true`)
	old := w.Nodes[0]
	must(t, old.Hang())
	b.eventually(t, "another one is the master", func() bool { m := w.Master(b.ctx); return m != nil && m != old })
	b.await(t, api, 200, "ok")
	b.wants(t, api, http.MethodPost, "/api/v1/proxies/toggle", `{"subnet":12,"wait":60}`, 200, `"success":true`)
	must(t, old.Resume())
	must(t, w.AwaitWhole(b.ctx))
	b.wants(t, api, http.MethodPost, "/api/v1/proxies/toggle", `{"subnet":11,"wait":60}`, 200, `"success":true`)
}

// Ensure what is wrong with the Sentinels is told with the keys to look at.
func TestSentinelsThatDontHelp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w, bySentinel := b.watched(t)
	p := b.make(t, b.config(bySentinel, func(c *configs.Config) { c.Redis.Sentinel.Master = "other" }), app.API)
	err := p.Start(b.ctx)
	if err == nil || !strings.Contains(err.Error(), "is unknown there (redis.sentinel.master)") {
		t.Errorf("unknown master: error %v", err)
	}
	rules := []any{"ACL", "SETUSER", "app", "reset", "on", ">right"}
	for _, r := range jobs.SentinelRules() {
		rules = append(rules, r)
	}
	sentinels := make([]*redis.Client, len(w.Sentinels))
	for i, s := range w.Sentinels {
		c := redis.NewClient(&redis.Options{Addr: s.Addr()})
		t.Cleanup(func() { _ = c.Close() })
		must(t, c.Do(b.ctx, rules...).Err())
		must(t, c.Do(b.ctx, "ACL", "LOG", "RESET").Err())
		sentinels[i] = c
	}
	login := func(user, password string) func(*configs.Config) {
		return func(c *configs.Config) {
			c.Redis.Sentinel.Username, c.Redis.Sentinel.Password = user, configs.NewSecret(password)
		}
	}
	p = b.make(t, b.config(bySentinel, login("app", "wr0ng")), app.API)
	if err := p.Start(b.ctx); err == nil || !strings.Contains(err.Error(), "redis.sentinel.password") || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("wrong password: error %v", err)
	}
	for _, c := range sentinels {
		must(t, c.Do(b.ctx, "ACL", "LOG", "RESET").Err())
	}
	// As the user that the printed rules make, which denies nothing that is needed.
	b.start(t, b.config(bySentinel, login("app", "right")), app.API)
	for _, f := range app.Doctor(b.ctx, app.DoctorOptions{Config: b.config(bySentinel, login("app", "right")), Roles: []app.Role{app.Scheduler}}) {
		if f.Check == "redis.sentinel" && f.Status != app.OK {
			t.Errorf("doctor says %+v", f)
		}
	}
	for _, c := range sentinels {
		log, err := c.Do(b.ctx, "ACL", "LOG").Slice()
		must(t, err)
		for _, entry := range log {
			t.Errorf("a Sentinel denied %v", plain(entry))
		}
	}
}
