// Package convoy has calls that meet on their way to Redis travel together, as
// one pipeline: a busy process then pays for the way once instead of for each
// call, and the way is most of what a call costs. It is about EVALSHA and GET,
// which is what processes here make by the thousand.
//
// A call that meets nobody goes at once, by itself, exactly as without this
// package; so an idle system is as prompt as ever. Only when Lanes calls are on
// their way does the next one wait for one of them to return, with all that come
// after it; and only for Patience, so that a connection that hangs holds up
// nobody but who is on it.
//
// Calls that travel together have nothing in common but the way. Each is done
// by itself, each caller gets its own answer, and a caller whose context
// ends is let go at once; as always with Redis, what it asked for may be done
// all the same, unless it hadn't left yet. A call is never made twice, but for
// what the client itself tries again.
//
// Hook is safe for concurrent use.
package convoy

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// Lanes is how many calls or convoys are on their way at once before others
	// wait for them. More of them make convoys shorter, fewer make calls to a
	// Redis far away wait longer.
	Lanes = 2
	// Patience is how long calls wait before they get a lane of their own.
	Patience = 50 * time.Millisecond
	// longest is how many calls travel in one convoy.
	longest = 128
)

// Hook is a redis.Hook that forms convoys of EVALSHA and GET calls. Everything
// else passes.
type Hook struct {
	client   redis.UniversalClient
	joins    func(redis.Cmder) bool
	patience time.Duration

	mu      sync.Mutex
	away    int         // lanes in use
	waiting []*call     // in order of arrival
	alarm   *time.Timer // runs while somebody waits
}

// call is a command that waits, or travels.
type call struct {
	// cmd is the convoy's own: the caller may have gone when it is answered.
	cmd   redis.Cmder
	since time.Time
	done  chan struct{} // closed when cmd is answered
}

var _ redis.Hook = (*Hook)(nil)

// New returns a hook for the client, to be added to it. joins tells which of
// these calls may wait for others; nil: all.
func New(client redis.UniversalClient, joins func(redis.Cmder) bool) *Hook {
	return &Hook{client: client, joins: joins, patience: Patience}
}

// DialHook implements redis.Hook.
func (*Hook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (*Hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (h *Hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !travels(cmd) || h.joins != nil && !h.joins(cmd) {
			return next(ctx, cmd)
		}
		w := h.enter(cmd)
		if w == nil {
			defer h.back()
			return next(ctx, cmd)
		}
		select {
		case <-w.done:
			return answer(cmd, w.cmd)
		case <-ctx.Done():
			h.withdraw(w)
			cmd.SetErr(ctx.Err())
			return ctx.Err()
		}
	}
}

// travels reports whether it is a call of the kind that forms convoys.
func travels(cmd redis.Cmder) bool {
	switch cmd.(type) {
	case *redis.Cmd:
		return cmd.Name() == "evalsha"
	case *redis.StringCmd:
		return cmd.Name() == "get"
	}
	return false
}

// copyOf returns a call like cmd that has no answer yet.
func copyOf(cmd redis.Cmder) redis.Cmder {
	if _, ok := cmd.(*redis.StringCmd); ok {
		return redis.NewStringCmd(context.Background(), cmd.Args()...)
	}
	return redis.NewCmd(context.Background(), cmd.Args()...)
}

// answer gives cmd the answer that its copy got.
func answer(cmd, got redis.Cmder) error {
	if err := got.Err(); err != nil {
		cmd.SetErr(err)
		return err
	}
	switch got := got.(type) {
	case *redis.StringCmd:
		if c, ok := cmd.(*redis.StringCmd); ok {
			c.SetVal(got.Val())
		}
	case *redis.Cmd:
		if c, ok := cmd.(*redis.Cmd); ok {
			c.SetVal(got.Val())
		}
	}
	return nil
}

// enter takes a lane, or has the call wait where there is none.
func (h *Hook) enter(cmd redis.Cmder) *call {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away < Lanes {
		h.away++
		return nil
	}
	w := &call{cmd: copyOf(cmd), since: time.Now(), done: make(chan struct{})}
	if h.waiting = append(h.waiting, w); len(h.waiting) == 1 {
		h.arm(h.patience)
	}
	return w
}

// arm has impatient called after d. Called with mu held.
func (h *Hook) arm(d time.Duration) {
	if h.alarm == nil {
		h.alarm = time.AfterFunc(d, h.impatient)
		return
	}
	h.alarm.Reset(d)
}

// impatient gives those who wait a lane more if they have waited for too long.
func (h *Hook) impatient() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		return
	}
	if left := h.patience - time.Since(h.waiting[0].since); left > 0 {
		h.arm(left)
		return
	}
	h.away++
	go h.travel(h.take())
}

// withdraw takes back a call, unless it has left already.
func (h *Hook) withdraw(w *call) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.waiting, w); i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
	}
}

// back gives the lane to those who wait, if anybody does.
func (h *Hook) back() {
	if convoy := h.next(); convoy != nil {
		go h.travel(convoy)
	}
}

// next returns the next convoy of a lane; nil: the lane is free now.
func (h *Hook) next() []*call {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 || h.away > Lanes {
		h.away--
		return nil
	}
	return h.take()
}

// take takes the first of those who wait. Called with mu held.
func (h *Hook) take() []*call {
	n := min(len(h.waiting), longest)
	convoy := slices.Clone(h.waiting[:n])
	if h.waiting = slices.Delete(h.waiting, 0, n); len(h.waiting) > 0 {
		h.arm(h.patience)
	}
	return convoy
}

// travel sends convoys for as long as somebody waits.
func (h *Hook) travel(convoy []*call) {
	for ; convoy != nil; convoy = h.next() {
		p := h.client.Pipeline()
		for _, w := range convoy {
			// It is only queued here.
			_ = p.Process(context.Background(), w.cmd)
		}
		// Each call has its own error; nobody but the client's own time-outs
		// bounds the way, since every caller has another limit.
		_, _ = p.Exec(context.Background())
		for _, w := range convoy {
			close(w.done)
		}
	}
}
