package jobs

import (
	"slices"
	"strings"

	"switchyard/events"
	"switchyard/tasks"
)

// Access is what a kind of process may do in Redis: exactly the commands and
// the keys that it needs, as rules for Redis' ACL (7 or later). It stands here
// beside the keys so that the two can't drift apart.
//
// Redis allows a command if one permission set of the user covers it and all
// its keys; so each Grant becomes one (a selector). A script is checked twice: its
// call must be allowed for all keys it names, and then each command in it for
// itself, as if the caller had sent it. So a user may be allowed to name a key
// in a script and yet do nothing with it but, say, ZADD.
type Access []Grant

// Grant is one permission set.
type Grant struct {
	// Commands, as ACL names them (hset, client|setname).
	Commands []string
	// Keys as ACL patterns: ~… to read and write, %R~… to read, %W~… to write.
	Keys []string
	// Channels as ACL patterns, &….
	Channels []string
}

// Of package hosts, what is not under a host's own prefix: the set of names, and
// those that are being removed.
const (
	hostsKey   = Prefix + "hosts"
	removedKey = Prefix + "hosts:removed"
)

// Commands by what they are for. There are none here that look over the whole
// database, configure Redis, or concern other clients.
var (
	connection = words("ping info time select client|setname client|id role")
	scripts    = words("eval evalsha script|load")
	together   = words("multi exec discard unwatch")
	reads      = words(`exists get mget strlen ttl pttl type hget hmget hgetall hexists hlen hkeys hvals lindex llen lrange
		sismember smismember smembers scard zcard zcount zscore zmscore zrank zrange zrevrange zrangebyscore zrevrangebyscore
		zrangebylex zrevrangebylex xlen xrange xrevrange`)
	writes = words(`del unlink expire expireat pexpire pexpireat persist set setex psetex setnx getset getdel incr incrby decr
		hset hsetnx hdel hincrby lpush rpush lpop rpop lrem ltrim lset rpoplpush lmove sadd srem zadd zincrby zrem
		zremrangebyrank zremrangebyscore xadd xtrim`)
)

func words(s string) []string { return strings.Fields(s) }

// queueKeys are all keys of asynq's for these queues.
func queueKeys(queues ...string) []string {
	out := make([]string, len(queues))
	for i, q := range queues {
		out[i] = "~asynq:{" + q + "}:*"
	}
	return out
}

// serverKeys are where asynq servers say that they are there, for its monitor.
// Nothing else is done by them.
var serverKeys = words("asynq:servers:{* asynq:workers:{*")

// serves lets a process run asynq servers: tell of themselves, blindly, and
// hear of what asynq itself cancels.
var serves = Access{
	{Commands: words("setex del hset expire"), Keys: prefixed("%W~", serverKeys...)},
	{Commands: words("zadd zrem"), Keys: words("%W~asynq:servers %W~asynq:workers")},
	{Commands: words("subscribe unsubscribe"), Channels: words("&asynq:cancel")},
}

func prefixed(prefix string, keys ...string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = prefix + k
	}
	return out
}

// HostAccess is that of a proxy host's worker: its own two queues and what lies
// under its own prefix. Of what all share it may only add: to what is owed, to
// the events of jobs and hosts, to the lines of the log, to the names of hosts and queues. docs/redis.md tells what that is
// good for in wrong hands.
func HostAccess(host string) Access {
	h := home(host)
	toggles, status := tasks.HostQueue(host), tasks.HostStatusQueue(host)
	own := append(queueKeys(toggles, status), "~"+h.prefix()+"*")
	bells := prefixed("&", BellChannel(toggles), BellChannel(status))
	return append(Access{
		{Commands: slices.Concat(reads, writes, scripts), Keys: own},
		// What scripts may name; what they may do with it follows.
		{Commands: scripts, Keys: slices.Concat(own, prefixed("~", owedKey, streamKey, events.HostStream, queuesKey, hostsKey), prefixed("~", serverKeys...))},
		{Commands: words("zadd"), Keys: []string{"%W~" + owedKey}},
		{Commands: words("xadd"), Keys: prefixed("%W~", streamKey, events.HostStream, events.Logs.Stream())},
		{Commands: words("sadd"), Keys: prefixed("%W~", queuesKey, hostsKey)},
		{Commands: words("publish"), Channels: append(bells, "&"+owedBell)},
		{Commands: words("subscribe unsubscribe"), Channels: append(bells, "&"+h.cancels())},
	}, serves...)
}

// ownKeys are the records of jobs of no host, and all indexes.
func ownKeys() []string {
	h := home("")
	return []string{
		"~" + h.record("*"), "~" + h.audience("*"), "~" + h.join("*"), "~" + h.order("*"), "~" + h.open(), "~" + h.processes(),
		"~" + Prefix + "index:*", "~" + owedKey,
	}
}

// limitKeys are those of package limits: the rates that all workers share.
const limitKeys = Prefix + "limit:*"

// telegramKeys are those of package telegram: which groups have moved.
const telegramKeys = Prefix + "telegram:*"

// stepLogKeys are those of package steplogs; a host's stand under its own prefix.
const stepLogKeys = Prefix + "steplog:*"

// Of trading: the book of open orders, and accounts on paper.
const (
	tradingKeys = Prefix + "trading:*"
	paperKeys   = Prefix + "paper:*"
)

