package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/jobs"
)

// line is a way to Redis that is cut while a script is called.
type line struct {
	calls   atomic.Int32 // until the one that it happens to
	happens atomic.Int32
	dead    atomic.Bool // no new connection comes about
}

// What happens to a call.
const (
	requestLost int32 = iota + 1
	replyLost         // Redis has done it, and its answer is on the way
)

// errCut is one that the client repeats a call after.
var errCut = fmt.Errorf("connection was cut: %w", io.EOF)

// cut has it happen to the nth call from now, the first being 1.
func (l *line) cut(nth int, what int32) {
	l.happens.Store(what)
	l.calls.Store(int32(nth))
}

// happened reports whether there were that many calls.
func (l *line) happened() bool { return l.calls.Load() <= 0 }

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if l.dead.Load() {
		return nil, errCut
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &cuttable{Conn: c, line: l}, nil
}

type cuttable struct {
	net.Conn
	line *line
	mute atomic.Bool
}

func (c *cuttable) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("evalsha")) && c.line.calls.Add(-1) == 0 {
		switch c.line.happens.Load() {
		case requestLost:
			_ = c.Close()
			return 0, errCut
		case replyLost:
			c.mute.Store(true)
		}
	}
	return c.Conn.Write(p)
}

func (c *cuttable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.mute.Load() {
		_ = c.Close()
		return 0, errCut
	}
	return n, err
}

// over returns a line to the bundle's Redis that is open, and a store whose
// client calls once more so often by itself.
func (b *bundle) over(t *testing.T, repeats int) (*line, *jobs.Store) {
	t.Helper()
	l := &line{}
	if repeats == 0 {
		repeats = -1
	}
	rdb := redis.NewClient(&redis.Options{Addr: b.srv.Addr(), Dialer: l.dial, MaxRetries: repeats, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = rdb.Close() })
	s := jobs.NewStore(jobs.Options{
		Client: rdb, Hub: b.hub, Retention: time.Hour, MaxPerType: 1000, EventStream: 1000,
		IdempotencyWindow: time.Hour, MaxCrashes: 3, ProcessTTL: time.Hour,
	})
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.SyncClock(b.ctx)) // opens it
	return l, s
}

// warm has Redis learn every script, so that each call is one command.
func (b *bundle) warm(t *testing.T) {
	t.Helper()
	id := b.accept(t, toggle(30))
	c := b.claim(t, id)
	must(t, c.Progress(b.ctx, 1))
	must(t, c.Again(b.ctx, 0, nil, nil))
	_, err := b.store.Cancel(b.ctx, id)
	must(t, err)
	b.settle(t)
	must(t, b.store.Reopen(b.ctx, id))
	_, err = b.store.Cancel(b.ctx, id)
	must(t, err)
	b.settle(t)
}

func (b *bundle) settle(t *testing.T) {
	t.Helper()
	for _, d := range mustDebts(t, b) {
		must(t, b.store.Settle(b.ctx, d))
	}
}

// What an acceptance that was cut off answers is what happened: the record
// tells. Only where that can't be read either, a job may have been taken that
// was refused.
func TestAcceptOnACutLine(t *testing.T) {
	t.Parallel()
	keyed := toggle(16)
	keyed.IdempotencyScope, keyed.Fingerprint = "k", []byte("a")
	for _, tt := range []struct {
		name     string
		request  jobs.Request
		happens  int32
		dead     bool // and then the whole line is
		repeats  int
		accepted bool // is the answer
		taken    bool // is the truth
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
			b.warm(t)
			tasks, told := len(b.pending(t, tt.request.Queue)), b.rdb.XLen(b.ctx, events.JobStream).Val()
			l, store := b.over(t, tt.repeats)
			l.dead.Store(tt.dead)
			l.cut(1, tt.happens)

			tt.request.ID = jobs.NewID(time.Now())
			a, err := store.Accept(b.ctx, tt.request)
			switch {
			case tt.accepted && err != nil, !tt.accepted && !errors.Is(err, jobs.ErrUnavailable):
				t.Errorf("answered %+v, %v, want accepted: %t", a, err, tt.accepted)
			case tt.accepted && (a.ID != tt.request.ID || a.State != jobs.Queued || a.Joined || a.Replayed):
				t.Errorf("answered %+v", a)
			}
			n := 0
			if tt.taken {
				n = 1
			}
			if j, err := b.store.Get(b.ctx, tt.request.ID); (err == nil) != tt.taken {
				t.Errorf("record: %+v, %v, want taken: %t", j, err, tt.taken)
			}
			if got := len(b.pending(t, tt.request.Queue)) - tasks; got != n {
				t.Errorf("%d tasks were made, want %d", got, n)
			}
			if got := int(b.rdb.XLen(b.ctx, events.JobStream).Val() - told); got != n {
				t.Errorf("%d events were written, want %d", got, n)
			}
		})
	}
}

