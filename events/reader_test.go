package events_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"switchyard/events"
	"switchyard/sim/redisserver"
)

// bundle is what one test works with: a reader that follows a Redis of its own.
type bundle struct {
	ctx    context.Context
	srv    *redisserver.Server
	rdb    *redis.Client // the test's own
	client *redis.Client // the reader's
	hub    *events.Hub
	log    *logged
	ready  chan struct{}
	cancel context.CancelFunc
	done   chan struct{} // closed when the reader has returned
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	srv, err := redisserver.Start(ctx, redisserver.Options{Dir: t.TempDir(), Fsync: "always"})
	if err != nil {
		t.Fatalf("%v (make deps installs redis-server)", err)
	}
	t.Cleanup(srv.Stop)
	b := &bundle{ctx: ctx, srv: srv, hub: events.NewHub(), log: &logged{}, ready: make(chan struct{}), done: make(chan struct{})}
	b.rdb = redis.NewClient(&redis.Options{Addr: srv.Addr()})
	b.client = redis.NewClient(&redis.Options{Addr: srv.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _, _ = b.rdb.Close(), b.client.Close() })
	return b
}

// run starts the reader.
func (b *bundle) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	b.cancel = cancel
	r := &events.Reader{Client: b.client, Hub: b.hub, Log: slog.New(slog.NewTextHandler(b.log, nil))}
	go func() {
		defer close(b.done)
		r.Run(ctx, b.ready)
	}()
	t.Cleanup(func() {
		cancel()
		_ = b.client.Close() // lets go of its blocking read
		<-b.done
	})
}

func (b *bundle) await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-b.ctx.Done():
		t.Fatalf("waited in vain until %s", what)
	}
}

// next is the watcher's next notice.
func (b *bundle) next(t *testing.T, w *events.Watch) events.Notice {
	t.Helper()
	select {
	case n := <-w.C:
		return n
	case <-b.ctx.Done():
		t.Fatal("waited in vain for a notice")
		return events.Notice{}
	}
}

// add writes an event as the jobs scripts do.
func (b *bundle) add(t *testing.T, fields ...any) {
	t.Helper()
	if err := b.rdb.XAdd(b.ctx, &redis.XAddArgs{Stream: events.JobStream, Values: fields}).Err(); err != nil {
		t.Fatal(err)
	}
}

// logged keeps log lines and tells who waits for one.
type logged struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines chan struct{}
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines != nil && strings.Contains(string(p), "interrupted") {
		close(l.lines)
		l.lines = nil
	}
	return l.text.Write(p)
}

// interrupted is closed when the reader next says that it lost the stream.
func (l *logged) interrupted() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = make(chan struct{})
	return l.lines
}

// An event reaches those who watch its job as it was written.
func TestReaderPassesEventsOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		fields []any
		want   events.Job
	}{
		{"everything", []any{
			"id", "j", "about", "toggle|h1|16|-100", "state", "completed", "attempt", "2",
			"progress", `{"steps":[]}`, "error", "none", "result", `{"success":true}`,
		}, events.Job{
			JobID: "j", Type: "toggle", State: "completed", Attempt: 2, ChatID: "-100", Host: "h1", Subnet: 16,
			Progress: []byte(`{"steps":[]}`), Error: "none", Result: []byte(`{"success":true}`),
		}},
		{"only what there is", []any{"id", "j", "about", "callback|||", "state", "queued", "attempt", "1"},
			events.Job{JobID: "j", Type: "callback", State: "queued", Attempt: 1}},
		{"more than is known", []any{"id", "j", "state", "running", "colour", "red"}, events.Job{JobID: "j", State: "running"}},
		{"no number", []any{"id", "j", "attempt", "x", "about", "toggle|h1|x|"}, events.Job{JobID: "j"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.run(t)
			b.await(t, "the reader is ready", b.ready)
			w := b.hub.Watch("j")
			defer w.Close()
			b.add(t, "id", "somebody else's", "state", "completed")
			b.add(t, tt.fields...)
			n := b.next(t, w)
			if n.Resync { // the first one, which comes with being ready
				n = b.next(t, w)
			}
			if diff := cmp.Diff(events.Notice{Job: tt.want}, n); diff != "" {
				t.Errorf("notice (-want +got):\n%s", diff)
			}
		})
	}
}

// Once the reader is ready every event is seen; those who watched before are
// told to read again, since what was written earlier is not.
func TestReaderReady(t *testing.T) {
	t.Parallel()
	b := setup(t)
	early := b.hub.Watch("j")
	defer early.Close()
	b.add(t, "id", "j", "state", "queued")
	b.run(t)
	b.await(t, "the reader is ready", b.ready)
	b.add(t, "id", "j", "state", "running")
	if n := b.next(t, early); !n.Resync {
		t.Errorf("who watched before got %+v first, want a resync", n)
	}
	if n := b.next(t, early); n.Job.State != "running" {
		t.Errorf("who watched before got %+v next, want that it runs", n)
	}
}

