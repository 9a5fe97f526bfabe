package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// minMajor is the Redis from which on there are the ACL selectors and the
	// commands that are used here.
	minMajor = 7
	// doctorLimit bounds all that is asked of Redis.
	doctorLimit = 20 * time.Second
	// pings is how many answers the latency is the median of.
	pings = 21
	// slowPing is more than a Redis in the same building takes.
	slowPing = 10 * time.Millisecond
	// A clock that is off by clockWarn makes delayed jobs early or late; by
	// clockFail, half of what the leases of tasks are judged by, it costs
	// running ones.
	clockWarn = time.Second
	clockFail = 10 * time.Second
	// fullWarn and fullFail are how much of maxmemory is in use.
	fullWarn = 0.80
	fullFail = 0.95
)

// redisExam is one look at a Redis. It reads INFO and needs no right to CONFIG,
// which would show passwords to whoever has it.
type redisExam struct {
	dial *dialler
	rdb  *redis.Client
	info map[string]string
}

// redisFindings examines Redis as the configuration reaches it.
func redisFindings(ctx context.Context, opt DoctorOptions) []Finding {
	ctx, cancel := context.WithTimeout(ctx, doctorLimit)
	defer cancel()
	redis.SetLogger(redisLog{slog.New(slog.DiscardHandler)}) // what it says is in the findings
	d, err := newDialler(opt.Config.Redis)
	if err != nil {
		return []Finding{{Check: "redis.tls", Status: Fail, Says: err.Error(), Do: "give files that can be read by the user that switchyard runs as"}}
	}
	e := &redisExam{dial: d, rdb: d.client(2)}
	defer func() { _ = e.rdb.Close() }() // it has only asked
	var all []Finding
	if d.sentinel() {
		all = append(all, sentinelFindings(ctx, d)...)
	}
	reach := check{"redis.reach", e.reach}.run(ctx)
	if all = append(all, reach); reach.Status == Fail {
		return all
	}
	for _, c := range slices.Concat(e.suits(), e.health()) {
		all = append(all, c.run(ctx))
	}
	return all
}

// suits are the checks of whether jobs are safe with this Redis. The start of
// every role makes them too.
func (e *redisExam) suits() []check {
	return []check{
		{"redis.version", e.version}, {"redis.role", e.role}, {"redis.eviction", e.eviction},
		{"redis.aof", e.aof}, {"redis.fsync", e.fsync},
	}
}

// health are those of how well it is.
func (e *redisExam) health() []check {
	list := []check{{"redis.memory", e.memory}, {"redis.clock", e.clock}, {"redis.latency", e.latency}, {"redis.tls", e.encryption}}
	if e.dial.sentinel() {
		list = append(list, check{"redis.replicas", e.replicas})
	}
	return list
}

// ask reads INFO.
func (e *redisExam) ask(ctx context.Context) error {
	text, err := e.rdb.Info(ctx).Result()
	if err != nil {
		return fmt.Errorf("asking redis for INFO: %w", err)
	}
	e.info = map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			e.info[k] = v
		}
	}
	return nil
}

func (e *redisExam) reach(ctx context.Context) Finding {
	err := e.rdb.Ping(ctx).Err()
	switch {
	case refused(err):
		return fail("redis at "+e.dial.where()+" "+e.dial.refusal(err).Error(), "see docs/redis.md for the user and its rights")
	case err != nil:
		return fail("redis at "+e.dial.where()+" is out of reach: "+err.Error(), "start it, or correct redis.addr, redis.sentinel or redis.tls")
	}
	if err := e.ask(ctx); err != nil {
		return fail(err.Error(), "allow the user INFO: switchyard redis-acl prints its rules")
	}
	return ok(e.dial.where() + " answers")
}

func (e *redisExam) version(context.Context) Finding {
	v := e.info["redis_version"]
	major, _, _ := strings.Cut(v, ".")
	n, err := strconv.Atoi(major)
	switch {
	case err != nil:
		return warn("a version that it doesn't tell", fmt.Sprintf("see that it is Redis %d or later", minMajor))
	case n < minMajor:
		return fail("version "+v+", too old", fmt.Sprintf("install Redis %d or later", minMajor))
	}
	return ok("version " + v)
}