// A transition that the client repeats because the reply was lost is made once,
// and the answer is what it was.
func TestTransitionsOnACutLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(b *bundle, s *jobs.Store, c *jobs.Claim, id string) error
		// claimed: the job is running before, ended: and has failed then.
		claimed, ended bool
		want           jobs.State
		attempt        int
	}{
		{"claim", func(b *bundle, s *jobs.Store, _ *jobs.Claim, id string) error {
			_, v, err := s.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1, Host: "h1"}, b.proc.NewOwner())
			if err == nil && v != jobs.Run {
				return errors.New("the claim was refused")
			}
			return err
		}, false, false, jobs.Running, 1},
		{"progress", func(b *bundle, _ *jobs.Store, c *jobs.Claim, _ string) error { return c.Progress(b.ctx, 1) }, true, false, jobs.Running, 1},
		{"finish", func(b *bundle, _ *jobs.Store, c *jobs.Claim, _ string) error {
			return c.Finish(b.ctx, jobs.End{State: jobs.Completed})
		}, true, false, jobs.Completed, 1},
		{"again", func(b *bundle, _ *jobs.Store, c *jobs.Claim, _ string) error {
			return c.Again(b.ctx, time.Hour, errors.New("x"), nil)
		}, true, false, jobs.Retrying, 2},
		{"cancel of a running job", func(b *bundle, s *jobs.Store, _ *jobs.Claim, id string) error {
			_, err := s.Cancel(b.ctx, id)
			return err
		}, true, false, jobs.Running, 1},
		{"cancel of a queued job", func(b *bundle, s *jobs.Store, _ *jobs.Claim, id string) error {
			_, err := s.Cancel(b.ctx, id)
			return err
		}, false, false, jobs.Cancelled, 1},
		{"run again", func(b *bundle, s *jobs.Store, _ *jobs.Claim, id string) error {
			return s.Reopen(b.ctx, id)
		}, true, true, jobs.Queued, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.warm(t)
			// A transition may take several scripts: each of them has its turn.
			for nth, through := 1, false; !through; nth++ {
				l, store := b.over(t, 3)
				id := b.accept(t, toggle(10+nth))
				var c *jobs.Claim
				if tt.claimed {
					var v jobs.Verdict
					var err error
					if c, v, err = store.Claim(b.ctx, jobs.TaskPayload{Job: id, Attempt: 1, Host: "h1"}, b.proc.NewOwner()); err != nil || v != jobs.Run {
						t.Fatalf("claim: %v, %v", v, err)
					}
				}
				if tt.ended {
					must(t, c.Finish(b.ctx, jobs.End{State: jobs.Failed, Error: "x"}))
					b.settle(t)
				}
				told := b.rdb.XLen(b.ctx, events.JobStream).Val()
				l.cut(nth, replyLost)
				err := tt.do(b, store, c, id)
				if through = !l.happened(); through && nth == 1 {
					t.Error("no reply was lost")
				}
				if err != nil {
					t.Errorf("reply %d lost: %v", nth, err)
				}
				if j := b.get(t, id); j.State != tt.want || j.Attempt != tt.attempt {
					t.Errorf("reply %d lost: %s at attempt %d, want %s at %d", nth, j.State, j.Attempt, tt.want, tt.attempt)
				}
				if n := b.rdb.XLen(b.ctx, events.JobStream).Val() - told; n > 1 && tt.name != "progress" {
					t.Errorf("reply %d lost: %d events, want 1", nth, n)
				}
			}
		})
	}
}

// A Redis that hangs refuses what it was asked meanwhile: when it goes on, a
// request that was answered 503 is not taken late.
func TestAcceptWhileRedisHangs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.warm(t)
	_, store := b.over(t, 0)
	r := toggle(16)
	r.ID, r.ChatID = jobs.NewID(time.Now()), "-1"
	r.IdempotencyScope, r.Fingerprint = "k", []byte("a")
	told, calls := b.rdb.XLen(b.ctx, events.JobStream).Val(), b.scriptCalls(t)

	must(t, b.srv.Hang())
	ctx, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
	defer cancel()
	a, err := store.Accept(ctx, r)
	must(t, b.srv.Resume())
	if !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("answered %+v, %v, want ErrUnavailable", a, err)
	}
	b.eventually(t, "redis has read what it was sent while it hung", func() bool { return b.scriptCalls(t) > calls })
	if found := b.traces(t, r.ID); len(found) > 0 {
		t.Errorf("it was taken all the same: %v", found)
	}
	if n := b.rdb.XLen(b.ctx, events.JobStream).Val(); n != told {
		t.Errorf("%d events were written", n-told)
	}
	// And nothing stands against the same request now.
	if a, err := store.Accept(b.ctx, r); err != nil || a.ID != r.ID || a.Joined || a.Replayed {
		t.Errorf("asked again: %+v, %v", a, err)
	}
}