// Bursts of events, more than one read brings, arrive in order and whole.
func TestReaderKeepsUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t)
	b.await(t, "the reader is ready", b.ready)
	const n = 1000
	watches := make([]*events.Watch, n)
	for i := range watches {
		watches[i] = b.hub.Watch(key(i))
	}
	_, err := b.rdb.Pipelined(b.ctx, func(p redis.Pipeliner) error {
		for _, state := range []string{"running", "completed"} {
			for i := range n {
				p.XAdd(b.ctx, &redis.XAddArgs{Stream: events.JobStream, Values: []any{"id", key(i), "state", state}})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range watches {
		var got []string
		for len(got) < 2 {
			if n := b.next(t, w); !n.Resync {
				got = append(got, n.Job.State)
			}
		}
		if diff := cmp.Diff([]string{"running", "completed"}, got); diff != "" {
			t.Fatalf("job %d (-want +got):\n%s", i, diff)
		}
	}
}

func key(i int) string {
	return "j" + string(rune('A'+i%26)) + string(rune('A'+i/26%26)) + string(rune('A'+i/676))
}

// While Redis is away the reader is not ready; it gets ready when Redis comes.
func TestReaderWaitsForRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.srv.Kill()
	failed := b.log.interrupted()
	b.run(t)
	b.await(t, "the reader has found no Redis", failed)
	select {
	case <-b.ready:
		t.Fatal("the reader was ready without a Redis")
	default:
	}
	if err := b.srv.Restart(b.ctx); err != nil {
		t.Fatal(err)
	}
	b.await(t, "the reader is ready", b.ready)
	w := b.hub.Watch("j")
	defer w.Close()
	b.add(t, "id", "j", "state", "completed")
	for n := b.next(t, w); !n.Job.Final(); n = b.next(t, w) {
	}
}

// After an outage every watcher is told to read again, whether Redis came back
// with its events or without, and later events are seen.
func TestReaderSurvivesARestart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		away func(t *testing.T, b *bundle)
	}{
		{"redis was killed", func(t *testing.T, b *bundle) {
			failed := b.log.interrupted()
			b.srv.Kill()
			b.await(t, "the reader has noticed", failed)
			if err := b.srv.Restart(b.ctx); err != nil {
				t.Fatal(err)
			}
		}},
		{"redis came back empty", func(t *testing.T, b *bundle) {
			failed := b.log.interrupted()
			if err := b.rdb.Del(b.ctx, events.JobStream).Err(); err != nil {
				t.Fatal(err)
			}
			b.srv.Kill()
			b.await(t, "the reader has noticed", failed)
			if err := b.srv.Restart(b.ctx); err != nil {
				t.Fatal(err)
			}
		}},
		{"the connection was cut", func(t *testing.T, b *bundle) {
			failed := b.log.interrupted()
			if err := b.rdb.Do(b.ctx, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
				t.Fatal(err)
			}
			b.await(t, "the reader has noticed", failed)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.run(t)
			b.await(t, "the reader is ready", b.ready)
			b.add(t, "id", "other", "state", "queued")
			w := b.hub.Watch("j")
			defer w.Close()
			b.add(t, "id", "j", "state", "running")
			for n := b.next(t, w); n.Job.State != "running"; n = b.next(t, w) {
			}
			tt.away(t, b)
			if n := b.next(t, w); !n.Resync {
				t.Errorf("after the outage the watcher got %+v, want a resync", n)
			}
			b.add(t, "id", "j", "state", "completed")
			if n := b.next(t, w); n.Job.State != "completed" {
				t.Errorf("then it got %+v, want that it completed", n)
			}
		})
	}
}

// A reader that fell so far behind that events were trimmed before it read them
// has every watcher read again.
func TestReaderNoticesATrimmedStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gate := &gate{shut: make(chan struct{}), open: make(chan struct{})}
	b.client.AddHook(gate)
	b.run(t)
	b.await(t, "the reader is ready", b.ready)
	b.await(t, "the reader is held up", gate.shut)
	w := b.hub.Watch("j")
	defer w.Close()
	b.add(t, "id", "j", "state", "completed")
	_, err := b.rdb.Pipelined(b.ctx, func(p redis.Pipeliner) error {
		for range 1500 {
			p.XAdd(b.ctx, &redis.XAddArgs{Stream: events.JobStream, MaxLen: 1000, Approx: true, Values: []any{"id", "other", "state", "running"}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	close(gate.open)
	if n := b.next(t, w); !n.Resync && !n.Job.Final() {
		t.Errorf("the watcher got %+v, want a resync", n)
	}
}

// gate holds the first blocking read back until it is opened.
type gate struct {
	once sync.Once
	shut chan struct{}
	open chan struct{}
}

var _ redis.Hook = (*gate)(nil)

func (g *gate) DialHook(next redis.DialHook) redis.DialHook { return next }

func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "xread" {
			g.once.Do(func() { close(g.shut) })
			<-g.open
		}
		return next(ctx, cmd)
	}
}

// When its context ends the reader returns, wherever it is just then; a blocking
// read ends with its client.
func TestReaderEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		arrange func(t *testing.T, b *bundle)
	}{
		{"in a blocking read", func(t *testing.T, b *bundle) {
			b.run(t)
			b.await(t, "the reader is ready", b.ready)
		}},
		{"while Redis is away", func(t *testing.T, b *bundle) {
			b.srv.Kill()
			failed := b.log.interrupted()
			b.run(t)
			b.await(t, "the reader has found no Redis", failed)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			tt.arrange(t, b)
			b.cancel()
			_ = b.client.Close()
			b.await(t, "the reader has returned", b.done)
		})
	}
}

// A context that has ended already keeps the reader from beginning.
func TestReaderDoesNotBegin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	(&events.Reader{Client: b.client, Hub: b.hub, Log: slog.New(slog.DiscardHandler)}).Run(ctx, b.ready)
	select {
	case <-b.ready:
		t.Error("it was ready all the same")
	default:
	}
}
