package worker_test

import (
	"testing"
	"time"

	"switchyard/jobs"
	"switchyard/worker"
)

// After an outage of Redis nothing is claimed for a moment, in which those who
// took requests withdraw what they had to refuse; then all goes on.
func TestNothingIsClaimedRightAfterAnOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	h := newHandler()
	b.start(t, h.handle, func(o *worker.Options) { o.Queues[0].Concurrency = 1 })
	first := b.accept(t, callback())
	c := b.began(t, h)
	second := b.accept(t, callback()) // waits for the only handler

	b.srv.Kill()
	c.answer <- worker.Done(nil)
	must(t, b.srv.Restart(b.ctx))
	back := time.Now()
	b.ended(t, first)
	if j := b.get(t, second); j.State != jobs.Queued {
		t.Errorf("the other job is %s as soon as Redis is back", j.State)
	}
	c = b.began(t, h)
	if took := time.Since(back); took < time.Second {
		t.Errorf("a job was claimed %s after Redis came back", took)
	}
	c.answer <- worker.Done(nil)
	b.ended(t, second)
}