// A pause of Redis that ends before the caller's patience does no harm.
func TestAcceptAfterAShortHang(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.warm(t)
	must(t, b.srv.Hang())
	type answer struct {
		jobs.Accepted
		err error
	}
	sent, out := make(chan struct{}, 10), make(chan answer, 1)
	rdb := redis.NewClient(&redis.Options{Addr: b.srv.Addr(), ContextTimeoutEnabled: true, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		defer func() { sent <- struct{}{} }()
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}})
	t.Cleanup(func() { _ = rdb.Close() })
	store := jobs.NewStore(jobs.Options{Client: rdb, Hub: b.hub, Retention: time.Hour, EventStream: 1000})
	t.Cleanup(func() { _ = store.Close() })
	go func() {
		a, err := store.Accept(b.ctx, toggle(16))
		out <- answer{a, err}
	}()
	b.until(t, "the request is on its way", sent)
	must(t, b.srv.Resume())
	a := <-out
	must(t, a.err)
	b.get(t, a.ID)
}

// scriptCalls counts the scripts that Redis has run.
func (b *bundle) scriptCalls(t *testing.T) (n int) {
	t.Helper()
	info, err := b.rdb.Info(b.ctx, "commandstats").Result()
	must(t, err)
	for l := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(l, "cmdstat_evalsha:calls="); ok {
			rest, _, _ = strings.Cut(rest, ",")
			n, err = strconv.Atoi(rest)
			must(t, err)
		}
	}
	return n
}

// With Redis gone, or hanging, every call says so and gives its caller back
// within their deadline.
func TestEverythingSaysUnavailable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		away func(*testing.T, *bundle)
	}{
		{"killed", func(_ *testing.T, b *bundle) { b.srv.Kill() }},
		{"hung", func(t *testing.T, b *bundle) {
			must(t, b.srv.Hang())
			t.Cleanup(func() { _ = b.srv.Resume() })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.warm(t)
			id := b.accept(t, toggle(16))
			c := b.claim(t, id)
			w := b.store.NewSweeper(discard)
			tt.away(t, b)
			for name, f := range map[string]func(context.Context) error{
				"accept":        func(ctx context.Context) error { _, err := b.store.Accept(ctx, toggle(17)); return err },
				"join":          func(ctx context.Context) error { _, err := b.store.Accept(ctx, toggle(16)); return err },
				"get":           func(ctx context.Context) error { _, err := b.store.Get(ctx, id); return err },
				"wait":          func(ctx context.Context) error { _, err := b.store.Wait(ctx, id, nil); return err },
				"list":          func(ctx context.Context) error { _, err := b.store.List(ctx, jobs.Filter{}, 10, ""); return err },
				"cancel":        func(ctx context.Context) error { _, err := b.store.Cancel(ctx, id); return err },
				"run again":     func(ctx context.Context) error { return b.store.Reopen(ctx, id) },
				"audience":      func(ctx context.Context) error { _, _, err := b.store.Audience(ctx, c.Job); return err },
				"debts":         func(ctx context.Context) error { _, err := b.store.Debts(ctx, 0, 10); return err },
				"settle":        func(ctx context.Context) error { return b.store.Settle(ctx, jobs.Debt{JobID: id}) },
				"cancels asked": func(ctx context.Context) error { _, err := b.store.CancelsAsked(ctx, []*jobs.Job{c.Job}); return err },
				"claim": func(ctx context.Context) error {
					_, _, err := b.store.Claim(ctx, jobs.TaskPayload{Job: id, Attempt: 1, Host: "h1"}, "x#1")
					return err
				},
				"check":      func(ctx context.Context) error { return c.Check(ctx) },
				"progress":   func(ctx context.Context) error { return c.Progress(ctx, 1) },
				"finish":     func(ctx context.Context) error { return c.Finish(ctx, jobs.End{State: jobs.Completed}) },
				"again":      func(ctx context.Context) error { return c.Again(ctx, 0, nil, nil) },
				"heartbeat":  b.proc.Beat,
				"leave":      b.proc.Leave,
				"bury":       func(ctx context.Context) error { return b.proc.BuryPredecessors(ctx, "h1") },
				"reclaim":    func(ctx context.Context) error { _, err := b.store.Reclaim(ctx, "h1"); return err },
				"sweep":      func(ctx context.Context) error { _, err := w.Sweep(ctx, []string{"h1"}); return err },
				"sync clock": b.store.SyncClock,
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					ctx, cancel := context.WithTimeout(b.ctx, 200*time.Millisecond)
					defer cancel()
					out := make(chan error, 1)
					go func() { out <- f(ctx) }()
					select {
					case err := <-out:
						if !errors.Is(err, jobs.ErrUnavailable) {
							t.Errorf("%v, want ErrUnavailable", err)
						}
					case <-b.ctx.Done():
						t.Error("it never came back")
					}
				})
			}
		})
	}
}
