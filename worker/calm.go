package worker

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// calmTime is how long after an outage of Redis no attempt is claimed. Those
// who take requests come first: they refused some without knowing whether Redis
// had taken them, and withdraw those now (jobs.Store.Accept). They may need a
// second to notice that Redis is back: a pool of go-redis that has failed to
// dial often tries again once a second.
const calmTime = 1500 * time.Millisecond

// weather is a hook that notes when Redis was last out of reach, or was replaced
// by another one.
type weather struct {
	mu   sync.Mutex
	last time.Time
	at   string // where Redis was dialled last
}

func (w *weather) note(err error) {
	var answer redis.Error
	if err == nil || errors.Is(err, context.Canceled) || errors.As(err, &answer) && !redis.HasErrorPrefix(err, "LOADING") {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = time.Now()
}

// dialled notes where Redis is. Another place than before is another master: it
// may not know the last that the former one said yes to.
func (w *weather) dialled(at string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at != "" && w.at != at {
		w.last = time.Now()
	}
	w.at = at
}

// since is how long ago Redis was out of reach; ok is false if it never was.
func (w *weather) since() (ago time.Duration, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.last), !w.last.IsZero()
}

// left is how much of calmTime is left.
func (w *weather) left() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last.IsZero() {
		return 0
	}
	return calmTime - time.Since(w.last)
}

func (w *weather) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := next(ctx, network, addr)
		w.note(err)
		if err == nil {
			w.dialled(c.RemoteAddr().String())
		}
		return c, err
	}
}

func (w *weather) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		w.note(err)
		return err
	}
}

func (w *weather) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		w.note(err)
		return err
	}
}

// awaitCalm waits until Redis has been within reach for calmTime; false when
// the worker stopped before.
func (w *Worker) awaitCalm() bool {
	for left := w.weather.left(); left > 0; left = w.weather.left() {
		if !pause(w.store, left) {
			return false
		}
	}
	return true
}