// alertKeys are those of package alerts: the book of what people should know of.
const alertKeys = Prefix + "alerts:*"

// told are the streams of events that a process may add to.
func told(classes ...events.Class) (out []string) {
	for _, c := range classes {
		out = append(out, c.Stream())
	}
	return out
}

// WorkerAccess is that of a worker of the queues that belong to no host: it
// runs those jobs and settles what is owed. Of hosts it reads the jobs; it has
// no part in requests (idempotency keys), nor in the queues of hosts.
func WorkerAccess() Access {
	queues := tasks.SharedQueues()
	own := append(queueKeys(queues...), ownKeys()...)
	own = append(own, prefixed("~", limitKeys, telegramKeys, tradingKeys, paperKeys, alertKeys, stepLogKeys)...)
	var bells []string
	for _, q := range queues {
		bells = append(bells, "&"+BellChannel(q))
	}
	bells = append(bells, "&"+owedBell)
	return append(Access{
		{Commands: slices.Concat(reads, writes, scripts), Keys: own},
		{Commands: scripts, Keys: slices.Concat(own, prefixed("~", streamKey, queuesKey, events.Alerts.Stream()), prefixed("~", serverKeys...))},
		{Commands: reads, Keys: prefixed("%R~", home("*").prefix()+"*", hostsKey)},
		{Commands: words("xadd xlen"), Keys: []string{"~" + streamKey}},
		{Commands: words("xadd"), Keys: prefixed("%W~", told(events.Orders, events.Deliveries, events.Alerts, events.Logs, events.Status)...)},
		{Commands: words("sadd"), Keys: []string{"%W~" + queuesKey}},
		{Commands: words("publish"), Channels: bells},
		{Commands: words("subscribe unsubscribe"), Channels: append(bells, "&"+home("").cancels())},
	}, serves...)
}

// SchedulerAccess is that of what happens by the clock: it looks after the
// records, tasks and indexes of all jobs. It has no part in requests
// (idempotency keys), doesn't listen to anything, and takes nothing from a
// queue that its scripts don't.
func SchedulerAccess() Access {
	all := append(ownKeys(), "~"+home("*").prefix()+"*", "~asynq:{*", "~"+alertKeys)
	return Access{
		{Commands: slices.Concat(reads, writes, scripts, words("watch")), Keys: all},
		{Commands: scripts, Keys: append(slices.Clone(all), prefixed("~", streamKey, queuesKey, hostsKey, events.Alerts.Stream())...)},
		// How jobs and pushes have ended, for alerts.
		{Commands: words("xrange xrevrange"), Keys: prefixed("%R~", streamKey, events.HostStream)},
		{Commands: words("xadd xlen"), Keys: []string{"~" + streamKey}},
		{Commands: words("xadd"), Keys: prefixed("%W~", told(events.Alerts, events.Logs)...)},
		{Commands: words("sadd srem smembers scard"), Keys: []string{"~" + queuesKey}},
		// It ends what a broken-off removal of a host left.
		{Commands: append(slices.Clone(reads), "srem"), Keys: []string{"~" + hostsKey}},
		{Commands: append(slices.Clone(reads), "zrem"), Keys: []string{"~" + removedKey}},
		{Commands: together},
		{Commands: words("publish"), Channels: []string{"&" + bellPrefix + "*"}},
	}
}

// APIAccess is that of the api: all records and queues, since it accepts jobs of
// every kind for every host, and shows and cancels them.
func APIAccess() Access {
	return Access{
		{Commands: slices.Concat(reads, writes, scripts, words("xread watch memory|usage")), Keys: []string{"~" + Prefix + "*", "~asynq:*"}},
		{Commands: words("publish"), Channels: []string{"&" + bellPrefix + "*", "&" + home("").cancels(), "&" + home("*").cancels()}},
		{Commands: together},
	}
}

// SentinelRules are the rules of a user of ours at a Sentinel, which has an ACL
// of its own: to ask for the master and hear of another.
func SentinelRules() []string {
	return words(`resetchannels &+switch-master &+replica-reconf-done -@all +ping +hello +auth +client|setname +role
		+subscribe +unsubscribe +sentinel|get-master-addr-by-name +sentinel|master +sentinel|masters +sentinel|replicas
		+sentinel|sentinels +sentinel|myid`)
}

// Rules are the ACL rules of a user with this access, but for its name and
// password: what every connection does, and each grant as a selector. Grants of
// the same commands become one: a SUBSCRIBE of several channels, too, has to be
// covered by a single selector.
func (a Access) Rules() []string {
	var order []string
	merged := map[string]Grant{}
	for _, g := range a {
		commands := strings.Join(prefixed("+", g.Commands...), " ")
		m, known := merged[commands]
		if !known {
			order = append(order, commands)
		}
		m.Keys, m.Channels = slices.Concat(m.Keys, g.Keys), slices.Concat(m.Channels, g.Channels)
		merged[commands] = m
	}
	out := append(words("resetkeys resetchannels -@all"), prefixed("+", connection...)...)
	for _, commands := range order {
		m := merged[commands]
		rule := []string{"(resetchannels -@all"}
		for _, pattern := range slices.Concat(m.Keys, m.Channels) {
			if !slices.Contains(rule, pattern) {
				rule = append(rule, pattern)
			}
		}
		out = append(out, strings.Join(append(rule, commands), " ")+")")
	}
	return out
}
