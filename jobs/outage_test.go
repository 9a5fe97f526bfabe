package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/jobs"
)

// line is a way to Redis that can be cut while a script is called.
type line struct {
	addr string
	next atomic.Int32 // what happens to the next call
	dead atomic.Bool  // no new connection comes about
}

// What happens to a call.
const (
	passes int32 = iota
	requestLost
	replyLost // Redis has done it, and its answer is on the way
)

var errCut = errors.New("connection was cut")

func (l *line) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	if l.dead.Load() {
		return nil, errCut
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, l.addr)
	return &cuttable{Conn: c, line: l}, err
}

type cuttable struct {
	net.Conn
	line *line
	cut  bool
}

func (c *cuttable) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte("evalsha")) {
		return c.Conn.Write(p)
	}
	switch c.line.next.Swap(passes) {
	case requestLost:
		_ = c.Close()
		return 0, errCut
	case replyLost:
		c.cut = true
	}
	return c.Conn.Write(p)
}

func (c *cuttable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.cut {
		_ = c.Close()
		return 0, errCut
	}
	return n, err
}

// over returns a line to the bundle's Redis, and a store that uses it and
// repeats a call so often by itself.
func (b *bundle) over(t *testing.T, repeat int) (*line, *jobs.Store) {
	t.Helper()
	l := &line{addr: b.srv.Addr()}
	if repeat == 0 {
		repeat = -1
	}
	rdb := redis.NewClient(&redis.Options{Addr: b.srv.Addr(), Dialer: l.dial, MaxRetries: repeat, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = rdb.Close() })
	s := jobs.NewStore(jobs.Options{
		Client: rdb, Hub: b.hub, Retention: time.Hour, MaxPerType: 1000, EventStream: 1000,
		IdempotencyWindow: time.Hour, MaxCrashes: 3, ProcessTTL: time.Hour,
	})
	t.Cleanup(func() { _ = s.Close() })
	return l, s
}

// What an acceptance that was cut off answers is what happened: the record
// tells. Only when it can't be read either is a taken job refused.
func TestAcceptOnACutLine(t *testing.T) {
	t.Parallel()
	keyed := toggle(16)
	keyed.IdempotencyScope, keyed.Fingerprint = "k", []byte("a")
	for _, tt := range []struct {
		name     string
		request  jobs.Request
		happens  int32
		dead     bool
		repeat   int
		accepted bool // is answered
		taken    bool // is true
	}{
		{"reply lost", toggle(16), replyLost, false, 0, true, true},
		{"reply lost, call repeated", toggle(16), replyLost, false, 3, true, true},
		{"reply lost, under a key", keyed, replyLost, false, 0, true, true},
		{"reply lost, call repeated under a key", keyed, replyLost, false, 3, true, true},
		{"reply lost, ordered", ordered("k", 0), replyLost, false, 0, true, true},
		{"request lost", toggle(16), requestLost, false, 0, false, false},
		{"request lost, call repeated", toggle(16), requestLost, false, 3, true, true},
		{"request lost, and then the line", toggle(16), requestLost, true, 0, false, false},
		{"reply lost, and then the line", toggle(16), replyLost, true, 0, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			l, store := b.over(t, tt.repeat)
			b.accept(t, toggle(17)) // from now on Redis knows the script
			tasks := len(b.pending(t, tt.request.Queue))
			tt.request.ID = jobs.NewID(time.Now())
			l.next.Store(tt.happens)
			l.dead.Store(tt.dead && tt.happens == requestLost)
			if tt.dead {
				// The line goes once the call is on it.
				must(t, l.open(b.ctx, store))
				l.dead.Store(true)
				l.next.Store(tt.happens)
			}
			a, err := store.Accept(b.ctx, tt.request)
			switch {
			case tt.accepted && err != nil, !tt.accepted && !errors.Is(err, jobs.ErrUnavailable):
				t.Errorf("answered %+v, %v, want accepted: %t", a, err, tt.accepted)
			case tt.accepted && (a.ID != tt.request.ID || a.Joined || a.Replayed):
				t.Errorf("answered %+v", a)
			}
			n := 0
			if tt.taken {
				n = 1
			}
			j, err := b.store.Get(b.ctx, tt.request.ID)
			if taken := err == nil; taken != tt.taken {
				t.Fatalf("record: %+v, %v, want taken: %t", j, err, tt.taken)
			}
			if got := len(b.pending(t, tt.request.Queue)) - tasks; got != n {
				t.Errorf("%d tasks were made, want %d", got, n)
			}
			if got := b.rdb.XLen(b.ctx, events.JobStream).Val() - 1; got != int64(n) {
				t.Errorf("%d events were written, want %d", got, n)
			}
		})
	}
}

