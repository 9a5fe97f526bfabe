package jobs

import (
	"strings"

	"switchyard/events"
	"switchyard/tasks"
)

// Prefix stands in front of every key of ours.
const Prefix = "sw:v1:"

// Channels and sets that belong to no home.
const (
	bellPrefix = Prefix + "bell:"
	streamKey  = events.JobStream
	owedKey    = Prefix + "owed"
	queuesKey  = "asynq:queues"
	owedBell   = bellPrefix + "owed"
)

// BellChannel is rung when a task was put into the queue.
func BellChannel(queue string) string { return bellPrefix + queue }

// OwedChannel is rung when something is owed.
const OwedChannel = owedBell

// home is whose jobs they are: a host's, or "" for those of no host.
type home string

func (h home) prefix() string {
	if h == "" {
		return Prefix
	}
	return Prefix + "h:" + string(h) + ":"
}

func (h home) record(id string) string   { return h.prefix() + "job:" + id }
func (h home) audience(id string) string { return h.prefix() + "audience:" + id }
func (h home) join(key string) string    { return h.prefix() + "join:" + key }
func (h home) order(key string) string   { return h.prefix() + "order:" + key }
func (h home) due(t tasks.Type) string   { return h.prefix() + "due:" + string(t) }
func (h home) open() string              { return h.prefix() + "open" }
func (h home) processes() string         { return h.prefix() + "processes" }
func (h home) cancels() string           { return h.prefix() + "cancels" }

// member is how a job stands in an index: its id, and its host if it has one,
// so that a list is read without looking where each record is.
func (h home) member(id string) string {
	if h == "" {
		return id
	}
	return id + "@" + string(h)
}

// chatMember and urlMember are how those who want to know of a job's end stand
// in its audience.
func chatMember(chat string) string { return chatMark + chat }
func urlMember(url string) string   { return urlMark + url }

const (
	chatMark = "c:"
	urlMark  = "u:"
)

func parseMember(m string) (id string, h home) {
	id, host, _ := strings.Cut(m, "@")
	return id, home(host)
}

func typeIndex(t tasks.Type) string { return Prefix + "index:type:" + string(t) }
func chatIndex(chat string) string  { return Prefix + "index:chat:" + chat }
func hostIndex(host string) string  { return Prefix + "index:host:" + host }
func idemKey(scope string) string   { return Prefix + "idempotency:" + scope }
func answerKey(scope string) string { return Prefix + "answer:" + scope }

// asynqQueue stands in front of what asynq keeps of a queue.
func asynqQueue(queue string) string { return "asynq:{" + queue + "}:" }

// asynqLease is asynq's own: when each active task's server was last heard of.
func asynqLease(queue string) string { return asynqQueue(queue) + "lease" }
