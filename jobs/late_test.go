package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/jobs"
)

// beforeCall does something before the nth script call of a client.
type beforeCall struct {
	nth int
	do  func()
}

var _ redis.Hook = (*beforeCall)(nil)

func (h *beforeCall) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *beforeCall) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *beforeCall) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			if h.nth--; h.nth == 0 {
				h.do()
			}
		}
		return next(ctx, cmd)
	}
}

// joining is a store that is about to ask to join a job: when it does, do is
// called before.
func (b *bundle) joining(t *testing.T, do func()) (first string, store *jobs.Store) {
	t.Helper()
	b.warm(t)
	first = b.accept(t, toggle(16))
	b.accept(t, toggle(16)) // joins, so that Redis knows that script too
	rdb := redis.NewClient(&redis.Options{Addr: b.srv.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(&beforeCall{2, do})
	store = jobs.NewStore(jobs.Options{Client: rdb, Hub: b.hub, Retention: time.Hour, EventStream: 1000})
	t.Cleanup(func() { _ = store.Close() })
	must(t, store.SyncClock(b.ctx))
	return first, store
}

// A request that was refused since Redis began to hang when it was about to
// join a job doesn't join it late: its callback URL is not served.
func TestJoinWhileRedisHangs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, store := b.joining(t, func() { must(t, b.srv.Hang()) })
	calls := b.scriptCalls(t)
	r := toggle(16)
	r.CallbackURL = "https://receiver.example.com/late"
	ctx, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
	defer cancel()
	a, err := store.Accept(ctx, r)
	must(t, b.srv.Resume())
	if !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("answered %+v, %v, want ErrUnavailable", a, err)
	}
	b.eventually(t, "redis has read what it was sent while it hung", func() bool { return b.scriptCalls(t) == calls+2 })
	_, urls, err := b.store.Audience(b.ctx, b.get(t, first))
	must(t, err)
	if len(urls) > 0 {
		t.Errorf("it joined all the same: %v", urls)
	}
	if a, err := store.Accept(b.ctx, r); err != nil || a.ID != first || !a.Joined {
		t.Errorf("asked again: %+v, %v, want joined to %s", a, err, first)
	}
}

// A request whose joining was not confirmed is told what became of it as soon
// as that can be read.
func TestJoinWithLostReply(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what   string
		happen int32
		joined bool
	}{{"the reply was lost", replyLost, true}, {"the request was lost", requestLost, false}} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			first, _ := b.joining(t, func() {})
			l, store := b.over(t, 0)
			l.cut(2, tt.happen)
			r := toggle(16)
			r.ChatID, r.CallbackURL = "7", "https://receiver.example.com/joined"
			a, err := store.Accept(b.ctx, r)
			if tt.joined && (err != nil || a.ID != first || !a.Joined) || !tt.joined && !errors.Is(err, jobs.ErrUnavailable) {
				t.Errorf("answered %+v, %v", a, err)
			}
			_, urls, err := b.store.Audience(b.ctx, b.get(t, first))
			must(t, err)
			if (len(urls) > 0) != tt.joined {
				t.Errorf("audience: %v", urls)
			}
		})
	}
}