// open has the line's client connect.
func (l *line) open(ctx context.Context, s *jobs.Store) error { return s.SyncClock(ctx) }

// A transition that the client repeats because the reply was lost is made once,
// and answered as what it was.
func TestTransitionsOnACutLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(ctx context.Context, s *jobs.Store, c *jobs.Claim, id string) error
		// running: the job is claimed before.
		running, ended bool
		want           jobs.State
		attempt        int
	}{
		{"claim", func(ctx context.Context, s *jobs.Store, _ *jobs.Claim, id string) error {
			_, v, err := s.Claim(ctx, jobs.TaskPayload{Job: id, Attempt: 1, Host: "h1"}, "p1#1")
			if err == nil && v != jobs.Run {
				return errors.New("not run")
			}
			return err
		}, false, false, jobs.Running, 1},
		{"progress", func(ctx context.Context, _ *jobs.Store, c *jobs.Claim, _ string) error {
			return c.Progress(ctx, 1)
		}, true, false, jobs.Running, 1},
		{"finish", func(ctx context.Context, _ *jobs.Store, c *jobs.Claim, _ string) error {
			return c.Finish(ctx, jobs.End{State: jobs.Completed})
		}, true, false, jobs.Completed, 1},
		{"again", func(ctx context.Context, _ *jobs.Store, c *jobs.Claim, _ string) error {
			return c.Again(ctx, time.Hour, errors.New("x"), nil)
		}, true, false, jobs.Retrying, 2},
		{"cancel of a running job", func(ctx context.Context, s *jobs.Store, _ *jobs.Claim, id string) error {
			_, err := s.Cancel(ctx, id)
			return err
		}, true, false, jobs.Running, 1},
		{"cancel of a queued job", func(ctx context.Context, s *jobs.Store, _ *jobs.Claim, id string) error {
			_, err := s.Cancel(ctx, id)
			return err
		}, false, false, jobs.Cancelled, 1},
		{"run again", func(ctx context.Context, s *jobs.Store, _ *jobs.Claim, id string) error {
			return s.Reopen(ctx, id, time.Time{})
		}, true, true, jobs.Queued, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// A call of the store may be several scripts: each of them in turn
			// loses its reply.
			for nth := range 3 {
				b := setup(t)
				l, store := b.over(t, 3)
				warm(t, b)
				id := b.accept(t, toggle(16))
				var c *jobs.Claim
				if tt.running {
					var v jobs.Verdict
					var err error
					c, v, err = store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1, Host: "h1"}, b.proc.NewOwner())
					if err != nil || v != jobs.Run {
						t.Fatalf("claim: %v, %v", v, err)
					}
				}
				if tt.ended {
					must(t, c.Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
					for _, d := range mustDebts(t, b) {
						must(t, b.store.Settle(b.ctx, d))
					}
				}
				told := b.rdb.XLen(b.ctx, events.JobStream).Val()
				lost := l.loseReply(nth)
				if err := tt.do(b.ctx, store, c, id); err != nil {
					t.Errorf("reply %d lost: %v", nth+1, err)
				}
				if j := b.get(t, id); j.State != tt.want || j.Attempt != tt.attempt {
					t.Errorf("reply %d lost: %s at attempt %d, want %s at %d", nth+1, j.State, j.Attempt, tt.want, tt.attempt)
				}
				if n := b.rdb.XLen(b.ctx, events.JobStream).Val() - told; n > 1 {
					t.Errorf("reply %d lost: %d events", nth+1, n)
				}
				if !lost() {
					if nth == 0 {
						t.Error("no reply was lost")
					}
					return
				}
			}
		})
	}
}
