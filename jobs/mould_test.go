package jobs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"switchyard/jobs"
	"switchyard/tasks"
)

// A task is to the byte what asynq's own client would have written for it,
// whether that was asked or the task was cast from an earlier one.
func TestTasksAreWhatAsynqWrites(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := asynq.NewClientFromRedisClient(b.rdb)
	var requests []jobs.Request
	for n := range 3 { // of each shape the first is asked for, the others are cast
		long := toggle(11 + n)
		long.Host, long.Queue = strings.Repeat("h", 40), tasks.HostQueue(strings.Repeat("h", 40))
		chat := toggle(14 + n)
		chat.ChatID = fmt.Sprintf("@chat_%d", n)
		odd := ordered("", n)
		odd.ChatID = fmt.Sprintf("\"<\x7f가%d", n)
		requests = append(requests, toggle(17+n), long, chat, odd)
	}
	for _, r := range requests {
		id := b.accept(t, r)
		key := "asynq:{" + r.Queue + "}:t:" + id + ":1"
		ours, err := b.rdb.HGetAll(b.ctx, key).Result()
		must(t, err)
		info, err := asynq.NewInspectorFromRedisClient(b.rdb).GetTaskInfo(r.Queue, id+":1")
		must(t, err)
		must(t, b.rdb.Del(b.ctx, key).Err())
		_, err = client.EnqueueContext(b.ctx, asynq.NewTask(string(r.Type), info.Payload),
			asynq.TaskID(id+":1"), asynq.Queue(r.Queue), asynq.MaxRetry(info.MaxRetry), asynq.Timeout(r.Limit+time.Minute))
		must(t, err)
		theirs, err := b.rdb.HGetAll(b.ctx, key).Result()
		must(t, err)
		delete(ours, "pending_since")
		delete(theirs, "pending_since")
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%s task of host %q, chat %q (-asynq's +ours):\n%s", r.Type, r.Host, r.ChatID, diff)
		}
	}
	if cast, asked := b.store.Moulds(); cast != 4 || asked != 0 {
		t.Errorf("%d shapes of tasks are cast, %d are not; want 4 and 0", cast, asked)
	}
}
