package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// TaskPayload is all that asynq carries of a job: which one, which attempt,
// and the chat that it is keyed by.
type TaskPayload struct {
	Job     string `json:"job"`
	Attempt int    `json:"attempt"`
	Host    string `json:"host,omitempty"`
	ChatID  string `json:"chat_id,omitempty"`
}

// asynq must never end a task by itself: outcomes are transitions of the
// record. So its retries are out of reach, and its timeout lies beyond ours.
const (
	asynqMaxRetry     = 1_000_000
	asynqTimeoutSlack = 60 * time.Second
)

func taskID(job string, attempt int) string { return job + ":" + strconv.Itoa(attempt) }

// preparedTask is what asynq.Client would send to Redis for one attempt.
type preparedTask struct {
	queue, id string
	key       string // the task's hash
	target    string // the pending list, or the scheduled set
	msg       string
	at        string // unix seconds, "" for now
	ns        int64
}

// args are the six arguments that task() of the prelude reads.
func (t preparedTask) args() []any {
	return []any{t.queue, t.id, t.msg, t.at, t.ns, BellChannel(t.queue)}
}

var noTask = []any{"", "", "", "", 0, ""}

// taskMaker has asynq's own client write the task, and catches what it would
// send instead of sending it: the message format stays asynq's. Most are cast
// from what it once made (see mould).
type taskMaker struct {
	client *asynq.Client
	rdb    *redis.Client
	moulds moulds
}

func newTaskMaker() *taskMaker {
	// Never dials: the hook answers every command.
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0"})
	rdb.AddHook(catcher{})
	return &taskMaker{client: asynq.NewClientFromRedisClient(rdb), rdb: rdb}
}

func (m *taskMaker) close() error { return m.rdb.Close() }

// make prepares the given attempt of j, to be run at once, or at if that is
// not zero.
func (m *taskMaker) make(j *Job, attempt int, at time.Time) (preparedTask, error) {
	b, err := json.Marshal(TaskPayload{Job: j.ID, Attempt: attempt, Host: j.Host, ChatID: j.ChatID})
	if err != nil {
		return preparedTask{}, fmt.Errorf("marshalling the task of job %s: %w", j.ID, err)
	}
	id, payload := taskID(j.ID, attempt), string(b)
	if !at.IsZero() {
		return m.ask(j, id, payload, at)
	}
	k := mouldKey{typ: j.Type, queue: j.Queue, timeout: j.Limit, id: len(id), payload: len(payload)}
	md, known := m.moulds.get(k)
	if md != nil {
		return md.cast(j.Queue, id, payload), nil
	}
	t, err := m.ask(j, id, payload, at)
	if err != nil || known {
		return t, err
	}
	stand := [2]string{strings.Repeat(idStandIn, len(id)), strings.Repeat(payloadStandIn, len(payload))}
	model, err := m.ask(j, stand[0], stand[1], at)
	if err != nil {
		return preparedTask{}, err
	}
	if md = newMould(model, stand[0], stand[1]); md != nil {
		c := md.cast(j.Queue, id, payload)
		if c.ns = t.ns; c != t {
			md = nil
		}
	}
	m.moulds.put(k, md)
	return t, nil
}

// ask has asynq's client make the task.
func (m *taskMaker) ask(j *Job, id, payload string, at time.Time) (preparedTask, error) {
	opts := []asynq.Option{
		asynq.TaskID(id), asynq.Queue(j.Queue), asynq.MaxRetry(asynqMaxRetry), asynq.Timeout(j.Limit + asynqTimeoutSlack),
	}
	if !at.IsZero() {
		opts = append(opts, asynq.ProcessAt(at))
	}
	var c caught
	ctx := context.WithValue(context.Background(), caughtKey{}, &c)
	if _, err := m.client.EnqueueContext(ctx, asynq.NewTask(string(j.Type), []byte(payload)), opts...); err != nil {
		return preparedTask{}, fmt.Errorf("preparing the task of job %s: %w", j.ID, err)
	}
	if len(c.keys) != 2 || len(c.args) != 3 {
		return preparedTask{}, fmt.Errorf("preparing the task of job %s: asynq sent %d keys and %d arguments, not 2 and 3", j.ID, len(c.keys), len(c.args))
	}
	t := preparedTask{queue: j.Queue, id: id, key: c.keys[0], target: c.keys[1], msg: text(c.args[0])}
	switch {
	case strings.HasSuffix(t.target, ":pending"):
		t.ns = time.Now().UnixNano()
	case strings.HasSuffix(t.target, ":scheduled"):
		t.at = text(c.args[1])
	default:
		return preparedTask{}, fmt.Errorf("preparing the task of job %s: asynq would write to %s", j.ID, t.target)
	}
	return t, nil
}

func text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case []byte:
		return string(x)
	default:
		return fmt.Sprint(x)
	}
}

// caught is one enqueue script as asynq's client called it.
type caught struct {
	sha  string
	keys []string
	args []any
}

type caughtKey struct{}

// catcher answers for Redis and keeps the script call.
type catcher struct{}

func (catcher) DialHook(next redis.DialHook) redis.DialHook { return next }

func (catcher) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(context.Context, []redis.Cmder) error { return nil }
}

func (catcher) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c, _ := ctx.Value(caughtKey{}).(*caught)
		switch cmd := cmd.(type) {
		case *redis.IntCmd: // SADD asynq:queues
			cmd.SetVal(1)
		case *redis.Cmd: // EVALSHA sha n keys… args…
			a := cmd.Args()
			if c != nil && len(a) > 2 {
				c.sha = text(a[1])
				n, err := strconv.Atoi(text(a[2]))
				if err != nil || len(a) < 3+n {
					return fmt.Errorf("unexpected script call with %d arguments", len(a))
				}
				for _, k := range a[3 : 3+n] {
					c.keys = append(c.keys, text(k))
				}
				c.args = append(c.args, a[3+n:]...)
			}
			cmd.SetVal(int64(1))
		}
		return nil
	}
}
