package worker_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
	"switchyard/worker"
)

// A job whose outcome Redis has forgotten, as a replica has that became the
// master too soon, runs again after the outage, though its worker never died.
// One that still runs is left alone.
func TestForgottenOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := newHandler()
	b.start(t, h.handle, func(o *worker.Options) { o.Heartbeat = 20 * time.Millisecond })
	id := b.accept(t, callback())
	c := b.began(t, h)
	record := jobs.Prefix + "job:" + id
	then, err := b.rdb.Dump(b.ctx, record).Result()
	must(t, err)
	c.answer <- worker.Done(1)
	b.ended(t, id)
	b.taskGone(t, id+":1")
	other := b.accept(t, callback())
	running := b.began(t, h)

	must(t, b.rdb.RestoreReplace(b.ctx, record, 0, then).Err())
	must(t, b.rdb.ZAdd(b.ctx, jobs.Prefix+"open", redis.Z{Score: 1, Member: id}).Err())
	b.srv.Kill()
	must(t, b.srv.Restart(b.ctx))
	c = b.began(t, h)
	if c.run.ID != id || c.run.Attempt != 2 {
		t.Errorf("job %s ran as attempt %d, want %s as 2", c.run.ID, c.run.Attempt, id)
	}
	c.answer <- worker.Done(2)
	if j := b.ended(t, id); j.State != jobs.Completed || string(j.Result) != "2" {
		t.Errorf("record is %+v", j)
	}
	running.answer <- worker.Done(3)
	if j := b.ended(t, other); j.Attempt != 1 || string(j.Result) != "3" {
		t.Errorf("the one that ran is %+v", j)
	}
}
