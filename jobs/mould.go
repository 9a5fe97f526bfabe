package jobs

import (
	"strings"
	"sync"
	"time"

	"switchyard/tasks"
)

// Having asynq's client write a message costs more than all else that accepting
// a job takes of this process. But what it writes for two tasks with the same
// type, queue and timeout, and with ids and payloads of the same lengths,
// differs in these two places only. So it is asked for one with stand-ins in
// them, and the others are cast from that: the format stays asynq's. The first
// cast is compared with the real thing; where they differ, there is no mould.

// mouldKey is what messages of one mould have in common.
type mouldKey struct {
	typ         tasks.Type
	queue       string
	timeout     time.Duration
	id, payload int // lengths
}

// mould is what asynq's client would send, in pieces.
type mould struct {
	msg     [3]string // around payload and id, whichever comes first
	idFirst bool
	key     [2]string // around the id
	target  string
}

// moulds are those made so far.
type moulds struct {
	mu  sync.Mutex
	all map[mouldKey]*mould // nil: it can't be cast
}

// mouldsMost bounds the memory. Hosts, types and lengths are few.
const mouldsMost = 10_000

func (m *moulds) get(k mouldKey) (md *mould, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	md, known = m.all[k]
	return md, known
}

func (m *moulds) put(k mouldKey, md *mould) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil || len(m.all) >= mouldsMost {
		m.all = make(map[mouldKey]*mould)
	}
	m.all[k] = md
}

// Bytes that stand for id and payload; no text has them.
const (
	idStandIn      = "\x01"
	payloadStandIn = "\x02"
)

// newMould takes the message of a task with these stand-ins apart; nil where
// they aren't found exactly once each.
func newMould(t preparedTask, id, payload string) *mould {
	if strings.Count(t.msg, id) != 1 || strings.Count(t.msg, payload) != 1 || strings.Count(t.key, id) != 1 {
		return nil
	}
	md := &mould{target: t.target}
	md.key[0], md.key[1], _ = strings.Cut(t.key, id)
	first, second := payload, id
	if md.idFirst = strings.Index(t.msg, id) < strings.Index(t.msg, payload); md.idFirst {
		first, second = id, payload
	}
	var rest string
	md.msg[0], rest, _ = strings.Cut(t.msg, first)
	md.msg[1], md.msg[2], _ = strings.Cut(rest, second)
	return md
}

// cast makes the task with this id and payload.
func (md *mould) cast(queue, id, payload string) preparedTask {
	first, second := payload, id
	if md.idFirst {
		first, second = id, payload
	}
	return preparedTask{
		queue: queue, id: id, key: md.key[0] + id + md.key[1], target: md.target,
		msg: md.msg[0] + first + md.msg[1] + second + md.msg[2], ns: time.Now().UnixNano(),
	}
}