func (e *redisExam) role(context.Context) Finding {
	if role := e.info["role"]; role != "master" && role != "" {
		return fail("the role "+role+" of "+e.info["master_host"]+":"+e.info["master_port"]+", which takes no writes",
			"connect to the master (redis.addr), or by Sentinel (redis.sentinel)")
	}
	return ok("it is the master")
}

// durable is a finding about what require_durable is about.
func (e *redisExam) durable(says, do string) Finding {
	if !e.dial.cfg.RequireDurable {
		return warn(says+"; accepted by redis.require_durable: false", do+" there")
	}
	return fail(says, do+" there, or redis.require_durable: false here to accept that")
}

func (e *redisExam) eviction(context.Context) Finding {
	if p := e.info["maxmemory_policy"]; p != "noeviction" {
		return e.durable("maxmemory-policy "+p+", so it would throw jobs away when memory runs short", "set maxmemory-policy noeviction")
	}
	return ok("maxmemory-policy noeviction: nothing is thrown away")
}

func (e *redisExam) aof(context.Context) Finding {
	switch {
	case e.info["aof_enabled"] != "1":
		return e.durable("appendonly no, so it would forget jobs when it dies", "set appendonly yes")
	case e.info["aof_last_write_status"] != "ok":
		return fail("an append-only file that can't be written", "see redis' log and its disk")
	}
	return ok("appendonly yes, the last write was ok")
}

// fsync can only be known from CONFIG, which users of ours are not allowed: a
// try would stand in ACL LOG as an attack does.
func (e *redisExam) fsync(ctx context.Context) Finding {
	const always = "on its machine, see that it says: redis-cli config get appendfsync → always"
	if e.dial.cfg.Username != "" {
		return ok("appendfsync is not shown to this user; " + always)
	}
	got, err := e.rdb.ConfigGet(ctx, "appendfsync").Result()
	v := got["appendfsync"]
	switch {
	case err != nil:
		return ok("appendfsync is not shown to us; " + always)
	case e.info["aof_enabled"] == "1" && v != "always":
		return warn("appendfsync "+v+": a power cut may cost what was accepted last", "set appendfsync always there")
	}
	return ok("appendfsync " + v)
}

func (e *redisExam) memory(context.Context) Finding {
	limit, used := e.number("maxmemory"), e.number("used_memory")
	mib := func(n float64) string { return fmt.Sprintf("%.0f MiB", n/(1<<20)) }
	switch {
	case limit == 0:
		return warn(mib(used)+" in use, no limit: the kernel may kill it when the machine's memory runs short",
			"set maxmemory to what it may take, less than the machine has")
	case used > fullFail*limit:
		return fail(fmt.Sprintf("%s of %s in use: at the limit new jobs are refused", mib(used), mib(limit)), "raise maxmemory, or lower jobs.retention and jobs.max_per_type")
	case used > fullWarn*limit:
		return warn(fmt.Sprintf("%s of %s in use", mib(used), mib(limit)), "raise maxmemory, or lower jobs.retention and jobs.max_per_type")
	}
	return ok(fmt.Sprintf("%s of %s in use", mib(used), mib(limit)))
}

func (e *redisExam) number(key string) float64 {
	n, err := strconv.ParseFloat(e.info[key], 64)
	if err != nil {
		return 0 // not told
	}
	return n
}

func (e *redisExam) clock(ctx context.Context) Finding {
	before := time.Now()
	t, err := e.rdb.Time(ctx).Result()
	if err != nil {
		return fail("its clock can't be read: "+err.Error(), "allow the user TIME: switchyard redis-acl prints its rules")
	}
	after := time.Now()
	off := t.Sub(before.Add(after.Sub(before) / 2)).Round(time.Millisecond)
	says := fmt.Sprintf("redis' clock is %s off this machine's", off.Abs())
	const do = "have both machines set their clocks by NTP"
	switch {
	case off.Abs() > clockFail:
		return fail(says, do)
	case off.Abs() > clockWarn:
		return warn(says, do)
	}
	return ok(says)
}

