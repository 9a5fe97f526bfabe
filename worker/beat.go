package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
)

// beat says that the process is alive and looks after what messages may have
// been lost.
func (w *Worker) beat(ctx context.Context) error {
	if err := w.opt.Process.Beat(ctx); err != nil {
		return err
	}
	asked, err := w.opt.Store.CancelsAsked(ctx, w.runningJobs())
	if err != nil {
		return err
	}
	for _, id := range asked {
		w.cancelRun(id)
	}
	if err := w.findStrays(ctx); err != nil {
		return err
	}
	if w.opt.OnBeat != nil {
		return w.opt.OnBeat(ctx)
	}
	return nil
}

// strayTime is how long after an outage strays are looked for. The clients of
// a process don't find another master all at once.
const strayTime = time.Minute

// findStrays lets go of jobs that Redis, after an outage, takes for running
// here.
func (w *Worker) findStrays(ctx context.Context) error {
	ago, was := w.weather.since()
	if !was || ago > strayTime {
		return nil
	}
	n, err := w.opt.Process.LetGoOfStrays(ctx)
	if n > 0 {
		w.opt.Log.Warn("redis has forgotten the outcome of jobs; they run again", "jobs", n)
	}
	return err
}

// firstBeat is beat, tried until Redis is there: nothing may be claimed by a process that
// nobody knows to be alive. Error: the cause of ctx together with the outage
// (jobs.ErrUnavailable), or one that is no outage.
func (w *Worker) firstBeat(ctx context.Context) error {
	for said := false; ; said = true {
		err := w.beat(ctx)
		if err == nil || ctx.Err() != nil || !errors.Is(err, jobs.ErrUnavailable) {
			return err
		}
		if !said {
			w.opt.Log.Warn("the first heartbeat failed; trying on", "err", err)
		}
		t := time.NewTimer(firstPause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w while the first heartbeat was waited for: %w", context.Cause(ctx), err)
		}
	}
}

// firstPause is the pause between two tries.
const firstPause = 200 * time.Millisecond

// beatLoop keeps the rhythm until ctx ends.
func (w *Worker) beatLoop(ctx context.Context) {
	t := time.NewTicker(w.opt.Heartbeat)
	defer t.Stop()
	away := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		err := w.beat(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !away:
			w.opt.Log.Warn("heartbeat failed; trying on", "err", err)
			away = true
		case err == nil && away:
			w.opt.Log.Info("heartbeat is back")
			away = false
		}
	}
}

func (w *Worker) subscribe(ctx context.Context) *redis.PubSub {
	var channels []string
	for _, q := range w.opt.Queues {
		channels = append(channels, jobs.BellChannel(q.Name))
	}
	return w.listen.Subscribe(ctx, append(channels, w.opt.Process.CancelChannels()...)...)
}

// listenLoop passes on bells and cancellations until ctx ends.
func (w *Worker) listenLoop(ctx context.Context, sub *redis.PubSub) {
	defer sub.Close()
	queueOf := map[string]string{}
	for _, q := range w.opt.Queues {
		queueOf[jobs.BellChannel(q.Name)] = q.Name
	}
	ch := sub.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-ch:
			if !ok {
				return
			}
			switch m := m.(type) {
			case *redis.Subscription:
				// The connection is new: what rang before it is lost.
				w.bell.RingAll()
			case *redis.Message:
				if q, isBell := queueOf[m.Channel]; isBell {
					w.bell.Ring(q)
				} else {
					w.cancelRun(strings.TrimSpace(m.Payload))
				}
			}
		}
	}
}

func (w *Worker) runningJobs() []*jobs.Job {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]*jobs.Job, 0, len(w.running))
	for _, r := range w.running {
		out = append(out, r.Job)
	}
	return out
}

func (w *Worker) cancelRun(id string) {
	w.mu.Lock()
	r := w.running[id]
	w.mu.Unlock()
	if r != nil {
		r.cancel(jobs.ErrCancelAsked)
	}
}
