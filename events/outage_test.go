package events_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// asked closes enough when a client has been asked for the fourth command.
type asked struct {
	n      atomic.Int64
	enough chan struct{}
}

func (*asked) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a *asked) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if a.n.Add(1) == 4 {
			close(a.enough)
		}
		return next(ctx, cmd)
	}
}

func (a *asked) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if a.n.Add(1) == 4 {
			close(a.enough)
		}
		return next(ctx, cmds)
	}
}

// An outage is told once, however often the reader tries, and so is its end.
func TestReaderTellsAnOutageOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.srv.Kill()
	a := &asked{enough: make(chan struct{})}
	b.client.AddHook(a)
	b.run(t)
	b.await(t, "the reader has tried again", a.enough)
	if err := b.srv.Restart(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.await(t, "the reader is ready", b.ready)
	log := b.log.String()
	if strings.Count(log, "interrupted") != 1 || strings.Count(log, "event stream is back") != 1 {
		t.Errorf("the log tells more than one outage and its end:\n%s", log)
	}
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