func (e *redisExam) latency(ctx context.Context) Finding {
	took := make([]time.Duration, pings)
	for i := range took {
		began := time.Now()
		if err := e.rdb.Ping(ctx).Err(); err != nil {
			return fail("it stopped answering: "+err.Error(), "see redis' log")
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	median := took[pings/2].Round(10 * time.Microsecond)
	says := fmt.Sprintf("a command takes %s there and back (median of %d)", median, pings)
	switch {
	case median > e.dial.cfg.CommandTimeout.Std()/4:
		return fail(says+", too long for redis.command_timeout", "bring redis nearer, or raise redis.command_timeout")
	case median > slowPing:
		return warn(says, "bring redis nearer: every job takes several commands")
	}
	return ok(says)
}

func (e *redisExam) replicas(context.Context) Finding {
	n := int(e.number("connected_slaves"))
	good, set := e.info["min_slaves_good_slaves"]
	const do = "set min-replicas-to-write 1 and min-replicas-max-lag 10 in every Redis"
	switch {
	case n == 0:
		return warn("no replica: there is nothing to move over to", "start a replica")
	case !set:
		return warn(fmt.Sprintf("%d replica(s), but a master that has lost them goes on taking jobs, which are lost when another takes its place", n), do)
	case good == "0":
		return fail("no replica keeps up with the master, so it refuses jobs", "see the replicas' logs")
	}
	return ok(fmt.Sprintf("%d replica(s), %s of them up to date", n, good))
}

// sentinelFindings asks every Sentinel.
func sentinelFindings(ctx context.Context, d *dialler) []Finding {
	s := d.cfg.Sentinel
	var all []Finding
	masters := map[string]bool{}
	for _, addr := range s.Addrs {
		f := check{"redis.sentinel", func(ctx context.Context) Finding { return askSentinel(ctx, d, addr, masters) }}.run(ctx)
		all = append(all, f)
	}
	if len(masters) > 1 {
		all = append(all, Finding{Check: "redis.sentinel", Status: Fail, Says: "the Sentinels don't agree on who is the master", Do: "see their logs; their network may be split"})
	}
	if len(s.Addrs) < 3 {
		all = append(all, Finding{
			Check: "redis.sentinel", Status: Warn, Says: fmt.Sprintf("%d Sentinel(s) named; it takes three for one to fail", len(s.Addrs)),
			Do: "name all Sentinels in redis.sentinel.addrs, at least three",
		})
	}
	if len(masters) > 0 { // One that is down is what the others are there for.
		for i := range all {
			if all[i].Status == Fail && strings.Contains(all[i].Says, outOfReach) {
				all[i].Status = Warn
			}
		}
	}
	return all
}

const outOfReach = "is out of reach"

// askSentinel looks at one Sentinel, and notes whom it takes for the master.
func askSentinel(ctx context.Context, d *dialler, addr string, masters map[string]bool) Finding {
	c := d.sentinelClient(addr)
	defer func() { _ = c.Close() }() // it has only asked
	name := d.cfg.Sentinel.Master
	master, err := c.GetMasterAddrByName(ctx, name).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return fail(addr+" knows no master "+name, "correct redis.sentinel.master, or its sentinel monitor")
	case refused(err):
		return fail(addr+" refuses us: "+err.Error(), "correct redis.sentinel.username and redis.sentinel.password")
	case err != nil:
		return fail(addr+" "+outOfReach+": "+err.Error(), "start it, or correct redis.sentinel.addrs or redis.tls")
	}
	where := strings.Join(master, ":")
	masters[where] = true
	state, err := c.Master(ctx, name).Result()
	if err != nil {
		return warn(addr+" doesn't tell how the master is: "+err.Error(), "allow the user SENTINEL MASTER: switchyard redis-acl --sentinel prints its rules")
	}
	others, otherErr := strconv.Atoi(state["num-other-sentinels"])
	quorum, quorumErr := strconv.Atoi(state["quorum"])
	switch {
	case strings.Contains(state["flags"], "down"):
		return fail(fmt.Sprintf("%s takes the master %s for down (%s)", addr, where, state["flags"]), "wait for the move to another, or see the Sentinel's log")
	case otherErr == nil && quorumErr == nil && others+1 < max(quorum, 2):
		return fail(fmt.Sprintf("%s knows %d other Sentinels and needs %d to agree: nobody could move the master", addr, others, quorum), "start more Sentinels")
	case state["num-slaves"] == "0":
		return warn(addr+" knows no replica of "+where, "start a replica")
	}
	return ok(fmt.Sprintf("%s: master %s, %s replica(s), %s other Sentinels, quorum %s", addr, where, state["num-slaves"], state["num-other-sentinels"], state["quorum"]))
}
